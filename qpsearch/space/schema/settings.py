"""What a space file may say: one table, from which files are checked and trees are built.

The order of keys here is the order in which parameters are drawn, whatever the order in a file. A
leaf's ``doc`` is its description for users; ``rule`` names the papers' rules that it implements.
"""

from collections.abc import Iterator
from itertools import dropwhile
from typing import Final

from qpsearch.space.schema.data import DATA
from qpsearch.space.schema.fields import (
    ArmsField,
    AugmentField,
    Field,
    LeafField,
    SectionField,
    StagesField,
    VariantField,
)
from qpsearch.space.schema.network import NETWORK, SHAPE, STAGE
from qpsearch.space.schema.search import SEARCH
from qpsearch.space.schema.training import TRAINING
from qpsearch.space.schema.value_types import (
    AUTO,
    NONE,
    Duration,
    Integer,
    Number,
    OneOf,
    Optional,
    StudyName,
)
from qpsearch.vocabulary import CudaGraphs, Fuse

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
                    type=Integer(2, 10_000_000), default=20, doc="Trials of each search of an arm.", fixed=True
                ),
                "searches": LeafField(
                    type=Integer(1, 100),
                    default=1,
                    doc="Searches of each arm, each with a seed of its own that follows from search.seed. A test of "
                    "arms needs two, better three: what one search finds does not say what another one would find.",
                    fixed=True,
                ),
            }
        ),
        "retrain": SectionField(
            fields={
                "top": LeafField(
                    type=Integer(2, 1000),
                    default=5,
                    doc="Best configurations of each search that are trained again.",
                    fixed=True,
                ),
                "seeds": LeafField(
                    type=Integer(1, 1000),
                    default=1,
                    doc="Fresh seeds of each of them; the first searches of all arms have the same ones, and so on.",
                    fixed=True,
                ),
            }
        ),
    },
)

RESOURCES: Final = SectionField(
    doc="Cores and GPUs of a trial, and how its seeds are trained.",
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
            doc="A trial that reports neither an epoch nor, in a longer one, its steps within this time has hung, and "
            "fails.",
            fixed=True,
        ),
        "fuse": LeafField(
            type=OneOf(Fuse),
            default=Fuse.NEVER.value,
            doc="Whether seeds of a trial that cannot be pruned are trained as one network, to results that differ "
            "by rounding alone: never, always, or with auto where a short measurement says that it takes less time.",
            fixed=True,
        ),
        "cuda_graphs": LeafField(
            type=OneOf(CudaGraphs),
            default=CudaGraphs.AUTO.value,
            doc="Whether a GPU is given each training step as one CUDA graph, captured after the first steps: with "
            "auto unless a block is custom, whose Python code would no longer run; always; or never, to debug.",
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
            case AugmentField(branches=branches):
                field = branches.get(part, field)  # or the name of a list
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
