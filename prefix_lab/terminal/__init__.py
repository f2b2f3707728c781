"""The debugger in a terminal: `prefix-lab record` runs a script under the recorder, `prefix-lab replay` walks it.

Recording: `command.py`, then `program.py` (what `python SCRIPT` would run), `run.py` (how it ends), `progress.py`.
Replaying: `printed.py` for pipes; for a screen `app.py`, the panes that it shows, and `keys.py`, the table of keys.
"""
