"""Settings in which arms differ, also those that a configuration leaves out at their defaults."""

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

from qpsearch.analysis.compare.confounds import confounds
from qpsearch.architecture.config import TrialConfig
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


def test_a_switch_stands_for_its_augmentation_and_a_choice_for_all_of_them() -> None:
    plain, config = digits(BlockKind.ADDITIVE), digits(BlockKind.ADDITIVE).data
    options = (("cutout.side", 0.4), ("mixup.alpha", 0.2))
    mixed = replace(
        plain, data=replace(config, augment=("flip", "cutout", "mixup"), augment_options=options, stream=True)
    )

    def told(*chosen: str) -> list[str]:
        arms: Any = SimpleNamespace(
            arms=[
                SimpleNamespace(name="old", complete=1, configs=[plain]),
                SimpleNamespace(name="new", complete=1, configs=[mixed]),
            ],
            space=SimpleNamespace(sites=()),
            chosen=chosen,
            basis=None,
        )
        return confounds(arms)

    crop = ["data.augment.crop.padding: mean (old), none (new)", "data.augment.crop.used: True (old), none (new)"]
    cutout = ["data.augment.cutout.side: none (old), 0.4 (new)", "data.augment.cutout.used: none (old), True (new)"]
    mixup = ["data.augment.mixup.alpha: none (old), 0.2 (new)", "data.augment.mixup.used: none (old), True (new)"]
    assert told() == crop + cutout + mixup
    assert told("data.augment.cutout.used") == crop + mixup
    assert told("data.augment.strong.mixup.alpha", "data.augment.crop.used") == [*cutout, mixup[1]]
    assert told("data.augment") == told("data.augment_options") == []


def test_blocks_and_their_rules_count_where_blocks_are_not_compared() -> None:
    """Rules that only one arm's blocks have are not named: the block is."""

    def told(first: TrialConfig, second: TrialConfig, *chosen: str) -> list[str]:
        arms: Any = SimpleNamespace(
            arms=[
                SimpleNamespace(name="1", complete=1, configs=[first]),
                SimpleNamespace(name="2", complete=1, configs=[second]),
            ],
            space=SimpleNamespace(sites=()),
            chosen=chosen,
            basis=None,
        )
        return confounds(arms)

    plain, quotient = digits(BlockKind.ADDITIVE), digits(BlockKind.QUOTIENT)
    (stage,) = quotient.network.stages
    assert stage.quotient is not None
    wide = replace(stage, quotient=replace(stage.quotient, alpha=2.5))
    other = replace(quotient, network=replace(quotient.network, stages=(wide,)))
    block = "network.stages.*.block: additive (1), quotient (2)"
    assert block in told(plain, quotient)
    assert not any("alpha" in line for line in told(plain, quotient))
    assert block not in told(plain, quotient, "network.stages.0.block")
    assert told(quotient, other) == [f"network.stages.*.quotient.alpha: {stage.quotient.alpha:g} (1), 2.5 (2)"]
    assert told(quotient, other, "network.stages.0.block") == []
