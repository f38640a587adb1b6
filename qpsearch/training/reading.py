"""Images that stay on disk, read ahead while a network trains: mapped arrays by a thread, files by processes.

Each reader is a thread. One that decodes files has a process of its own, which it tells what to decode, and from which
it reads the pixels into their place. torch's DataLoader would not do here: a worker of the inline dispatcher may not
have children of ``multiprocessing``, a start of those runs the user's program once more, and each loads torch.
"""

import subprocess
import sys
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from queue import SimpleQueue
from threading import Lock
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
Process = subprocess.Popen[bytes]

Begin = Callable[[Tensor], "Future[Tensor]"]
"""Begins to read the images at an index; the result is on the CPU, pinned where they go to a GPU."""

Asked = TypeVar("Asked")
Begun = TypeVar("Begun")


class DiskReader(Protocol):
    """Reads images; one thread at a time uses it."""

    def read(self, rows: RowNumbers, place: npt.NDArray[np.uint8]) -> None:
        """Write the images at some rows into an array (n, C, H, W)."""

    def interrupt(self) -> None:
        """End what is being read, if something is."""

    def close(self) -> None:
        """Let go of what the reader needed; nothing is being read."""


class OnDisk(Protocol):
    """Images that stay on disk."""

    @property
    def shape(self) -> tuple[int, int, int]:
        """Channels, height and width."""

    @property
    def readers(self) -> int:
        """How many read at once."""

    def reader(self) -> DiskReader:
        """Return a reader, which must be closed."""


@dataclass(frozen=True, slots=True)
class MappedImages:
    """The images of a mapped array (N, H, W, C), which a thread reads: it waits for the disk."""

    array: npt.NDArray[np.uint8]

    @property
    def shape(self) -> tuple[int, int, int]:
        """Channels, height and width."""
        _, height, width, channels = self.array.shape
        return channels, height, width

    @property
    def readers(self) -> int:
        """One."""
        return 1

    def reader(self) -> DiskReader:
        """Return these images, which read themselves."""
        return self

    def read(self, rows: RowNumbers, place: npt.NDArray[np.uint8]) -> None:
        """Copy images out of the array."""
        order = np.argsort(rows)  # disks read faster in ascending order
        place[order] = self.array[rows[order]].transpose(0, 3, 1, 2)

    def interrupt(self) -> None:
        """Do nothing: a batch is read within moments."""

    def close(self) -> None:
        """Do nothing."""


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

    def reader(self) -> DiskReader:
        """Return a process that decodes, one of an earlier epoch where there is one."""
        return _Decoder(self.files, _waiting.taken() or _started())


class _Decoder:
    """Has images decoded by a process."""

    def __init__(self, files: StreamedImages, process: Process) -> None:
        self._files, self._process = files, process
        self._is_busy = self._is_killed = False

    def read(self, rows: RowNumbers, place: npt.NDArray[np.uint8]) -> None:
        """Ask for images, and wait for them."""
        assert self._process.stdin is not None
        self._is_busy = True
        with suppress(BrokenPipeError):  # the answer will be missing
            self._process.stdin.write(self._files.request(rows))
            self._process.stdin.flush()
        said = int.from_bytes(self._filled(bytearray(LENGTH)), "little")
        content = self._filled(bytearray(said) if said else place.reshape(-1).data)
        self._is_busy = False
        if said:
            raise DataError(content.decode())

    def _filled(self, place: Any) -> Any:
        """Read as many bytes as there is place for."""
        assert self._process.stdout is not None
        if self._process.stdout.readinto(place) != len(place):  # type: ignore[attr-defined]  # it is buffered
            root, code = self._files.root, self._process.wait()
            fix = "Resume the run" if code < 0 else "Its error is above"  # a signal, or a fault that would come again
            raise DataError(f"{root}: a process that decoded its images ended (exit code {code}). {fix}.")
        return place

    def interrupt(self) -> None:
        """End the process if it decodes."""
        if self._is_busy:  # or was a moment ago
            self._is_killed = True
            self._process.kill()

    def close(self) -> None:
        """Keep the process for the next epoch if it can be used again, else end it."""
        if self._is_busy or self._is_killed:
            _end(self._process)
        else:
            _waiting.give(self._process)


class _Waiting:
    """The decoding processes that wait for the next epoch, while there is a run that may have one."""

    def __init__(self) -> None:
        self._lock, self._runs, self._processes = Lock(), 0, list[Process]()

    @contextmanager
    def kept(self) -> Iterator[None]:
        """Keep processes between epochs, until the last of those who ask for it leaves."""
        with self._lock:
            self._runs += 1
        try:
            yield
        finally:
            with self._lock:
                self._runs -= 1
                ended = [] if self._runs else self._processes
                self._processes = self._processes if self._runs else []
            for process in ended:
                _end(process)

    def taken(self) -> Process | None:
        """Take a process; None where none waits."""
        while True:
            with self._lock:
                if not self._processes:
                    return None
                process = self._processes.pop()
            if process.poll() is None:
                return process
            _end(process)

    def give(self, process: Process) -> None:
        """Let a process wait, or end it where no run may have another epoch."""
        with self._lock:
            if self._runs:
                self._processes.append(process)
                return
        _end(process)


_waiting: Final = _Waiting()
processes_kept: Final = _waiting.kept
"""Keeps decoding processes between the epochs of a run; when the last run leaves it, they end."""


def _started() -> Process:
    return subprocess.Popen(
        [sys.executable, "-P", "-m", streamed.__name__],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=Variable.for_child() | DECODING,
        process_group=0,  # Ctrl-C does not reach it: it ends with its input
    )


def _end(process: Process) -> None:
    process.kill()
    process.wait()
    for pipe in (process.stdin, process.stdout):
        assert pipe is not None
        with suppress(BrokenPipeError):
            pipe.close()


@contextmanager
def reading(images: OnDisk, rows: RowNumbers, device: torch.device, beside: int = 1) -> Generator[Begin]:
    """Start the readers of a split; when this is left, none reads any more, whatever it was reading.

    Args:
        images: The images on disk.
        rows: Which of them the split has.
        device: Where they go.
        beside: How many splits are read at the same time, which share the readers.
    """
    free: SimpleQueue[DiskReader] = SimpleQueue()

    def read(wanted: RowNumbers, place: Tensor) -> Tensor:
        reader = free.get()
        try:
            reader.read(wanted, place.numpy())
        finally:
            free.put(reader)
        return place

    def begin(index: Tensor) -> "Future[Tensor]":
        is_pinned = device.type == "cuda"  # so that the CPU does not wait for the copy
        place = torch.empty(len(index), *images.shape, dtype=torch.uint8, pin_memory=is_pinned)
        return pool.submit(read, rows[index.numpy()], place)

    count = readers_of(images, beside)
    with ExitStack() as closed, ThreadPoolExecutor(count, thread_name_prefix="reading") as pool, ExitStack() as ended:
        for _ in range(count):
            reader = images.reader()
            closed.callback(reader.close)
            ended.callback(reader.interrupt)
            free.put(reader)
        ended.callback(pool.shutdown, wait=False, cancel_futures=True)  # before the interrupts: no read begins any more
        yield begin


def readers_of(images: OnDisk, beside: int = 1) -> int:
    """Return how many readers a split has, of several that are read at the same time."""
    return max(images.readers // beside, 1)


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
