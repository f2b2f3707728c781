"""Real breakpoints at the stages of the walk: in JupyterLab's debugger, in VS Code's, and in pdb.

    break_at("encode")                 # stops in prefix_lab/encoder.py when JupyterLab's bug is on
    break_at("split", where="peft")    # and in PEFT's own get_prompt
    breakpoints()                      # what is set, and what was hit
    clear()

    with stop_at("encode"):            # the same with pdb, in a cell or a terminal
        model(**batch)

At a stop, `shapes()` names the axes of the frame's tensors; after an exception, `explain()` says what failed.
"""

from prefix_lab.breakpoints.breaking import break_at, breakpoints, clear
from prefix_lab.breakpoints.seen import explain, shapes
from prefix_lab.breakpoints.stopping import stop_at

__all__ = ["break_at", "breakpoints", "clear", "explain", "shapes", "stop_at"]
