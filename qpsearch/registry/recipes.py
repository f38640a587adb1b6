"""The training recipes that a space file may name: settings that its own keys override.

The settings of a name never change, since stored spaces name it: a better recipe gets a name of its own.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedRecipe:
    """A recipe by its name.

    Attributes:
        doc: What it is, for users.
        settings: Sections of a space file.
    """

    doc: str
    settings: Mapping[str, Any]


RECIPES: Final[dict[str, NamedRecipe]] = {
    "quotient": NamedRecipe(
        doc="the quotient authors' (Q18)",
        settings={
            "data": {"augment": ["flip", "crop"], "padding": "black", "normalise": "imagenet"},
            "training": {
                "epochs": 182,
                "batch_size": 128,
                "optimizer": {"sgd": {"lr": 0.1, "momentum": 0.9, "weight_decay": 1e-4}},
                "schedule": "step_92_136",
            },
        },
    ),
    "pure": NamedRecipe(
        doc="PURe's, as far as it is known (P18)",
        settings={
            "data": {"augment": ["flip", "crop"], "padding": "black"},
            "training": {
                "epochs": 160,
                "batch_size": 128,
                "optimizer": {"sgd": {"lr": 0.01, "momentum": 0.9, "weight_decay": 1e-3}},
                "schedule": "step",
            },
        },
    ),
    "modern": NamedRecipe(
        doc="a strong one of today, for any number of epochs, which must be given",
        settings={
            "data": {"augment": ["flip", "crop"], "padding": "black"},
            "training": {
                "batch_size": 128,
                "optimizer": {"muon": {"lr": 0.02, "adamw_lr": 3e-3, "momentum": 0.95, "weight_decay": 0.01}},
                "schedule": "cosine",
                "warmup": 0.05,
                "label_smoothing": 0.1,
                "ema": 0.999,
                "decay": "weights",
            },
        },
    ),
}
