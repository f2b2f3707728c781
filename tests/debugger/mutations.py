"""`python -m tests.debugger.mutations`: plants mistakes into copies of the debugger; its tests must catch each."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[2]
MISTAKES = [
    ("by_settrace.py", "if argument[0] is StopIteration and at in info.skips:", "if False:"),
    ("by_settrace.py", "if info.pauses and frame.f_lasti not in info.starts:", "if False:"),
    ("by_settrace.py", "            threading.settrace(self.threads_before)", "            pass"),
    ("by_settrace.py", "                    if tape.waits:", "                    if False:"),
    ("by_settrace.py", "        if tape.waits:\n            tape.take_turn()\n        at", "        info"),
    ("by_settrace.py", "            frame.f_trace = before", "            pass"),
    ("by_settrace.py", "if info.pauses and at in info.yields and not", "if False and not"),
    ("by_settrace.py", " and not (argument is None and type(pending) is Raised)", ""),
    ("by_settrace.py", "if argument is None and at not in info.returns:", "if argument is None:"),
    ("by_settrace.py", "elif type(pending) is Place:", "elif False:"),
    ("by_settrace.py", "paused or info.lines[frame.f_lineno]", "info.lines[frame.f_lineno]"),
    ("by_settrace.py", "return both if found == (inner, outer) else joined(*found)", "return joined(*found) if event == 'call' else both"),
    ("by_settrace.py", "                tape.tracers.shut()", "                pass"),
    ("frames.py", "value.cell_contents if type(value) is CellType and name in cells else value", "value"),
    ("frames.py", "return dict.get(space, name, default)", "return space.get(name, default)"),
    ("frames.py", "return default if type(name) is Touched else Unread(kind)", "return default"),
    ("frames.py", "return dict.items(space) if issubclass(type(space), dict) else ()", "return space.items()"),
    ("places.py", 'opcodes("FOR_ITER", "GET_ANEXT"),', 'opcodes("FOR_ITER"),'),
    ("places.py", "shared = [Shared(name) for name in cells if name not in stores]", "shared = []"),
    ("places.py", "if line in may_change and name not in (*stores, *cells)]", "if False]"),
    ("places.py", "place.sure = segments[line] == 1 and line not in loops", "place.sure = True"),
    ("places.py", "turns.add(line)", "pass"),
    ("places.py", "if line is None:  # what", "if False:  # what"),
    ("decode.py", "if number == before and not (kind is str and sure):", "if number == before:"),
    ("decode.py", "IN_PLACE if kind is Touched or", "IN_PLACE if"),
    ("decode.py", "self.expect(frame, line)  # what was sent is bound now", "pass"),
    ("decode.py", "self.expect(frame, item.line)", "pass"),
    ("decode.py", "if line != frame.line and line in frame.info.lines:", "if False:"),
    ("decode.py", "(frame := stack[-1]).info is not item.info", "not (frame := stack[-1])"),
    ("decode.py", "while stack[-1].info is not info:", "while False:"),
    ("decode.py", "if found and step != NONE:", "if found:"),
    ("decode.py", "or (tape.full_at is not None and end == len(tape.items))", ""),
    ("decode.py", "if cls not in ATOMS:", "if cls is Summary:"),
    ("decode.py", "if 0 <= depth <= DEEPEST else", "if 0 <= depth else"),
    ("decode.py", "if frame.since >= SNAPSHOT_EVERY or", "if frame.since >= 10**9 or"),
    ("decode.py", "key = repr(value)", "pass"),
    ("decode.py", "or state.raised is not items[index]:", "or state.raised is None:"),
    ("decode.py", "in sorted(found):", "in found:"),
    ("decode.py", "self.turn_thread[bisect_right(self.turn_first, step) - 1]", "self.turn_thread[0]"),
    ("decode.py", "columns.frame_caller.append(state.stack[-1].last if state.stack else NONE)", "columns.frame_caller.append(NONE)"),
    ("recording.py", "        while at != step:\n            self.bind(at, held)", "        while at != step:\n            pass"),
    ("sources.py", "linecache.checkcache(file)", "pass"),
    ("sources.py", "if one and gives(one, file, space, codes):", "if one:"),
    ("sources.py", "linecache.cache[path] = entry", "pass"),
    ("sources.py", "if max(seen.st_mtime, seen.st_ctime) > BEGAN:", "if False:"),
    ("sources.py", "return not flags and known !=", "return flags and known !="),
    ("recording.py", "tape.let_go()", "pass"),
    ("recorder.py", "self.tape.write(RAISE, self.session.exception)", "pass"),
    ("recorder.py", "if _open and _open[-1].thread != threading.get_ident():", "if False:"),
    ("summary.py", "except BaseException as error:\n            if isinst", "except ValueError as error:\n            if isinst"),
    ("summary.py", "isinstance(error, KeyboardInterrupt) or from_signal(error)", "isinstance(error, KeyboardInterrupt)"),
    ("tape.py", " or from_signal(error):", ":"),
    ("tape.py", 'if not dict.__contains__(around, "__builtins__"):', "if False:"),
    ("summary.py", "kind.__len__(value), list(kind.__iter__(value))", "len(value), list(value)"),
    ("summary.py", "args = BaseException.args.__get__(value)", "args = value.args"),
    ("summary.py", "if self.depth >= DEPTH_LIMIT:", "if False:"),
    ("tape.py", "del items[self.full_at :]", "pass"),
    ("tape.py", "                other.waits = True", "                pass"),
    ("tape.py", "self.items = self.items[:]", "pass"),
    ("tape.py", "if tape is None or tape.has_ended():", "if tape is None:"),
    ("tape.py", "return Summary(\"error\"", "raise Summary(\"error\""),
    ("cursor.py", "columns.thread_of(at) != thread", "False"),
    ("cursor.py", "there = caller if backwards else columns.step_after[caller]", "there = caller"),
    ("cursor.py", " or columns.step_depth[at] > depth", ""),
    ("cursor.py", "columns.step_before if backwards else columns.step_after", "columns.step_after if backwards else columns.step_before"),
    ("breakpoints.py", "bisect_left(steps, place) - 1, -1, -1", "bisect_right(steps, place) - 1, -1, -1"),
    ("breakpoints.py", "range(bisect_right(steps, place), len(steps))", "range(bisect_left(steps, place), len(steps))"),
    ("conditions.py", "if not all(name in held for name in self.names):", "if False:"),
    ("conditions.py", "if not known:", "if False:"),
    ("scope.py", "codes_of(one.__code__ if beneath is one else beneath)", "codes_of(one.__code__)"),
    ("scope.py", "or place_of(code) in self.places", ""),
    ("scope.py", "(code.co_linetable, code) if", "None if"),
    ("scope.py", "for name in {file, path, os.path.realpath(path)}", "for name in {file, path}"),
    ("storage.py", "if opened is None or len(section) != size or not opened.eof", "if opened is None"),
    ("storage.py", "size > LIMIT or size > RATIO * (packed_size + 1) or ", ""),
    ("storage.py", "            os.fsync(file.fileno())", "            pass"),
    ("storage.py", "self.check_links(steps)", "pass"),
    ("storage.py", "self.check_turns(steps)", "pass"),
    ("storage.py", "self.check_runs(bindings)", "pass"),
    ("search.py", "number != number or", ""),
    ("calls.py", "call.count += 1", "call.count = 1"),
    ("compare.py", "if not alike[key]:", "if False:"),
]  # fmt: skip


def verdict(file: str, old: str, new: str) -> str:
    """What becomes of a copy with this mistake: "caught", "SURVIVED", or "stale" when its text is not there once."""
    text = (ROOT / "prefix_lab" / "debugger" / file).read_text()
    if text.count(old) != 1:
        return f"stale: the text is there {text.count(old)} times"
    with tempfile.TemporaryDirectory() as folder:
        package = Path(folder) / "prefix_lab"
        shutil.copytree(ROOT / "prefix_lab" / "debugger", package / "debugger")
        shutil.copytree(ROOT / "tests" / "debugger", Path(folder) / "tests" / "debugger")
        (package / "__init__.py").touch()
        (Path(folder) / "tests" / "__init__.py").touch()
        (package / "debugger" / file).write_text(text.replace(old, new))
        command = [sys.executable, "-m", "pytest", "-x", "-q", "-c", os.devnull, "--rootdir", folder]
        command += ["-p", "no:cacheprovider", "-p", "no:jaxtyping", "-W", "error", "tests/debugger"]
        try:
            done = subprocess.run(
                command,
                cwd=folder,
                env=os.environ | {"PYTHONPATH": folder},
                capture_output=True,
                timeout=300,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return "caught"  # a test that does not end is one that does not pass
        return "SURVIVED" if done.returncode == 0 else "caught"


def main() -> int:
    chosen = [one for one in MISTAKES if all(word in " ".join(one) for word in sys.argv[1:])]
    caught = 0
    for file, old, new in chosen:
        became = verdict(file, old, new)
        caught += became == "caught"
        print(f"{became:9} {file:15} {old.strip()[:60]!r} → {new.strip()[:40]!r}", flush=True)
    print(f"{caught} of {len(chosen)} mistakes caught")
    return caught != len(chosen)


if __name__ == "__main__":
    sys.exit(main())
