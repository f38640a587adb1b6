"""Images that stay on disk, read ahead while a network trains: mapped arrays by a thread, files by processes.

Each reader is a thread. One that decodes files has a process of its own, which it tells what to decode, and from which
it reads the pixels into their place. torch's DataLoader would not do here: a worker of the inline dispatcher may not
have children of ``multiprocessing``, a start of those runs the user's program once more, and each loads torch.
"""

import os
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from queue import SimpleQueue
from typing import Any, Final, Protocol, TypeVar

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from qpsearch.errors import DataError
from qpsearch.registry.own import streamed
from qpsearch.registry.own.streamed import LENGTH, StreamedImages
from qpsearch.vocabulary import Variable

MORE: Final = 2  # batches that are read ahead beyond one a reader
DECODING: Final = {  # the environment of a decoding process: one thread, and memory that glibc keeps for the next image
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MALLOC_MMAP_MAX_": "0",
    "MALLOC_TRIM_THRESHOLD_": str(2**31 - 1),
}

RowNumbers = npt.NDArray[np.int64]
DiskReader = Callable[[RowNumbers, npt.NDArray[np.uint8]], None]
"""Writes the images at some rows into an array (n, C, H, W)."""

Begin = Callable[[Tensor], "Future[Tensor]"]
"""Begins to read the images at an index; the result is on the CPU, pinned where they go to a GPU."""

Asked = TypeVar("Asked")
Begun = TypeVar("Begun")


class OnDisk(Protocol):
    """Images that stay on disk."""

    @property
    def shape(self) -> tuple[int, int, int]:
        """Channels, height and width."""

    @property
    def readers(self) -> int:
        """How many read at once."""

    def reader(self, stack: ExitStack) -> DiskReader:
        """Return a reader, which ends when a stack is closed."""


@dataclass(frozen=True, slots=True)
class MappedImages:
    """The images of a mapped array (N, H, W, C)."""

    array: npt.NDArray[np.uint8]

    @property
    def shape(self) -> tuple[int, int, int]:
        """Channels, height and width."""
        _, height, width, channels = self.array.shape
        return channels, height, width

    @property
    def readers(self) -> int:
        """One: it waits for the disk."""
        return 1

    def reader(self, stack: ExitStack) -> DiskReader:
        """Return what copies images out of the array."""
        return self._read

    def _read(self, rows: RowNumbers, place: npt.NDArray[np.uint8]) -> None:
        order = np.argsort(rows)  # disks read faster in ascending order
        place[order] = self.array[rows[order]].transpose(0, 3, 1, 2)


@dataclass(frozen=True, slots=True)
class DecodedImages:
    """Images of a folder that are decoded when they are read, by as many processes as torch has threads."""

    files: StreamedImages

    @property
    def shape(self) -> tuple[int, int, int]:
        """Channels, height and width."""
        return self.files.channels, self.files.side, self.files.side

    @property
    def readers(self) -> int:
        """One for each CPU of the trial."""
        return torch.get_num_threads()

    def reader(self, stack: ExitStack) -> DiskReader:
        """Start a process that decodes."""
        command = [sys.executable, "-P", "-m", streamed.__name__]
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={name: value for name, value in os.environ.items() if name != Variable.STORAGE} | DECODING,
            process_group=0,  # Ctrl-C does not reach it: it ends with its input
        )
        stack.callback(_end, process)
        return _Decoder(self.files, process)


class _Decoder:
    """Has images decoded by a process."""

    def __init__(self, files: StreamedImages, process: "subprocess.Popen[bytes]") -> None:
        self._files, self._process = files, process

    def __call__(self, rows: RowNumbers, place: npt.NDArray[np.uint8]) -> None:
        assert self._process.stdin is not None
        with suppress(BrokenPipeError):  # the answer will be missing
            self._process.stdin.write(self._files.request(rows))
            self._process.stdin.flush()
        said = int.from_bytes(self._filled(bytearray(LENGTH)), "little")
        if said:
            raise DataError(self._filled(bytearray(said)).decode())
        self._filled(place.reshape(-1).data)

    def _filled(self, place: Any) -> Any:
        """Read as many bytes as there is place for."""
        assert self._process.stdout is not None
        if self._process.stdout.readinto(place) != len(place):  # type: ignore[attr-defined]  # it is buffered
            root, code = self._files.root, self._process.wait()
            fix = "Resume the run" if code < 0 else "Its error is above"  # a signal, or a fault that would come again
            raise DataError(f"{root}: a process that decoded its images ended (exit code {code}). {fix}.")
        return place


def _end(process: "subprocess.Popen[bytes]") -> None:
    process.kill()
    process.wait()
    for pipe in (process.stdin, process.stdout):
        assert pipe is not None
        with suppress(BrokenPipeError):
            pipe.close()


@contextmanager
def reading(images: OnDisk, rows: RowNumbers, device: torch.device) -> Generator[Begin]:
    """Start the readers of a split; when this is left, they have ended, whatever they were reading.

    Args:
        images: The images on disk.
        rows: Which of them the split has.
        device: Where they go.
    """
    with ExitStack() as threads, ExitStack() as processes:
        free: SimpleQueue[DiskReader] = SimpleQueue()
        pool = ThreadPoolExecutor(images.readers, thread_name_prefix="reading")
        threads.callback(pool.shutdown, cancel_futures=True)  # after the processes: their threads then stop waiting
        for _ in range(images.readers):
            free.put(images.reader(processes))

        def read(wanted: RowNumbers, place: Tensor) -> Tensor:
            reader = free.get()
            try:
                reader(wanted, place.numpy())
            finally:
                free.put(reader)
            return place

        def begin(index: Tensor) -> "Future[Tensor]":
            is_pinned = device.type == "cuda"  # so that the CPU does not wait for the copy
            place = torch.empty(len(index), *images.shape, dtype=torch.uint8, pin_memory=is_pinned)
            return pool.submit(read, rows[index.numpy()], place)

        yield begin


def ahead(items: Iterable[Asked], begun: Callable[[Asked], Begun], readers: int) -> Iterator[Begun]:
    """Yield what is begun for each item, a bounded number of items later: at most one more than is named here.

    Args:
        items: What is worked on, one after the other.
        begun: Begins the reading of an item.
        readers: How many read at once; two items more are begun.
    """
    waiting: deque[Begun] = deque()
    for item in items:
        waiting.append(begun(item))
        if len(waiting) > readers + MORE:
            yield waiting.popleft()
    while waiting:
        yield waiting.popleft()
