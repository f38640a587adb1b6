"""From a draw to a configuration, and what only the whole network can tell."""

from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import Any, Final

from qpsearch.architecture import (
    AdamW,
    Data,
    Network,
    ProductUnitRules,
    QuotientRules,
    Recipe,
    Sgd,
    Stage,
    TrialConfig,
)
from qpsearch.errors import Infeasible
from qpsearch.layout import BOTTLENECK, ProductUnit, branch_layers, down, stem_size
from qpsearch.space import Draw, Space
from qpsearch.space.schema import BY_DEPTH
from qpsearch.vocabulary import (
    DATASETS,
    Activation,
    BlockKind,
    BranchKind,
    ExponentInit,
    InitKind,
    LogPadding,
    Mixing,
    NormKind,
    NormPlacement,
    NormsAround,
    Numbers,
    OutputActivation,
    Position,
    Positivity,
    Precision,
    QuotientKind,
    ScheduleKind,
    Sharing,
    ShortcutActivation,
    ShortcutKind,
    StemActivation,
    StemPool,
)

ALPHA_BY_DEPTH: Final = ((20, 2.0), (44, 1.8), (56, 1.7), (110, 1.5))  # rules Q4, Q5

# The settings that are words, with the enum of each.
NETWORK_WORDS: Final = {"stem_pool": StemPool, "stem_activation": StemActivation}
STAGE_WORDS: Final = {
    "branch": BranchKind,
    "norm": NormKind,
    "norm_placement": NormPlacement,
    "init": InitKind,
    "shortcut": ShortcutKind,
}
QUOTIENT_WORDS: Final = {
    "activation": QuotientKind,
    "learned_alpha": Sharing,
    "inner_activation": Activation,
    "shortcut_activation": ShortcutActivation,
    "output_activation": Activation,
}
PRODUCT_UNIT_WORDS: Final = {
    "position": Position,
    "inner_activation": Activation,
    "output_activation": OutputActivation,
    "norms": NormsAround,
    "positivity": Positivity,
    "threshold": Sharing,
    "exponent_init": ExponentInit,
    "padding": LogPadding,
    "mixing": Mixing,
    "numbers": Numbers,
}
RECIPE_WORDS: Final = {"schedule": ScheduleKind, "precision": Precision}


def resolve(space: Space, draw: Draw) -> TrialConfig:
    """Turn a draw into a configuration.

    Raises:
        Infeasible: The parts do not fit together; see ``check_shapes``.
    """
    facts = DATASETS[space.data.dataset]
    network = draw.values["network"]
    stem = {f"stem_{name}": value for name, value in network["stem"].items()}
    alpha = alpha_for(_layers(network["stages"]))
    config = TrialConfig(
        data=Data(dataset=space.data.dataset, validation=space.data.validation, augment=space.data.augment),
        network=Network(
            channels=facts.channels,
            size=facts.size,
            classes=facts.classes,
            stages=tuple(_stage(stage, alpha) for stage in network["stages"]),
            **_typed(stem, NETWORK_WORDS),
        ),
        recipe=_recipe(draw.values["training"]),
    )
    check_shapes(config.network)
    return config


def alpha_for(depth: int) -> float:
    """Return the paper's alpha for a depth, linear between its depths, constant outside (PAPERS 1.3, rule Q5)."""
    (low_depth, low_alpha), *rest = ALPHA_BY_DEPTH
    if depth <= low_depth:
        return low_alpha
    for high_depth, high_alpha in rest:
        if depth <= high_depth:
            return low_alpha + (high_alpha - low_alpha) * (depth - low_depth) / (high_depth - low_depth)
        low_depth, low_alpha = high_depth, high_alpha
    return low_alpha


def _layers(stages: list[Mapping[str, Any]]) -> int:
    weights = {BranchKind.BASIC: 2, BranchKind.BOTTLENECK: 3}
    return 2 + sum(int(stage["depth"]) * weights[BranchKind(stage["branch"])] for stage in stages)


def _stage(values: Mapping[str, Any], alpha: float) -> Stage:
    """Make a stage; ``alpha`` is what a quotient gets that takes it by depth."""
    known = _typed(values, STAGE_WORDS)
    if known["block"] not in list(BlockKind):
        known["own"] = tuple(sorted(known.pop(known["block"], {}).items()))
    if (quotient := known.get("quotient")) is not None:
        bound = {"alpha": alpha if quotient["alpha"] == BY_DEPTH else quotient["alpha"]}
        known["quotient"] = QuotientRules(**_typed(quotient | bound, QUOTIENT_WORDS))
    if (unit := known.get("product_unit")) is not None:
        known["product_unit"] = ProductUnitRules(**_typed(unit, PRODUCT_UNIT_WORDS))
    return Stage(**known)


def _recipe(values: Mapping[str, Any]) -> Recipe:
    optimizer = {"sgd": Sgd, "adamw": AdamW}[values["optimizer"]["kind"]]
    return Recipe(**_typed(values, RECIPE_WORDS) | {"optimizer": optimizer(**values["optimizer"])})


def _typed(values: Mapping[str, Any], words: Mapping[str, type[StrEnum]]) -> dict[str, Any]:
    """Return settings with the words of some of them as members of their enums."""
    return {
        name: words[name](value) if name in words and value is not None else value for name, value in values.items()
    }


def check_shapes(network: Network) -> None:
    """Check what only the whole network can tell.

    Raises:
        Infeasible: No stage at all; a stem's kernel that has no middle, or its quotient where nothing divides; a stride
            beyond the image; a stage whose rules contradict each other or its shape (``_contradictions``).
    """
    if not network.stages:
        raise Infeasible("the network has no stage", "the network has no stage")
    if network.stem_kernel % 2 == 0:
        raise Infeasible(f"the stem's kernel has side {network.stem_kernel}", "the stem's kernel is even")
    if network.stem_activation is StemActivation.QUOTIENT and network.stages[0].quotient is None:
        rule = "the stem is bounded as a quotient, but the first stage is none"
        raise Infeasible(rule, rule)
    size, width = stem_size(network), network.stem_width
    for index, stage in enumerate(network.stages):
        if stage.stride > size:
            rule = f"stage {index} has a stride beyond its images"
            raise Infeasible(f"stage {index} has stride {stage.stride} on images of {size}x{size} pixels", rule)
        for rule, detail in _contradictions(stage, width):
            raise Infeasible(f"stage {index} {rule}{detail}", f"stage {index} {rule}")
        size, width = down(size, stage.stride), stage.width


def _contradictions(stage: Stage, width_in: int) -> Iterator[tuple[str, str]]:
    """Yield what in a stage cannot be together: the rule it breaks, and this stage's own numbers."""
    change = f" (from {width_in} to {stage.width} channels)"
    if stage.shortcut is ShortcutKind.PAD and stage.width < width_in:
        yield "narrows, which a padded shortcut cannot", change
    if stage.shortcut is ShortcutKind.IDENTITY and (stage.stride != 1 or stage.width != width_in):
        yield "changes shape, which an identity shortcut cannot", f"{change[:-1]}, stride {stage.stride})"
    if stage.branch is BranchKind.BOTTLENECK and stage.width % BOTTLENECK:
        yield f"is a bottleneck, whose width must be a multiple of {BOTTLENECK}", f" (it is {stage.width})"
    elif (unit := stage.product_unit) is not None and unit.mixing is Mixing.DEPTHWISE:
        shapes = [
            (layer.width_in, layer.width)
            for width in (width_in, stage.width)
            for layer in branch_layers(stage, width, 1)
            if isinstance(layer, ProductUnit)
        ]
        if any(wide % narrow for narrow, wide in shapes):
            yield "multiplies channel by channel, so its width must be a multiple of the one before", change
    if (
        stage.product_unit is not None
        and stage.norm_placement is NormPlacement.PRE
        and stage.product_unit.norms is NormsAround.AFTER
    ):
        yield "normalises before its layers, so no normalisation is left around a product unit with norms: after", ""
    if (
        stage.quotient is not None
        and stage.quotient.learned_alpha is not None
        and stage.quotient.activation in (QuotientKind.UNBOUNDED, QuotientKind.RELU)
    ):
        yield "learns an upper bound, which its quotient has not", f" ({stage.quotient.activation})"
    if stage.init is InitKind.QUOTIENT_AT_ONE and stage.quotient is not None:
        unshifted = not stage.quotient.through_one or stage.quotient.activation is QuotientKind.RELU
        has_norm = stage.norm is not NormKind.NONE and stage.norm_placement is NormPlacement.POST
        has_last = stage.product_unit is None or stage.product_unit.norms is not NormsAround.BEFORE
        if unshifted and not (has_norm and has_last):
            yield "starts its quotients at one, for which the branch must end in a normalisation", ""
