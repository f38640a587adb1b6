"""What a space file may say: one table, from which files are checked and trees are built.

The order of keys here is the order in which parameters are drawn, whatever the order in a file. A
leaf's ``doc`` is its description for users; ``rule`` names the papers' rules that it implements.
"""

from collections.abc import Iterator, Mapping
from itertools import dropwhile
from typing import Final

from qpsearch.registry.augmentations import Augmentation, Padding
from qpsearch.registry.datasets import DatasetName, Normalisation
from qpsearch.registry.options import Option
from qpsearch.registry.pruners import PRUNER_OPTIONS, PrunerKind
from qpsearch.registry.samplers import SAMPLER_OPTIONS, SamplerKind
from qpsearch.space.schema.fields import (
    ArmsField,
    ConditionsField,
    Field,
    LeafField,
    ListField,
    PointsField,
    SectionField,
    StagesField,
    VariantField,
)
from qpsearch.space.schema.network import NETWORK, SHAPE, STAGE
from qpsearch.space.schema.value_types import (
    AUTO,
    NONE,
    Bounds,
    CountOrShare,
    Duration,
    Integer,
    Number,
    OneOf,
    Optional,
    StudyName,
)
from qpsearch.vocabulary import Metric, Precision, ScheduleKind, ScoreKind


def _options(options: Mapping[str, Option]) -> SectionField:
    """Return the settings of a sampler or pruner."""
    return SectionField(fields={name: _option(each) for name, each in options.items()})


def _option(option: Option) -> LeafField:
    number = Integer(int(option.low), int(option.high)) if option.is_whole else Number(option.low, option.high)
    if option.default is None:
        return LeafField(type=Optional(AUTO, number), default=AUTO, doc=option.doc, fixed=True)
    return LeafField(type=number, default=option.default, doc=option.doc, fixed=True)


TRAINING: Final = SectionField(
    doc="How networks are trained.",
    fields={
        "epochs": LeafField(type=Integer(1, 100_000), doc="Epochs of a trial that is not pruned."),
        "batch_size": LeafField(
            type=Integer(1, 1_000_000),
            default=128,
            doc="Images in a step; the last batch may be smaller, or one image larger.",
        ),
        "optimizer": VariantField(
            doc="The optimiser with its own settings.",
            default="sgd",
            branches={
                "sgd": SectionField(
                    fields={
                        "lr": LeafField(
                            type=Number(0, 100, above=True), default=0.1, doc="Peak learning rate.", rule="Q18, P18"
                        ),
                        "momentum": LeafField(type=Number(0, 0.9999), default=0.9, doc="Momentum.", rule="P17"),
                        "weight_decay": LeafField(
                            type=Number(0, 10), default=1e-4, doc="L2 penalty on all parameters.", rule="Q18, P18"
                        ),
                    }
                ),
                "adamw": SectionField(
                    fields={
                        "lr": LeafField(type=Number(0, 100, above=True), default=1e-3, doc="Peak learning rate."),
                        "weight_decay": LeafField(type=Number(0, 10), default=1e-2, doc="Decoupled decay."),
                    }
                ),
            },
        ),
        "schedule": LeafField(
            type=OneOf(ScheduleKind),
            default="step",
            doc="Learning-rate schedule: step divides lr by 10 after 1/2 and after 3/4 of the epochs; step_92_136 "
            "after 92/182 and after 136/182; cosine lowers lr to zero; constant keeps it.",
            rule="Q18, P18",
        ),
        "precision": LeafField(
            type=OneOf(Precision),
            default="float32",
            doc="Number format in which networks compute during training; product units always use float32.",
            rule="P19",
        ),
    },
)

DATA: Final = SectionField(
    doc="The data set and how training sees it.",
    fields={
        "dataset": LeafField(type=OneOf(DatasetName, "data set"), doc="Name of the data set.", fixed=True),
        "validation": LeafField(
            type=CountOrShare(),
            doc="Images held out from the training split, stratified by label, on which trials are scored: how many, "
            "or their share of the split, rounded to the nearest image (halves down). 0 trains on all images; trials "
            "are then scored by their training loss (objective: {minimize: train_loss}).",
            fixed=True,
        ),
        "augment": ListField(
            type=OneOf(Augmentation, "augmentation"),
            doc=f"Random changes of training images: {', '.join(Augmentation)}.",
        ),
        "padding": LeafField(
            type=OneOf(Padding),
            default="mean",
            doc="What crops bring in at the edges: mean, by which images are normalised; black, pixels of 0 before "
            "images are normalised, as torchvision's crops do.",
            rule="Q18",
            fixed=True,
        ),
        "normalise": LeafField(
            type=OneOf(Normalisation),
            default="dataset",
            doc="Whose mean and standard deviation images are normalised by: the data set's own, or ImageNet's.",
            rule="Q18",
            fixed=True,
        ),
    },
)

SEARCH: Final = SectionField(
    doc="How the space is searched.",
    fields={
        "objective": SectionField(
            doc="What is optimised: one training metric, and any number of costs.",
            fields={
                "maximize": ListField(type=OneOf(Metric, "metric"), single=True, doc="Metric to maximise."),
                "minimize": ListField(type=OneOf(Metric, "metric"), single=True, doc="Metrics to minimise."),
            },
        ),
        "score": VariantField(
            doc="Epoch whose value is a run's score, and whose weights are evaluated; of equally good epochs the first "
            "is the best.",
            default="last",
            fixed=True,
            branches={
                ScoreKind.LAST.value: SectionField(fields={}),
                ScoreKind.BEST.value: SectionField(
                    fields={
                        "from_epoch": LeafField(
                            type=Integer(1, 100_000),
                            default=1,
                            doc="First epoch that may be the best, counted from 1.",
                            rule="Q18",
                            fixed=True,
                        )
                    }
                ),
            },
        ),
        "sampler": VariantField(
            doc="Sampler that proposes configurations: gp learns from a Gaussian process, tpe from densities of good "
            "and bad trials; grid tries every point of a finite space once; factorial takes all values, and all pairs "
            "of values, about equally often, for effects. auto is gp, or tpe with several objectives.",
            default=AUTO,
            fixed=True,
            branches={AUTO: SectionField(fields={})}
            | {kind.value: _options(SAMPLER_OPTIONS[kind]) for kind in SamplerKind},
        ),
        "pruner": VariantField(
            doc="Pruner that spends few epochs on weak trials: asha pauses each trial at rungs and continues the best "
            "third, asha_stop stops the others. auto is asha, or none with several objectives, a grid or a factorial "
            "design.",
            default=AUTO,
            fixed=True,
            branches={AUTO: SectionField(fields={})}
            | {kind.value: _options(PRUNER_OPTIONS[kind]) for kind in PrunerKind},
        ),
        "first": PointsField(
            doc="Configurations that are tried before all others: a list of mappings of parameters, by their paths or "
            "ties, to values; network.stages.*.block stands for all stages. What one leaves open is drawn."
        ),
        "trials": LeafField(
            type=Optional(AUTO, Integer(1, 10_000_000)),
            default=AUTO,
            doc="Number of trials; auto is 100, or the number of points of a grid.",
            fixed=True,
        ),
        "budget": SectionField(
            doc="Further bounds, over all restarts and drivers; the first bound that is reached ends the study.",
            fields={
                "epochs": LeafField(
                    type=Optional(NONE, Integer(1, 2**53)),
                    default=NONE,
                    doc="Epochs of all trials together.",
                    fixed=True,
                ),
                "time": LeafField(
                    type=Optional(NONE, Duration()), default=NONE, doc="Wall time in which the study runs.", fixed=True
                ),
                "gpu_hours": LeafField(
                    type=Optional(NONE, Number(0, 1e9, above=True)),
                    default=NONE,
                    doc="Hours of one GPU; half a GPU for two hours counts as one.",
                    fixed=True,
                ),
            },
        ),
        "stop": SectionField(
            doc="When the study ends before its budget is spent; the first rule that holds ends it.",
            fields={
                "target": LeafField(
                    type=Optional(NONE, Number(-1e12, 1e12)),
                    default=NONE,
                    doc="Value of the objective that a complete trial reaches.",
                    fixed=True,
                ),
                "patience": LeafField(
                    type=Optional(NONE, Integer(1, 10_000_000)),
                    default=NONE,
                    doc="Trials that end one after another without a better one.",
                    fixed=True,
                ),
                "failures": LeafField(
                    type=Optional(NONE, Integer(1, 10_000_000)),
                    default=NONE,
                    doc="Trials that fail.",
                    fixed=True,
                ),
            },
        ),
        "limits": SectionField(
            doc="Bounds on costs, checked before anything is trained.",
            fields={
                metric.value: LeafField(type=Optional(NONE, Bounds()), default=NONE, doc=doc, fixed=True)
                for metric, doc in {
                    Metric.PARAMETERS: "Learned parameters of the network.",
                    Metric.MACS: "Multiply-accumulates of a forward pass of one image.",
                    Metric.ACTIVATION_BYTES: "Bytes of the float32 outputs of all layers for one image.",
                }.items()
            },
        ),
        "forbid": ConditionsField(doc="Conditions on resolved values that no point may satisfy."),
        "require": ConditionsField(doc="Conditions on resolved values that every point must satisfy."),
        "replicates": LeafField(
            type=Integer(1, 1000),
            default=1,
            doc="Seeds trained per trial; the objective is the mean over them.",
            fixed=True,
        ),
        "seed": LeafField(type=Integer(0, 2**31 - 1), default=0, doc="Seed of all random draws.", fixed=True),
    },
)

COMPARE: Final = SectionField(
    doc="Arms to compare, each tuned alike and then trained again on fresh seeds.",
    fields={
        "arms": ArmsField(
            doc="Two arms or more, each with what it changes: sections of the file, or dotted paths such as "
            "network.stages.*.block, of network, training and data. Each arm is searched in a study of its own, with "
            "the sampler, pruner and seed of search, so that arms are never pruned against each other."
        ),
        "tune": SectionField(
            fields={
                "trials": LeafField(
                    type=Integer(2, 10_000_000), default=20, doc="Trials of each arm's own search.", fixed=True
                )
            }
        ),
        "retrain": SectionField(
            fields={
                "top": LeafField(
                    type=Integer(2, 1000),
                    default=5,
                    doc="Best configurations of each arm that are trained again.",
                    fixed=True,
                ),
                "seeds": LeafField(
                    type=Integer(1, 1000),
                    default=1,
                    doc="Fresh seeds of each of them, the same for all arms.",
                    fixed=True,
                ),
            }
        ),
    },
)

RESOURCES: Final = SectionField(
    doc="Cores and GPUs of a trial.",
    fields={
        "gpus": LeafField(
            type=Optional(AUTO, Number(0, 1024)),
            default=AUTO,
            doc="GPUs per trial; a fraction such as 0.5 packs several trials on one GPU.",
            fixed=True,
        ),
        "cpus": LeafField(type=Integer(1, 1024), default=1, doc="CPU cores, and threads, per trial.", fixed=True),
        "concurrent": LeafField(
            type=Optional(AUTO, Integer(1, 100_000)),
            default=AUTO,
            doc="Trials at once; auto runs as many as fit on the machine.",
            fixed=True,
        ),
        "report_timeout": LeafField(
            type=Optional(NONE, Duration()),
            default="2h",
            doc="A trial that does not report an epoch within this time has hung, and fails.",
            fixed=True,
        ),
    },
)

SPACE: Final = SectionField(
    doc="A space: what may be built and trained, and how it is searched.",
    fields={
        "study": LeafField(type=StudyName(), doc="Name of the study in the database.", fixed=True),
        "data": DATA,
        "network": NETWORK,
        "training": TRAINING,
        "search": SEARCH,
        "compare": COMPARE,
        "resources": RESOURCES,
    },
)


def field_at(path: str) -> LeafField | VariantField | None:
    """Return the field of a leaf by its path in a space's tree; None for a choice of stages."""
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


SYNONYMS: Final = {  # a word of other programs, and the setting of a space file
    "direction": "search.objective: {maximize: val_accuracy}",
    "directions": "search.objective: {maximize: val_accuracy, minimize: [parameters]}",
    "metric": "search.objective: {maximize: val_accuracy}",
    "goal": "search.objective: {maximize: val_accuracy}",
    "mode": "search.objective: {maximize: val_accuracy}",
    "method": "search.sampler",
    "algorithm": "search.sampler",
    "n_trials": "search.trials",
    "num_samples": "search.trials",
    "run_cap": "search.trials",
    "timeout": "search.budget.time",
    "early_stopping": "search.pruner",
    "early_terminate": "search.pruner",
    "scheduler": "training.schedule",
    "lr_scheduler": "training.schedule",
    "seeds": "search.replicates",
    "repeats": "search.replicates",
    "learning_rate": "training.optimizer.sgd.lr",
    "wd": "training.optimizer.sgd.weight_decay",
    "optimiser": "training.optimizer",
    "amp": "training.precision",
    "normalization": "network.rules.norm for layers, data.normalise for images",
    "normalize": "data.normalise",
    "validation_split": "data.validation",
    "model": "network",
    "architecture": "network",
    "parameters": "network and training, each value a constant or a domain",
    "n_jobs": "resources.concurrent",
    "workers": "resources.concurrent",
    "gpu": "resources.gpus",
}


def place_of(key: str) -> str | None:
    """Return the path where a misplaced key belongs; None where no path has that key."""
    found = [place for place in _keys("", SPACE) if place.rpartition(".")[2] == key]
    if found:
        return " or ".join(found[:3])
    return SYNONYMS.get(key)


def _keys(path: str, field: Field) -> Iterator[str]:
    """Yield the paths of all keys below a field; the rules of stages only once, under ``network.rules``."""
    match field:
        case SectionField(fields=fields):
            for name, inner in fields.items():
                place = f"{path}.{name}" if path else name
                yield place
                yield from _keys(place, inner)
        case StagesField():
            yield from (f"{path}.N.{name}" for name in SHAPE)
        case VariantField(branches=branches):
            for name, branch in branches.items():
                yield from _keys(f"{path}.{name}", branch)
        case _:
            pass
