"""A configuration as a space file: a space with one point, the way back from ``resolve``.

Everything is written as a constant, defaults too, so that the file goes on meaning the same. Ties, choices of stages
and arithmetic are not there any more: stages stand as they were built, each rule with the value that it has in them.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Final

from qpsearch.architecture.blocks import custom_blocks
from qpsearch.architecture.config import Network, Stage, TrialConfig
from qpsearch.registry.augmentations import AUGMENTATIONS, AugmentOptions, settings_for
from qpsearch.registry.datasets import Data
from qpsearch.registry.options import settings_of
from qpsearch.registry.own.record import Source
from qpsearch.registry.samplers.grid import GRID
from qpsearch.space.file.document import dump
from qpsearch.space.schema.data import OWN
from qpsearch.space.schema.network import SHAPE, RulePath, rule_paths
from qpsearch.space.schema.value_types import AUTO, NONE
from qpsearch.space.search import Search
from qpsearch.space.space import Space
from qpsearch.vocabulary import ScoreKind

REPLICATES: Final = 5  # seeds of the one point, unless the user writes another number
MOST_SEEDS: Final = 2**31  # of ``search.seed``


def point_text(config: TrialConfig, space: Space, study: str) -> str:
    """Return the text of a space file whose only point is a configuration.

    It is trained on several seeds, none of which is a seed of the space's own search; the objective, the score and the
    machine are the space's.

    Args:
        config: A configuration, as ``resolve`` made it.
        space: The space from which it was drawn.
        study: The name of the new study.
    """
    timeout_s = space.resources.report_timeout_s
    document = {
        "study": study,
        **_sections(config),
        "search": _search(space.search),
        "resources": {
            "gpus": AUTO if space.resources.gpus is None else space.resources.gpus,
            "cpus": space.resources.cpus,
            "report_timeout": None if timeout_s is None else f"{timeout_s}s",
            "fuse": space.resources.fuse,
            "cuda_graphs": space.resources.cuda_graphs,
        },
    }
    return dump(_spelled(document))


def own_words(config: TrialConfig, search: Search) -> list[str]:
    """Return the words of such a file that code of the user's own defines: blocks, images and metrics.

    A sampler is not among them: the file searches nothing.

    Args:
        config: The configuration.
        search: The search of the space from which it was drawn.
    """
    own = config.data.own
    images = [own.place] if own is not None and own.source is Source.CODE else []
    metrics = [*(each.metric for each in search.objectives), *search.metrics]
    return [
        *custom_blocks(config.network),
        *images,
        *dict.fromkeys(metric.value for metric in metrics if metric.is_own),
    ]


def network_text(network: Network, study: str, **sections: Any) -> str:
    """Return the text of a space file whose only network is the given one.

    Args:
        network: The network; its channels, size and classes are not said, since they follow from the data.
        study: The name of the study.
        **sections: The other sections of the file.
    """
    return dump(_spelled({"study": study, **sections, "network": _network(network)}))


def config_text(config: TrialConfig, study: str, search: Mapping[str, Any]) -> str:
    """Return the text of a space file whose only point is a configuration.

    Args:
        config: The configuration.
        study: The name of the study.
        search: Its section of that name.
    """
    return dump(_spelled({"study": study, **_sections(config), **({"search": search} if search else {})}))


def counted_text(search: Search) -> dict[str, Any]:
    """Return the keys of a search that say which epoch of a run counts, and which metrics each epoch has."""
    score = {"score": search.score.kind} if search.score.from_epoch == 1 else {}
    found: dict[str, Any] = _spelled(_counted(search) | score)
    return found


def _sections(config: TrialConfig) -> dict[str, Any]:
    recipe = config.recipe
    training = {name: getattr(recipe, name) for name in type(recipe).__slots__}
    optimizer = {name: getattr(recipe.optimizer, name) for name in settings_of(type(recipe.optimizer))}
    return {
        "data": _data(config.data),
        "network": _network(config.network),
        "training": training | {"optimizer": {recipe.optimizer.kind: optimizer}},
    }


def _network(network: Network) -> dict[str, Any]:
    stem = {
        name.removeprefix("stem_"): getattr(network, name)
        for name in type(network).__slots__
        if name.startswith("stem_")
    }
    return {"stem": stem, **_stages(network.stages)}


def _data(data: Data) -> dict[str, Any]:
    """Return the data as a file names them: options with their augmentation, own images with their facts."""
    own = data.own
    place = "dataset" if own is None or own.source is Source.CODE else own.source.value
    first = {place: data.dataset if own is None else own.place}
    known = {
        "augment": [_augmentation(kind, data.augment_options) for kind in data.augment],
        "padding": data.padding,
        "normalise": data.normalise,
    }
    validation = {"validation": OWN if data.own_validation else data.validation}
    streamed = {} if data.stream is None else {"stream": data.stream}
    return first | validation | known | streamed | ({} if own is None else {"facts": own.to_text()})


def _augmentation(kind: str, given: AugmentOptions) -> str | dict[str, dict[str, float]]:
    options = AUGMENTATIONS[kind].options
    values = {
        name: int(value) if options[name].is_whole else value for name, value in settings_for(kind, given).items()
    }
    return {kind: values} if values else kind


def _stages(stages: tuple[Stage, ...]) -> dict[str, Any]:
    """Return the stages with their rules; a rule with the same value in every stage that has it is written once."""
    shapes: list[dict[str, Any]] = [{name: getattr(stage, name) for name in SHAPE} for stage in stages]
    shared: dict[str, Any] = {}
    for rule in rule_paths():
        owners = [index for index, stage in enumerate(stages) if rule.belongs_to(stage.block)]
        found = [_value(rule, stages[index]) for index in owners]
        places = [shared] if len(set(found)) == 1 else [shapes[index] for index in owners]
        for place, value in zip(places, found, strict=False):
            _put(place, rule.path, value)
    return {"stages": shapes, "rules": shared}


def _value(rule: RulePath, stage: Stage) -> Any:
    """Return a rule's value in a stage; the rules of a custom block are kept apart."""
    return stage.rules[rule.path[-1]] if stage.own and rule.path[0] == stage.block else rule.value_in(stage)


def _put(place: dict[str, Any], path: tuple[str, ...], value: Any) -> None:
    *above, last = path
    for name in above:
        place = place.setdefault(name, {})
    place[last] = value


def _search(search: Search) -> dict[str, Any]:
    return _counted(search) | {
        "sampler": GRID.name,
        "replicates": max(REPLICATES, search.replicates),
        "seed": (search.seed + 1) % MOST_SEEDS,
    }


def _counted(search: Search) -> dict[str, Any]:
    ways: dict[str, list[str]] = {}
    for each in search.objectives:
        ways.setdefault(each.direction, []).append(each.metric.value)
    score = {"from_epoch": search.score.from_epoch} if search.score.kind is ScoreKind.BEST else {}
    return {
        "objective": ways,
        **({"metrics": [each.value for each in search.metrics]} if search.metrics else {}),
        "score": {search.score.kind: score} if score else search.score.kind,
    }


def _spelled(value: Any) -> Any:
    """Return a value as a file spells it: words as text, null as ``none``."""
    match value:
        case dict():
            return {str(name): _spelled(inner) for name, inner in value.items()}
        case list() | tuple():
            return [_spelled(inner) for inner in value]
        case StrEnum():
            return str(value)
        case None:
            return NONE
    return value
