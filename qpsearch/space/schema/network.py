"""What a space file may say of the network: stem, stages, and the papers' design rules.

The order of keys here is the order in which parameters are drawn. A user's own block adds its rules to the table.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from qpsearch.space.schema.fields import LeafField, SectionField, StagesField
from qpsearch.space.schema.value_types import AUTO, NONE, Flag, Integer, Number, OneOf, Optional, Words
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

BY_DEPTH: Final = "by_depth"
BLOCK: Final = Words("block", list(map(str, BlockKind)), "One of your own comes by --import MODULE.")  # and joins these

RULES: Final = SectionField(
    doc="Design rules, drawn once and shared by all stages; a stage that names a key draws its own.",
    fields={
        "branch": LeafField(
            type=OneOf(BranchKind),
            default="basic",
            doc="Layers of a branch: two of 3x3, or 1x1, 3x3, 1x1 with a fourth of the channels inside.",
        ),
        "norm": LeafField(type=OneOf(NormKind), default="batch", doc="Normalisation layer.", rule="Q13, P6"),
        "norm_placement": LeafField(
            type=OneOf(NormPlacement),
            default="post",
            doc="Normalise after each weight layer (post) or before it (pre).",
            rule="Q13, P6",
        ),
        "init": LeafField(
            type=Optional(AUTO, OneOf(InitKind), is_value=True),
            default=AUTO,
            doc="How convolutions and branches start; auto is framework where a block multiplies, zero_last_norm where "
            "it adds, which trains at any depth.",
            rule="Q15",
        ),
        "shortcut": LeafField(
            type=OneOf(ShortcutKind),
            default="conv3x3",
            doc="Shortcut of a block that changes width or resolution; with identity no block may.",
            rule="Q14, P14",
        ),
        "quotient": SectionField(
            doc="Rules of blocks that multiply.",
            blocks=MULTIPLYING,
            fields={
                "activation": LeafField(
                    type=OneOf(QuotientKind),
                    default="sigmoid",
                    doc="What bounds a quotient: sigmoid, or linear with a kink; unbounded and relu have no upper end.",
                    rule="Q2, Q3, Q8",
                ),
                "alpha": LeafField(
                    type=Optional(BY_DEPTH, Number(1, 16, above=True), is_value=True),
                    default=BY_DEPTH,
                    doc="Upper bound of a quotient; by_depth is the paper's (2.0 at 20 layers, 1.8 at 44, 1.7 at 56, "
                    "1.5 at 110; between them interpolated), and 4 for linear.",
                    rule="Q3, Q4, Q5",
                ),
                "floor": LeafField(
                    type=Number(-16, 0.99),
                    default=0.0,
                    doc="Lower bound of a quotient; below 0 it may change signs; relu has 0.",
                    rule="Q7",
                ),
                "through_one": LeafField(
                    type=Flag(), default=True, doc="Whether a branch of 0 is a quotient of 1.", rule="Q6"
                ),
                "learned_alpha": LeafField(
                    type=Optional(NONE, OneOf(Sharing)),
                    default=NONE,
                    doc="Whether upper bounds are learned, from alpha on: none, one a layer, one a channel.",
                    rule="Q16",
                ),
                "inner_activation": LeafField(
                    type=OneOf(Activation),
                    default="relu",
                    doc="Between the layers of the branch.",
                    rule="Q11",
                    blocks=frozenset({BlockKind.QUOTIENT}),
                ),
                "shortcut_activation": LeafField(
                    type=OneOf(ShortcutActivation),
                    default="quotient",
                    doc="What follows a projection shortcut.",
                    rule="Q10",
                ),
                "output_activation": LeafField(
                    type=OneOf(Activation), default="none", doc="What follows the product.", rule="Q12"
                ),
            },
        ),
        "product_unit": SectionField(
            doc="Rules of blocks with product units.",
            blocks=WITH_PRODUCT_UNITS,
            fields={
                "position": LeafField(
                    type=OneOf(Position),
                    default="second",
                    doc="Which layers of a branch are product units; the second of a bottleneck is its 3x3.",
                    rule="P2",
                ),
                "inner_activation": LeafField(
                    type=OneOf(Activation), default="none", doc="Between the layers of the branch.", rule="P3"
                ),
                "output_activation": LeafField(
                    type=OneOf(OutputActivation),
                    default="auto",
                    doc="What follows the sum; auto is relu in post placement, none in pre.",
                    rule="P4",
                    blocks=frozenset({BlockKind.PRODUCT_UNIT}),
                ),
                "norms": LeafField(
                    type=OneOf(NormsAround),
                    default="both",
                    doc="Which of the normalisations next to a product unit are there.",
                    rule="P6",
                ),
                "positivity": LeafField(
                    type=OneOf(Positivity),
                    default="max",
                    doc="How inputs are made positive: max(x, floor), or the smooth ln(exp(x) + exp(floor)).",
                    rule="P7",
                ),
                "threshold": LeafField(
                    type=OneOf(Sharing),
                    default="layer",
                    doc="Floors are learned one a layer or one a channel.",
                    rule="P8",
                ),
                "threshold_init": LeafField(
                    type=Number(-16, 16),
                    default=0.0,
                    doc="Where theta starts; the floor is softplus(theta) + 1e-7, so 0 is 0.69.",
                    rule="P8",
                ),
                "exponent_init": LeafField(
                    type=OneOf(ExponentInit),
                    default="small",
                    doc="How exponents start, where init does not zero them; small is a fifth of kaiming_fan_out.",
                    rule="P9",
                ),
                "exponent_clip": LeafField(
                    type=Optional(NONE, Number(0.01, 64)),
                    default=8.0,
                    doc="Bound on the magnitude of the sum before exp, without which eval mode may overflow.",
                    rule="P10",
                ),
                "padding": LeafField(
                    type=OneOf(LogPadding),
                    default="after_log",
                    doc="Pad the logarithms, so that outside is 1, or the image, so that outside is the floor.",
                    rule="P11",
                ),
                "bias": LeafField(
                    type=Flag(), default=False, doc="Whether each output has a learned factor.", rule="P12"
                ),
                "mixing": LeafField(
                    type=OneOf(Mixing),
                    default="dense",
                    doc="Whether a unit multiplies over all channels or over one.",
                    rule="P13",
                ),
                "numbers": LeafField(
                    type=OneOf(Numbers),
                    default="real",
                    doc="Powers of positive numbers, or the real part of complex powers, which keeps signs.",
                    rule="P16",
                ),
            },
        ),
    },
)

STAGE: Final = SectionField(
    doc="Blocks of one width and resolution.",
    fields={
        "width": LeafField(type=Integer(1, 8192), doc="Channels of the stage.", rule="Q17"),
        "stride": LeafField(type=Integer(1, 4), default=1, doc="Stride of the stage's first block."),
        "depth": LeafField(type=Integer(1, 500), doc="Number of blocks."),
        "block": LeafField(type=BLOCK, doc="How the branch is combined with the shortcut.", rule="Q1, P1, P15"),
        **RULES.fields,
    },
)

SHAPE: Final = ("width", "stride", "depth", "block")  # what a stage has beside its rules

NETWORK: Final = SectionField(
    doc="The network.",
    fields={
        "stem": SectionField(
            doc="The convolution that meets the image.",
            fields={
                "width": LeafField(type=Integer(1, 8192), doc="Channels of the convolution that meets the image."),
                "kernel": LeafField(type=Integer(1, 15), default=3, doc="Side of its kernel, odd; 7 on ImageNet."),
                "stride": LeafField(type=Integer(1, 8), default=1, doc="Its stride; 2 on ImageNet."),
                "pool": LeafField(
                    type=OneOf(StemPool), default="none", doc="3x3 max pooling of stride 2 behind it, as on ImageNet."
                ),
                "activation": LeafField(
                    type=OneOf(StemActivation),
                    default="auto",
                    doc="What follows it; auto is what the first stage's block wants.",
                    rule="Q9, P5",
                ),
            },
        ),
        "stages": StagesField(section=STAGE, most=16, doc="The stages, from the image to the head."),
        "rules": RULES,
    },
)


@dataclass(frozen=True, slots=True)
class RulePath:
    """A leaf of the rules with the kinds of block it belongs to; none stands for all."""

    path: tuple[str, ...]
    blocks: frozenset[str]
    field: LeafField = field(repr=False)

    def belongs_to(self, block: object) -> bool:
        """Whether blocks of a kind have this setting."""
        return not self.blocks or block in self.blocks

    @property
    def owners(self) -> str:
        """The kinds of block as text: ``quotient or quotient_product_unit``."""
        return " or ".join(sorted(self.blocks))


def rule_paths() -> list[RulePath]:
    """Return every leaf of the rules, in the order in which they are drawn."""
    found: list[RulePath] = []
    for name, entry in RULES.fields.items():
        match entry:
            case LeafField():
                found.append(RulePath((name,), frozenset(), entry))
            case SectionField(fields=fields, blocks=blocks):
                found.extend(
                    RulePath((name, inner), leaf.blocks or blocks, leaf)
                    for inner, leaf in fields.items()
                    if isinstance(leaf, LeafField)
                )
    return found


def add_block(name: str, rules: Mapping[str, LeafField]) -> None:
    """Let space files name a user's own block, and its rules in a section of that name."""
    BLOCK.words.append(name)
    if rules:
        section = SectionField(doc=f"Rules of {name} blocks.", blocks=frozenset({name}), fields=dict(rules))
        RULES.fields[name] = STAGE.fields[name] = section
