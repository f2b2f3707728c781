"""Which names can a line bind or change? Read once from a function's bytecode, so that no line looks at all its locals.

A line is asked afterwards for the names that it stores, and, where it calls something or stores into an object, for the
names that it loads: what they stand for may have been changed in place, unless it was a plain number so far.
"""

from __future__ import annotations

import dis
import inspect
import weakref
from types import CodeType

from prefix_lab.debugger.frames import LIVE, reader
from prefix_lab.debugger.tokens import CodeInfo, Plan, Watch

PAUSES = inspect.CO_GENERATOR | inspect.CO_COROUTINE | inspect.CO_ASYNC_GENERATOR


def opcodes(*prefixes: str) -> frozenset[int]:
    return frozenset(number for name, number in dis.opmap.items() if name.startswith(prefixes))


EXTENDED = dis.opmap["EXTENDED_ARG"]
STORES_FAST = opcodes("STORE_FAST", "DELETE_FAST", "STORE_DEREF", "DELETE_DEREF")
LOADS_FAST = opcodes("LOAD_FAST", "LOAD_DEREF", "LOAD_CLASSDEREF", "LOAD_FROM_DICT_OR_DEREF") - opcodes(
    "LOAD_FAST_AND_CLEAR"
)
STORES_NAME, LOADS_NAME = opcodes("STORE_NAME", "DELETE_NAME"), opcodes("LOAD_NAME")
# Two locals in one instruction, four bits each (3.13): what each half does.
PAIRS = {
    dis.opmap[name]: halves
    for name, halves in {
        "STORE_FAST_STORE_FAST": "ss",
        "STORE_FAST_LOAD_FAST": "sl",
        "LOAD_FAST_LOAD_FAST": "ll",
        "LOAD_FAST_BORROW_LOAD_FAST_BORROW": "ll",
    }.items()
    if name in dis.opmap
}
CHANGES = opcodes("CALL", "STORE_SUBSCR", "DELETE_SUBSCR", "STORE_SLICE", "STORE_ATTR", "DELETE_ATTR", "SEND")
# What may run code of the program's own without looking like a call: properties, operators, iterators, `with`.
RUNS = opcodes(
    *("LOAD_ATTR", "LOAD_METHOD", "BINARY_", "UNARY_", "COMPARE_OP", "CONTAINS_OP", "FOR_ITER", "GET_", "UNPACK_"),
    *("BEFORE_", "WITH_", "LIST_EXTEND", "SET_", "DICT_", "FORMAT_", "IMPORT_", "YIELD_VALUE", "MATCH_", "TO_BOOL"),
    *("LOAD_SUPER_ATTR", "LOAD_SPECIAL", "END_ASYNC_FOR", "CONVERT_VALUE", "IMPORT_STAR"),
) | frozenset(number for name, number in dis.opmap.items() if name.endswith(("IF_TRUE", "IF_FALSE", "OR_POP")))
TURNS = frozenset(number for name, number in dis.opmap.items() if "JUMP_BACKWARD" in name)
LOOPS, ENDS_QUIETLY = opcodes("FOR_ITER", "GET_ANEXT"), opcodes("FOR_ITER", "SEND", "END_FOR", "END_SEND")
RETURNS, YIELDS = opcodes("RETURN_VALUE", "RETURN_CONST"), opcodes("YIELD_VALUE")
RESUME = dis.opmap["RESUME"]


_tables: dict[int, tuple[weakref.ref[CodeType], CodeInfo]] = {}


def table_of(code: CodeType, watches: tuple[Watch, ...]) -> CodeInfo:
    """The table of a function, read when it is met first, and again only for watches."""
    if watches:
        return read_code(code, watches)
    known = _tables.get(id(code))
    if known is None or known[0]() is not code:
        known = _tables[id(code)] = (weakref.ref(code), read_code(code))
    return known[1]


def read_code(code: CodeType, watches: tuple[Watch, ...] = ()) -> CodeInfo:
    """The table of a function: for each line its `LineInfo`, and where it may return or yield."""
    info = CodeInfo(code)
    slots = [*code.co_varnames, *(name for name in code.co_cellvars if name not in code.co_varnames), *code.co_freevars]
    fitting = tuple(watch for watch in watches if fits(watch, code, slots))
    raw, cells = code.co_code, (*code.co_cellvars, *code.co_freevars)
    stored: dict[int, dict[str, None]] = {}
    loaded: dict[int, dict[str, None]] = {}
    segments: dict[int, int] = {}
    may_change, runs, turns, loops = set(), set(), set(), set()

    extended = 0
    last_line = None
    for start, end, line in code.co_lines():
        if start == end or (line is None and last_line is None):
            continue
        if line is None:  # what the compiler added, such as the jump back at the end of a loop
            line = last_line
        elif line != last_line:
            segments[line] = segments.get(line, 0) + 1
        last_line = line
        stores, loads = stored.setdefault(line, {}), loaded.setdefault(line, {})
        for offset in range(start, end, 2):
            op, arg = raw[offset], raw[offset + 1] | extended
            extended = arg << 8 if op == EXTENDED else 0
            if op in PAIRS:
                for half, slot in zip(PAIRS[op], (arg >> 4, arg & 15), strict=True):
                    (stores if half == "s" else loads)[slots[slot]] = None
            elif op in STORES_FAST:
                stores[slots[arg]] = None
            elif op in LOADS_FAST:
                loads[slots[arg]] = None
            elif op in STORES_NAME:
                stores[code.co_names[arg]] = None
            elif op in LOADS_NAME:
                loads[code.co_names[arg]] = None
            elif op in CHANGES:  # `x += y` changes nothing but x, which it binds
                may_change.add(line)
            elif op in TURNS:
                turns.add(line)
            elif op in RETURNS:
                info.returns.add(offset)
            elif op in YIELDS:
                may_change.add(line)
                info.yields |= {offset, offset + 2}  # from 3.13 on, a frame that yields stands after its YIELD_VALUE
            if op in RUNS:
                runs.add(line)
            if op in LOOPS:
                loops.add(line)
            if op in ENDS_QUIETLY:
                info.skips.add(offset)
            if op == RESUME and arg & 3 == 0:
                info.starts.add(offset)

    for line, stores in stored.items():
        info.plans[line] = Plan(
            bound=tuple(name for name in stores if not name.startswith(".")),
            shared=tuple(name for name in cells if name not in stores),
            touched=tuple(name for name in loaded[line] if line in may_change and name not in (*stores, *cells)),
            watches=fitting,
            turns=line in turns,
            runs=line in may_change or line in runs,
            sure=segments[line] == 1 and line not in loops,
        )
    count = code.co_argcount + code.co_kwonlyargcount
    count += bool(code.co_flags & inspect.CO_VARARGS) + bool(code.co_flags & inspect.CO_VARKEYWORDS)
    names = (*code.co_varnames[:count], *code.co_freevars)
    info.arguments = (*(name for name in names if not name.startswith(".")), *fitting)
    info.simple = not fitting
    info.pauses = bool(code.co_flags & PAUSES)
    info.in_mapping = not code.co_flags & inspect.CO_OPTIMIZED
    info.slots = {name: slot for slot, name in enumerate(slots) if not (info.in_mapping and name in code.co_freevars)}
    info.cells = frozenset(cells)
    info.read = reader(info)
    info.direct = not (LIVE or info.in_mapping or cells)
    if info.in_mapping:  # anybody may bind a global anew
        info.moves_all()
    else:
        info.lay_out()
    return info


def fits(watch: Watch, code: CodeType, slots: list[str]) -> bool:
    """A watch belongs to the frames that have one of its names; at module level, to every frame."""
    names = watch.code.co_names
    return any(name in slots for name in names) or (not code.co_flags & inspect.CO_OPTIMIZED)
