"""A training step as one CUDA graph: captured after the first steps, and replayed from then on.

A step of a small network is several hundred kernels, and a CPU takes longer to launch them one by one than a GPU to
compute them. A graph is launched as a whole. It reads and writes the memory that was read and written when it was
captured, and the numbers that Python passed to kernels are a part of it. So whatever changes from step to step is a
tensor, copied or filled in place before the launch: images, labels, masks, shares of labels, the learning rate.

A step whose batch has another size, such as the last one of an epoch, is made kernel by kernel beside the graph.
"""

import warnings
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Final, Protocol

import torch
from torch import Tensor

from qpsearch.architecture.config import TrialConfig
from qpsearch.protocol import RunSettings
from qpsearch.training.uploading import Nested, tensors_of, with_tensors
from qpsearch.vocabulary import BlockKind, CudaGraphs, Precision

WARM_UP: Final = 3  # steps of a kind before it is captured, as torch's own helpers have it
WAITS: Final = "called a synchronizing CUDA operation"  # torch's words
PROTOTYPE: Final = "Synchronization debug mode"  # the start of what torch says of its looking for them

Work = Callable[[Iterable[Nested]], Tensor]
"""Makes a step, given the inputs of each part of its batch; returns what is known of its loss."""

_spoilt: list["torch.cuda.CUDAGraph"] = []  # graphs whose capture did not end: torch's allocators may still ask them


class Graph(Protocol):
    """What can be captured and replayed."""

    def rehearse(self, work: Callable[[], Tensor]) -> tuple[Tensor, str]:
        """Do work where it will be captured; return its result, and why it cannot be captured, or nothing."""

    def capture(self, work: Callable[[], Tensor]) -> Tensor:
        """Capture work without doing it; return the tensor that each replay will write."""

    def replay(self) -> None:
        """Do the work that was captured."""


class CudaGraph:
    """torch's graph, with the stream on which it is rehearsed and captured."""

    def __init__(self) -> None:
        self._graph = torch.cuda.CUDAGraph()
        self._stream = torch.cuda.Stream()  # type: ignore[no-untyped-call]  # torch has no types for it

    def rehearse(self, work: Callable[[], Tensor]) -> tuple[Tensor, str]:
        """Do work on the side; whatever waits for the GPU could not be captured."""
        with self._aside(), _noticed() as waits:
            result = work()
        return result, f"the step waits for the GPU at {waits[0]}" if waits else ""

    def capture(self, work: Callable[[], Tensor]) -> Tensor:
        """Capture work; other threads may use the GPU meanwhile."""
        pool = torch.cuda.graph_pool_handle()
        with self._aside():  # gives the stream back also where torch's own context does not: an end that fails
            try:
                with torch.cuda.graph(self._graph, pool, self._stream, capture_error_mode="thread_local"):
                    return work()
            except BaseException:
                self._end(pool)
                raise

    def replay(self) -> None:
        """Launch the graph."""
        self._graph.replay()

    @contextmanager
    def _aside(self) -> Iterator[None]:
        """Work on the graph's stream, behind what is under way on the current one, and before what follows there."""
        current = torch.cuda.current_stream()
        self._stream.wait_stream(current)
        try:
            with torch.cuda.stream(self._stream):
                yield
        finally:
            current.wait_stream(self._stream)

    def _end(self, pool: tuple[int, int]) -> None:
        """Tell the allocator that a capture is over, which torch does not where the end of the capture failed."""
        device = torch.cuda.current_device()
        try:
            torch._C._cuda_endAllocateToPool(device, pool)
        except (RuntimeError, AttributeError):  # it knows, or torch is an earlier one, which names this otherwise
            return
        torch._C._cuda_releasePool(device, pool)
        _spoilt.append(self._graph)


GRAPHS: Final[dict[str, Callable[[], Graph]]] = {"cuda": CudaGraph}
"""The devices that can capture; tests add others."""


class CapturedStep:
    """Makes the steps of a run: by a graph where that is possible, else kernel by kernel.

    Attributes:
        is_possible: Whether steps are to be captured; what changes from step to step is then a tensor, to the end.
        unsteady: How many steps there are before all take the same time.

    Args:
        config: What is trained.
        run: Where.
    """

    def __init__(self, config: TrialConfig, run: RunSettings) -> None:
        self._new, self._untold = _graph_for(run), ""
        if self._new is not None and (why_not := why_not_captured(config, run.cuda_graphs)):
            self._decline(why_not)
        self.is_possible = self._new is not None
        self.unsteady = WARM_UP + 1 if self.is_possible else 1
        self.forget()

    def forget(self) -> None:
        """Let a graph go, since weights have moved to other memory; the next steps are captured anew."""
        self._graph = None if self._new is None else self._new()
        self._rehearsed: dict[object, list[str]] = defaultdict(list)
        self._kind: object = None
        self._inputs: Nested = ()
        self._result: Tensor | None = None

    def note(self) -> str:
        """Return why steps are not captured where a user expects it, once; else nothing."""
        told, self._untold = self._untold, ""
        return told

    def number(self, value: float, device: torch.device) -> float | Tensor:
        """Return a number that changes from step to step, as a step takes it."""
        return torch.full((), value, device=device) if self.is_possible else value

    def __call__(self, work: Work, parts: Iterable[Nested]) -> Tensor:
        """Make a step, given the inputs of each part of its batch; return what ``work`` returns."""
        if self._graph is None:
            return work(parts)
        inputs = tuple(parts)
        kind = _kind(inputs)
        if self._result is None:
            return self._first(self._graph, work, inputs, kind)
        if kind != self._kind:
            return work(inputs)
        torch._foreach_copy_(list(tensors_of(self._inputs)), list(tensors_of(inputs)))
        self._graph.replay()
        return self._result.clone()

    def _first(self, graph: Graph, work: Work, inputs: Nested, kind: object) -> Tensor:
        """Rehearse a step; capture the first one of a kind that was rehearsed often enough."""
        waits = self._rehearsed[kind]
        if len(waits) < WARM_UP:
            result, why_not = graph.rehearse(partial(work, inputs))
            waits.append(why_not)
            return result
        if waits[-1]:
            self._decline(waits[-1])
            return work(inputs)
        there = with_tensors(inputs, (each.clone() for each in tensors_of(inputs)))
        made: Tensor | None = None
        try:
            made = graph.capture(partial(work, there))
        except Exception as error:  # where a block of the user's own is at fault, it raises this again
            self._decline(_cause_of(error))
        if made is None:  # the error is gone, and with it what its frames held
            return work(inputs)
        self._kind, self._inputs, self._result = kind, there, made
        graph.replay()
        return made.clone()

    def _decline(self, why: str) -> None:
        self._new = self._graph = None
        self._untold = f"training steps are launched kernel by kernel, not as a CUDA graph: {why.rstrip('.')}"


def is_captured(config: TrialConfig, run: RunSettings) -> bool:
    """Return whether the steps of a run are captured, unless that fails."""
    return _graph_for(run) is not None and not why_not_captured(config, run.cuda_graphs)


def why_not_captured(config: TrialConfig, graphs: CudaGraphs) -> str:
    """Say why the steps of a configuration are not captured; empty where they are."""
    if config.recipe.precision is Precision.FLOAT16:
        return "with precision float16 each step asks the GPU whether gradients overflowed"
    own = sorted({str(stage.block) for stage in config.network.stages} - set(map(str, BlockKind)))
    if own and graphs is not CudaGraphs.ALWAYS:
        return (
            f"whether the block {own[0]} does the same in every step is not known. Where it does, set "
            "resources.cuda_graphs: always"
        )
    return ""


def updated(number: float | Tensor, value: float) -> float | Tensor:
    """Return a number with another value; one that is a tensor stays the tensor, which a graph reads."""
    return number.fill_(value) if isinstance(number, Tensor) else value


def _graph_for(run: RunSettings) -> Callable[[], Graph] | None:
    return None if run.cuda_graphs is CudaGraphs.NEVER else GRAPHS.get(torch.device(run.device).type)


@contextmanager
def _noticed() -> Iterator[list[str]]:
    """Collect the places at which the CPU waits for the GPU; they are known when the context is left."""
    places: list[str] = []
    mode = torch.cuda.get_sync_debug_mode()
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        torch.cuda.set_sync_debug_mode("warn")
        try:
            yield places
        finally:
            torch.cuda.set_sync_debug_mode(mode)
    for each in said:
        if WAITS in str(each.message):
            places.append(f"{Path(each.filename).name}, line {each.lineno}")
        elif not str(each.message).startswith(PROTOTYPE):
            warnings.warn_explicit(each.message, each.category, each.filename, each.lineno)


def _kind(values: Nested) -> object:
    """Return what is alike in the inputs of steps that one graph can make: shapes, types, and what is not a tensor."""
    return tuple(
        (value.shape, value.dtype) if isinstance(value, Tensor) else _kind(value) if isinstance(value, tuple) else value
        for value in values
    )


def _cause_of(error: BaseException) -> str:
    """Return the first line of the error that came first: the end of a capture adds that there was one."""
    while error.__context__ is not None:
        error = error.__context__
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
