"""What a space file may say: one table, from which files are checked and trees are built.

The order of keys here is the order in which parameters are drawn, whatever the order in a file. A
leaf's ``doc`` is the sentence that a user is shown about it; ``rule`` is the PAPERS rule it stands for.
"""

from dataclasses import dataclass, field
from itertools import dropwhile
from typing import Final

from qpsearch.records import Scalar
from qpsearch.space.kinds import AUTO, NONE, Bounds, Duration, Kind, Number, OneOf, OrWord, StudyName, Whole
from qpsearch.vocabulary import (
    Augmentation,
    BlockKind,
    DatasetName,
    ExponentInit,
    InitKind,
    Metric,
    NormKind,
    NormPlacement,
    PrunerKind,
    QuotientKind,
    SamplerKind,
    ScheduleKind,
    ScoreKind,
    ShortcutKind,
    StemPool,
)

REQUIRED: Final = object()


@dataclass(frozen=True, slots=True, kw_only=True)
class LeafField:
    """One value: a constant or, unless ``fixed``, a domain.

    Attributes:
        kind: What the value may be.
        default: The file's spelling of the value used where the key is absent; ``REQUIRED`` where it must be given.
        doc: One sentence for the user.
        fixed: True where a domain makes no sense (the data set, the budget).
        rule: The rule of PAPERS section 4 that this setting stands for.
    """

    kind: Kind
    default: object = REQUIRED
    doc: str
    fixed: bool = False
    rule: str = ""


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

    ``block`` names the block kind that the section's rules belong to: they are drawn only where some
    stage has a block of that kind.
    """

    fields: dict[str, "Field"]
    doc: str = ""
    block: BlockKind | None = None


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

RULES: Final = SectionField(
    doc="Design rules, drawn once and shared by all stages; a stage that names a key draws its own.",
    fields={
        "norm": LeafField(kind=OneOf(NormKind), default="batch", doc="Normalisation layer.", rule="Q13, P6"),
        "norm_placement": LeafField(
            kind=OneOf(NormPlacement),
            default="post",
            doc="Normalise after each weight layer (post) or before it (pre).",
            rule="Q13, P6",
        ),
        "init": LeafField(kind=OneOf(InitKind), default="framework", doc="How convolutions start.", rule="Q15"),
        "shortcut": LeafField(
            kind=OneOf(ShortcutKind),
            default="conv3x3",
            doc="Shortcut of a block that changes width or resolution.",
            rule="Q14, P14",
        ),
        "quotient": SectionField(
            doc="Rules of quotient blocks.",
            block=BlockKind.QUOTIENT,
            fields={
                "activation": LeafField(
                    kind=OneOf(QuotientKind),
                    default="sigmoid",
                    doc="What bounds a quotient: sigmoid in (0, alpha) or linear in [0, alpha], 1 at 0; relu does not.",
                    rule="Q2, Q3, Q8",
                ),
                "alpha": LeafField(
                    kind=Number(1, 16, above=True),
                    default=1.8,
                    doc="Upper bound of a quotient; 2.0 suits 20 layers, 1.8 44, 1.7 56, 1.5 110; relu ignores it.",
                    rule="Q3, Q4, Q5",
                ),
            },
        ),
        "product_unit": SectionField(
            doc="Rules of product-unit blocks.",
            block=BlockKind.PRODUCT_UNIT,
            fields={
                "exponent_init": LeafField(
                    kind=OneOf(ExponentInit), default="kaiming_fan_out", doc="How exponents start.", rule="P9"
                ),
                "exponent_clip": LeafField(
                    kind=OrWord(NONE, Number(0, 80, above=True)),
                    default=NONE,
                    doc="Bound on the magnitude of the sum before exp; exp(88) is the largest float32.",
                    rule="P10",
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
        "block": LeafField(
            kind=OneOf(BlockKind), doc="How the branch is combined with the shortcut.", rule="Q1, P1, P15"
        ),
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
            doc="step: a tenth after 1/2 and after 3/4 of the epochs; cosine: to zero; constant.",
            rule="Q18, P18",
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
    """A leaf of the rules with the block kind it belongs to."""

    path: tuple[str, ...]
    block: BlockKind | None
    field: LeafField = field(repr=False)


def rule_paths() -> list[RulePath]:
    """Return every leaf of the rules, in the order in which they are drawn."""
    found: list[RulePath] = []
    for name, entry in RULES.fields.items():
        match entry:
            case LeafField():
                found.append(RulePath((name,), None, entry))
            case SectionField(fields=fields, block=block):
                found.extend(
                    RulePath((name, inner), block, leaf)
                    for inner, leaf in fields.items()
                    if isinstance(leaf, LeafField)
                )
    return found
