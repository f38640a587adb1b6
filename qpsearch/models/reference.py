"""Named networks of the papers, as configurations: ``resnet44``, ``quotient44``, ``pure20``, ...

Depth is 6n + 2 over three stages of n blocks, widths 16, 32, 64, on 32x32 colour images. ``resnet`` and
``quotient`` have the quotient authors' 3x3 projection shortcuts (PAPERS 1.3, 1.4); ``resnet_a`` and
``pure_a`` He's padded shortcut; ``pure`` the 1x1 projection (PAPERS 2.4).
"""

import re

from qpsearch.architecture import Network, ProductUnitRules, QuotientRules, Stage
from qpsearch.errors import UserError
from qpsearch.vocabulary import BlockKind, ExponentInit, InitKind, NormKind, NormPlacement, ShortcutKind

FAMILIES: dict[str, tuple[BlockKind, ShortcutKind]] = {
    "resnet": (BlockKind.ADDITIVE, ShortcutKind.CONV3X3),
    "resnet_a": (BlockKind.ADDITIVE, ShortcutKind.PAD),
    "quotient": (BlockKind.QUOTIENT, ShortcutKind.CONV3X3),
    "pure": (BlockKind.PRODUCT_UNIT, ShortcutKind.CONV1X1),
    "pure_a": (BlockKind.PRODUCT_UNIT, ShortcutKind.PAD),
}
ALPHA_BY_DEPTH = ((20, 2.0), (44, 1.8), (56, 1.7), (110, 1.5))  # rules Q4, Q5


def reference_network(name: str, *, classes: int = 10, width: int = 16) -> Network:
    """Return the network of a name such as ``quotient44``.

    Args:
        name: Family and depth.
        classes: Outputs of the head.
        width: Channels of stem and first stage; 32 for the quotient paper's CIFAR-100 nets (rule Q17).

    Raises:
        UserError: No such family, or a depth that is not 6n + 2.
    """
    match = re.fullmatch(r"([a-z_]+?)_?(\d+)", name)
    family = match[1] if match else ""
    depth = int(match[2]) if match else 0
    if family not in FAMILIES or depth < 8 or (depth - 2) % 6:
        raise UserError(
            f"no network {name!r}. Expected one of {', '.join(FAMILIES)} and a depth 6n + 2: resnet20, quotient44."
        )
    block, shortcut = FAMILIES[family]
    quotient = QuotientRules(alpha=alpha_for(depth)) if block is BlockKind.QUOTIENT else None
    unit = ProductUnitRules(exponent_init=ExponentInit.KAIMING_FAN_OUT, exponent_clip=None)
    stages = tuple(
        Stage(
            width=width * 2**index,
            stride=1 if index == 0 else 2,
            depth=(depth - 2) // 6,
            block=block,
            norm=NormKind.BATCH,
            norm_placement=NormPlacement.POST,
            init=InitKind.FRAMEWORK if block is BlockKind.QUOTIENT else InitKind.KAIMING_FAN_OUT,
            shortcut=shortcut,
            quotient=quotient,
            product_unit=unit if block is BlockKind.PRODUCT_UNIT else None,
        )
        for index in range(3)
    )
    return Network(channels=3, size=32, classes=classes, stem_width=width, stages=stages)


def alpha_for(depth: int) -> float:
    """Return the paper's alpha for a depth, linear between its depths, constant outside (PAPERS 1.3, rule Q5)."""
    (low_depth, low_alpha), *rest = ALPHA_BY_DEPTH
    if depth <= low_depth:
        return low_alpha
    for high_depth, high_alpha in rest:
        if depth <= high_depth:
            return low_alpha + (high_alpha - low_alpha) * (depth - low_depth) / (high_depth - low_depth)
        low_depth, low_alpha = high_depth, high_alpha
    return low_alpha
