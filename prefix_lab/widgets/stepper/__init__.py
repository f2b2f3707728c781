"""The stepper: a recording, walked through in a notebook, or in a page of its own that needs no kernel."""
