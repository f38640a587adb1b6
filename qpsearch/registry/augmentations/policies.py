"""The fourteen changes of RandAugment and TrivialAugment, each on the images of a batch that drew it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from qpsearch.registry.augmentations import pixels
from qpsearch.registry.augmentations.base import Draws

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, slots=True, kw_only=True)
class Strongest:
    """What each change does at its strongest.

    Attributes:
        shear: Shift of a row or column, for each pixel of distance.
        translate: Pixels.
        degrees: Of a rotation.
        colour: Distance of factors from 1.
        bits: Of the eight bits of a pixel, how many are lost.
    """

    shear: float
    translate: float
    degrees: float
    colour: float
    bits: int


Apply = Callable[["Tensor", "Tensor", "Tensor", Strongest], "Tensor"]
"""Changes images, given how strong each is changed, in [0, 1], the sign of each, and what the strongest is."""


def _coloured(change: Callable[["Tensor", "Tensor"], "Tensor"]) -> Apply:
    return lambda images, level, sign, most: change(images, 1 + sign * level * most.colour)


CHANGES: Final[tuple[Apply, ...]] = (
    lambda images, level, sign, most: images,
    lambda images, level, sign, most: pixels.shear_x(images, sign * level * most.shear),
    lambda images, level, sign, most: pixels.shear_y(images, sign * level * most.shear),
    lambda images, level, sign, most: pixels.translate_x(images, (sign * level * most.translate).trunc()),
    lambda images, level, sign, most: pixels.translate_y(images, (sign * level * most.translate).trunc()),
    lambda images, level, sign, most: pixels.rotate(images, sign * level * most.degrees),
    _coloured(pixels.brightness),
    _coloured(pixels.saturation),
    _coloured(pixels.contrast),
    _coloured(pixels.sharpness),
    lambda images, level, sign, most: pixels.posterize(images, (8 - level * most.bits).round()),
    lambda images, level, sign, most: pixels.solarize(images, 255 * (1 - level)),
    lambda images, level, sign, most: pixels.autocontrast(images),
    lambda images, level, sign, most: pixels.equalize(images),
)


def grouped(kinds: "Tensor", level: "Tensor", sign: "Tensor") -> Draws:
    """Return for each change but the first, which changes nothing, the images that drew it, their levels and signs.

    ``kinds``, ``level`` and ``sign`` are (N,) on the CPU.
    """
    owners = ((kinds == number).nonzero().flatten() for number in range(1, len(CHANGES)))
    return tuple((own, level[own], sign[own]) for own in owners)


def applied(images: "Tensor", groups: Draws, most: Strongest) -> "Tensor":
    """Change each image by its own kind of change."""
    images = images.clone()
    for change, (own, level, sign) in zip(CHANGES[1:], groups, strict=True):
        if len(own):
            images[own] = change(images[own], level, sign, most)
    return images
