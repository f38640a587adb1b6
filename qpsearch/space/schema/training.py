"""What ``training`` of a space file may say: how networks are trained."""

from typing import Final

from qpsearch.registry.optimisers import OPTIMISERS
from qpsearch.registry.options import settings_of
from qpsearch.registry.recipes import RECIPES
from qpsearch.registry.schedules import SCHEDULES
from qpsearch.space.schema.fields import LeafField, RecipeField, SectionField, VariantField, field_of
from qpsearch.space.schema.value_types import NONE, Integer, Number, OneOf, Optional, Words
from qpsearch.vocabulary import Decay, Precision

TRAINING: Final = SectionField(
    doc="How networks are trained.",
    fields={
        "recipe": RecipeField(
            names=tuple(RECIPES),
            doc="Settings of training and data by name, which the file's own keys override: "
            f"{'; '.join(f'{name} is {each.doc}' for name, each in RECIPES.items())}.",
        ),
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
                name: SectionField(fields={key: field_of(each) for key, each in settings_of(record).items()})
                for name, record in OPTIMISERS.items()
            },
        ),
        "schedule": LeafField(
            type=Words("schedule", list(SCHEDULES)),
            default="step",
            doc=f"Learning-rate schedule: {'; '.join(f'{kind} {each.doc}' for kind, each in SCHEDULES.items())}.",
            rule="Q18, P18",
        ),
        "precision": LeafField(
            type=OneOf(Precision),
            default="float32",
            doc="Number format in which networks compute during training; product units always use float32.",
            rule="P19",
        ),
        "warmup": LeafField(
            type=Number(0, 100_000),
            default=0.0,
            doc="Epochs in which lr rises evenly to its peak, or, below 1, their share of all epochs; a schedule that "
            "lowers lr steadily begins after them, one that drops it counts them too.",
        ),
        "label_smoothing": LeafField(
            type=Number(0, 0.999),
            default=0.0,
            doc="Share of each label's weight that is spread evenly over all classes.",
        ),
        "grad_clip": LeafField(
            type=Optional(NONE, Number(0, 1e6, above=True)),
            default=NONE,
            doc="Largest norm of all gradients together; larger gradients are scaled down to it.",
        ),
        "gradient_accumulation": LeafField(
            type=Integer(1, 100_000),
            default=1,
            doc="Parts in which each batch is computed, one after the other, before its one step: less memory, the "
            "same step, except that batch normalisation sees each part alone.",
        ),
        "ema": LeafField(
            type=Optional(NONE, Number(0, 0.999999)),
            default=NONE,
            doc="Decay a step of averaged weights and buffers, such as 0.999; the averages are evaluated, kept and "
            "exported. The decay begins lower, (1 + steps) / (10 + steps).",
        ),
        "decay": LeafField(
            type=OneOf(Decay),
            default="all",
            doc="What weight decay falls on: all parameters, or weights: kernels and matrices alone, not norms, "
            "biases, thresholds and alpha.",
            rule="Q18",
        ),
        "dropout": LeafField(
            type=Number(0, 0.99),
            default=0.0,
            doc="Probability with which each feature before the head is dropped in training.",
        ),
        "drop_path": LeafField(
            type=Number(0, 0.99),
            default=0.0,
            doc="Stochastic depth: probability with which the last block's branch is dropped in training, for each "
            "image; it grows evenly from block to block. A block without its branch is its shortcut.",
        ),
    },
)
