"""What every widget also is: text, for terminals, screen readers and `print`."""

from __future__ import annotations

from typing import Any


class TextForm:
    """Mixed in before the widget's class: `text` is what it shows, in words."""

    @property
    def text(self) -> str:
        raise NotImplementedError

    def __repr__(self) -> str:
        return self.text

    __str__ = __repr__

    def _repr_mimebundle_(self, **kwargs: Any) -> Any:
        """For a notebook the widget, for IPython in a terminal the whole text: ipywidgets would cut it."""
        found = super()._repr_mimebundle_(**kwargs)  # type: ignore[misc]
        bundle = found[0] if isinstance(found, tuple) else found
        if bundle:
            bundle["text/plain"] = self.text
        return found
