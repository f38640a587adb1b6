"""torch's graph as it is used: which stream waits for which, and what is left after a capture that fails.

torch's own calls are replaced by what they do to the current stream.
"""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor

from qpsearch.training import captured
from qpsearch.training.captured import CudaGraph


class Gpu:
    """The streams of a GPU, and what is asked of it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.log: list[str] = []
        self.current = self._stream("main")
        self.mode, self.fails, self.is_recording = 0, False, False
        calls = {
            "Stream": lambda: self._stream("side"),
            "CUDAGraph": lambda: SimpleNamespace(replay=lambda: self.log.append("replay")),
            "current_stream": lambda: self.current,
            "stream": self._on,
            "graph": self._graph,
            "graph_pool_handle": lambda: (0, 5),
            "current_device": lambda: 0,
            "get_sync_debug_mode": lambda: self.mode,
            "set_sync_debug_mode": self._set_mode,
        }
        for name, call in calls.items():
            monkeypatch.setattr(torch.cuda, name, call)
        for name, call in (("_cuda_endAllocateToPool", self._end), ("_cuda_releasePool", self._release)):
            monkeypatch.setattr(torch._C, name, call, raising=False)

    def work(self) -> Tensor:
        self.log.append(f"work on {self.current.name}")
        return torch.ones(())

    def _stream(self, name: str) -> Any:
        return SimpleNamespace(name=name, wait_stream=lambda other: self.log.append(f"{name} waits for {other.name}"))

    @contextmanager
    def _on(self, stream: Any) -> Iterator[None]:
        before, self.current = self.current, stream
        try:
            yield
        finally:
            self.current = before

    @contextmanager
    def _graph(self, graph: Any, pool: Any, stream: Any, *, capture_error_mode: str) -> Iterator[None]:
        assert (pool, capture_error_mode) == ((0, 5), "thread_local")
        before, self.current, self.is_recording = self.current, stream, True
        try:
            yield
        finally:
            if self.fails:  # as torch's: neither stream nor allocator are told
                raise RuntimeError("CUDA error: operation failed due to a previous error during capture")
            self.current, self.is_recording = before, False

    def _set_mode(self, mode: int | str) -> None:
        warnings.warn("Synchronization debug mode is a prototype feature and", stacklevel=1)
        self.mode = {"warn": 1}.get(mode, mode)  # type: ignore[arg-type, assignment]  # torch takes both

    def _end(self, device: int, pool: tuple[int, int]) -> None:
        if not self.is_recording:
            raise RuntimeError("endAllocatePool: not currently recording to mempool_id")
        self.is_recording = False
        self.log.append(f"recording to {pool} on {device} ended")

    def _release(self, device: int, pool: tuple[int, int]) -> None:
        self.log.append(f"{pool} released")


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch) -> Gpu:
    monkeypatch.setattr(captured, "_spoilt", [])
    return Gpu(monkeypatch)


ASIDE = ["side waits for main", "work on side", "main waits for side"]


def test_steps_are_rehearsed_on_the_stream_of_the_capture(gpu: Gpu) -> None:
    graph = CudaGraph()
    assert graph.rehearse(gpu.work) == (1, "")
    assert (gpu.log, gpu.mode, gpu.current.name) == (ASIDE, 0, "main")


def test_what_waits_for_the_gpu_is_named_and_other_warnings_are_passed_on(gpu: Gpu) -> None:
    gpu.mode = 2  # as its user has set it

    def work() -> Tensor:
        assert gpu.mode == 1
        warnings.warn("called a synchronizing CUDA operation (Triggered internally at here.)", stacklevel=1)
        warnings.warn("something else", DeprecationWarning, stacklevel=1)
        return gpu.work()

    with pytest.warns(DeprecationWarning, match=r"^something else$") as told:
        _, why_not = CudaGraph().rehearse(work)
    assert len(told) == 1
    assert why_not == f"the step waits for the GPU at test_cuda_graph.py, line {work.__code__.co_firstlineno + 2}"
    assert gpu.mode == 2


def test_an_error_of_a_rehearsal_is_the_steps_own(gpu: Gpu) -> None:
    def work() -> Tensor:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        CudaGraph().rehearse(work)
    assert (gpu.mode, gpu.current.name, gpu.log[-1]) == (0, "main", "main waits for side")


def test_a_step_is_captured_beside_the_main_stream_and_replayed_there(gpu: Gpu) -> None:
    graph = CudaGraph()
    assert graph.capture(gpu.work) == 1
    graph.replay()
    assert (gpu.log, gpu.current.name, captured._spoilt) == ([*ASIDE, "replay"], "main", [])


@pytest.mark.parametrize("fails", [False, True])
def test_after_a_capture_that_fails_the_stream_is_the_old_one_and_the_allocator_knows(fails: bool, gpu: Gpu) -> None:
    """Whether or not torch could end the capture that an error of the step left."""
    gpu.fails = fails

    def work() -> Tensor:
        gpu.work()
        raise RuntimeError("CUDA error: operation not permitted when stream is capturing")

    graph = CudaGraph()
    with pytest.raises(RuntimeError, match="previous error" if fails else "not permitted"):
        graph.capture(work)
    ended = ["recording to (0, 5) on 0 ended", "(0, 5) released"] if fails else []
    assert gpu.log == [*ASIDE[:2], *ended, ASIDE[2]]
    assert (gpu.current.name, gpu.is_recording) == ("main", False)
    assert captured._spoilt == [graph._graph] * fails
