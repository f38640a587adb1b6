"""What a product unit costs: ``python -m tests.benchmarks.product_unit [--quick] [--json] [--threads N]``.

Forward and backward of a layer, at the shapes of the CIFAR and ImageNet networks, against the same outputs composed of
torch's own operations (``plain:``) and against an ordinary convolution of the same shape (``conv:``): seconds, bytes kept
for backward, and the most bytes held at once. ``plain: least time`` is what no product unit can do without, against the
same composition. On the GPU where there is one.
"""

import argparse
import itertools
import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

os.environ.setdefault("KINETO_LOG_LEVEL", "99")  # its profiler announces itself

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.profiler import ProfilerActivity, profile

from qpsearch.models.ops import product_unit2d
from qpsearch.training.memory import reuse_freed_memory
from tests.benchmarks.report import Row, alternate, as_json, as_table, hardware, row, timed

SHAPES = ((16, 32), (32, 16), (64, 8), (64, 32), (128, 16), (256, 8))  # channels, side
BATCH = {"cpu": 64, "cuda": 512}
TIME_TARGET, MEMORY_TARGET, CONV_TARGET = 0.75, 0.7, 1.25
ALTERNATIVES = {"plain": "the composition of torch's operations", "conv": "a convolution"}
LEAST = "of both, a convolution, an exponential and a logarithm alone"
FORMATS = {"nchw": torch.contiguous_format, "channels_last": torch.channels_last}


@dataclass(frozen=True)
class Layer:
    """A layer with its input, and a gradient at its output."""

    x: Tensor
    w: Tensor
    theta: Tensor
    gradient: Tensor

    def fused(self) -> Tensor:
        return product_unit2d(self.x, self.w, self.theta, 8.0)

    def plain(self) -> Tensor:
        return product_unit2d(self.x, self.w, self.theta, 8.0, fused=False)

    def conv(self) -> Tensor:
        return F.conv2d(self.x, self.w, padding=1)

    def least(self) -> Tensor:
        """A convolution, and as many exponentials and logarithms as a product unit takes."""
        with torch.no_grad():
            self.x.exp().log_()
        return self.conv()

    def step(self, forward: Callable[[], Tensor]) -> None:
        """Forward and backward."""
        torch.autograd.grad(forward(), (self.x, self.w, self.theta), self.gradient, allow_unused=True)
        if self.x.device.type == "cuda":
            torch.cuda.synchronize()


def make(channels: int, side: int, batch: int, device: str, memory_format: torch.memory_format) -> Layer:
    """Inputs as behind a batch normalisation, exponents as a network starts with them."""
    torch.manual_seed(0)
    x, gradient = (
        torch.randn(batch, channels, side, side, device=device).contiguous(memory_format=memory_format)
        for _ in range(2)
    )
    w = torch.empty(channels, channels, 3, 3, device=device).contiguous(memory_format=memory_format)
    torch.nn.init.kaiming_uniform_(w, a=5.0)
    return Layer(x.requires_grad_(), w.requires_grad_(), torch.zeros((), device=device, requires_grad=True), gradient)


def kept_bytes(layer: Layer, forward: Callable[[], Tensor]) -> float:
    """Return the bytes that autograd keeps for backward, each storage once, the exponents not counted."""
    storages: dict[int, int] = {}

    def note(tensor: Tensor) -> Tensor:
        storages[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        forward()
    return float(sum(storages.values()) - layer.w.untyped_storage().nbytes())


def peak_bytes(layer: Layer, forward: Callable[[], Tensor]) -> float:
    """Return the most bytes that a step holds at once beyond what was there before."""
    if layer.x.device.type == "cuda":
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        layer.step(forward)
        return float(torch.cuda.max_memory_allocated() - before)
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as taken:
        layer.step(forward)
    changes = [each for each in taken.profiler.kineto_results.events() if each.name() == "[memory]"]
    held = itertools.accumulate(each.nbytes() for each in sorted(changes, key=lambda each: each.start_ns()))
    return float(max(held, default=0))


def rows(
    device: str, repetitions: int, shapes: tuple[tuple[int, int], ...] = SHAPES, batch: int | None = None
) -> list[Row]:
    """Measure all sides in turn."""
    batch, found = batch or BATCH[device], []
    for (channels, side), (word, memory_format) in ((shape, each) for shape in shapes for each in FORMATS.items()):
        layer = make(channels, side, batch, device, memory_format)
        sides = (layer.fused, layer.plain, layer.conv, layer.least)
        for side_ in sides:
            layer.step(side_)  # the first of each chooses its kernels
        times = alternate(repetitions, *(partial(timed, partial(layer.step, each)) for each in sides))
        shape = f"{batch}x{channels}x{side}x{side} {word}"
        note = f"forward and backward of 3x3, clip 8, on {device}"
        targets = {"plain": TIME_TARGET, "conv": CONV_TARGET if device == "cuda" and channels >= 128 else None}
        least = [(each[3], each[1]) for each in times]
        found.append(row(f"plain: least time {shape}", least, alternative=ALTERNATIVES["plain"], unit="s", note=LEAST))
        for index, (name, what) in enumerate(ALTERNATIVES.items(), start=1):
            pairs = [(each[0], each[index]) for each in times]
            found.append(
                row(f"{name}: time {shape}", pairs, alternative=what, unit="s", target=targets[name], note=note)
            )
            for label, measure in (("kept", kept_bytes), ("peak", peak_bytes)):
                pair = (measure(layer, layer.fused), max(measure(layer, sides[index]), 1.0))
                target = MEMORY_TARGET if (name, label) == ("plain", "kept") else None
                found.append(
                    row(f"{name}: {label} {shape}", [pair], alternative=what, unit="bytes", target=target, note=note)
                )
    return found


def main() -> None:
    """Print the table, or one JSON document."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="three repetitions instead of twenty")
    parser.add_argument("--threads", type=int, help="CPU threads; default: torch's")
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    reuse_freed_memory()  # as training does
    if asked.threads:
        torch.set_num_threads(asked.threads)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    found = rows(device, 3 if asked.quick else 20)
    where = hardware() if device == "cpu" else f"{torch.cuda.get_device_name()}; {hardware()}"
    print(as_json("product_unit", found, where) if asked.json else as_table(found, where))


if __name__ == "__main__":
    main()
