"""How weights start.

Convolutions: ``framework`` is PyTorch's own, U(+-1/sqrt(fan_in)) (rule Q15); ``kaiming_fan_in`` and ``kaiming_fan_out``
normal with variance 2 / fan; ``orthogonal`` rows (or columns) at right angles, with gain sqrt 2. Three more say how
branches start:

``zero_last_norm``: as ``kaiming_fan_out``, and every block starts as the identity, up to the activation of its output:
the last layer with weights of every branch is zeroed, and shifted to where a quotient is 1. Where that layer is a
product unit, zero exponents give 1: a block that adds then starts as x + 1, and a block that multiplies is refused if a
branch output of 1 is not a quotient of 1.
``quotient_at_one``: as ``framework``, and every quotient starts at 1 in the same way. Blocks that add start as with
``framework``.
``fixup``: as ``kaiming_fan_in``, with the layers of each branch scaled by ``L ** (-1 / (2m - 2))``, L blocks in the
network and m layers in the branch, and the last one as in ``zero_last_norm`` (Zhang et al. 2019, without their added
scalars); made for ``norm: none``.
"""

import math

from torch import nn

from qpsearch.architecture.config import Stage
from qpsearch.models.layers import ProductUnit2d
from qpsearch.vocabulary import InitKind


def init_block(block: nn.Module, stage: Stage, blocks: int) -> None:
    """Set the weights of a block that was just built with the framework's own initialisation.

    Args:
        block: A built-in block, or a custom one. Of a custom block, only the convolutions and a ``branch``, if it has
            one, are set; its product units stay as they were made.
        stage: The rules.
        blocks: Blocks in the network.
    """
    init_convolutions(block, stage.init)
    if stage.product_unit is not None:
        for module in block.modules():
            if isinstance(module, ProductUnit2d):
                module.exponent_init = stage.product_unit.exponent_init
                module.reset_parameters()
    branch = getattr(block, "branch", None)
    starts = stage.init in (InitKind.ZERO_LAST_NORM, InitKind.FIXUP)
    if isinstance(branch, nn.Sequential) and (starts or (stage.init is InitKind.QUOTIENT_AT_ONE and stage.quotient)):
        if stage.init is InitKind.FIXUP:
            weights = [layer for layer in branch.modules() if isinstance(layer, nn.Conv2d | nn.Linear | ProductUnit2d)]
            for layer in weights:
                layer.weight.data *= blocks ** (-1 / max(2 * len(weights) - 2, 1))
        _make_constant(branch, 0.0 if stage.quotient is None else stage.quotient.at_one)


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


def _make_constant(branch: nn.Sequential, value: float) -> None:
    """Zero the weights (or the scale) of the last layer that has weights, and set its shift, if any, to a value.

    A product unit with zero exponents is 1; its bias, which is a factor, stays as it is.
    """
    last = [layer for layer in branch.modules() if isinstance(getattr(layer, "weight", None), nn.Parameter)][-1:]
    for layer in last:
        nn.init.zeros_(layer.weight)  # type: ignore[arg-type]  # a parameter, as was asked
        if isinstance(bias := getattr(layer, "bias", None), nn.Parameter) and not isinstance(layer, ProductUnit2d):
            nn.init.constant_(bias, value)
