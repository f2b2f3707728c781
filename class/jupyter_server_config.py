"""What the server of each learner sets: it runs as the learner, in their home."""

import os
import shutil
import sys
from contextlib import suppress
from pathlib import Path

HERE = Path(__file__).resolve().parent
c = get_config()

# `prefix-lab` is there in a terminal, and in a cell after an exclamation mark.
os.environ["PATH"] = os.pathsep.join([os.path.dirname(sys.executable), os.environ.get("PATH", "")])

# The course, at the first login. Later, what is new in it; what the learner has already stays as it is.
COURSE, COPY = HERE.parent / "notebooks", Path.home() / "prefix_lab"
for source in sorted(path for language in ("en", "zh") for path in (COURSE / language).rglob("*") if path.is_file()):
    own = COPY / source.relative_to(COURSE)
    if not own.exists() and ".ipynb_checkpoints" not in own.parts:
        with suppress(OSError):  # a home that is full or cannot be written to is told of by JupyterLab
            own.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, own)

# A kernel that has done nothing for half an hour ends, also when its notebook is still open: the notebook stays, and
# is run from its first cell again. One that waits at a stop is busy, and stays. A server without kernels ends after an
# hour.
c.MappingKernelManager.cull_idle_timeout = 30 * 60
c.MappingKernelManager.cull_interval = 60
c.MappingKernelManager.cull_connected = True
c.ServerApp.shutdown_no_activity_timeout = 60 * 60

c.ServerApp.jpserver_extensions = {"jupyter_lsp": False}
c.LabApp.app_settings_dir = os.fspath(HERE / "lab")
