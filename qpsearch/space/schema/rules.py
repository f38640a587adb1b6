"""A stage's shape and the design rules of its blocks: one declaration for each, for space files and configurations.

A field of a record is a rule: its type is what a network is built from, its ``setting`` what a space file may say. The
order of the fields is the order in which parameters are drawn, and that of stored configurations: it never changes.
"""

import math
from dataclasses import MISSING, dataclass, field, fields
from typing import Any, Final

from qpsearch.errors import own_hint
from qpsearch.space.schema.fields import REQUIRED, Field, LeafField, SectionField
from qpsearch.space.schema.value_types import AUTO, NONE, Flag, Integer, Number, OneOf, Optional, ValueType, Words
from qpsearch.vocabulary import (
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
    Scalar,
    Sharing,
    ShortcutActivation,
    ShortcutKind,
    WithWords,
)

BY_DEPTH: Final = "by_depth"
# Custom blocks add their names.
BLOCK: Final = Words("block", list(map(str, BlockKind)), own_hint("block"))


def setting(
    type_: ValueType,
    *,
    default: object = REQUIRED,
    doc: str,
    rule: str = "",
    blocks: frozenset[str] = frozenset(),
    tried: tuple[Scalar, ...] = (),
    stored: object = MISSING,
) -> Any:
    """Declare a rule.

    Args:
        type_: What its value may be in a space file.
        default: The file's spelling of the value used where the key is absent; ``REQUIRED`` where it must be given.
        doc: One sentence for the user.
        rule: The papers' rules that the setting implements.
        blocks: The kinds of block that have it, where not all kinds of its section do.
        tried: The numbers that an audit of settings tries; of words, all are tried.
        stored: The value in a configuration that was stored before the rule existed; left out for a rule that has
            existed from the beginning.
    """
    leaf = LeafField(type=type_, default=default, doc=doc, rule=rule, blocks=blocks, tried=tried)
    return field(default=stored, metadata={"setting": leaf})


def section_of(record: type, doc: str, blocks: frozenset[str]) -> SectionField:
    """Return the section of a space file that the rules of a record make."""
    return SectionField(doc=doc, blocks=blocks, fields=fields_of(record))


def fields_of(record: type) -> dict[str, Field]:
    """Return what a space file may say of each field that a record itself declares, in their order."""
    return {each.name: each.metadata["setting"] for each in fields(record) if each.name in record.__annotations__}


@dataclass(frozen=True, slots=True, kw_only=True)
class StageShape(WithWords):
    """The settings of a stage that are not design rules; each stage has its own."""

    width: int = setting(Integer(1, 8192), doc="Channels of the stage.", rule="Q17")
    stride: int = setting(Integer(1, 4), default=1, doc="Stride of the stage's first block.")
    depth: int = setting(Integer(1, 500), doc="Number of blocks.")
    block: str = setting(BLOCK, doc="How the branch is combined with the shortcut.", rule="Q1, P1, P15")


@dataclass(frozen=True, slots=True, kw_only=True)
class StageRules(StageShape):
    """Rules of all blocks."""

    branch: BranchKind = setting(
        OneOf(BranchKind),
        default="basic",
        doc="Layers of a branch: basic has two 3x3 layers; bottleneck has 1x1, 3x3 and 1x1 layers with a quarter of "
        "the channels inside.",
        stored=BranchKind.BASIC,
    )
    norm: NormKind = setting(OneOf(NormKind), default="batch", doc="Normalisation layer.", rule="Q13, P6")
    norm_placement: NormPlacement = setting(
        OneOf(NormPlacement),
        default="post",
        doc="Normalise after each weight layer (post) or before it (pre).",
        rule="Q13, P6",
    )
    init: InitKind = setting(
        Optional(AUTO, OneOf(InitKind), is_value=True),
        default=AUTO,
        doc="Initial weights of convolutions and branches; auto is framework for blocks that multiply, and "
        "zero_last_norm for blocks that add, which trains at any depth.",
        rule="Q15",
    )
    shortcut: ShortcutKind = setting(
        OneOf(ShortcutKind),
        default="conv3x3",
        doc="Shortcut of a block that changes width or resolution; identity does not allow such blocks.",
        rule="Q14, P14",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class QuotientRules(WithWords):
    """Rules of blocks that multiply (arXiv 2506.00992)."""

    __pydantic_config__ = {"extra": "forbid"}  # noqa: RUF012  # the name and form that pydantic looks for

    activation: QuotientKind = setting(
        OneOf(QuotientKind),
        default="sigmoid",
        doc="Function that bounds a quotient: sigmoid, or linear with a kink; unbounded and relu do not have an upper "
        "bound.",
        rule="Q2, Q3, Q8",
        stored=QuotientKind.SIGMOID,
    )
    alpha: float = setting(
        Optional(BY_DEPTH, Number(1, 16, above=True), is_value=True),
        default=BY_DEPTH,
        doc="Upper bound of a quotient; by_depth takes the paper's value (2.0 at 20 layers, 1.8 at 44, 1.7 at 56, "
        "1.5 at 110, interpolated in between), or 4 for linear.",
        rule="Q3, Q4, Q5",
        tried=(1.2, 4.0),
    )
    floor: float = setting(
        Number(-16, 0.99),
        default=0.0,
        doc="Lower bound of a quotient; below 0, a quotient may change signs; relu always has 0.",
        rule="Q7",
        tried=(-1.0, 0.5),
        stored=0.0,
    )
    through_one: bool = setting(
        Flag(), default=True, doc="Whether a branch output of 0 gives a quotient of 1.", rule="Q6", stored=True
    )
    learned_alpha: Sharing | None = setting(
        Optional(NONE, OneOf(Sharing)),
        default=NONE,
        doc="Whether upper bounds are learned, starting at alpha: none, one for each layer, or one for each channel.",
        rule="Q16",
        stored=None,
    )
    inner_activation: Activation = setting(
        OneOf(Activation),
        default="relu",
        doc="Activation between the layers of the branch.",
        rule="Q11",
        blocks=frozenset({BlockKind.QUOTIENT}),
        stored=Activation.RELU,
    )
    shortcut_activation: ShortcutActivation = setting(
        OneOf(ShortcutActivation),
        default="quotient",
        doc="Activation after a projection shortcut.",
        rule="Q10",
        stored=ShortcutActivation.QUOTIENT,
    )
    output_activation: Activation = setting(
        OneOf(Activation), default="none", doc="Activation after the product.", rule="Q12", stored=Activation.NONE
    )

    @property
    def at_one(self) -> float:
        """The branch output whose quotient is 1."""
        if self.through_one and self.activation is not QuotientKind.RELU:
            return 0.0
        if self.activation is QuotientKind.SIGMOID:
            return math.log((1 - self.floor) / (self.alpha - 1))
        return 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ProductUnitRules(WithWords):
    """Rules of blocks with product units (arXiv 2505.04397)."""

    __pydantic_config__ = {"extra": "forbid"}  # noqa: RUF012  # the name and form that pydantic looks for

    position: Position = setting(
        OneOf(Position),
        default="second",
        doc="Which layers of a branch are product units; in a bottleneck, second is the 3x3 layer.",
        rule="P2",
        stored=Position.SECOND,
    )
    inner_activation: Activation = setting(
        OneOf(Activation),
        default="none",
        doc="Activation between the layers of the branch.",
        rule="P3",
        stored=Activation.NONE,
    )
    output_activation: OutputActivation = setting(
        OneOf(OutputActivation),
        default="auto",
        doc="Activation after the sum; auto is relu with norm_placement: post, none with pre.",
        rule="P4",
        blocks=frozenset({BlockKind.PRODUCT_UNIT}),
        stored=OutputActivation.AUTO,
    )
    norms: NormsAround = setting(
        OneOf(NormsAround),
        default="both",
        doc="Which of the normalisations before and after a product unit are kept.",
        rule="P6",
        stored=NormsAround.BOTH,
    )
    positivity: Positivity = setting(
        OneOf(Positivity),
        default="max",
        doc="How inputs are made positive: max(x, floor), or the smooth ln(exp(x) + exp(floor)).",
        rule="P7",
        stored=Positivity.MAX,
    )
    threshold: Sharing = setting(
        OneOf(Sharing),
        default="layer",
        doc="Whether one floor is learned for each layer, or one for each channel.",
        rule="P8",
        stored=Sharing.LAYER,
    )
    threshold_init: float = setting(
        Number(-16, 16),
        default=0.0,
        doc="Initial value of theta; the floor is softplus(theta) + 1e-7, so 0 gives 0.69.",
        rule="P8",
        tried=(-8.0, 4.0),
        stored=0.0,
    )
    exponent_init: ExponentInit = setting(
        OneOf(ExponentInit),
        default="small",
        doc="Initial exponents, where init does not zero them; small is a fifth of kaiming_fan_out.",
        rule="P9",
    )
    exponent_clip: float | None = setting(
        Optional(NONE, Number(0.01, 64)),
        default=8.0,
        doc="Bound on the magnitude of the sum before exp; without a bound, outputs may overflow, in eval mode even "
        "before training.",
        rule="P10",
        tried=(None, 4.0, 20.0),
    )
    padding: LogPadding = setting(
        OneOf(LogPadding),
        default="after_log",
        doc="after_log pads the logarithms with 0, so that the outside is 1; before_log pads the image with 0, so that "
        "the outside is the floor.",
        rule="P11",
        stored=LogPadding.AFTER_LOG,
    )
    bias: bool = setting(
        Flag(), default=False, doc="Whether each output has a learned factor.", rule="P12", stored=False
    )
    mixing: Mixing = setting(
        OneOf(Mixing),
        default="dense",
        doc="Whether a product unit multiplies over all input channels (dense) or over one (depthwise).",
        rule="P13",
        stored=Mixing.DENSE,
    )
    numbers: Numbers = setting(
        OneOf(Numbers),
        default="real",
        doc="real takes powers of positive numbers; complex takes the real part of complex powers, which keeps signs.",
        rule="P16",
        stored=Numbers.REAL,
    )
