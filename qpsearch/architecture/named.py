"""Named networks, as configurations: ``resnet44``, ``quotient44``, ``pure20``, ``pure34``, ...

A name is a family and a depth. Depths 6n + 2 have three stages of n blocks of two 3x3 layers, widths 16, 32, 64, on
32x32 colour images. Depths 18, 34, 50, 101, 152 have four stages on 224x224 images after a 7x7 stem with max pooling,
as in torchvision; 50, 101 and 152 have bottlenecks. ``resnet1001`` is He's pre-activation network of 333 bottlenecks,
with which the PURe paper compares its networks.

``resnet`` and ``quotient`` have the quotient authors' 3x3 projection shortcuts (rule Q14), ``resnet_a`` and
``pure_a`` He's padded shortcut, ``pure`` the 1x1 projection (rule P14). ``pure`` keeps ReLU after the addition and
in the stem (as reconstructed from v3); ``pure_norelu`` does not use ReLU and has small exponents (as reimplemented from
v1, where the linear layer starts normal with a deviation of 0.01; here it starts as torch's own). All ImageNet shapes
use 1x1 projections. A family named after a kind of block (``additive``, ``product_unit``, ``quotient_product_unit``, or
a custom one) has the defaults of space files.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import Final

from qpsearch.architecture.config import Network, Stage
from qpsearch.architecture.plugins import load_everything
from qpsearch.architecture.resolve import alpha_for, check_shapes, resolve
from qpsearch.errors import UserError, nearest
from qpsearch.space import StoredChooser, build_space, draw
from qpsearch.space.schema.rules import BLOCK, ProductUnitRules, QuotientRules
from qpsearch.vocabulary import (
    MULTIPLYING,
    WITH_PRODUCT_UNITS,
    BlockKind,
    BranchKind,
    ExponentInit,
    FamilyName,
    InitKind,
    NormKind,
    NormPlacement,
    OutputActivation,
    ShortcutKind,
    StemActivation,
    StemPool,
    WithWords,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Family(WithWords):
    """What the networks of a family share.

    Attributes:
        block: The block of every stage.
        shortcut: The shortcut where a stage changes shape; on ImageNet shapes it is a 1x1 convolution.
        has_relu: Whether there is a ReLU after additions and in the stem.
        source: The paper that the family comes from.
    """

    block: BlockKind
    shortcut: ShortcutKind
    has_relu: bool = True
    source: str

    @property
    def stem_activation(self) -> StemActivation:
        """The activation at the end of the stem."""
        return StemActivation.AUTO if self.has_relu else StemActivation.NONE

    def stage(self, *, width: int, stride: int, depth: int, branch: BranchKind, alpha: float) -> Stage:
        """Return a stage with the rules of the family; ``alpha`` bounds its quotients."""
        unit = ProductUnitRules(
            exponent_init=ExponentInit.KAIMING_FAN_OUT if self.has_relu else ExponentInit.SMALL,
            exponent_clip=None,
            output_activation=OutputActivation.AUTO if self.has_relu else OutputActivation.NONE,
        )
        return Stage(
            width=width,
            stride=stride,
            depth=depth,
            block=self.block,
            branch=branch,
            norm=NormKind.BATCH,
            norm_placement=NormPlacement.POST,
            init=InitKind.FRAMEWORK if self.block in MULTIPLYING else InitKind.KAIMING_FAN_OUT,
            shortcut=self.shortcut,
            quotient=QuotientRules(alpha=alpha) if self.block in MULTIPLYING else None,
            product_unit=unit if self.block in WITH_PRODUCT_UNITS else None,
        )


FAMILIES: Final[dict[FamilyName, Family]] = {
    FamilyName.RESNET: Family(
        block=BlockKind.ADDITIVE, shortcut=ShortcutKind.CONV3X3, source="He et al. 2015; shortcuts of 2506.00992"
    ),
    FamilyName.RESNET_A: Family(block=BlockKind.ADDITIVE, shortcut=ShortcutKind.PAD, source="He et al. 2015, option A"),
    FamilyName.QUOTIENT: Family(block=BlockKind.QUOTIENT, shortcut=ShortcutKind.CONV3X3, source="2506.00992"),
    FamilyName.PURE: Family(
        block=BlockKind.PRODUCT_UNIT,
        shortcut=ShortcutKind.CONV1X1,
        source="2505.04397, with ReLU, as reconstructed from v3",
    ),
    FamilyName.PURE_A: Family(
        block=BlockKind.PRODUCT_UNIT, shortcut=ShortcutKind.PAD, source="2505.04397, with ReLU, option A"
    ),
    FamilyName.PURE_NORELU: Family(
        block=BlockKind.PRODUCT_UNIT,
        shortcut=ShortcutKind.CONV1X1,
        has_relu=False,
        source="2505.04397, without ReLU, as reimplemented from v1",
    ),
    FamilyName.PURE_NORELU_A: Family(
        block=BlockKind.PRODUCT_UNIT,
        shortcut=ShortcutKind.PAD,
        has_relu=False,
        source="2505.04397, without ReLU, option A",
    ),
}
OF_THE_PAPERS: Final[dict[BlockKind, Family]] = {  # the paper's rules for each kind of block
    BlockKind.ADDITIVE: FAMILIES[FamilyName.RESNET],
    BlockKind.QUOTIENT: FAMILIES[FamilyName.QUOTIENT],
    BlockKind.PRODUCT_UNIT: FAMILIES[FamilyName.PURE],
    BlockKind.QUOTIENT_PRODUCT_UNIT: Family(
        block=BlockKind.QUOTIENT_PRODUCT_UNIT, shortcut=ShortcutKind.CONV3X3, source="rules of both papers"
    ),
}
ON_IMAGENET: Final = (FamilyName.RESNET, FamilyName.QUOTIENT, FamilyName.PURE, FamilyName.PURE_NORELU)
DEFAULTS: Final = "defaults of space files"
MOST_LAYERS: Final = 3002  # 500 blocks a stage
DEPTHS: Final = (20, 32, 44, 56, 110, 164, 272)  # 6n + 2: those of the papers' tables
IMAGENET: Final = {  # blocks in each stage, and the layers of a branch
    18: ((2, 2, 2, 2), BranchKind.BASIC),
    34: ((3, 4, 6, 3), BranchKind.BASIC),
    50: ((3, 4, 6, 3), BranchKind.BOTTLENECK),
    101: ((3, 4, 23, 3), BranchKind.BOTTLENECK),
    152: ((3, 8, 36, 3), BranchKind.BOTTLENECK),
}
RESNET_1001: Final = "resnet1001"


def named_network(name: str, *, classes: int | None = None, width: int | None = None, channels: int = 3) -> Network:
    """Return the network of a name such as ``quotient44``.

    Args:
        name: Family and depth.
        classes: Outputs of the head; default 10, or 1000 on ImageNet shapes.
        channels: Channels of the images.
        width: Channels of stem and first stage of a depth 6n + 2, default 16; 32 for the quotient paper's CIFAR-100
            nets (rule Q17).

    Raises:
        UserError: There is no such family, or the family does not have that depth.
    """
    word, depth = _parts(name)
    family = FAMILIES[FamilyName(word)] if word in FAMILIES else None
    on_imagenet = f", or {', '.join(map(str, IMAGENET))}" if word in ON_IMAGENET else ""
    if depth > MOST_LAYERS:
        raise UserError(f"no network {name!r}. Expected at most {MOST_LAYERS} layers.")
    if f"{word}{depth}" == RESNET_1001:
        network = _resnet_1001(classes or 10, width or 16)
    elif family is not None and on_imagenet and depth in IMAGENET:
        if width is not None:
            raise UserError(f"{name}: --width needs a depth 6n + 2; ImageNet shapes always begin with 64 channels.")
        network = _for_imagenet(family, depth, classes or 1000)
    elif depth < 8 or (depth - 2) % 6:
        raise UserError(f"no network {name!r}. Expected a depth 6n + 2, such as 20, 44 or 110{on_imagenet}.")
    elif family is not None:
        network = _for_cifar(family, depth, classes or 10, width or 16)
    else:
        network = _by_default(word, (depth - 2) // 6, classes or 10, width or 16)
    network = replace(network, channels=channels)
    check_shapes(network)
    return network


def list_models(pattern: str = "*") -> list[str]:
    """Return the names of networks for ``create_model`` that match a pattern.

    Any depth 6n + 2 of a family can be built; the list has the depths of the papers.

    Args:
        pattern: As for file names: ``*`` stands for any letters, ``?`` for one.

    Raises:
        UserError: ``pattern`` is not a text.

    Example:
        >>> import qpsearch
        >>> qpsearch.list_models("quotient1*")
        ['quotient110', 'quotient164', 'quotient18', 'quotient101', 'quotient152']
    """
    given: object = pattern
    if not isinstance(given, str):
        raise UserError(f"pattern: {given!r} is not a pattern. Expected a text such as 'quotient*'.")
    load_everything()  # each block has a family
    return [name for name, _ in list_networks() if fnmatchcase(name, pattern)]


def list_networks() -> Iterator[tuple[str, str]]:
    """Yield the name and the source of each listed network: those of the papers, and those of space-file defaults."""
    for family, facts in FAMILIES.items():
        yield from ((f"{family}{depth}", facts.source) for depth in DEPTHS)
    for family in ON_IMAGENET:
        source = FAMILIES[family].source.partition(";")[0]
        yield from ((f"{family}{depth}", f"{source}; ImageNet shape") for depth in IMAGENET)
    yield RESNET_1001, "He et al. 2016, pre-activation"
    for word in BLOCK.words:
        if word not in FAMILIES:
            yield from ((f"{word}{depth}", DEFAULTS) for depth in DEPTHS)


def _parts(name: str) -> tuple[str, int]:
    known = list(dict.fromkeys([*map(str, FAMILIES), *BLOCK.words]))
    match = re.fullmatch(f"({'|'.join(sorted(known, key=len, reverse=True))})_?(\\d+)", name)
    if match is None:
        family, depth = name.rstrip("0123456789._").lower(), re.search(r"\d+", name)
        digits = depth[0] if depth is not None else "20"
        meant = nearest(f"{family}{digits}", [f"{each}{digits}" for each in known])
        raise UserError(f"no network {name!r}. {meant} Expected a family and a depth; list them: qpsearch model list.")
    return match[1], int(match[2])


def _for_imagenet(family: Family, depth: int, classes: int) -> Network:
    """Return four stages on 224x224 images, after a stem that halves the resolution twice."""
    depths, branch = IMAGENET[depth]
    first = 256 if branch is BranchKind.BOTTLENECK else 64
    return Network(
        channels=3,
        size=224,
        classes=classes,
        stem_width=64,
        stem_kernel=7,
        stem_stride=2,
        stem_pool=StemPool.MAX,
        stem_activation=family.stem_activation,
        stages=_stages(replace(family, shortcut=ShortcutKind.CONV1X1), depth, first, depths, branch),
    )


def _for_cifar(family: Family, depth: int, classes: int, width: int) -> Network:
    """Return three stages on 32x32 images."""
    depths = ((depth - 2) // 6,) * 3
    return Network(
        channels=3,
        size=32,
        classes=classes,
        stem_width=width,
        stem_activation=family.stem_activation,
        stages=_stages(family, depth, width, depths, BranchKind.BASIC),
    )


def _resnet_1001(classes: int, width: int) -> Network:
    """Return 3 x 111 pre-activation bottlenecks on 32x32 images (He et al. 2016)."""
    family = replace(FAMILIES[FamilyName.RESNET], shortcut=ShortcutKind.CONV1X1)
    stages = _stages(family, 1001, 4 * width, (111,) * 3, BranchKind.BOTTLENECK)
    return Network(
        channels=3,
        size=32,
        classes=classes,
        stem_width=width,
        stages=tuple(replace(stage, norm_placement=NormPlacement.PRE) for stage in stages),
    )


def _stages(family: Family, depth: int, width: int, depths: Sequence[int], branch: BranchKind) -> tuple[Stage, ...]:
    """Return stages with the given numbers of blocks, each at half the resolution and twice the width of the last."""
    return tuple(
        family.stage(
            width=width * 2**index,
            stride=1 if index == 0 else 2,
            depth=count,
            branch=branch,
            alpha=alpha_for(depth),
        )
        for index, count in enumerate(depths)
    )


def _by_default(block: str, count: int, classes: int, width: int) -> Network:
    """Return three stages of a block with the rules that a space file has by default."""
    stages = [
        {"width": width * 2**index, "stride": 1 if index == 0 else 2, "depth": count, "block": block}
        for index in range(3)
    ]
    space = build_space(
        {
            "study": "defaults",
            "data": {"dataset": "cifar100" if classes == 100 else "cifar10", "validation": 5000},
            "network": {"stem": {"width": width}, "stages": stages},
            "training": {"epochs": 1},
        }
    )
    network = resolve(space, draw(space, StoredChooser({}))).network
    return Network(channels=3, size=32, classes=classes, stem_width=width, stages=network.stages)
