"""Random settings of blocks and networks, for tests that hold over all of them."""

import itertools
import random

from qpsearch.architecture import Network, ProductUnitRules, QuotientRules, Stage, check_shapes
from qpsearch.errors import Infeasible
from qpsearch.vocabulary import BlockKind, ExponentInit, InitKind, NormKind, NormPlacement, ShortcutKind, StemPool

RULES = [  # every mix of four rules, and the fifth in turn
    (*mix, shortcut)
    for mix, shortcut in zip(
        itertools.product(BlockKind, NormKind, NormPlacement, InitKind), itertools.cycle(ShortcutKind), strict=False
    )
]


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
    alpha: float = 1.8,
    clip: float | None = None,
    exponents: ExponentInit = ExponentInit.KAIMING_FAN_OUT,
) -> Stage:
    return Stage(
        width=width,
        stride=stride,
        depth=depth,
        block=block,
        norm=norm,
        norm_placement=placement,
        init=init,
        shortcut=shortcut,
        quotient=QuotientRules(alpha=alpha) if block is BlockKind.QUOTIENT else None,
        product_unit=ProductUnitRules(exponent_init=exponents, exponent_clip=clip)
        if block is BlockKind.PRODUCT_UNIT
        else None,
    )


def random_network(seed: int) -> Network:
    """One to three stages, each with rules of its own."""
    generator = random.Random(seed)
    while True:
        stages = tuple(
            stage(
                *generator.choice(RULES),
                width=generator.choice([4, 8, 12]),
                stride=generator.choice([1, 2]),
                depth=generator.randint(1, 3),
                alpha=generator.uniform(1.3, 2.5),
                clip=generator.choice([None, 8.0]),
                exponents=generator.choice(list(ExponentInit)),
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
            stages=stages,
        )
        try:
            check_shapes(network)
        except Infeasible:
            continue
        return network
