"""A recorder for any Python call, line by line, and a cursor that walks what it recorded forwards and backwards.

    with record(include=["peft"]) as recording:
        model = get_peft_model(base, config)

    cursor = recording.cursor()
    cursor.run_to(Breakpoint("PrefixEncoder.forward"))

Everything here uses the standard library alone. Other packages say how their values are summed up with
`register`, or by an entry point named `prefix_lab.summaries`.
"""

from prefix_lab.debugger.breakpoints import Breakpoint
from prefix_lab.debugger.cursor import Cursor
from prefix_lab.debugger.look import register
from prefix_lab.debugger.plain_values import register_all
from prefix_lab.debugger.recorder import Recorder, record
from prefix_lab.debugger.recording import Recording
from prefix_lab.debugger.steps import Step
from prefix_lab.debugger.summary import Summary

register_all()

__all__ = ["Breakpoint", "Cursor", "Recorder", "Recording", "Step", "Summary", "record", "register"]
