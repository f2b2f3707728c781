"""The self-check: all is well here, and what is not well is told with advice."""

import pytest

from prefix_lab.course import self_check as module
from prefix_lab.course.self_check import Row, SelfCheck, self_check


def test_everything_is_here():
    found = self_check()
    assert found.passed, repr(found)
    assert "'reverse: garden' → 'nedrag'" in repr(found)
    assert "✗" not in found._repr_html_()


def test_a_missing_package_and_missing_weights_are_told_with_advice(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(module.NEEDED, "no-such-package", (1, 0))
    monkeypatch.setattr("prefix_lab.course.tiny_t5.load_tiny_t5", lambda: (_ for _ in ()).throw(OSError("gone")))
    found = self_check()
    assert not found.passed
    assert "no-such-package is not installed" in repr(found)
    assert "OSError: gone" in repr(found)


def test_another_peft_than_the_mirrored_one_is_told(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "MIRRORED_PEFT", "0.0.1")
    assert "ours mirrors 0.0.1" in module.package("peft").advice


def test_what_was_found_is_shown_as_text():
    assert "<script>" not in SelfCheck((Row("a", "<script>alert(1)</script>", "<b>"),))._repr_html_()
