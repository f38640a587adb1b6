"""mixup (arXiv 1710.09412): each image is a mean of two."""

from typing import TYPE_CHECKING, Final

from qpsearch.registry.augmentations.base import Mixture, OptionValues, beta
from qpsearch.registry.options import Option

if TYPE_CHECKING:
    import torch
    from torch import Tensor

ALPHA: Final = Option(
    doc="Both parameters of the beta distribution of the shares.", low=0, high=100, default=1.0, is_above=True
)


def _draw(side: int, generator: "torch.Generator", settings: OptionValues) -> tuple[float, ...]:
    return (beta(settings["alpha"], generator),)


def _mixup(images: "Tensor", draws: tuple[float, ...]) -> tuple["Tensor", float]:
    (share,) = draws
    return images.roll(1, 0).mul_(1 - share).add_(images, alpha=share), share


MEMBERS: Final = (
    Mixture(
        name="mixup",
        order=80,
        doc="mixes pairs of images, and their labels",
        draw=_draw,
        mix=_mixup,
        options={"alpha": ALPHA},
    ),
)
