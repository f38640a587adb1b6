"""What ``training`` of a space file may say: how networks are trained."""

from typing import Final

from qpsearch.space.schema.fields import LeafField, SectionField, VariantField
from qpsearch.space.schema.value_types import Integer, Number, OneOf
from qpsearch.vocabulary import Precision, ScheduleKind

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
