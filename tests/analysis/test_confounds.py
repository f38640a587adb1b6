"""Settings in which arms differ, also those that a configuration leaves out at their defaults."""

from dataclasses import replace

from qpsearch.analysis.compare.confounds import differences
from qpsearch.architecture.config import Stage, TrialConfig
from qpsearch.registry.optimisers.adam import AdamW
from qpsearch.vocabulary import BlockKind, Decay, InitKind
from tests.training.configs import digits


def told(*chosen: str, **arms: list[TrialConfig]) -> list[str]:
    return differences({name: [config.to_json() for config in own] for name, own in arms.items()}, set(chosen))


def staged(config: TrialConfig, *stages: Stage) -> TrialConfig:
    return replace(config, network=replace(config.network, stages=stages))


def test_a_later_setting_at_its_default_counts_as_its_value() -> None:
    plain = digits(BlockKind.ADDITIVE)
    today = replace(plain, recipe=replace(plain.recipe, decay=Decay.WEIGHTS, gradient_accumulation=4, ema=0.9))
    halfway = replace(today, recipe=replace(today.recipe, ema=None, gradient_accumulation=1))
    assert told(old=[plain, plain], new=[today, halfway]) == [
        "training.decay: all (old), weights (new)",
        "training.ema: none (old), 0.9 in 50% and none in 50% (new)",
        "training.gradient_accumulation: 1 (old), 1 in 50% and 4 in 50% (new)",
    ]


def test_a_setting_whose_values_are_the_same_in_other_numbers_is_told_after_those_without_a_common_one() -> None:
    """Sets of values were compared, so that 1 of 4 and 3 of 4 were called alike."""
    plain = digits(BlockKind.ADDITIVE)
    weights = replace(plain, recipe=replace(plain.recipe, decay=Decay.WEIGHTS))
    slow = [replace(each, recipe=replace(each.recipe, warmup=2.0)) for each in (plain, weights, weights, weights)]
    assert told(old=[plain, plain, plain, weights], new=slow) == [
        "training.warmup: 0 (old), 2 (new)",
        "training.decay: all in 75% and weights in 25% (old), weights in 75% and all in 25% (new)",
    ]
    assert told(old=[plain, weights], new=[weights, plain, plain, weights]) == []
    clipped = [replace(plain, recipe=replace(plain.recipe, grad_clip=0.1 * place)) for place in (1, 2, 3, 7)]
    (line,) = told(old=clipped[:2], new=clipped)
    assert line == "training.grad_clip: 0.1 in 50% and 0.2 in 50% (old), 0.1 to 0.7 with median 0.25 (new)"


def test_an_optimizer_is_told_and_not_the_settings_that_the_other_one_does_not_have() -> None:
    plain = digits(BlockKind.ADDITIVE)
    adamw = replace(plain, recipe=replace(plain.recipe, optimizer=AdamW(lr=0.01, weight_decay=0.01)))
    assert told(old=[plain], new=[adamw]) == ["training.optimizer: sgd (old), adamw (new)"]
    assert told("training.optimizer", old=[plain], new=[adamw]) == []


def test_settings_that_are_not_told_with_their_values_are_named() -> None:
    plain = digits(BlockKind.ADDITIVE)
    changed = {"decay": Decay.WEIGHTS, "ema": 0.9, "warmup": 1.0, "dropout": 0.1, "drop_path": 0.1}
    other = replace(plain, recipe=replace(plain.recipe, **changed, grad_clip=1.0, label_smoothing=0.1, epochs=9))  # type: ignore[arg-type]  # made from plain fields
    lines = told(old=[plain], new=[other])
    assert (len(lines), lines[-1]) == (7, "2 other settings: training.label_smoothing, training.warmup")


def test_a_switch_stands_for_its_augmentation_and_a_choice_for_all_of_them() -> None:
    plain, config = digits(BlockKind.ADDITIVE), digits(BlockKind.ADDITIVE).data
    options = (("cutout.side", 0.4), ("mixup.alpha", 0.2))
    augment = ("flip", "cutout", "mixup")
    mixed = replace(plain, data=replace(config, augment=augment, augment_options=options, stream=True))
    crop, cutout, mixup = (
        f"data.augment.{word}.used: {old} (old), {new} (new)"
        for word, old, new in (("crop", "true", "false"), ("cutout", "false", "true"), ("mixup", "false", "true"))
    )
    assert told(old=[plain], new=[mixed]) == [crop, cutout, mixup]
    assert told("data.augment.cutout", old=[plain], new=[mixed]) == [crop, mixup]
    assert told("data.augment.mixup.alpha", "data.augment.crop", old=[plain], new=[mixed]) == [cutout, mixup]
    assert told("data.augment", old=[plain], new=[mixed]) == []
    wide = replace(mixed, data=replace(mixed.data, augment_options=(("cutout.side", 0.5), ("mixup.alpha", 0.2))))
    assert told(old=[plain, mixed], new=[wide, wide])[:2] == [
        "data.augment.cutout.side: 0.4 (old), 0.5 (new)",
        "data.augment.crop.used: false in 50% and true in 50% (old), false (new)",
    ]


def test_blocks_and_their_rules_count_where_they_are_not_compared() -> None:
    """Rules that only one arm's blocks have are not named: the block is."""
    plain, quotient = digits(BlockKind.ADDITIVE), digits(BlockKind.QUOTIENT)
    (stage,) = quotient.network.stages
    assert stage.quotient is not None
    wide = replace(stage, quotient=replace(stage.quotient, alpha=2.5))
    other = staged(quotient, wide)
    block = "network.stages.*.block: additive (1), quotient (2)"
    assert block in told(**{"1": [plain], "2": [quotient]})
    assert not any("alpha" in line for line in told(**{"1": [plain], "2": [quotient]}))
    assert block not in told("network.stages.0.block", **{"1": [plain], "2": [quotient]})
    alpha = f"network.stages.*.quotient.alpha: {stage.quotient.alpha:g} (1), 2.5 (2)"
    assert told(**{"1": [quotient], "2": [other]}) == [alpha]
    assert told("network.stages.0.block", **{"1": [quotient], "2": [other]}) == [alpha]


def test_stages_are_told_one_by_one_where_they_differ_or_one_alone_is_compared() -> None:
    """The blocks of all stages were taken together, so that those of two stages could change places."""
    (one,), config = digits(BlockKind.QUOTIENT).network.stages, digits(BlockKind.QUOTIENT)
    (two,) = digits(BlockKind.ADDITIVE).network.stages
    two = replace(two, init=one.init)
    here, there, alike = staged(config, one, two), staged(config, two, one), staged(config, two, two)
    blocks = [
        "network.stages.0.block: quotient (1), additive (2)",
        "network.stages.1.block: additive (1), quotient (2)",
    ]
    assert told(**{"1": [here], "2": [there]}) == blocks
    assert told("network.stages.0.block", **{"1": [here], "2": [there]}) == blocks[1:]
    assert told("network.stages.0.block", **{"1": [staged(config, one, one)], "2": [alike]}) == [
        "network.stages.1.block: quotient (1), additive (2)"
    ]
    both = staged(config, *(replace(each, init=InitKind.ZERO_LAST_NORM) for each in (one, two)))
    assert told(**{"1": [here], "2": [both]}) == [f"network.stages.*.init: {one.init} (1), zero_last_norm (2)"]
    assert told(**{"1": [here], "2": [config]}) == ["network.stages: 2 (1), 1 (2)"]


def test_rules_of_a_custom_block_have_its_name() -> None:
    config = digits(BlockKind.ADDITIVE)
    (stage,) = config.network.stages
    few, many = (staged(config, replace(stage, block="mine", own=(("width", each),))) for each in (1, 2))
    assert told(**{"1": [few], "2": [many]}) == ["network.stages.*.mine.width: 1 (1), 2 (2)"]
