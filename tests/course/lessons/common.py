"""What every lesson's checks must hold to, whatever they ask."""

from collections.abc import Callable

import torch

from prefix_lab.course.checking import Verdict


def leaves_random_numbers_alone(check: Callable[[], Verdict]) -> None:
    """The learner's own random numbers come out as if nothing had been checked."""
    torch.manual_seed(0)
    first = torch.rand(3)
    torch.manual_seed(0)
    check()
    assert torch.equal(torch.rand(3), first)


def shows_as_text(check: Callable[[Callable], Verdict]) -> None:
    """What a learner's function says when it raises is never markup."""

    def hostile(*arguments):
        raise ValueError("<script>alert(1)</script>")

    assert "<script>" not in check(hostile)._repr_html_()
