"""What a space file may say: one table, from which files are checked and trees are built.

The order of keys here is the order in which parameters are drawn, whatever the order in a file. A
leaf's ``doc`` is the sentence that a user is shown about it; ``rule`` is the PAPERS rule it stands for.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import dropwhile
from typing import Final

from qpsearch.records import Scalar
from qpsearch.space.kinds import (
    AUTO,
    NONE,
    Bounds,
    Duration,
    Flag,
    Kind,
    Number,
    OneOf,
    OrWord,
    StudyName,
    Whole,
    Words,
)
from qpsearch.vocabulary import (
    MULTIPLYING,
    WITH_PRODUCT_UNITS,
    Activation,
    Augmentation,
    BlockKind,
    BranchKind,
    DatasetName,
    ExponentInit,
    InitKind,
    LogPadding,
    Metric,
    Mixing,
    NormKind,
    NormPlacement,
    NormsAround,
    Numbers,
    OutputActivation,
    Position,
    Positivity,
    Precision,
    PrunerKind,
    QuotientKind,
    SamplerKind,
    ScheduleKind,
    ScoreKind,
    Sharing,
    ShortcutActivation,
    ShortcutKind,
    StemActivation,
    StemPool,
)

REQUIRED: Final = object()
BY_DEPTH: Final = "by_depth"


@dataclass(frozen=True, slots=True, kw_only=True)
class LeafField:
    """One value: a constant or, unless ``fixed``, a domain.

    Attributes:
        kind: What the value may be.
        default: The file's spelling of the value used where the key is absent; ``REQUIRED`` where it must be given.
        doc: One sentence for the user.
        fixed: True where a domain makes no sense (the data set, the budget).
        rule: The rule of PAPERS section 4 that this setting stands for.
        blocks: The kinds of block that have the setting, where those of its section do not all.
    """

    kind: Kind
    default: object = REQUIRED
    doc: str
    fixed: bool = False
    rule: str = ""
    blocks: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class ListField:
    """A list of constants, in any order, each at most once; where ``single`` is set, one may stand without brackets."""

    kind: OneOf
    default: tuple[Scalar, ...] = ()
    doc: str
    single: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ConditionsField:
    """A list of conditions: a text such as ``parameters < 2M``, or a mapping of paths to values, all of them equal."""

    doc: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SectionField:
    """A mapping with known keys.

    ``blocks`` names the kinds of block that the section's rules belong to, none for all: they are drawn only where
    some stage has a block of such a kind.
    """

    fields: dict[str, "Field"]
    doc: str = ""
    blocks: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class StagesField:
    """A list of sections; the list, or any item, may be ``{choice: {NAME: ...}}`` of lists or of sections."""

    section: SectionField
    most: int
    doc: str


@dataclass(frozen=True, slots=True, kw_only=True)
class VariantField:
    """One of several named sections: ``sgd``, ``{sgd: {lr: 0.1}}`` or ``{choice: {sgd: ..., adamw: ...}}``."""

    branches: dict[str, SectionField]
    default: str
    doc: str


Field = LeafField | ListField | ConditionsField | SectionField | StagesField | VariantField

BLOCK: Final = Words("block", list(map(str, BlockKind)), "One of your own comes by --import MODULE.")  # and joins these

RULES: Final = SectionField(
    doc="Design rules, drawn once and shared by all stages; a stage that names a key draws its own.",
    fields={
        "branch": LeafField(
            kind=OneOf(BranchKind),
            default="basic",
            doc="Layers of a branch: two of 3x3, or 1x1, 3x3, 1x1 with a fourth of the channels inside.",
        ),
        "norm": LeafField(kind=OneOf(NormKind), default="batch", doc="Normalisation layer.", rule="Q13, P6"),
        "norm_placement": LeafField(
            kind=OneOf(NormPlacement),
            default="post",
            doc="Normalise after each weight layer (post) or before it (pre).",
            rule="Q13, P6",
        ),
        "init": LeafField(
            kind=OrWord(AUTO, OneOf(InitKind), is_value=True),
            default=AUTO,
            doc="How convolutions and branches start; auto is framework where a block multiplies, zero_last_norm where "
            "it adds, which trains at any depth.",
            rule="Q15",
        ),
        "shortcut": LeafField(
            kind=OneOf(ShortcutKind),
            default="conv3x3",
            doc="Shortcut of a block that changes width or resolution; with identity no block may.",
            rule="Q14, P14",
        ),
        "quotient": SectionField(
            doc="Rules of blocks that multiply.",
            blocks=MULTIPLYING,
            fields={
                "activation": LeafField(
                    kind=OneOf(QuotientKind),
                    default="sigmoid",
                    doc="What bounds a quotient: sigmoid, or linear with a kink; unbounded and relu have no upper end.",
                    rule="Q2, Q3, Q8",
                ),
                "alpha": LeafField(
                    kind=OrWord(BY_DEPTH, Number(1, 16, above=True), is_value=True),
                    default=BY_DEPTH,
                    doc="Upper bound of a quotient; by_depth is the paper's (2.0 at 20 layers, 1.8 at 44, 1.7 at 56, "
                    "1.5 at 110; between them interpolated), and 4 for linear.",
                    rule="Q3, Q4, Q5",
                ),
                "floor": LeafField(
                    kind=Number(-16, 0.99),
                    default=0.0,
                    doc="Lower bound of a quotient; below 0 it may change signs; relu has 0.",
                    rule="Q7",
                ),
                "through_one": LeafField(
                    kind=Flag(), default=True, doc="Whether a branch of 0 is a quotient of 1.", rule="Q6"
                ),
                "learned_alpha": LeafField(
                    kind=OrWord(NONE, OneOf(Sharing)),
                    default=NONE,
                    doc="Whether upper bounds are learned, from alpha on: none, one a layer, one a channel.",
                    rule="Q16",
                ),
                "inner_activation": LeafField(
                    kind=OneOf(Activation),
                    default="relu",
                    doc="Between the layers of the branch.",
                    rule="Q11",
                    blocks=frozenset({BlockKind.QUOTIENT}),
                ),
                "shortcut_activation": LeafField(
                    kind=OneOf(ShortcutActivation),
                    default="quotient",
                    doc="What follows a projection shortcut.",
                    rule="Q10",
                ),
                "output_activation": LeafField(
                    kind=OneOf(Activation), default="none", doc="What follows the product.", rule="Q12"
                ),
            },
        ),
        "product_unit": SectionField(
            doc="Rules of blocks with product units.",
            blocks=WITH_PRODUCT_UNITS,
            fields={
                "position": LeafField(
                    kind=OneOf(Position),
                    default="second",
                    doc="Which layers of a branch are product units; the second of a bottleneck is its 3x3.",
                    rule="P2",
                ),
                "inner_activation": LeafField(
                    kind=OneOf(Activation), default="none", doc="Between the layers of the branch.", rule="P3"
                ),
                "output_activation": LeafField(
                    kind=OneOf(OutputActivation),
                    default="auto",
                    doc="What follows the sum; auto is relu in post placement, none in pre.",
                    rule="P4",
                    blocks=frozenset({BlockKind.PRODUCT_UNIT}),
                ),
                "norms": LeafField(
                    kind=OneOf(NormsAround),
                    default="both",
                    doc="Which of the normalisations next to a product unit are there.",
                    rule="P6",
                ),
                "positivity": LeafField(
                    kind=OneOf(Positivity),
                    default="max",
                    doc="How inputs are made positive: max(x, floor), or the smooth ln(exp(x) + exp(floor)).",
                    rule="P7",
                ),
                "threshold": LeafField(
                    kind=OneOf(Sharing),
                    default="layer",
                    doc="Floors are learned one a layer or one a channel.",
                    rule="P8",
                ),
                "threshold_init": LeafField(
                    kind=Number(-16, 16),
                    default=0.0,
                    doc="Where theta starts; the floor is softplus(theta) + 1e-7, so 0 is 0.69.",
                    rule="P8",
                ),
                "exponent_init": LeafField(
                    kind=OneOf(ExponentInit),
                    default="small",
                    doc="How exponents start; small is a fifth of kaiming_fan_out, and trains at any depth.",
                    rule="P9",
                ),
                "exponent_clip": LeafField(
                    kind=OrWord(NONE, Number(0.01, 80)),
                    default=8.0,
                    doc="Bound on the magnitude of the sum before exp, without which eval mode may overflow.",
                    rule="P10",
                ),
                "padding": LeafField(
                    kind=OneOf(LogPadding),
                    default="after_log",
                    doc="Pad the logarithms, so that outside is 1, or the image, so that outside is the floor.",
                    rule="P11",
                ),
                "bias": LeafField(
                    kind=Flag(), default=False, doc="Whether each output has a learned factor.", rule="P12"
                ),
                "mixing": LeafField(
                    kind=OneOf(Mixing),
                    default="dense",
                    doc="Whether a unit multiplies over all channels or over one.",
                    rule="P13",
                ),
                "numbers": LeafField(
                    kind=OneOf(Numbers),
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
        "width": LeafField(kind=Whole(1, 8192), doc="Channels of the stage.", rule="Q17"),
        "stride": LeafField(kind=Whole(1, 4), default=1, doc="Stride of the stage's first block."),
        "depth": LeafField(kind=Whole(1, 500), doc="Number of blocks."),
        "block": LeafField(kind=BLOCK, doc="How the branch is combined with the shortcut.", rule="Q1, P1, P15"),
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
                "width": LeafField(kind=Whole(1, 8192), doc="Channels of the convolution that meets the image."),
                "kernel": LeafField(kind=Whole(1, 15), default=3, doc="Side of its kernel, odd; 7 on ImageNet."),
                "stride": LeafField(kind=Whole(1, 8), default=1, doc="Its stride; 2 on ImageNet."),
                "pool": LeafField(
                    kind=OneOf(StemPool), default="none", doc="3x3 max pooling of stride 2 behind it, as on ImageNet."
                ),
                "activation": LeafField(
                    kind=OneOf(StemActivation),
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

TRAINING: Final = SectionField(
    doc="The recipe.",
    fields={
        "epochs": LeafField(kind=Whole(1, 100_000), doc="Epochs of a trial that is not pruned."),
        "batch_size": LeafField(
            kind=Whole(1, 1_000_000), default=128, doc="Images a step; the last batch may be smaller."
        ),
        "optimizer": VariantField(
            doc="The optimiser with its own settings.",
            default="sgd",
            branches={
                "sgd": SectionField(
                    fields={
                        "lr": LeafField(
                            kind=Number(0, 100, above=True), default=0.1, doc="Peak learning rate.", rule="Q18, P18"
                        ),
                        "momentum": LeafField(kind=Number(0, 0.9999), default=0.9, doc="Momentum.", rule="P17"),
                        "weight_decay": LeafField(
                            kind=Number(0, 10), default=1e-4, doc="L2 penalty on all parameters.", rule="Q18, P18"
                        ),
                    }
                ),
                "adamw": SectionField(
                    fields={
                        "lr": LeafField(kind=Number(0, 100, above=True), default=1e-3, doc="Peak learning rate."),
                        "weight_decay": LeafField(kind=Number(0, 10), default=1e-2, doc="Decoupled decay."),
                    }
                ),
            },
        ),
        "schedule": LeafField(
            kind=OneOf(ScheduleKind),
            default="step",
            doc="step: a tenth after 1/2 and after 3/4 of the epochs; step_92_136: after 92 and 136 of 182; cosine: to "
            "zero; constant.",
            rule="Q18, P18",
        ),
        "precision": LeafField(
            kind=OneOf(Precision),
            default="float32",
            doc="In what networks compute while they train; product units stay in float32.",
            rule="P19",
        ),
    },
)

DATA: Final = SectionField(
    doc="The data set and how training sees it.",
    fields={
        "dataset": LeafField(kind=OneOf(DatasetName, "data set"), doc="Name of the data set.", fixed=True),
        "validation": LeafField(
            kind=Whole(1, 10_000_000),
            doc="Images taken from the training split, stratified, to steer the search.",
            fixed=True,
        ),
        "augment": ListField(
            kind=OneOf(Augmentation, "augmentation"), doc="Random changes of training images: flip, crop."
        ),
    },
)

SEARCH: Final = SectionField(
    doc="The search.",
    fields={
        "objective": SectionField(
            doc="What is optimised: one metric of training, and any costs beside it.",
            fields={
                "maximize": ListField(kind=OneOf(Metric, "metric"), single=True, doc="Metric to maximise."),
                "minimize": ListField(kind=OneOf(Metric, "metric"), single=True, doc="Metrics to minimise."),
            },
        ),
        "score": LeafField(
            kind=OneOf(ScoreKind), default="last", doc="Which epoch's value is a run's score.", fixed=True
        ),
        "sampler": LeafField(
            kind=OneOf(SamplerKind),
            default="tpe",
            doc="Who proposes configurations; grid takes every point of a finite space once.",
            fixed=True,
        ),
        "pruner": LeafField(
            kind=OrWord(AUTO, OneOf(PrunerKind)),
            default=AUTO,
            doc="Who stops weak trials early; auto is hyperband, or none where there are several objectives or a grid.",
            fixed=True,
        ),
        "trials": LeafField(
            kind=OrWord(AUTO, Whole(1, 10_000_000)),
            default=AUTO,
            doc="The budget; auto is 100, or the number of points of a grid.",
            fixed=True,
        ),
        "budget": SectionField(
            doc="Further bounds, over all restarts and drivers; the first that is met ends the study.",
            fields={
                "epochs": LeafField(
                    kind=OrWord(NONE, Whole(1, 2**53)), default=NONE, doc="Epochs of all trials together.", fixed=True
                ),
                "time": LeafField(
                    kind=OrWord(NONE, Duration()), default=NONE, doc="Wall time in which the study runs.", fixed=True
                ),
                "gpu_hours": LeafField(
                    kind=OrWord(NONE, Number(0, 1e9, above=True)),
                    default=NONE,
                    doc="Hours of one GPU; half a GPU for two hours is one.",
                    fixed=True,
                ),
            },
        ),
        "limits": SectionField(
            doc="Bounds on costs, checked before anything is trained.",
            fields={
                metric.value: LeafField(kind=OrWord(NONE, Bounds()), default=NONE, doc=doc, fixed=True)
                for metric, doc in {
                    Metric.PARAMETERS: "Learned numbers of the network.",
                    Metric.MACS: "Multiply-accumulates of a forward pass of one image.",
                    Metric.ACTIVATION_BYTES: "Bytes of all layers' float32 outputs for one image.",
                }.items()
            },
        ),
        "forbid": ConditionsField(doc="Conditions on resolved values that no point may satisfy."),
        "require": ConditionsField(doc="Conditions on resolved values that every point must satisfy."),
        "replicates": LeafField(
            kind=Whole(1, 1000), default=1, doc="Seeds trained per trial; the objective is their mean.", fixed=True
        ),
        "seed": LeafField(kind=Whole(0, 2**31 - 1), default=0, doc="Seed of everything drawn at random.", fixed=True),
    },
)

RESOURCES: Final = SectionField(
    doc="What a trial gets of the machine.",
    fields={
        "gpus": LeafField(
            kind=OrWord(AUTO, Number(0, 1024)),
            default=AUTO,
            doc="GPUs a trial; a share such as 0.5 packs several on one.",
            fixed=True,
        ),
        "cpus": LeafField(kind=Whole(1, 1024), default=1, doc="CPU cores a trial, and its threads.", fixed=True),
        "concurrent": LeafField(
            kind=OrWord(AUTO, Whole(1, 100_000)),
            default=AUTO,
            doc="Trials at once; auto fills the machine.",
            fixed=True,
        ),
        "report_timeout": LeafField(
            kind=OrWord(NONE, Duration()),
            default="2h",
            doc="A trial that reports no epoch for so long has hung, and fails.",
            fixed=True,
        ),
    },
)

SPACE: Final = SectionField(
    doc="A space: what may be built and trained, and how it is searched.",
    fields={
        "study": LeafField(kind=StudyName(), doc="Name of the study in the database.", fixed=True),
        "data": DATA,
        "network": NETWORK,
        "training": TRAINING,
        "search": SEARCH,
        "resources": RESOURCES,
    },
)


def field_at(path: str) -> LeafField | VariantField | None:
    """Return the field of a leaf by its path in a space's tree; None for a choice of stages, which has none."""
    parts = path.split(".")
    field: Field | None = SPACE
    if path.startswith("network.stages."):
        parts = list(dropwhile(lambda part: part not in STAGE.fields, parts[2:]))
        field = STAGE
    for part in parts:
        match field:
            case SectionField(fields=fields):
                field = fields.get(part)
            case VariantField(branches=branches):
                field = branches.get(part)
    return field if parts and isinstance(field, LeafField | VariantField) else None


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
