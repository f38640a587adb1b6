"""From a configuration to a network."""

import torch
from torch import Tensor, nn

from qpsearch.architecture import Network, Stage
from qpsearch.cost import has_final_norm
from qpsearch.models.blocks import BLOCKS, BoundedQuotient, conv
from qpsearch.models.inits import init_block, init_convolutions
from qpsearch.models.norms import build_norm
from qpsearch.vocabulary import StemPool


class ResidualNetwork(nn.Module):
    """Stem, stages of blocks, global average pool, linear head.

    The stem is a convolution, normalised and activated as the first stage needs it: ReLU, or the quotient's
    function where the first stage is quotient (rule Q9); bare where that stage normalises before its weights and
    adds; then a max pool, where the network has one. A last stage that normalises before its weights and adds is
    normalised and rectified once more before the pool.
    """

    def __init__(self, network: Network) -> None:
        super().__init__()
        first, last = network.stages[0], network.stages[-1]
        self.stem = _stem(network, first)
        width = network.stem_width
        stages = []
        for stage in network.stages:
            blocks = [_block(stage, width, stage.stride)]
            blocks += [_block(stage, stage.width, 1) for _ in range(stage.depth - 1)]
            stages.append(nn.Sequential(*blocks))
            width = stage.width
        self.stages = nn.Sequential(*stages)
        self.final = nn.Sequential(build_norm(last.norm, width), nn.ReLU()) if has_final_norm(last) else nn.Identity()
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.head = nn.Linear(width, network.classes)

    def forward(self, x: Tensor) -> Tensor:
        """Map images (N, C, H, W) to logits (N, classes)."""
        features = self.final(self.stages(self.stem(x)))
        logits: Tensor = self.head(self.pool(features).flatten(1))
        return logits


def build_model(network: Network, seed: int) -> ResidualNetwork:
    """Build a network whose weights are a function of the seed alone; global random state is left as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return ResidualNetwork(network)


def _stem(network: Network, first: Stage) -> nn.Module:
    convolution = conv(network.channels, network.stem_width, network.stem_kernel, network.stem_stride)
    init_convolutions(convolution, first.init)
    layers: list[nn.Module] = [convolution]
    if not has_final_norm(first):  # else the first block begins with a normalisation
        act = BoundedQuotient(first.quotient) if first.quotient is not None else nn.ReLU()
        layers += [build_norm(first.norm, network.stem_width), act]
    if network.stem_pool is StemPool.MAX:
        layers.append(nn.MaxPool2d(3, 2, padding=1))
    return nn.Sequential(*layers) if len(layers) > 1 else convolution


def _block(stage: Stage, width_in: int, stride: int) -> nn.Module:
    block = BLOCKS[stage.block].build(stage, width_in, stride)
    init_block(block, stage)
    return block
