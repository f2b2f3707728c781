"""The debugger in a terminal: `prefix-lab record` runs a script under the recorder, `prefix-lab replay` walks it.

Recording: `record.py`, then `program.py`: what `python SCRIPT` would run, and how it ends; `progress.py`: how far.
Replaying: `replay.py`, which prints plain lines in a pipe; for a screen `keys.py` (what each key does), `screen.py`,
`panes.py` (what is said of a step), `lines.py`; without a screen `state.py` and `where.py` (breakpoints as typed).
`dap.py` serves editors. `signs.py` is what an output can print. What the commands take is in `prefix_lab.cli`.
"""
