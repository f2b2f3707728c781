"""The course as a site that needs no installing: `make site`.

`execute.py` runs each lesson with nobody there, `live.py` is what its kernel does with a stepper, `pages.py` lays the
sources out for Sphinx, one folder a language, and `conf.py` is Sphinx's own. `python -m website` does all of it.
"""
