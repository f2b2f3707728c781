"""Views of tensors, shapes and recordings, each usable in one line of a notebook.

They need the `lab` extra: `pip install prefix-lab[lab]`.
"""
