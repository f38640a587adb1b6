"""Colour jitter: brightness, contrast, saturation and hue, in random order."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from qpsearch.registry.augmentations import pixels
from qpsearch.registry.augmentations.base import ImageChange, ImageForm, OptionValues
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


def _jitter(images: "Tensor", generator: "torch.Generator", settings: OptionValues, size: int) -> "Tensor":
    import torch

    n = len(images)
    order = torch.rand((n, len(CHANGES)), generator=generator).argsort(1)
    draws = torch.rand((len(CHANGES), n), generator=generator) * 2 - 1
    factors = {name: draw * settings[name] + (name != "hue") for name, draw in zip(CHANGES, draws, strict=True)}
    images = images.clone()
    for turn in order.T:
        for number, (name, change) in enumerate(CHANGES.items()):
            own = (turn == number).nonzero().flatten()
            if settings[name] and len(own):
                there = own.to(images.device)
                images[there] = change(images[there], factors[name][own].to(images.device))
    return images


JITTER: Final = ImageChange(
    doc="changes brightness, contrast and saturation, in random order",
    form=ImageForm.PIXELS,
    change=_jitter,
    options=OPTIONS,
)
