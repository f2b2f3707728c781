"""Every command of `prefix-lab`. `commands.py` says what each takes, and does those that are short.

`record.py` runs a script under the recorder. `replay.py` walks through a recording: as plain lines in a pipe; for a
screen `keys.py` says what each key does, `screen.py` and `lines.py` draw, `panes.py` says what is told of a step, and
`state.py` knows where it stands. `signs.py` is what an output can print.
"""
