"""An extension of debugpy's: shapes first in the variables panes of JupyterLab and VS Code.

debugpy loads every module of this name's kind on the path, in each process that it debugs. So this imports nothing
heavy, and whatever fails in it leaves debugpy's own text in place. What is shown is decided in
`prefix_lab.breakpoints.variables`.
"""

import functools

from _pydevd_bundle.pydevd_extension_api import DebuggerEventHandler, StrPresentationProvider, TypeResolveProvider

__all__ = ["PrefixLabChildren", "PrefixLabText", "PrefixLabType"]


class PrefixLabText(StrPresentationProvider):
    """The text of a value."""

    def can_provide(self, type_object, type_name):
        from prefix_lab.breakpoints import variables

        return variables.kind_of(type_object) is not None

    def get_str(self, val):
        from prefix_lab.breakpoints import variables

        try:
            return variables.text_of(val)  # None: debugpy's own text
        except Exception:
            return None

    def get_str_in_context(self, val, context):
        # What is copied, or typed into the console, is the value itself, numbers and all.
        return None if context in ("clipboard", "repl") else self.get_str(val)


class PrefixLabChildren(TypeResolveProvider):
    """What unfolds below a value."""

    def can_provide(self, type_object, type_name):
        from prefix_lab.breakpoints import variables

        return variables.kind_of(type_object) in variables.CHILDREN

    def resolve(self, var, attribute):
        return self.get_dictionary(var)[attribute]

    def get_dictionary(self, var):
        return {name: value for name, value, _ in self.get_contents_debug_adapter_protocol(var)}

    def get_contents_debug_adapter_protocol(self, obj, fmt=None):
        from prefix_lab.breakpoints import variables

        try:
            return variables.children_of(obj)
        except Exception as error:
            return [("not available", str(error), None)]


class PrefixLabType(DebuggerEventHandler):
    """JupyterLab's tree of variables shows an object's type and not its text, so the text stands in both fields.

    Only here is the frame known, and with it what the axes of its tensors are called.
    """

    def on_debugger_modules_loaded(self, **kwargs):
        from _pydevd_bundle import pydevd_suspended_frames

        variable = getattr(pydevd_suspended_frames, "_AbstractVariable", None)
        plain = getattr(variable, "get_var_data", None)
        if plain is None:
            return  # another debugpy: the tree shows types, as it would without this

        @functools.wraps(plain)
        def get_var_data(self, *args, **kwargs):
            data = plain(self, *args, **kwargs)
            try:
                from prefix_lab.breakpoints import seen, variables

                text = variables.text_of(self.value)
                if text is not None and data["value"] == text:  # else it is debugpy's own
                    axes = seen.axes_in(getattr(self, "frame", None), self.value)
                    data["type"] = data["value"] = variables.text_of(self.value, axes)
            except Exception:
                pass
            return data

        variable.get_var_data = get_var_data
