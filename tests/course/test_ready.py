"""Before a lesson: all is well here, and what is not well is told with advice."""

import pytest

from prefix_lab.course import ready, self_check


def test_everything_is_here():
    found = self_check()
    assert found.below == "Everything is here.", repr(found)
    assert "'reverse: garden' → 'nedrag'" in repr(found)
    assert "✗" not in found._repr_html_()


def test_missing_packages_and_weights_and_another_peft_are_told_with_advice(monkeypatch: pytest.MonkeyPatch):
    def gone():
        raise OSError("<b>gone</b>")

    monkeypatch.setitem(ready.NEEDED, "no-such-package", (1, 0))
    monkeypatch.setattr(ready, "MIRRORED_PEFT", "0.0.1")
    monkeypatch.setattr("prefix_lab.course.small_models.load_tiny_t5", gone)
    found = self_check()
    assert found.below.startswith("Something needs a look")
    assert "no-such-package is not installed" in repr(found)
    assert "ours mirrors 0.0.1" in repr(found)
    assert "OSError: <b>gone" in repr(found)
    assert "<b>gone" not in found._repr_html_()


def test_a_lesson_does_not_begin_without_what_it_needs(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(ready.NEEDED, "torch", (99, 0))
    with pytest.raises(
        ImportError, match=r"torch is .*, and 99\.0 or newer is needed. In a clone of prefix_lab, `make lab`"
    ):
        ready.make_ready()
