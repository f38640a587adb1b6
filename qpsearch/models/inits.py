"""How weights start.

``framework``: PyTorch's own, U(+-1/sqrt(fan_in)) for convolutions (rule Q15). ``kaiming_fan_out``: normal
with variance 2 / fan_out. ``zero_last_norm``: the same, and the last layer of every branch is zeroed, so
that every block starts as the identity (a product unit in pre placement starts as x + 1: a power of zero).
"""

from torch import nn

from qpsearch.architecture import Stage
from qpsearch.models.blocks import ProductUnit2d
from qpsearch.vocabulary import ExponentInit, InitKind

SMALL_SLOPE = 5.0  # kaiming_uniform(a=5): sums before exp within about +-0.5 (PAPERS 2.2)


def init_block(block: nn.Module, stage: Stage) -> None:
    """Set the weights of a block that was just built with the framework's own initialisation."""
    if stage.init is not InitKind.FRAMEWORK:
        init_convolutions(block)
    if stage.product_unit is not None:
        for module in block.modules():
            if isinstance(module, ProductUnit2d):
                init_exponents(module, stage.product_unit.exponent_init)
    if stage.init is InitKind.ZERO_LAST_NORM:
        branch = block.get_submodule("branch")
        assert isinstance(branch, nn.Sequential)
        last = branch[-1]  # post: a normalisation's scale; pre: the second layer's weights
        assert isinstance(last, nn.BatchNorm2d | nn.GroupNorm | nn.Conv2d | ProductUnit2d)
        nn.init.zeros_(last.weight)


def init_convolutions(module: nn.Module) -> None:
    """Draw the convolutions below a module from N(0, 2 / fan_out)."""
    for layer in module.modules():
        if isinstance(layer, nn.Conv2d):
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
