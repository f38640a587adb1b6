"""What a process keeps of freed memory, and what it gives back."""

import os
import subprocess
import sys
from types import SimpleNamespace

import pytest
import torch

from qpsearch.training.memory import limit_gpu_memory

ROUNDS = """
import resource, sys, torch
from qpsearch.training.memory import give_memory_back, reuse_freed_memory

def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1])

if sys.argv[1] == "reused":
    reuse_freed_memory()
faults = []
for _ in range(4):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    tensors = [torch.ones(2**20) for _ in range(40)]  # 160 MiB, as the activations of a step
    del tensors
    faults.append(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
kept = resident()
give_memory_back(torch.device("cpu"))
print(faults[-1], kept - resident())
"""


def measured(word: str) -> tuple[int, int]:
    """Pages that the last of four equal steps faulted in, and pages that were given back after them.

    Beforehand malloc is told what it otherwise does or not by chance: to keep nothing.
    """
    environment = os.environ | {"MALLOC_MMAP_THRESHOLD_": "131072", "MALLOC_TRIM_THRESHOLD_": "0"}
    command = [sys.executable, "-c", ROUNDS, word]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    faults, given = map(int, done.stdout.split())
    return faults, given


@pytest.mark.skipif(sys.platform != "linux", reason="glibc and /proc are Linux's")
def test_freed_memory_serves_the_next_step_and_goes_back_at_the_end() -> None:
    faults, given = measured("reused")
    usual, _ = measured("left alone")
    pages = 40 * 2**20 * 4 / 4096
    assert usual > 0.9 * pages
    assert faults < usual / 20
    assert given > 0.9 * pages


def test_a_share_of_a_gpu_is_asked_of_torch_without_a_gpus_number(monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker sees one GPU, as ``cuda``; torch's own function refuses that name."""
    asked: list[tuple[float, int]] = []
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda _: SimpleNamespace(total_memory=8 * 2**30))
    monkeypatch.setattr(torch.cuda, "current_device", lambda: 0)
    monkeypatch.setattr(torch.cuda.memory, "_lazy_init", lambda: None)
    monkeypatch.setattr(
        torch._C, "_cuda_setMemoryFraction", lambda share, index: asked.append((share, index)), raising=False
    )
    limit_gpu_memory(torch.device("cuda"), 0.5)
    ((share, index),) = asked
    assert 0.4 < share < 0.5
    assert index == 0
