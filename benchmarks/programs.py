"""Small programs that the peers' page follows. Each value with five digits stands in one local alone, and in no line of
the source, so that what a tool has seen can be read off from what it says."""

# ruff: noqa: F841 - what is bound is what is looked for

import asyncio
import threading

KEPT = {}  # the tensor below, for torchlens, which follows what a module's result is made of


def straight():
    first = 60000 + 1
    second = first + 1
    third = second + 1
    return third - 60000


def inner(given):
    taken = given + 1
    raise ValueError(f"lost {taken + 1}")


def exception():
    try:
        inner(61000 + 1)
    except ValueError as error:
        kept = 61000 + 4
    return kept - 61000


def gives():
    own = 62000 + 1
    sent = yield own
    again = 62000 + sent
    yield again
    last = 62000 + 3


def generator():
    source = gives()
    total = next(source) + source.send(2)
    for rest in source:
        total += rest
    return total


def in_thread(start, found):
    own = start + 1
    found.append(own > start)


def threads():
    found = []
    for start in (63000, 63010):
        thread = threading.Thread(target=in_thread, args=(start, found))
        thread.start()
        thread.join()
    return sum(found)


async def waits(start):
    before = start + 1
    await asyncio.sleep(0)
    after = before + 1
    return after > before


async def both():
    return await asyncio.gather(waits(64000), waits(64010))


def coroutines():
    return sum(asyncio.run(both()))


def in_place():
    held = [65000 + 1]
    held.append(65000 + 2)
    return len(held)


def secret():
    password = f"hunter-{66000 + 1}"
    pad_token = f"pad-{66000 + 2}"
    return len(password + pad_token)


def tensor():
    import torch

    hidden = torch.arange(12.0).view(3, 4)
    twice = KEPT["twice"] = hidden * 2
    return float(twice.sum())
