"""Colour jitter: brightness, contrast, saturation and hue, in random order."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from qpsearch.registry.augmentations import pixels
from qpsearch.registry.augmentations.base import Draws, ImageChange, ImageForm, OptionValues
from qpsearch.registry.options import Option

if TYPE_CHECKING:
    import torch
    from torch import Tensor


def _factor(name: str) -> Option:
    return Option(doc=f"The factor of {name} is drawn from 1 - this to 1 + this.", low=0, high=1, default=0.4)


OPTIONS: Final = {
    "brightness": _factor("brightness"),
    "contrast": _factor("contrast"),
    "saturation": _factor("saturation"),
    "hue": Option(
        doc="The shift of hue is drawn from -this to this, as a share of the circle.", low=0, high=0.5, default=0
    ),
}
CHANGES: Final[dict[str, Callable[["Tensor", "Tensor"], "Tensor"]]] = {
    "brightness": pixels.brightness,
    "contrast": pixels.contrast,
    "saturation": pixels.saturation,
    "hue": pixels.hue,
}


def _draw(n: int, side: int, generator: "torch.Generator", settings: OptionValues, size: int) -> Draws:
    """Draw for each turn and each change the images that have that change in that turn, and its strength for each."""
    import torch

    order = torch.rand((n, len(CHANGES)), generator=generator).argsort(1)
    draws = torch.rand((len(CHANGES), n), generator=generator) * 2 - 1
    factors = {name: draw * settings[name] + (name != "hue") for name, draw in zip(CHANGES, draws, strict=True)}
    owners = [[(turn == number).nonzero().flatten() for number in range(len(CHANGES))] for turn in order.T]
    return tuple(tuple((own, factors[name][own]) for name, own in zip(CHANGES, turn, strict=True)) for turn in owners)


def _jitter(images: "Tensor", draws: Draws, settings: OptionValues, size: int) -> "Tensor":
    images = images.clone()
    for turn in draws:
        for (name, change), (own, factors) in zip(CHANGES.items(), turn, strict=True):
            if settings[name] and len(own):
                images[own] = change(images[own], factors)
    return images


MEMBERS: Final = (
    ImageChange(
        name="jitter",
        order=30,
        doc="changes brightness, contrast and saturation, in random order",
        form=ImageForm.PIXELS,
        draw=_draw,
        change=_jitter,
        options=OPTIONS,
    ),
)
