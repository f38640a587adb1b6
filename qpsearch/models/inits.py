"""How weights start.

Convolutions: ``framework`` is PyTorch's own, U(+-1/sqrt(fan_in)) (rule Q15); ``kaiming_fan_in`` and ``kaiming_fan_out``
normal with variance 2 / fan; ``orthogonal`` rows (or columns) at right angles, with gain sqrt 2. Three more say how
branches start:

``zero_last_norm``: as ``kaiming_fan_out``, and the last layer with weights of every branch is zeroed, so that every
block starts as the identity (where that layer is a product unit, as x + 1: a power of zero).
``quotient_at_one``: as ``framework``, and every quotient starts at 1, whatever its function: the last normalisation has
scale 0, and the shift at which the function is 1. Blocks that add are as in ``framework``.
``fixup``: as ``kaiming_fan_in``, with the layers of each branch scaled by ``L ** (-1 / (2m - 2))``, L blocks in the
network and m layers in the branch, and the last one zeroed (Zhang et al. 2019, without their added scalars); made for
``norm: none``.
"""

import math

from torch import nn

from qpsearch.architecture import Stage
from qpsearch.models.layers import BoundedQuotient, ProductUnit2d
from qpsearch.vocabulary import ExponentInit, InitKind

SMALL_SLOPE = 5.0  # kaiming_uniform(a=5): sums before exp within about +-0.5 (PAPERS 2.2)


def init_block(block: nn.Module, stage: Stage, blocks: int) -> None:
    """Set the weights of a block that was just built with the framework's own initialisation.

    Args:
        block: Ours, or a user's own: of that only the convolutions, and a ``branch`` if it has one.
        stage: Its rules.
        blocks: Blocks in the network.
    """
    init_convolutions(block, stage.init)
    for module in block.modules():
        if isinstance(module, ProductUnit2d):
            init_exponents(module, module.rules.exponent_init)
    branch = getattr(block, "branch", None)
    if not isinstance(branch, nn.Sequential):
        return
    match stage.init:
        case InitKind.ZERO_LAST_NORM:
            nn.init.zeros_(_last(branch).weight)
        case InitKind.QUOTIENT_AT_ONE if isinstance(bound := getattr(block, "bound", None), BoundedQuotient):
            last = _last(branch)
            nn.init.zeros_(last.weight)
            if isinstance(last, nn.BatchNorm2d | nn.GroupNorm):
                nn.init.constant_(last.bias, bound.at_one())
        case InitKind.FIXUP:
            weights = [layer for layer in branch if isinstance(layer, nn.Conv2d | ProductUnit2d)]
            for layer in weights:
                layer.weight.data *= blocks ** (-1 / (2 * len(weights) - 2))
            nn.init.zeros_(_last(branch).weight)


def init_convolutions(module: nn.Module, kind: InitKind) -> None:
    """Draw the convolutions below a module; ``framework`` leaves them as they are."""
    for layer in module.modules():
        if isinstance(layer, nn.Conv2d):
            match kind:
                case InitKind.FRAMEWORK | InitKind.QUOTIENT_AT_ONE:
                    pass
                case InitKind.ORTHOGONAL:
                    nn.init.orthogonal_(layer.weight, gain=math.sqrt(2))
                case InitKind.KAIMING_FAN_IN | InitKind.FIXUP:
                    nn.init.kaiming_normal_(layer.weight, mode="fan_in", nonlinearity="relu")
                case InitKind.KAIMING_FAN_OUT | InitKind.ZERO_LAST_NORM:
                    nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")


def init_exponents(unit: ProductUnit2d, kind: ExponentInit) -> None:
    """Draw exponents (rule P9): N(0, 2 / fan_out), U of about a fifth of that spread, or the framework's."""
    match kind:
        case ExponentInit.KAIMING_FAN_OUT:
            nn.init.kaiming_normal_(unit.weight, mode="fan_out", nonlinearity="relu")
        case ExponentInit.SMALL:
            nn.init.kaiming_uniform_(unit.weight, a=SMALL_SLOPE)
        case ExponentInit.FRAMEWORK:
            pass  # ProductUnit2d starts like nn.Conv2d


def _last(branch: nn.Sequential) -> nn.BatchNorm2d | nn.GroupNorm | nn.Conv2d | ProductUnit2d:
    """Return the last layer of a branch that has weights: a normalisation's scale, or the weights before it."""
    last = next(layer for layer in reversed(branch) if list(layer.parameters()))
    assert isinstance(last, nn.BatchNorm2d | nn.GroupNorm | nn.Conv2d | ProductUnit2d)
    return last
