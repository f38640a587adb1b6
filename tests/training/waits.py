"""What a step asks of a GPU: the operations for which the CPU waits, and the kernels that are launched.

A GPU is not needed: tensors on the meta device stand for those of a GPU, tensors on the CPU for those of the CPU.
"""

from collections.abc import Iterator
from typing import Any, Final

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

WAITING: Final = {  # their results, or the shapes of these, are known to the CPU
    "_local_scalar_dense",
    "equal",
    "is_nonzero",
    "masked_select",
    "nonzero",
    "unique_dim",
    "_unique2",
}
COPIES: Final = {"_to_copy", "copy_"}


class Waits(TorchDispatchMode):
    """Notes, for the operations of a block of code that take part of a GPU.

    Attributes:
        found: Those for which the CPU waits: copies from and to it, and results that it needs.
        kernels: How many are launched, about: views are not counted, operations on many tensors count as one.
    """

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self.kernels = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name, given = func.overloadpacket.__name__, list(_tensors((*args, *(kwargs or {}).values())))
        places = {each.device.type for each in given}
        if name in COPIES and (asked := (kwargs or {}).get("device")) is not None:
            places.add(torch.device(asked).type)
        is_there = "meta" in places
        if is_there and (
            name in WAITING or (name in COPIES and "cpu" in places) or (name.startswith("index") and _has_mask(args))
        ):
            self.found.append(name)
        self.kernels += is_there and not func.is_view
        return func(*args, **(kwargs or {}))


def _tensors(values: Any) -> Iterator[Tensor]:
    for value in values:
        if isinstance(value, Tensor):
            yield value
        elif isinstance(value, list | tuple):
            yield from _tensors(value)


def _has_mask(args: Any) -> bool:
    return any(each.dtype is torch.bool for each in _tensors(args[1:2]))
