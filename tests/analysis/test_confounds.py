"""Settings in which arms differ, also those that a configuration leaves out at their defaults."""

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

from qpsearch.analysis.compare.confounds import confounds
from qpsearch.vocabulary import BlockKind, Decay
from tests.training.configs import digits


def test_a_later_setting_at_its_default_counts_as_its_value() -> None:
    plain = digits(BlockKind.ADDITIVE)
    today = replace(plain, recipe=replace(plain.recipe, decay=Decay.WEIGHTS, gradient_accumulation=4, ema=0.9))
    halfway = replace(today, recipe=replace(today.recipe, ema=None, gradient_accumulation=1))
    arms: Any = SimpleNamespace(
        arms=[
            SimpleNamespace(name="old", complete=2, configs=[plain, plain]),
            SimpleNamespace(name="new", complete=2, configs=[today, halfway]),
        ],
        space=SimpleNamespace(sites=()),
        chosen=(),
        basis=None,
    )
    assert confounds(arms) == [
        "training.decay: all (old), weights (new)",
        "training.ema: none (old), 0.9 or none (new)",
        "training.gradient_accumulation: 1 (old), 1 or 4 (new)",
    ]
