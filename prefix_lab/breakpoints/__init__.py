"""Real breakpoints at the stages of the walk: in JupyterLab's debugger, in VS Code's, and in pdb.

    with stop_at("encode", where="peft", suggest=["n", "p prefix.shape", "c"]) as stop:
        model(**batch)                 # the debugger opens inside PEFT, in a cell or a terminal, and you type
    stop.asked, stop.visits            # what you asked and saw; where nobody can type, the suggestions are typed

    break_at("encode")                 # stops in prefix_lab/encoder.py when JupyterLab's bug is on
    break_at("split", where="peft")    # and in PEFT's own get_prompt
    breakpoints()                      # what is set, and what was hit
    clear()

At a stop, `shapes()` names the axes of the frame's tensors; after an exception, `explain()` says what failed.
"""

from prefix_lab.breakpoints.breaking import break_at, breakpoints, clear
from prefix_lab.breakpoints.seen import explain, shapes
from prefix_lab.breakpoints.stopping import stop_at

__all__ = ["break_at", "breakpoints", "clear", "explain", "shapes", "stop_at"]
