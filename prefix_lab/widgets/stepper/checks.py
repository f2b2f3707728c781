"""Arguments that the views share, refused in a sentence."""

from __future__ import annotations

from typing import Any

from prefix_lab.debugger import Recording

LANGUAGES = ("en", "zh")


def must_be_recording(name: str, value: Any) -> None:
    """Raises `TypeError` for what is no recording, `RuntimeError` for one that still runs."""
    if not isinstance(value, Recording):
        raise TypeError(
            f"{name}={value!r} is no recording. Make one, `with record(...) as recording: ...`, or open one, "
            "`Recording.load(path)`."
        )
    _ = value.columns


def must_be_language(language: Any) -> None:
    if language not in LANGUAGES:
        raise ValueError(f"language={language!r}, expected one of {', '.join(map(repr, LANGUAGES))}.")
