"""Out of memory: the same step with half as many images at once, and where that is another recipe.

Where it is the same recipe, a run goes on with half as many (``training.loop``). Where it is another one, a trial that
has not trained yet is tried again with it, and is recorded as such (``study.ledger``).
"""

from dataclasses import replace

from qpsearch.architecture.config import TrialConfig
from qpsearch.registry.augmentations import mixtures_among
from qpsearch.vocabulary import BlockKind, NormKind


def at_once(config: TrialConfig) -> int:
    """Return how many images a network sees at once: a batch, or a part of one."""
    recipe = config.recipe
    return -(-recipe.batch_size // recipe.gradient_accumulation)


def halved(config: TrialConfig) -> TrialConfig:
    """Return the configuration with twice as many parts of each batch (``gradient_accumulation``) for the same step."""
    return replace(config, recipe=replace(config.recipe, gradient_accumulation=2 * config.recipe.gradient_accumulation))


def another_recipe(config: TrialConfig) -> TrialConfig | None:
    """Return the configuration with half as many images at once where that is another recipe; else None."""
    return with_half_as_many(config) if why_not_halved(config) else None


def with_half_as_many(config: TrialConfig) -> TrialConfig | None:
    """Return the configuration with half as many images at once; None where too few are left."""
    return halved(config) if _can_be_halved(config) else None


def why_not_halved(config: TrialConfig) -> str:
    """Say why half as many images at once would be another recipe, or are too few; empty where neither is so."""
    count = at_once(config)
    if not _can_be_halved(config):
        return f"{count} images at once cannot be halved"
    if any(stage.norm is NormKind.BATCH for stage in config.network.stages):
        return f"batch normalisation of {count // 2} images at once is another recipe than of {count}"
    own = sorted({str(stage.block) for stage in config.network.stages} - set(map(str, BlockKind)))
    if own:
        return f"whether the block {own[0]} treats each image for itself is not known"
    if mixtures_among(config.data.augment):
        return f"{mixtures_among(config.data.augment)[0][0]} draws anew for each part of a batch"
    return ""


def _can_be_halved(config: TrialConfig) -> bool:
    """Whether two images at least are left, as batch normalisation needs."""
    return config.recipe.batch_size >= 4 * config.recipe.gradient_accumulation
