"""From a draw to a configuration, with the checks that need the whole network."""

from collections.abc import Iterator, Mapping
from dataclasses import fields, replace
from typing import Any, Final

from qpsearch.architecture.blocks import custom_blocks
from qpsearch.architecture.config import Network, Recipe, Stage, TrialConfig
from qpsearch.architecture.layout import (
    BOTTLENECK,
    Convolution,
    Layer,
    Norm,
    Pointwise,
    ProductUnit,
    branch_layers,
    down,
    output_layers,
    stem_size,
)
from qpsearch.errors import Infeasible
from qpsearch.registry.augmentations import Padding, chosen
from qpsearch.registry.augmentations.crop import CROP
from qpsearch.registry.datasets import Data
from qpsearch.registry.optimisers import OPTIMISERS
from qpsearch.space import Draw, Space
from qpsearch.space.schema.rules import BY_DEPTH, ProductUnitRules, QuotientRules
from qpsearch.space.schema.value_types import AUTO
from qpsearch.vocabulary import (
    MULTIPLYING,
    BranchKind,
    ExponentInit,
    InitKind,
    LogPadding,
    Mixing,
    NormKind,
    NormsAround,
    OutputActivation,
    QuotientKind,
    ShortcutActivation,
    ShortcutKind,
    StemActivation,
)

UNBOUNDED: Final = (QuotientKind.UNBOUNDED, QuotientKind.RELU)
WITH_WEIGHTS: Final = (Convolution, ProductUnit, Norm)
AT_ONE: Final = (InitKind.ZERO_LAST_NORM, InitKind.FIXUP, InitKind.QUOTIENT_AT_ONE)
ALPHA_OF_LINEAR: Final = 4.0  # rule Q3, at 20 layers; not known at other depths
ALPHA_BY_DEPTH: Final = ((20, 2.0), (44, 1.8), (56, 1.7), (110, 1.5))  # rules Q4, Q5


def resolve(space: Space, drawn: Draw) -> TrialConfig:
    """Turn a draw into a configuration.

    Raises:
        Infeasible: The parts do not fit together (``check_shapes``), batches are too small for their normalisation or
            for the parts that they are computed in, the warm-up is as long as the training, or branches
            of custom blocks would have to be dropped.
    """
    facts = space.data.facts
    network = drawn.values["network"]
    stem = {f"stem_{name}": value for name, value in network["stem"].items()}
    alpha = alpha_for(layers_of(network["stages"]))
    config = TrialConfig(
        data=space.data if space.augment is None else _augmented(space.data, drawn.values["augment"]),
        network=Network(
            channels=facts.channels,
            size=facts.size,
            classes=facts.classes,
            stages=tuple(_stage(stage, alpha) for stage in network["stages"]),
            **stem,
        ),
        recipe=_recipe(drawn.values["training"]),
    )
    check_shapes(config.network)
    check_batches(config)
    if config.recipe.drop_path and (own := custom_blocks(config.network)):
        rule = f"training.drop_path drops the branches of built-in blocks, but a stage is {own[0]}"
        raise Infeasible(rule, rule)
    return config


def _augmented(data: Data, values: Mapping[str, Any]) -> Data:
    """Return the data with the augmentations of a draw; without crops nothing is padded."""
    words, options = chosen(values)
    padding = data.padding if CROP.name in words else Padding.MEAN
    return replace(data, augment=words, augment_options=options, padding=padding)


def alpha_for(depth: int) -> float:
    """Return the paper's alpha for a depth (rule Q5): interpolated between its depths, constant outside (our guess)."""
    (low_depth, low_alpha), *rest = ALPHA_BY_DEPTH
    if depth <= low_depth:
        return low_alpha
    for high_depth, high_alpha in rest:
        if depth <= high_depth:
            return low_alpha + (high_alpha - low_alpha) * (depth - low_depth) / (high_depth - low_depth)
        low_depth, low_alpha = high_depth, high_alpha
    return low_alpha


def layers_of(stages: list[Mapping[str, Any]]) -> int:
    """Return the layers of a network whose stages were drawn: those of its branches, the stem's and the head's."""
    return 2 + sum(int(stage["depth"]) * BranchKind(stage["branch"]).layers for stage in stages)


def _stage(values: Mapping[str, Any], alpha: float) -> Stage:
    """Make a stage; ``alpha`` is the bound of a quotient with ``alpha: by_depth``."""
    by_block = InitKind.FRAMEWORK if values["block"] in MULTIPLYING else InitKind.ZERO_LAST_NORM
    init = {"init": by_block if values["init"] == AUTO else values["init"]}
    known = dict(values) | init
    for section in known.keys() - {field.name for field in fields(Stage)}:  # the rules of a custom block
        known["own"] = tuple(sorted(known.pop(section).items()))
    if (quotient := known.get("quotient")) is not None:
        by_depth = ALPHA_OF_LINEAR if quotient["activation"] == QuotientKind.LINEAR else alpha
        bound = {"alpha": by_depth if quotient["alpha"] == BY_DEPTH else quotient["alpha"]}
        known["quotient"] = QuotientRules(**(quotient | bound))
    if (unit := known.get("product_unit")) is not None:
        known["product_unit"] = ProductUnitRules(**unit)
    return _canonical(Stage(**known), alpha)


def _canonical(stage: Stage, alpha: float) -> Stage:
    """Reset settings that have no effect in a stage to their defaults, so that equal stages compare equal.

    A setting without effect only because of the stages around this one (a shortcut, where no shape changes) stays.
    """
    if (rules := stage.quotient) is not None:
        if stage.shortcut in (ShortcutKind.PAD, ShortcutKind.IDENTITY):
            rules = replace(rules, shortcut_activation=ShortcutActivation.QUOTIENT)
        if rules.activation is QuotientKind.RELU:
            rules = replace(rules, floor=0.0, through_one=True)
        if rules.activation in UNBOUNDED:
            rules = replace(rules, alpha=alpha)
        stage = replace(stage, quotient=rules)
    if stage.quotient is None and stage.init is InitKind.QUOTIENT_AT_ONE:
        stage = replace(stage, init=InitKind.FRAMEWORK)
    return stage if stage.product_unit is None else _canonical_unit(stage, stage.product_unit)


def _canonical_unit(stage: Stage, unit: ProductUnitRules) -> Stage:
    """See ``_canonical``: reset the rules of product units about layers that the branch does not have."""
    others = (replace(stage, product_unit=replace(unit, norms=norms)) for norms in NormsAround)
    stage = next(other for other in others if _kinds(other) == _kinds(stage))
    unit = stage.product_unit or unit
    automatic = replace(stage, product_unit=replace(unit, output_activation=OutputActivation.AUTO))
    if output_layers(automatic) == output_layers(stage):
        unit = replace(unit, output_activation=OutputActivation.AUTO)
    weights = [layer for layer in branch_layers(stage, stage.width, 1) if isinstance(layer, WITH_WEIGHTS)]
    units = [layer for layer in weights if isinstance(layer, ProductUnit)]
    if all(layer.kernel == 1 for layer in units):
        unit = replace(unit, padding=LogPadding.AFTER_LOG)  # nothing is padded
    if stage.init in AT_ONE and weights[-1:] == units:
        unit = replace(unit, exponent_init=ExponentInit.SMALL)  # zeroed at once
    return replace(stage, product_unit=unit)


def _kinds(stage: Stage) -> list[type[Layer]]:
    """Return the types of a branch's layers, without their settings."""
    return [type(layer) for layer in branch_layers(stage, stage.width, 1)]


def _recipe(values: Mapping[str, Any]) -> Recipe:
    optimizer = OPTIMISERS[values["optimizer"]["kind"]]
    recipe = Recipe(**{**values, "optimizer": optimizer(**values["optimizer"])})
    if recipe.warmup_share >= 1:
        rule = "training.warmup does not end before the last epoch"
        raise Infeasible(f"{rule} (warmup: {recipe.warmup:g}, epochs: {recipe.epochs})", rule)
    if recipe.gradient_accumulation > max(recipe.batch_size // 2, 1):
        rule = "training.gradient_accumulation leaves less than two images for a part of a batch"
        raise Infeasible(f"{rule} ({recipe.gradient_accumulation} parts of {recipe.batch_size} images)", rule)
    return recipe


def check_shapes(network: Network) -> None:
    """Check that the parts of a network fit together.

    Raises:
        Infeasible: The network has no stages; the stem's kernel is even; the stem has ``activation: quotient`` but the
            first stage does not multiply; a stride is larger than the image; the rules of a stage contradict each
            other or its shape (``contradictions``); or a normalisation within an image has one value alone, of which
            nothing is left.
    """
    if not network.stages:
        raise Infeasible("the network has no stages", "the network has no stages")
    if network.stem_kernel % 2 == 0:
        raise Infeasible(f"the stem's kernel is even ({network.stem_kernel})", "the stem's kernel is even")
    if network.stem_activation is StemActivation.QUOTIENT and network.stages[0].quotient is None:
        rule = "the stem has activation: quotient, but the block of the first stage does not multiply"
        raise Infeasible(rule, rule)
    size, width = stem_size(network), network.stem_width
    for index, stage in enumerate(network.stages):
        if stage.stride > size:
            rule = f"stage {index} has a stride larger than its images"
            raise Infeasible(f"stage {index} has stride {stage.stride} on images of {size}x{size} pixels", rule)
        for rule, detail in contradictions(stage, width):
            raise Infeasible(f"stage {index} {rule}{detail}", f"stage {index} {rule}")
        size, width = down(size, stage.stride), stage.width
        inside = width // BOTTLENECK if stage.branch is BranchKind.BOTTLENECK else width
        if stage.norm in (NormKind.GROUP, NormKind.LAYER) and inside == size == 1:
            rule = f"stage {index} has norm: {stage.norm}, but only one value to normalise"
            raise Infeasible(f"{rule} (one channel inside its branches, images of 1x1 pixel)", rule)


def check_batches(config: TrialConfig) -> None:
    """Check that batch normalisation has more than one value a channel to average; raises Infeasible."""
    network = config.network
    size = stem_size(network)
    for index, stage in enumerate(network.stages):
        size = down(size, stage.stride)
        if config.recipe.batch_size == 1 and size == 1 and stage.norm is NormKind.BATCH:
            rule = f"stage {index} has norm: batch, but only one value a channel (batch_size 1, images of 1x1 pixel)"
            raise Infeasible(rule, rule)


def contradictions(stage: Stage, width_in: int) -> Iterator[tuple[str, str]]:
    """Yield each contradiction in a stage: the rule that the stage breaks, and the stage's own numbers."""
    change = f" (from {width_in} to {stage.width} channels)"
    if stage.shortcut is ShortcutKind.PAD and stage.width < width_in:
        yield "is narrower than its input, but shortcut: pad can only widen", change
    if stage.shortcut is ShortcutKind.IDENTITY and (stage.stride != 1 or stage.width != width_in):
        yield "changes the shape, but shortcut: identity cannot", f"{change[:-1]}, stride {stage.stride})"
    if stage.branch is BranchKind.BOTTLENECK and stage.width % BOTTLENECK:
        yield f"has branch: bottleneck, so its width must be a multiple of {BOTTLENECK}", f" (width: {stage.width})"
        return
    for layer in (*branch_layers(stage, width_in, 1), *branch_layers(stage, stage.width, 1)):
        if isinstance(layer, ProductUnit) and layer.rules.mixing is Mixing.DEPTHWISE and layer.width % layer.width_in:
            rule = "has mixing: depthwise, so the width of each product unit must be a multiple of its input's width"
            yield rule, f" (from {layer.width_in} to {layer.width} channels)"
    layers = [kind for kind in _kinds(stage) if kind is not Pointwise]
    if stage.norm is not NormKind.NONE and any(
        kind is ProductUnit and Norm not in (layers[max(index - 1, 0)], layers[min(index + 1, len(layers) - 1)])
        for index, kind in enumerate(layers)
    ):
        yield (
            "does not normalise before or after one of its product units",
            f" (norms: {stage.product_unit and stage.product_unit.norms})",
        )
    if stage.quotient is None:
        return
    if stage.quotient.learned_alpha is not None and stage.quotient.activation in UNBOUNDED:
        yield (
            "has learned_alpha, which needs activation sigmoid or linear",
            f" (activation: {stage.quotient.activation})",
        )
    start = 1.0 if layers[-1] is ProductUnit else 0.0  # what comes out of layers without weights
    if stage.init in AT_ONE and layers[-1] is not Norm and stage.quotient.at_one != start:
        yield (
            "cannot start its quotients at 1, because its branch does not end in a normalisation",
            f" (init: {stage.init})",
        )
