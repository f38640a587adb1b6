"""What ``search`` of a space file may say: objective, sampler, pruner, budget, conditions."""

from collections.abc import Mapping
from typing import Final

from qpsearch.errors import own_hint
from qpsearch.registry import samplers
from qpsearch.registry.fidelity import FidelityKind
from qpsearch.registry.metrics import Metric
from qpsearch.registry.options import Option
from qpsearch.registry.pruners import PRUNER_OPTIONS, PrunerKind
from qpsearch.space.schema.fields import (
    ConditionsField,
    LeafField,
    ListField,
    PointsField,
    SectionField,
    SeedsField,
    VariantField,
    field_of,
)
from qpsearch.space.schema.value_types import (
    AUTO,
    NONE,
    Bounds,
    Duration,
    Integer,
    MetricWord,
    Number,
    Optional,
    StudyName,
)
from qpsearch.vocabulary import ScoreKind


def _options(options: Mapping[str, Option]) -> SectionField:
    """Return the settings of a sampler or pruner."""
    return SectionField(fields={name: field_of(each, fixed=True) for name, each in options.items()})


SAMPLERS: Final = {AUTO: SectionField(fields={})} | {
    name: _options(each.options) for name, each in samplers.SAMPLERS.items()
}


def add_sampler(name: str, options: Mapping[str, Option]) -> None:
    """Let space files use a sampler of the user's own, and set its options."""
    SAMPLERS[name] = _options(options)


SEARCH: Final = SectionField(
    doc="How the space is searched.",
    fields={
        "objective": SectionField(
            doc="What is optimised: one metric of training or several, and any number of costs. The first metric of "
            "training leads: by it the epoch that counts is chosen, and importances and effects are told.",
            fields={
                "maximize": ListField(type=MetricWord(), single=True, doc="Metrics to maximise."),
                "minimize": ListField(type=MetricWord(), single=True, doc="Metrics to minimise."),
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
            doc="Sampler that proposes configurations: "
            f"{'; '.join(f'{name} {each.doc}' for name, each in samplers.SAMPLERS.items())}. auto is gp.",
            default=AUTO,
            fixed=True,
            branches=SAMPLERS,
            hint=own_hint("sampler"),
        ),
        "pruner": VariantField(
            doc="Pruner that spends few epochs on weak trials: asha pauses each trial at rungs and continues the best "
            "third, asha_stop stops the others; with several objectives, they compare trials in all of them. auto is "
            "asha, or none with a grid or a factorial design.",
            default=AUTO,
            fixed=True,
            branches={AUTO: SectionField(fields={})}
            | {kind.value: _options(PRUNER_OPTIONS[kind]) for kind in PrunerKind},
        ),
        "fidelity": SectionField(
            doc="Cheaper trainings before the whole one, of which one kind is named with its levels, ascending to the "
            "whole. A trial trains anew at each level, for all its epochs; asha compares trials at the ends of levels, "
            "and the last level is the score. In a budget, an epoch counts by its cost.",
            fields={
                FidelityKind.IMAGES.value: ListField(
                    type=Number(0, 1, above=True),
                    doc="Shares of the training images, such as [0.1, 0.3, 1]: stratified, and a smaller part lies in "
                    "a larger one. An epoch costs its share.",
                ),
                FidelityKind.IMAGE_SIZE.value: ListField(
                    type=Integer(1, 2048),
                    doc="Sides of the images in pixels, such as [16, 24, 32], to which training and validation images "
                    "are resized. An epoch costs the square of its share.",
                ),
                FidelityKind.WIDTH.value: ListField(
                    type=Number(0, 1, above=True),
                    doc="Factors of the widths of stem and stages, such as [0.25, 0.5, 1], rounded to multiples of 4 "
                    "channels. An epoch costs the square of its factor.",
                ),
            },
        ),
        "first": PointsField(
            doc="Configurations that are tried before all others: papers, those of both papers as far as the space has "
            "their values; or a list of mappings of parameters, by their paths or "
            "ties, to values; network.stages.*.block stands for all stages. What one leaves open is drawn."
        ),
        "warm_start": ListField(
            type=StudyName(),
            single=True,
            doc="Earlier studies of the same database: the three best configurations of each are tried after those of "
            "first, as far as this space has their parameters and values.",
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
                    doc="Value of the objective, of several the first, that a complete trial reaches.",
                    fixed=True,
                ),
                "patience": LeafField(
                    type=Optional(NONE, Integer(1, 10_000_000)),
                    default=NONE,
                    doc="Trials that end one after another without a better one, of several objectives by the first.",
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
        "replicates": SeedsField(
            type=Integer(1, 1000),
            default=1,
            doc="Seeds trained per trial; the objective is the mean over them. {race: [1, 5]} trains one, and up to "
            "five of a configuration that may be the best.",
        ),
        "seed": LeafField(type=Integer(0, 2**31 - 1), default=0, doc="Seed of all random draws.", fixed=True),
        "metrics": ListField(
            type=MetricWord(costs=False),
            single=True,
            doc="Further metrics that each epoch records; those that only an objective or this list asks for are not "
            "computed elsewhere.",
        ),
    },
)
