"""The augmentations that a space file may name: random changes of a whole batch at once, on its own device.

A new augmentation is a module here, with its ``MEMBERS``.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from qpsearch.registry.augmentations.base import Augmentation, Draws, ImageChange, ImageForm, Mixture, OptionValues
from qpsearch.registry.members import members

if TYPE_CHECKING:
    import torch
    from torch import Tensor


class Padding(StrEnum):
    """What crops bring in at the edges of an image: the mean by which images are normalised, or black pixels."""

    MEAN = "mean"
    BLACK = "black"


AUGMENTATIONS: Final = members(__name__, Augmentation)

AugmentOptions = tuple[tuple[str, float], ...]
"""Options that a file sets, by ``augmentation.option``, in the order of the table; others have their defaults."""


def settings_for(kind: str, given: AugmentOptions) -> OptionValues:
    """Return the value of every option of an augmentation."""
    own = {name: option.default or 0.0 for name, option in AUGMENTATIONS[kind].options.items()}
    return own | {name.partition(".")[2]: value for name, value in given if name.partition(".")[0] == kind}


def chosen(values: Mapping[str, Mapping[str, Any]]) -> tuple[tuple[str, ...], AugmentOptions]:
    """Return which augmentations are on, and their options that differ from the defaults.

    Args:
        values: By augmentation, whether it is ``used``, and the values of some of its options.
    """
    words = tuple(word for word in AUGMENTATIONS if word in values and values[word]["used"])
    options = tuple(
        (f"{word}.{name}", float(values[word][name]))
        for word in words
        for name, option in AUGMENTATIONS[word].options.items()
        if values[word].get(name, option.default) != option.default
    )
    return words, options


@cache
def changes_among(kinds: tuple[str, ...], form: ImageForm) -> tuple[tuple[str, ImageChange], ...]:
    """Return those of some augmentations that change images of a form, in the order of the table."""
    return tuple(
        (kind, each)
        for kind, each in AUGMENTATIONS.items()
        if kind in kinds and isinstance(each, ImageChange) and each.form is form
    )


@cache
def mixtures_among(kinds: tuple[str, ...]) -> tuple[tuple[str, Mixture], ...]:
    """Return those of some augmentations that mix images, in the order of the table."""
    return tuple((kind, each) for kind, each in AUGMENTATIONS.items() if kind in kinds and isinstance(each, Mixture))


def draw_changes(
    kinds: tuple[str, ...],
    n: int,
    side: int,
    generator: "torch.Generator",
    size: int,
    *,
    form: ImageForm = ImageForm.FRAME,
    given: AugmentOptions = (),
) -> Draws:
    """Draw what ``augment`` draws for n images of a side, without the images; one item for each augmentation."""
    return tuple(
        each.draw(n, side, generator, settings_for(kind, given), size) for kind, each in changes_among(kinds, form)
    )


def changed(
    images: "Tensor",
    kinds: tuple[str, ...],
    draws: Draws,
    size: int,
    *,
    form: ImageForm = ImageForm.FRAME,
    given: AugmentOptions = (),
) -> "Tensor":
    """Change images as ``augment`` does, by draws that lie on their device."""
    for (kind, each), own in zip(changes_among(kinds, form), draws, strict=True):
        images = each.change(images, own, settings_for(kind, given), size)
    return images if form is ImageForm.PIXELS else centre(images, size)


def augment(
    images: "Tensor",
    kinds: tuple[str, ...],
    generator: "torch.Generator",
    size: int,
    *,
    form: ImageForm = ImageForm.FRAME,
    given: AugmentOptions = (),
) -> "Tensor":
    """Change each image of a batch at random, in the order of the table, by the augmentations of one form of images.

    Args:
        images: (N, C, H, W). ``crop`` pads them with zeros: the mean where images are normalised, else black. Images
            that are stored larger than the network sees them are cut at a random place instead, or, without ``crop``,
            at their centre.
        kinds: The augmentations to apply; those of other forms are passed over.
        generator: A generator on the CPU, so that the same seed gives the same images on every device.
        size: Height and width as the network sees an image.
        form: What the images are.
        given: Options that differ from their defaults.

    Returns:
        (N, C, size, size); of ``ImageForm.PIXELS`` as large as they came.
    """
    draws = draw_changes(kinds, len(images), images.shape[-1], generator, size, form=form, given=given)
    return changed(images, kinds, draws, size, form=form, given=given)


@dataclass(frozen=True, slots=True)
class DrawnMixture:
    """What is drawn for a batch that is mixed.

    Attributes:
        mixture: Which of the mixtures.
        draws: Its own draws.
    """

    mixture: Mixture
    draws: tuple[float, ...]

    def mix(self, images: "Tensor") -> tuple["Tensor", float]:
        """Return the images, and the share of each one's own label; the rest is the label of the one before it."""
        return self.mixture.mix(images, self.draws)


def draw_mixture(
    kinds: tuple[str, ...], side: int, generator: "torch.Generator", given: AugmentOptions = ()
) -> DrawnMixture | None:
    """Draw what ``mixed`` draws for a batch of images of a side; None where no augmentation mixes images."""
    mixtures = mixtures_among(kinds)
    if not mixtures:
        return None
    import torch

    drawn = int(torch.randint(len(mixtures), (), generator=generator)) if len(mixtures) > 1 else 0
    kind, each = mixtures[drawn]
    return DrawnMixture(each, each.draw(side, generator, settings_for(kind, given)))


def mixed(
    images: "Tensor", kinds: tuple[str, ...], generator: "torch.Generator", given: AugmentOptions = ()
) -> tuple["Tensor", float]:
    """Mix each image with the one before it, by one of the mixtures among some augmentations, drawn for the batch.

    Returns:
        The images, and the share of each one's own label; the rest is the label of the one before it.
    """
    drawn = draw_mixture(kinds, images.shape[-1], generator, given)
    return (images, 1.0) if drawn is None else drawn.mix(images)


def centre(images: "Tensor", size: int) -> "Tensor":
    """Return the middle (N, C, size, size) of images that are stored larger, and other images as they are."""
    side = images.shape[-1]
    margin = (side - size) // 2
    return images if side == size else images[:, :, margin : margin + size, margin : margin + size]
