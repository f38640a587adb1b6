"""Memory of a run: how much it may use, how much it used, and what it keeps between steps."""

import contextlib
import ctypes
import gc
import resource
import sys
from collections.abc import Iterator
from typing import Final

import torch

from qpsearch.architecture.cost import CUDA_CONTEXT_BYTES
from qpsearch.errors import OutOfMemory

OUT_OF_MEMORY_SIGNS: Final = (
    "can't allocate memory",
    "not enough memory",
    "CUDA error: out of memory",
    "ALLOC_FAILED",
)
M_TRIM_THRESHOLD: Final = -1  # names and numbers of glibc's malloc.h
M_MMAP_MAX: Final = -4
MOST_BYTES: Final = 2**31 - 1


def reuse_freed_memory() -> None:
    """Let the process keep the memory that its tensors free, for the next step's tensors.

    By default, glibc gives much of that memory back to the kernel in each step, and the kernel clears every page again:
    up to a fifth of a step's time on a CPU. Other C libraries are left as they are.
    """
    _call_libc("mallopt", M_TRIM_THRESHOLD, MOST_BYTES)
    _call_libc("mallopt", M_MMAP_MAX, 0)  # else large tensors have separate pages, freed with them


def give_memory_back(device: torch.device) -> None:
    """Give unused memory back: to the kernel, and GPU memory to the GPU."""
    gc.collect()
    if device.type == "cuda":
        torch.cuda.empty_cache()
    _call_libc("malloc_trim", 0)


def limit_gpu_memory(device: torch.device, share: float) -> None:
    """Refuse tensors beyond a run's share of its GPU."""
    whole = torch.cuda.get_device_properties(device).total_memory
    torch.cuda.set_per_process_memory_fraction(memory_fraction(share, whole))  # of the current GPU: "cuda" has no index


def memory_fraction(share: float, total_bytes: int) -> float:
    """Return the share of a GPU that tensors may take: the trial's share less the memory of its CUDA context."""
    return 1.0 if share >= 1 else max(share - CUDA_CONTEXT_BYTES / total_bytes, 0.01)


def peak_memory_bytes(device: torch.device) -> int:
    """Return the most memory used so far: by the allocator on CUDA, by the whole process on a CPU."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


@contextlib.contextmanager
def out_of_memory_named() -> Iterator[None]:
    """Turn torch's several errors for lack of memory into ``OutOfMemory``."""
    try:
        yield
    except (torch.OutOfMemoryError, MemoryError) as error:
        raise OutOfMemory(str(error) or "out of memory") from error
    except RuntimeError as error:
        if any(sign in str(error) for sign in OUT_OF_MEMORY_SIGNS):
            raise OutOfMemory(str(error)) from error
        raise


def _call_libc(name: str, *arguments: int) -> None:
    """Call a function of the C library, if it exists there."""
    function = getattr(ctypes.CDLL(None), name, None)
    if function is not None:
        function(*arguments)
