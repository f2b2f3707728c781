"""Small pieces of the sentences that the walk says."""

from collections.abc import Sequence

from torch import Tensor


def count(number: int, noun: str) -> str:
    """`1 tensor`, `94 tensors`"""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def listed(numbers: Sequence[int], most: int = 6) -> str:
    """`2, 3, 6, 7, 10, 11, …`"""
    return ", ".join(map(str, numbers[:most])) + (", …" if len(numbers) > most else "")


def dtype(tensor: Tensor) -> str:
    """`float32`"""
    return str(tensor.dtype).removeprefix("torch.")
