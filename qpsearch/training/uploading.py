"""Moving many small tensors to a GPU at once, without waiting for it."""

import math
from collections.abc import Iterator
from itertools import accumulate
from typing import Any, Final

import torch
from torch import Tensor

ALIGNMENT: Final = 16  # bytes; a view as another type needs a start that the type's size divides

Nested = tuple[Any, ...]
"""Tensors, and whatever else, in tuples of tuples."""


def uploaded(values: Nested, device: torch.device) -> Nested:
    """Return a copy of nested tuples whose tensors lie on a device, moved there as one block.

    From pinned memory, so that the CPU does not wait for the copy. What is not a tensor stays as it is.
    """
    tensors = list(_tensors(values))
    starts = [0, *accumulate(math.ceil(each.nbytes / ALIGNMENT) * ALIGNMENT for each in tensors)]
    block = torch.empty(starts[-1], dtype=torch.uint8, pin_memory=device.type == "cuda")
    for each, start in zip(tensors, starts, strict=False):
        block[start : start + each.nbytes].copy_(each.reshape(-1).view(torch.uint8))
    there = block.to(device, non_blocking=True)
    moved = (
        there[start : start + each.nbytes].view(each.dtype).view(each.shape)
        for each, start in zip(tensors, starts, strict=False)
    )
    return _with(values, moved)


def bytes_of(values: Nested) -> int:
    """Return the bytes of all tensors in nested tuples."""
    return sum(each.nbytes for each in _tensors(values))


def _tensors(values: Nested) -> Iterator[Tensor]:
    for value in values:
        if isinstance(value, Tensor):
            yield value
        elif isinstance(value, tuple):
            yield from _tensors(value)


def _with(values: Nested, tensors: Iterator[Tensor]) -> Nested:
    """Put other tensors in place of those in nested tuples, in the same order."""
    return tuple(
        next(tensors) if isinstance(value, Tensor) else _with(value, tensors) if isinstance(value, tuple) else value
        for value in values
    )
