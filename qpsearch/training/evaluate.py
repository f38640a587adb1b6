"""Loss, accuracy and whatever else is asked for of a network on a split."""

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from qpsearch.models.network import DTYPES
from qpsearch.registry.augmentations import centre
from qpsearch.registry.datasets import Data
from qpsearch.training.data import Images, in_parts, normalise
from qpsearch.training.scoring import Measured, scored
from qpsearch.vocabulary import Precision

BATCH = 1000  # images at once, at most
IGNORED = -100  # a label that torch's cross entropy passes over
PIXELS = BATCH * 32 * 32  # fewer, where they are larger


@dataclass(frozen=True, slots=True)
class Evaluation:
    """The results of a network on a split.

    Attributes:
        loss: Mean cross entropy; None where some image's logits are not finite.
        accuracy: Share of images classified correctly, in [0, 1]; an image with non-finite logits counts as wrong.
        nonfinite: Number of images with non-finite logits.
        images: Number of images.
        correct: (images,) bool: which images were classified correctly, in the order of the split.
        metrics: Values of the metrics that were asked for; None for one that does not have a value.
    """

    loss: float | None
    accuracy: float
    nonfinite: int
    images: int
    correct: Tensor
    metrics: Measured = field(default_factory=dict)


def autocast(device: torch.device, precision: Precision) -> AbstractContextManager[object]:
    """Let a network compute in a precision."""
    is_half = precision is not Precision.FLOAT32
    return torch.autocast(device.type, DTYPES[precision]) if is_half else nullcontext()


@torch.no_grad()
def evaluate(
    model: nn.Module,
    split: Images,
    data: Data,
    noise: float = 0.0,
    seed: int = 0,
    precision: Precision = Precision.FLOAT32,
    metrics: Sequence[str] = (),
    size: int | None = None,
) -> Evaluation:
    """Evaluate in eval mode; the model's mode is restored. A GPU is waited for once, at the end.

    Args:
        model: Maps images to logits.
        split: Images and labels.
        data: The data set of the split, and how its images are normalised.
        noise: Level of Poisson noise on the images; see ``poisson``.
        seed: Seed of the noise.
        precision: In which the network computes; logits and losses are float64.
        metrics: Further metrics that are computed from logits; others are left out.
        size: Height and width of images as the network sees them; None for those of the data set.

    Raises:
        UserError: A metric of the user's own raises an error, or returns something else than it should.
    """
    generator = torch.Generator().manual_seed(seed)
    was_training = model.training
    model.eval()
    size, peak = size or data.facts.size, data.facts.peak
    device, n, at_once = split.labels.device, len(split.labels), max(min(BATCH, PIXELS // size**2), 1)
    loss = torch.zeros((), dtype=torch.float64, device=device)
    right, nonfinite = [], torch.zeros_like(loss)
    outputs: list[Tensor] = []
    for batch in in_parts(split, at_once):
        images = poisson(batch.images, peak, noise, generator) if noise > 0 else batch.images
        with autocast(device, precision):
            output = model(centre(normalise(images, data), size))
        if metrics:
            outputs.append(output)
        logits = output.double()
        finite = logits.isfinite().all(1)
        loss += F.cross_entropy(logits, batch.labels.masked_fill(~finite, IGNORED), reduction="sum")
        right.append((logits.argmax(1) == batch.labels) & finite)
        nonfinite += (~finite).sum()
    model.train(was_training)
    correct = torch.cat(right)
    total, hits, missed = torch.stack([loss, correct.sum().double(), nonfinite]).tolist()
    return Evaluation(
        loss=total / n if missed == 0 else None,
        accuracy=hits / n,
        nonfinite=int(missed),
        images=n,
        correct=correct,
        metrics=scored(metrics, outputs, split.labels) if metrics else {},
    )


def poisson(images: Tensor, peak: int, level: float, generator: torch.Generator) -> Tensor:
    """Return images with Poisson noise, as from a camera that counts few photons (rule P20).

    The paper does not give its levels. A pixel of brightness x in [0, 1] becomes ``level * Poisson(x / level)``: its
    mean is x and its variance ``level * x``, so that white has a standard deviation of 0.1 at a level of 0.01. Values
    above 1 are kept.

    Args:
        images: (N, C, H, W), uint8.
        peak: The pixel value of white.
        level: A number above 0.
        generator: A generator on the CPU, so that the noise is the same on every device.
    """
    counts = torch.poisson(images.cpu().double() / (peak * level), generator=generator)
    return (counts * level * peak).float().to(images.device)
