"""Random settings of blocks and networks, for tests that hold over all of them."""

import itertools
import random
from typing import Any

from qpsearch.architecture.config import Network, Stage
from qpsearch.architecture.resolve import check_shapes
from qpsearch.errors import Infeasible
from qpsearch.space.schema.rules import ProductUnitRules, QuotientRules
from qpsearch.vocabulary import (
    MULTIPLYING,
    WITH_PRODUCT_UNITS,
    Activation,
    BlockKind,
    BranchKind,
    ExponentInit,
    InitKind,
    LogPadding,
    Mixing,
    NormKind,
    NormPlacement,
    NormsAround,
    Numbers,
    OutputActivation,
    Position,
    Positivity,
    QuotientKind,
    Sharing,
    ShortcutActivation,
    ShortcutKind,
    StemActivation,
    StemPool,
)

PROJECTIONS = [kind for kind in ShortcutKind if kind is not ShortcutKind.IDENTITY]
RULES = [  # every mix of four rules, and the fifth in turn
    (*mix, shortcut)
    for mix, shortcut in zip(
        itertools.product(BlockKind, NormKind, NormPlacement, InitKind), itertools.cycle(PROJECTIONS), strict=False
    )
]

# Every value of each rule of a kind of block, and what configurations held before the rule was.
QUOTIENT_RULES: dict[str, list[Any]] = {
    "activation": list(QuotientKind),
    "alpha": [1.3, 1.8, 2.5, 4.0],
    "floor": [0.0, -0.5, 0.25],
    "through_one": [True, False],
    "learned_alpha": [None, *Sharing],
    "inner_activation": list(Activation),
    "shortcut_activation": list(ShortcutActivation),
    "output_activation": list(Activation),
}
PRODUCT_UNIT_RULES: dict[str, list[Any]] = {
    "position": list(Position),
    "inner_activation": list(Activation),
    "output_activation": list(OutputActivation),
    "norms": list(NormsAround),
    "positivity": list(Positivity),
    "threshold": list(Sharing),
    "threshold_init": [0.0, -2.0, 1.0],
    "exponent_init": list(ExponentInit),
    "exponent_clip": [None, 8.0],
    "padding": list(LogPadding),
    "bias": [False, True],
    "mixing": list(Mixing),
    "numbers": list(Numbers),
}


def stage(
    block: BlockKind,
    norm: NormKind = NormKind.BATCH,
    placement: NormPlacement = NormPlacement.POST,
    init: InitKind = InitKind.FRAMEWORK,
    shortcut: ShortcutKind = ShortcutKind.CONV1X1,
    *,
    width: int = 8,
    stride: int = 1,
    depth: int = 1,
    branch: BranchKind = BranchKind.BASIC,
    quotient: dict[str, Any] | None = None,
    unit: dict[str, Any] | None = None,
) -> Stage:
    """A stage with the papers' rules, but for those named."""
    bound = {"alpha": 1.8} | (quotient or {})
    power = {"exponent_init": ExponentInit.KAIMING_FAN_OUT, "exponent_clip": None} | (unit or {})
    return Stage(
        width=width,
        stride=stride,
        depth=depth,
        block=block,
        branch=branch,
        norm=norm,
        norm_placement=placement,
        init=init,
        shortcut=shortcut,
        quotient=QuotientRules(**bound) if block in MULTIPLYING else None,
        product_unit=ProductUnitRules(**power) if block in WITH_PRODUCT_UNITS else None,
    )


def random_network(seed: int) -> Network:
    """One to three stages, each with rules of its own; any value of any rule."""
    generator = random.Random(seed)

    def drawn(rules: dict[str, list[Any]]) -> dict[str, Any]:
        """Few settings at once, lest most draws contradict themselves."""
        return {name: generator.choice(values) for name, values in rules.items() if generator.random() < 0.4}

    while True:
        stages = tuple(
            stage(
                *generator.choice(RULES),
                width=generator.choice([4, 8, 12]),
                stride=generator.choice([1, 2]),
                depth=generator.randint(1, 3),
                branch=generator.choice(list(BranchKind)),
                quotient=drawn(QUOTIENT_RULES),
                unit=drawn(PRODUCT_UNIT_RULES),
            )
            for _ in range(generator.randint(1, 3))
        )
        network = Network(
            channels=3,
            size=16,
            classes=5,
            stem_width=generator.choice([4, 8]),
            stem_kernel=generator.choice([3, 3, 5, 7]),
            stem_stride=generator.choice([1, 1, 2]),
            stem_pool=generator.choice([StemPool.NONE, StemPool.NONE, StemPool.MAX]),
            stem_activation=generator.choice(list(StemActivation)),
            stages=stages,
        )
        try:
            check_shapes(network)
        except Infeasible:
            continue
        return network
