"""What is ours stays out of a recording, also when it is of prefix_lab itself: the program is all that is asked for."""

import os
import sys
from collections.abc import Iterable
from pathlib import Path
from types import CodeType, FrameType

from prefix_lab.debugger.scope import Scope

HERE = str(Path(__file__).parent) + os.sep


class WithoutOurs:
    """A recording's scope, but for this folder and for all that runs already when this is made."""

    def __init__(self, scope: Scope):
        self.scope = scope
        self.running: set[CodeType] = set()
        frame: FrameType | None = sys._getframe()
        while frame is not None:
            self.running.add(frame.f_code)
            frame = frame.f_back

    def covers(self, code: CodeType, frame: FrameType) -> bool:
        """Whether this function, running in this frame, is in scope."""
        ours = code in self.running or code.co_filename.startswith(HERE)
        return not ours and self.scope.covers(code, frame)

    def nothing_ran(self, codes: Iterable[CodeType]) -> str:
        """What `Scope.nothing_ran` says, of what is not ours."""
        return self.scope.nothing_ran(code for code in codes if not code.co_filename.startswith(HERE))
