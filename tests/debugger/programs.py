"""Programs drawn at random: loops, branches, try and finally, with, generators, coroutines, closures, recursion,
comprehensions, match. Each defines `main()`, ends, and does the same whenever it runs."""

from __future__ import annotations

from hypothesis import strategies as st

PRELUDE = """
class Held:
    def __init__(self, swallow):
        self.swallow = swallow

    def __enter__(self):
        return 3

    def __exit__(self, kind, error, traceback):
        return self.swallow and kind is not None


def plus(x, y=1, *rest, key=0, **more):
    total = x + y + key
    for one in rest:
        total += one
    return total


def deep(n):
    if n <= 0:
        return 0
    below = deep(n - 1)
    return below + n


def numbers(n):
    sent = None
    try:
        for i in range(n):
            sent = yield i
            if sent:
                i += sent
    finally:
        done = n
    return done


def outer(n):
    got = yield from numbers(n)
    last = got
    yield last


class Later:
    def __await__(self):
        x = yield 1
        return x


async def waits(n):
    total = 0
    for i in range(n):
        got = await Later()
        total += got or i
    return total


async def counts(n):
    for i in range(n):
        yield i


async def walks(n):
    total = 0
    async for i in counts(n):
        total += i
    more = [j async for j in counts(n)]
    return total + len(more)


def run(coroutine):
    value = None
    while True:
        try:
            value = coroutine.send(value and 5)
        except StopIteration as ended:
            return ended.value


def counter():
    count = 0

    def up(by):
        nonlocal count
        count += by
        return count

    up(2)
    seen = count
    up(3)
    return count + seen
"""

names = st.sampled_from(["a", "b", "c"])
small = st.integers(-3, 5)


@st.composite
def expressions(draw: st.DrawFn, depth: int = 2) -> str:
    if depth == 0:
        return draw(st.one_of(small.map(str), names))
    inner = expressions(depth - 1)
    kind = draw(st.integers(0, 13))
    one, two = draw(inner), draw(inner)
    return {
        0: one,
        1: f"({one} + {two})",
        2: f"({one} - {two})",
        3: f"plus({one}, {two})",
        4: f"plus({one},\n        *[{two}, 1],\n        key={two})",
        5: f"sum([x + {one} for x in range(3) if x != {two}])",
        6: f"len({{x: {one} for x in range(2)}})",
        7: f"sum(x * {two} for x in range(3))",
        8: f"deep({draw(st.integers(0, 3))})",
        9: f"sum(outer({draw(st.integers(0, 3))}))",
        10: f"run(waits({draw(st.integers(0, 3))}))",
        11: f"(lambda x: x + {one})({two})",
        12: "counter()",
        13: f"({one} if {two} > 0 else {draw(inner)})",
    }[kind]


def indent(lines: list[str]) -> list[str]:
    return [f"    {line}" for line in lines]


def without_return(line: str) -> str:
    """Python 3.14 warns of a `return` in a `finally`."""
    text = line.lstrip()
    return line[: len(line) - len(text)] + "pass" if text.startswith("return") else line


@st.composite
def blocks(draw: st.DrawFn, depth: int, in_loop: bool, least: int = 1) -> list[str]:
    lines: list[str] = []
    for _ in range(draw(st.integers(least, 3))):
        lines += draw(statements(depth, in_loop))
    return lines


@st.composite
def statements(draw: st.DrawFn, depth: int, in_loop: bool) -> list[str]:
    value = draw(expressions())
    name, other = draw(names), draw(names)
    simple = draw(st.integers(0, 9 if in_loop else 8)) if depth == 0 else draw(st.integers(0, 19))
    inner = blocks(max(depth - 1, 0), in_loop)
    looped = blocks(max(depth - 1, 0), True)
    match simple:
        case 0 | 1:
            return [f"{name} = {value}"]
        case 2:
            return [f"{name} += {value}"]
        case 3:
            return [f"{name} = {other} = {value}"]
        case 4:
            return [f"if ({name} := {value}) > 1: {other} = 2"]
        case 5:
            return [f"items = [{name}, {other}]", f"items.append({value})", "items[0] += 1", f"{name} = len(items)"]
        case 6:
            return [f"del {name}", f"{name} = 1"]
        case 7:
            return [f"{name}, *tail = {value}, {other}, 4"]
        case 8:
            return [f"if {value} == 2: raise ValueError({name})"] if draw(st.booleans()) else [f"return {value}"]
        case 9:
            return [draw(st.sampled_from(["break", "continue"]))] if in_loop else ["pass"]
        case 10:
            return [f"if {value} > {other}:", *indent(draw(inner)), "else:", *indent(draw(inner))]
        case 11:
            return [f"for {name} in range({draw(st.integers(0, 3))}):", *indent(draw(looped))]
        case 12:
            limit = f"left{depth}"
            body = indent([f"{limit} -= 1", *draw(looped)])
            return [f"{limit} = {draw(st.integers(0, 3))}", f"while {limit} > 0:", *body]
        case 13:
            handler = ["except ValueError as error:", *indent([f"{name} = len(str(error))", *draw(inner)])]
            return ["try:", *indent(draw(inner)), *handler, "else:", *indent(draw(inner))]
        case 14:
            body, ending = draw(inner), [without_return(line) for line in draw(inner)]
            return ["try:", *indent(body), "finally:", *indent(ending)]
        case 15:
            opened = f"with Held({draw(st.booleans())}) as {name}:"
            return [opened, *indent([*draw(inner), f"if {other} == 1: raise ValueError({value})"])]
        case 16:
            cases = ["    case 0 | 1:", *indent(indent(draw(inner))), "    case _:", *indent(indent(draw(inner)))]
            return [f"match {value}:", *cases]
        case 17:
            body = [f"nonlocal {name}", f"{name} = p + 1", f"q = {name}", "return q"]
            return [f"def inner{depth}(p):", *indent(body), f"{other} = inner{depth}({value})"]
        case 18:
            return [f"for {name} in outer({draw(st.integers(0, 3))}):", *indent(draw(looped))]
        case _:
            return ["class Local:", *indent([f"x = {value}", "y = x"]), f"{name} = Local.y"]


@st.composite
def programs(draw: st.DrawFn) -> str:
    body = ["a, b, c = 0, 1, 2", *draw(blocks(3, False, least=2)), "return a, b, c"]
    return "\n".join([PRELUDE, "def main():", *indent(body), ""])
