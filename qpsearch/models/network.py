"""From a configuration to a network."""

from typing import Final

import torch
from torch import Tensor, nn

from qpsearch.architecture.config import Network
from qpsearch.architecture.layout import final_layers, stem_layers
from qpsearch.architecture.named import named_network
from qpsearch.architecture.plugins import load_everything
from qpsearch.errors import UserError
from qpsearch.models.blocks import build_block
from qpsearch.models.inits import init_convolutions
from qpsearch.models.layers import build_layers
from qpsearch.space.schema.numbers import CHANNELS, SEED, WIDTH, checked, required
from qpsearch.vocabulary import Precision

DTYPES: Final = {Precision.FLOAT32: torch.float32, Precision.BFLOAT16: torch.bfloat16, Precision.FLOAT16: torch.float16}


class GlobalAveragePool(nn.Module):
    """The mean over all places, (N, C, H, W) -> (N, C), as a sum and a division.

    Values and gradients are those of torch's own pool. But torch's gradient lies in its default memory format, and
    where the last stage is in channels_last, the normalisations that take it are slow. The gradient of a sum is one
    value a channel, seen at each place, and takes the format of what it meets first.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Return the mean of each channel of each image, added up in float32 at least."""
        total = x.sum((2, 3), dtype=torch.promote_types(x.dtype, torch.float32))
        return (total / (x.shape[2] * x.shape[3])).to(x.dtype)


class ResidualNetwork(nn.Module):
    """Stem, stages of blocks, global average pool, linear head.

    The stem is a convolution, normalised and activated as the first stage needs it (``layout.stem_layers``), and an
    optional max pool. After a last stage that adds with ``norm_placement: pre``, there are one more normalisation and
    ReLU before the pool.
    """

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.stem = build_layers(stem_layers(network))
        init_convolutions(self.stem, network.stages[0].init)
        width = network.stem_width
        stages = []
        for stage in network.stages:
            blocks = [build_block(stage, width, stage.stride, network.blocks)]
            blocks += [build_block(stage, stage.width, 1, network.blocks) for _ in range(stage.depth - 1)]
            stages.append(nn.Sequential(*blocks))
            width = stage.width
        self.stages = nn.Sequential(*stages)
        self.final = build_layers(final_layers(network))
        self.pool = GlobalAveragePool()
        self.head = nn.Linear(width, network.classes)

    def forward(self, x: Tensor) -> Tensor:
        """Map images (N, C, H, W) to logits (N, classes)."""
        features = self.final(self.stages(self.stem(x)))
        logits: Tensor = self.head(self.pool(features))
        return logits


def build_model(network: Network, seed: int) -> ResidualNetwork:
    """Build a network whose weights are a function of the seed alone; global random state is left as it was.

    Args:
        network: What is built, such as the ``network`` of a trial's configuration.
        seed: Seed of the weights.

    Raises:
        UserError: ``network`` is something else, or the seed is not a whole number from 0.

    Example:
        >>> import qpsearch
        >>> point = qpsearch.sample(qpsearch.load_space("smoke"), 1)[0]
        >>> type(qpsearch.build_model(point.config.network, seed=0)).__name__
        'ResidualNetwork'
    """
    given: object = network
    if not isinstance(given, Network):
        raise UserError(
            f"network: {given!r} is not a Network. Expected a trial's config.network; by name: create_model."
        )
    seed = required(SEED, seed, "seed")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return ResidualNetwork(network)


def create_model(
    name: str,
    *,
    num_classes: int | None = None,
    in_chans: int = 3,
    width: int | None = None,
    seed: int | None = None,
) -> ResidualNetwork:
    """Return a network by its name, such as ``quotient44``, with fresh weights.

    Args:
        name: Family and depth; see ``list_models``.
        num_classes: Outputs of the head; default 10, or 1000 on ImageNet shapes.
        in_chans: Channels of the images.
        width: Channels of stem and first stage of a depth 6n + 2, default 16.
        seed: Seed of the weights; None draws them from torch's global generator, as torch's own layers do.

    Raises:
        UserError: There is no network of that name, or a number cannot be meant.

    Example:
        >>> import qpsearch
        >>> model = qpsearch.create_model("quotient44", num_classes=100, in_chans=1)
        >>> sum(parameter.numel() for parameter in model.parameters())
        687380
    """
    given: object = name
    if not isinstance(given, str):
        raise UserError(f"name: {given!r} is not the name of a network. List them: qpsearch.list_models().")
    num_classes = checked(CHANNELS, num_classes, "num_classes")
    in_chans = checked(CHANNELS, in_chans, "in_chans")
    width = checked(WIDTH, width, "width")
    seed = checked(SEED, seed, "seed")
    load_everything()  # each block has a family
    network = named_network(name, classes=num_classes, width=width, channels=in_chans)
    return ResidualNetwork(network) if seed is None else build_model(network, seed)
