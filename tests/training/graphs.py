"""A CUDA graph without a GPU: what torch computes while it is captured is recorded, and computed again on the same memory.

As with torch's own, a capture changes nothing, numbers that Python passes to an operation stay what they were, memory that
was replaced later is not noticed, and whatever waits for the device ends the capture with an error.
"""

from collections.abc import Callable, Iterator, Sequence
from importlib import import_module
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from qpsearch.training import captured
from tests.training.waits import WAITING


def let_capture(device: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let steps on a device be captured by ``RecordedGraph``, by torch's optimisers as well."""
    monkeypatch.setitem(captured.GRAPHS, device, RecordedGraph)
    monkeypatch.setattr(RecordedGraph, "made", [])
    for name in ("adam", "adamw", "rmsprop"):
        module = import_module(f"torch.optim.{name}")  # which torch.optim itself hides
        monkeypatch.setattr(module, "_get_capturable_supported_devices", lambda *_, **__: [device], raising=False)


class RecordedGraph:
    """Stands for ``qpsearch.training.captured.CudaGraph`` on a CPU.

    Attributes:
        made: All graphs, in the order in which they were made.
        rehearsals: How often work was rehearsed.
        replays: How often it was replayed.
    """

    made: list["RecordedGraph"] = []  # noqa: RUF012  # each test has another (``let_capture``)

    def __init__(self) -> None:
        self.rehearsals = self.replays = 0
        self._calls: list[tuple[Any, Any, Any, Any]] = []
        RecordedGraph.made.append(self)

    def rehearse(self, work: Callable[[], Tensor]) -> tuple[Tensor, str]:
        self.rehearsals += 1
        return work(), ""

    def capture(self, work: Callable[[], Tensor]) -> Tensor:
        recorder = _Recorder()
        try:
            with recorder:
                return work()
        finally:
            self._calls = recorder.calls
            recorder.undo()

    def replay(self) -> None:
        self.replays += 1
        with torch.no_grad():
            for function, args, kwargs, results in self._calls:
                found = function(*args, **kwargs)
                for own, new in zip(tensors(results), tensors(found), strict=True):
                    if own.untyped_storage().data_ptr() != new.untyped_storage().data_ptr():
                        own.copy_(new)


class _Recorder(TorchDispatchMode):
    def __init__(self) -> None:
        super().__init__()
        self.calls: list[tuple[Any, Any, Any, Any]] = []
        self._before: dict[int, tuple[Tensor, Tensor]] = {}
        self._own: set[int] = set()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if func.overloadpacket.__name__ in WAITING:
            raise RuntimeError("CUDA error: operation not permitted when stream is capturing\nand more.")
        for each in tensors((args, tuple(kwargs.values()))):
            self._remember(each)
        results = func(*args, **kwargs)
        if not func.is_view:
            self.calls.append((func, args, kwargs, results))
        self._own |= {_place(each) for each in tensors(results)} - self._before.keys()
        return results

    def undo(self) -> None:
        """Put the memory back that was there before the capture."""
        for there, saved in self._before.values():
            there.copy_(saved)

    def _remember(self, tensor: Tensor) -> None:
        place = _place(tensor)
        if place not in self._own and place not in self._before and tensor.untyped_storage().nbytes():
            whole = torch.empty(0, dtype=torch.uint8).set_(tensor.untyped_storage())
            self._before[place] = whole, whole.clone()


def _place(tensor: Tensor) -> int:
    return tensor.untyped_storage().data_ptr()


def tensors(values: Any) -> Iterator[Tensor]:
    """Yield all tensors in nested sequences."""
    if isinstance(values, Tensor):
        yield values
    elif isinstance(values, Sequence) and not isinstance(values, str):
        for value in values:
            yield from tensors(value)
