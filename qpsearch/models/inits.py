"""How weights start.

``framework``: PyTorch's own, U(+-1/sqrt(fan_in)) for convolutions (rule Q15). ``kaiming_fan_in``, ``kaiming_fan_out``:
normal with variance 2 / fan. ``orthogonal``: rows (or columns) at right angles, with gain sqrt 2. ``zero_last_norm``:
as ``kaiming_fan_out``, and the last layer with weights of every branch is zeroed, so that every block starts as the
identity (where that layer is a product unit, as x + 1: a power of zero).
"""

import math

from torch import nn

from qpsearch.architecture import Stage
from qpsearch.models.blocks import ProductUnit2d
from qpsearch.vocabulary import ExponentInit, InitKind

SMALL_SLOPE = 5.0  # kaiming_uniform(a=5): sums before exp within about +-0.5 (PAPERS 2.2)


def init_block(block: nn.Module, stage: Stage) -> None:
    """Set the weights of a block that was just built with the framework's own initialisation."""
    init_convolutions(block, stage.init)
    if stage.product_unit is not None:
        for module in block.modules():
            if isinstance(module, ProductUnit2d):
                init_exponents(module, stage.product_unit.exponent_init)
    if stage.init is InitKind.ZERO_LAST_NORM:
        branch = block.get_submodule("branch")
        assert isinstance(branch, nn.Sequential)
        last = next(layer for layer in reversed(branch) if list(layer.parameters()))  # a scale, or the second weights
        assert isinstance(last, nn.BatchNorm2d | nn.GroupNorm | nn.Conv2d | ProductUnit2d)
        nn.init.zeros_(last.weight)


def init_convolutions(module: nn.Module, kind: InitKind) -> None:
    """Draw the convolutions below a module; ``framework`` leaves them as they are."""
    for layer in module.modules():
        if isinstance(layer, nn.Conv2d):
            match kind:
                case InitKind.FRAMEWORK:
                    pass
                case InitKind.ORTHOGONAL:
                    nn.init.orthogonal_(layer.weight, gain=math.sqrt(2))
                case InitKind.KAIMING_FAN_IN:
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
