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
    tensors = list(tensors_of(values))
    starts = [0, *accumulate(math.ceil(each.nbytes / ALIGNMENT) * ALIGNMENT for each in tensors)]
    block = torch.empty(starts[-1], dtype=torch.uint8, pin_memory=device.type == "cuda")
    for each, start in zip(tensors, starts, strict=False):
        block[start : start + each.nbytes].copy_(each.reshape(-1).view(torch.uint8))
    there = block.to(device, non_blocking=True)
    moved = (
        there[start : start + each.nbytes].view(each.dtype).view(each.shape)
        for each, start in zip(tensors, starts, strict=False)
    )
    return with_tensors(values, moved)


def bytes_of(values: Nested) -> int:
    """Return the bytes of all tensors in nested tuples."""
    return sum(each.nbytes for each in tensors_of(values))


def tensors_of(values: Nested) -> Iterator[Tensor]:
    """Yield all tensors in nested tuples."""
    for value in values:
        if isinstance(value, Tensor):
            yield value
        elif isinstance(value, tuple):
            yield from tensors_of(value)


def with_tensors(values: Nested, tensors: Iterator[Tensor]) -> Nested:
    """Return nested tuples with other tensors in place of their own, in the same order."""
    return tuple(
        next(tensors)
        if isinstance(value, Tensor)
        else with_tensors(value, tensors)
        if isinstance(value, tuple)
        else value
        for value in values
    )
