"""Sphinx's settings for one language of the site; `python -m website` names it in PREFIX_LAB_LANGUAGE."""

import os
import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))

from website.pages import script  # noqa: E402
from website.reference import as_rst, left_out, of_init  # noqa: E402
from website.searching import SearchChinese  # noqa: E402

LANGUAGE = os.environ["PREFIX_LAB_LANGUAGE"]
OTHER = {"en": ("zh", "中文", "zh-CN"), "zh": ("en", "English", "en")}

project = "prefix_lab"
copyright = author = "prefix_lab"
html_title = "prefix_lab"
language = {"en": "en", "zh": "zh_CN"}[LANGUAGE]
extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.viewcode", "sphinx_copybutton"]
exclude_patterns = ["_build"]

nb_execution_mode = "off"  # execute.py has run them
nb_ipywidgets_js: dict = {}  # no widget lives here, and nothing is loaded from elsewhere
nb_render_markdown_format = "myst"
nb_merge_streams = True
myst_enable_extensions: list[str] = []
myst_heading_anchors = 4
suppress_warnings = ["mystnb.unknown_mime_type", "misc.highlighting_failure"]

autodoc_typehints = "signature"
autodoc_member_order = "bysource"
autodoc_preserve_defaults = True
add_module_names = False

html_theme = "furo"
html_static_path = [str(HERE / "static")]
templates_path = [str(HERE / "templates")]
html_css_files = ["stepper.css", "site.css"]
html_js_files = ["site.js"]
html_copy_source = False
html_show_sourcelink = False
html_show_copyright = False
html_use_index = False
html_last_updated_fmt = None
html_search_language = LANGUAGE
html_permalinks_icon = "#"
copybutton_exclude = ".linenos, .gp, .go"
html_theme_options = {"top_of_page_buttons": ["view"]}
html_context = {
    "other": OTHER[LANGUAGE],
}


def written(app, *_):
    """The scripts of the steppers and their style, beside the pages."""
    static = Path(app.outdir) / "_static"
    static.mkdir(parents=True, exist_ok=True)
    (static / "site.js").write_text(script(LANGUAGE), encoding="utf-8")
    style = HERE.parent / "prefix_lab" / "widgets" / "stepper" / "stepper.css"
    (static / "stepper.css").write_bytes(style.read_bytes())


def setup(app):
    app.add_search_language(SearchChinese) if LANGUAGE == "zh" else None
    app.connect("autodoc-skip-member", left_out)
    app.connect("autodoc-process-docstring", as_rst)
    app.connect("autodoc-process-signature", of_init)
    app.connect("build-finished", written)
