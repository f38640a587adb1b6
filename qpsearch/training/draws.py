"""What is drawn at random for an epoch: which images make a batch, how they change, what of the network is left out.

All draws come from one generator on the CPU, in the order in which the steps of the epoch use them. On a CPU, the draws
of a step are made when it begins. A GPU is given the draws of the first step, then those of the next two, four, eight
(of at most 64 MiB): it soon has steps to compute while the CPU draws for later ones, and there are few copies.
"""

import math
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace
from typing import Final

import torch
from torch import Tensor

from qpsearch.architecture.config import TrialConfig
from qpsearch.registry.augmentations import DrawnMixture, draw_mixture
from qpsearch.training.data import Images, Split, draw_augmented
from qpsearch.training.dropping import Dropping
from qpsearch.training.reading import ahead, readers_of
from qpsearch.training.uploading import Nested, bytes_of, uploaded

AT_ONCE: Final = 2**26  # bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchDraws:
    """What is drawn for a batch, or for a part of one whose gradients are added up.

    Attributes:
        index: (n,) int64 on the CPU: the images.
        there: The same on the device of the images.
        changes: Of the augmentations, on that device.
        kept: What ``Dropping`` keeps, on that device.
        mixture: Of the augmentations that mix images; None where none does.
        read: The images, which may still be read from disk; None for those in memory.
    """

    index: Tensor
    there: Tensor
    changes: Nested
    kept: Nested
    mixture: DrawnMixture | None
    read: "Future[Tensor] | None" = None


StepDraws = list[BatchDraws]
"""The parts of a step's batch, which is one part unless gradients are accumulated."""


class EpochDraws:
    """Draws the steps of an epoch.

    Args:
        config: Says how images change, and how batches are divided.
        side: Height and width of the images as they are stored.
        dropping: What is left out of the network; None for nothing.
        device: Where the images are.
    """

    def __init__(self, config: TrialConfig, side: int, dropping: Dropping | None, device: torch.device) -> None:
        self._config, self._side, self._dropping, self._device = config, side, dropping, device

    def steps(self, batches: Sequence[Tensor], generator: torch.Generator) -> Iterator[StepDraws]:
        """Yield the draws of each batch, whose image numbers are given."""
        drawn = (self._step(index, generator) for index in batches)
        return drawn if self._device.type == "cpu" else self._moved(drawn)

    def _step(self, index: Tensor, generator: torch.Generator) -> StepDraws:
        parts = self._config.recipe.gradient_accumulation
        if parts == 1:
            return [self._batch(index, generator)]
        return [self._batch(part, generator) for part in batches_of(index, max(2, math.ceil(len(index) / parts)))]

    def _batch(self, index: Tensor, generator: torch.Generator) -> BatchDraws:
        data, size = self._config.data, self._config.network.size
        return BatchDraws(
            index=index,
            there=index,
            changes=draw_augmented(len(index), self._side, data, generator, size),
            mixture=draw_mixture(data.augment, size, generator, data.augment_options),
            kept=() if self._dropping is None else self._dropping.draw(len(index), generator),
        )

    def _moved(self, steps: Iterator[StepDraws]) -> Iterator[StepDraws]:
        """Move the draws of steps to the device, each time those of twice as many at once."""
        waiting: list[StepDraws] = []
        taken, wanted = 0, 1
        for step in steps:
            waiting.append(step)
            taken += sum(bytes_of(_tensors(each)) for each in step)
            if len(waiting) == wanted or taken >= AT_ONCE:
                yield from self._uploaded(waiting)
                waiting, taken, wanted = [], 0, 2 * wanted
        yield from self._uploaded(waiting)

    def _uploaded(self, steps: list[StepDraws]) -> Iterator[StepDraws]:
        there = uploaded(tuple(tuple(map(_tensors, step)) for step in steps), self._device)
        for step, moved in zip(steps, there, strict=True):
            yield [
                replace(each, there=index, changes=changes, kept=kept)
                for each, (index, changes, kept) in zip(step, moved, strict=True)
            ]


def reading_ahead(steps: Iterator[StepDraws], images: Images, beside: int = 1) -> Generator[StepDraws]:
    """Yield the draws of steps, while the images of later ones are read from disk.

    Args:
        steps: The draws.
        images: The images.
        beside: How many runs read images at the same time; see ``reading``.
    """
    if isinstance(images, Split):
        yield from steps
        return
    with images.reading(beside) as begin:
        yield from ahead(
            steps,
            lambda step: [replace(part, read=begin(part.index)) for part in step],
            readers_of(images.files, beside),
        )


def batches_of(order: Tensor, size: int) -> list[Tensor]:
    """Cut an epoch's order into batches; a single last image, whose variance is undefined, joins the last batch."""
    batches = list(torch.split(order, size))
    if len(batches) > 1 and len(batches[-1]) == 1 < size:
        batches[-2:] = [torch.cat(batches[-2:])]
    return batches


def _tensors(batch: BatchDraws) -> Nested:
    return batch.there, batch.changes, batch.kept
