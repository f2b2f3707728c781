"""Programs drawn at random: loops, branches, try and finally, with, generators, coroutines, closures, recursion,
comprehensions, match; what is thrown into generators and coroutines, closed or cancelled, and swallowed at any depth.
Each defines `main()`, ends, and does the same whenever it runs."""

from __future__ import annotations

from hypothesis import strategies as st

PRELUDE = """
import asyncio
import contextlib


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


class Given:
    def __init__(self, n, how):
        self.left, self.how = n, how

    def __iter__(self):
        return self

    __await__ = __iter__

    def __next__(self):
        if self.left <= 0:
            raise StopIteration(4)
        self.left -= 1
        return self.left

    def throw(self, *error):
        if self.how == 0:
            raise ValueError("another")
        if self.how == 1:
            raise StopIteration(6)
        return 9


def catches(n, how):
    got = 0
    try:
        for i in range(n):
            got = yield i
    except (ValueError, GeneratorExit) as error:
        if how == 0 or (how != 1 and isinstance(error, GeneratorExit)):
            raise
        if how == 1: return 7
        if how == 2: got = yield 8
    finally:
        done = 1
    return got or n


def through(depth, n, how):
    got = 1
    if depth <= 0:
        got = yield from (Given(n, how) if how == 3 else catches(n, how))
    elif how == 1:
        return (yield from through(depth - 1, n, how))
    else:
        try:
            got = yield from through(depth - 1, n, how)
        except ValueError:
            got = 5
    last = got
    yield last
    return last


async def awaits(depth, n, how):
    if depth <= 0:
        return await Given(n, how)
    if how == 1: return await awaits(depth - 1, n, how)
    try:
        got = await awaits(depth - 1, n, how)
    except ValueError:
        got = 2
    more = [x async for x in counts(n)]
    return got + len(more)


async def gives(n, how):
    try:
        for i in range(n):
            await Given(1, how)
            yield i
    except (ValueError, GeneratorExit) as error:
        if how < 2 or isinstance(error, GeneratorExit): raise
    finally:
        done = 2


async def uses(n, how, what):
    total = 0
    thing = gives(n, how)
    try:
        total += await anext(thing)
        if what == 0: total += await thing.athrow(ValueError("thrown")) or 0
        if what == 1: await thing.aclose()
        async for i in thing: total += i
    except (ValueError, StopAsyncIteration) as error:
        total += 10
    async for i in counts(n): total += i


def drives(thing, steps, what):
    seen = 0
    try:
        for _ in range(steps):
            seen += thing.send(None) or 0
        if what == 0: seen += thing.throw(ValueError("thrown")) or 0
        if what == 1: thing.close()
        if what == 2: del thing
        else:
            while True: seen += thing.send(None) or 0
    except (ValueError, RuntimeError, StopIteration) as error:
        seen += 100
    return seen


@contextlib.contextmanager
def managed(depth, n, how):
    entered = 1
    yield from through(depth, n and 1, how)
    left = 2


def manages(depth, n, how, fails):
    try:
        with managed(depth, n, how), contextlib.suppress(TypeError):
            if fails: raise ValueError("inside")
        here = 1
    except (ValueError, RuntimeError):
        here = 2
    return here


async def sleeps(how):
    try:
        await asyncio.sleep(30)
    except asyncio.CancelledError:
        if how == 1: return 5
        raise
    finally:
        done = 1


async def timed(how):
    try:
        async with asyncio.timeout(0):
            if how == 2: await sleeps(0)
            x = await sleeps(how)
            x += 1
    except TimeoutError:
        x = 1
    return x


async def cancels(how):
    async def waits():
        x = await sleeps(how)
        y = x + 1
        return y

    task = asyncio.create_task(waits())
    await asyncio.sleep(0)
    task.cancel()
    (got,) = await asyncio.gather(task, return_exceptions=True)
    again = await timed(how)
    return again + (got if isinstance(got, int) else 3)


async def groups(how):
    got = 0
    try:
        async with asyncio.TaskGroup() as group:
            first = group.create_task(sleeps(how))
            await asyncio.sleep(0)
            if how != 1: raise ValueError("inside")
            second = group.create_task(timed(how))
            first.cancel()
        got = first.result() + second.result()
    except* ValueError:
        got = 4
    return got
"""

names = st.sampled_from(["a", "b", "c"])
small = st.integers(-3, 5)
calls = st.tuples(*[st.integers(0, 3)] * 5)


@st.composite
def expressions(draw: st.DrawFn, depth: int = 2) -> str:
    if depth == 0:
        return draw(st.one_of(small.map(str), names))
    inner = expressions(depth - 1)
    kind = draw(st.integers(0, 18))
    one, two = draw(inner), draw(inner)
    depth, n, how, what, steps = draw(calls) if kind > 13 else (0,) * 5
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
        14: f"drives(through({depth}, {n}, {how}), {steps + 1}, {what})",
        15: f"drives(awaits({depth}, {n}, {how}), {steps + 1}, {what})",
        16: f"drives(uses({n}, {how}, {depth}), {steps + 1}, {what})",
        17: f"manages({depth}, {n}, {how}, {steps > 1})",
        18: f"asyncio.run({'cancels' if steps > 1 else 'groups'}({how}))",
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
