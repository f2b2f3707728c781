"""Package the extension: `python vscode/package.py` (or `make vscode`) writes vscode/prefix-lab.vsix, which VS Code
installs with "Install from VSIX". It is a zip with two papers beside the files; the same files give the same bytes.
"""

import json
import zipfile
from pathlib import Path
from xml.sax.saxutils import quoteattr

HERE = Path(__file__).parent
FILES = ("package.json", "extension.js", "README.md")
TYPES = """<?xml version="1.0" encoding="utf-8"?>
<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">
<Default Extension=".json" ContentType="application/json"/>
<Default Extension=".js" ContentType="application/javascript"/>
<Default Extension=".md" ContentType="text/markdown"/><Default Extension=".vsixmanifest" ContentType="text/xml"/>
</Types>
"""
MANIFEST = """<?xml version="1.0" encoding="utf-8"?>
<PackageManifest Version="2.0.0" xmlns="http://schemas.microsoft.com/developer/vsx-schema/2011">
<Metadata><Identity Language="en-US" Id={name} Version={version} Publisher={publisher}/>
<DisplayName>{title}</DisplayName><Description xml:space="preserve">{description}</Description>
<Categories>Debuggers,Education</Categories>
<Properties><Property Id="Microsoft.VisualStudio.Code.Engine" Value={engine}/></Properties></Metadata>
<Installation><InstallationTarget Id="Microsoft.VisualStudio.Code"/></Installation><Dependencies/>
<Assets><Asset Type="Microsoft.VisualStudio.Code.Manifest" Path="extension/package.json" Addressable="true"/>
<Asset Type="Microsoft.VisualStudio.Services.Content.Details" Path="extension/README.md" Addressable="true"/></Assets>
</PackageManifest>
"""


def package(target: Path) -> Path:
    """Write the .vsix."""
    told = json.loads((HERE / "package.json").read_text(encoding="utf-8"))
    quoted = {name: quoteattr(told[name]) for name in ("name", "version", "publisher")}
    manifest = MANIFEST.format(
        **quoted,
        title=told["displayName"],
        description=told["description"],
        engine=quoteattr(told["engines"]["vscode"]),
    )
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as file:
        for name, text in [("[Content_Types].xml", TYPES), ("extension.vsixmanifest", manifest)]:
            file.writestr(zipfile.ZipInfo(name), text)
        for name in FILES:
            file.writestr(zipfile.ZipInfo(f"extension/{name}"), (HERE / name).read_bytes())
    return target


if __name__ == "__main__":
    print(f"wrote {package(HERE / 'prefix-lab.vsix')}")
