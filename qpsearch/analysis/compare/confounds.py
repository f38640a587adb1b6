"""In which settings arms differ, besides those that are compared: a difference in results may be theirs."""

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from qpsearch.analysis.compare.arms import Arms
from qpsearch.analysis.compare.basis import Basis
from qpsearch.registry.augmentations import AUGMENTATIONS
from qpsearch.registry.augmentations.crop import CROP
from qpsearch.space import Space
from qpsearch.space.domains import text_of
from qpsearch.space.leaves import AUGMENT
from qpsearch.space.schema.data import USED

OF_A_BLOCK: Final = frozenset({"block", "quotient", "product_unit", "own"})  # what comes with a kind of block
STAGES: Final = "network.stages."
RULES: Final = "network.rules."
STEM: Final = "stem_"
APART: Final = ("augment", "augment_options", "padding", "stream")
MOST: Final = 6  # settings that are named
FEW: Final = 3  # numbers that are named one by one


def confounds(arms: Arms, varied: Sequence[Space] = ()) -> list[str]:
    """Say in which settings the arms differ besides those that are compared, a line each.

    Args:
        arms: The arms.
        varied: Spaces that were searched for each arm: what each of them varies is tuned, and does not count.
    """
    apart = _apart(arms, _chosen(arms, varied))
    lines = [f"{path}: {_by_value(values)}" for path, values in apart.items()]
    return [*lines[:MOST], f"{len(lines) - MOST} other settings"] if len(lines) > MOST else lines


def _by_value(values: Mapping[str, str]) -> str:
    """Return ``zero_last_norm (additive), framework (quotient)``."""
    names: dict[str, list[str]] = defaultdict(list)
    for name, value in values.items():
        names[value].append(name)
    return ", ".join(f"{value} ({'; '.join(each)})" for value, each in names.items())


def _apart(arms: Arms, chosen: set[str]) -> dict[str, dict[str, str]]:
    """Return, by path, the values that each arm has, where some arm does not have those of the others.

    What comes with a kind of block counts where blocks are not compared, and where every arm has it.
    """
    scored = [arm for arm in arms.arms if arm.complete]
    by_block = any(path.rpartition(".")[2] == "block" for path in chosen)
    found: dict[str, dict[str, dict[str, Any]]] = defaultdict(lambda: {arm.name: {} for arm in scored})
    for arm in scored:
        for config in arm.configs:
            for path, value in _leaves("", _as_a_space(json.loads(config.to_json(complete=True)))):
                is_other = _of_an_augmentation(path, chosen) or (by_block and _of_a_block(path))
                if path not in chosen and not is_other:
                    found[_for_all_stages(path)][arm.name][text_of(value)] = value
    return {
        path: {name: _shown(each) for name, each in values.items()}
        for path, values in sorted(found.items())
        if len({frozenset(each) for each in values.values()}) > 1
        and not (_of_a_block(path) and not all(map(_is_set, values.values())))
    }


def _is_set(values: Mapping[str, Any]) -> bool:
    """Whether an arm has a rule of a kind of block; the sections of other kinds are empty."""
    return bool(values) and not all(value in (None, ()) for value in values.values())


def _shown(values: Mapping[str, Any]) -> str:
    """Return ``0.1 or 0.2``; of many numbers ``0.1 to 0.9``."""
    numbers = [value for value in values.values() if isinstance(value, int | float) and not isinstance(value, bool)]
    if len(numbers) < len(values):
        return " or ".join(sorted(values))
    ends = [min(numbers), max(numbers)] if len(numbers) > FEW else sorted(numbers)
    return (" to " if len(numbers) > FEW else " or ").join(f"{end:.6g}" for end in ends) or "none"


def _chosen(arms: Arms, varied: Sequence[Space]) -> set[str]:
    """Return the paths of a configuration that the comparison is about, or that every arm's search varied."""
    paths = {site.path for site in arms.space.sites if site.parameter in arms.chosen} | set(arms.chosen)
    if arms.basis is Basis.CONFIGURATIONS and arms.chosen:
        paths |= set(_paths(arms.space)) & {site.path for site in arms.space.sites if site.domain is not None}
    if varied:
        paths |= set.intersection(*(set(_paths(space)) for space in varied))
    paths = set(map(_without_list, paths))
    stages = max((len(config.network.stages) for arm in arms.arms for config in arm.configs), default=0)
    shared = [path.removeprefix(RULES) for path in paths if path.startswith(RULES)]
    return paths | {f"{STAGES}{index}.{rule}" for rule in shared for index in range(stages)}


def _paths(space: Space) -> Iterator[str]:
    """Yield the paths of the settings that a space varies."""
    yield from (site.path for site in space.sites if site.domain is not None)


def _as_a_space(config: dict[str, Any]) -> dict[str, Any]:
    """Return the settings of a configuration under the names that a space file has for them."""
    recipe = config["recipe"]
    optimizer = {key: value for key, value in recipe["optimizer"].items() if key != "kind"}
    training = recipe | {"optimizer": {recipe["optimizer"]["kind"]: optimizer}}
    network = {name: value for name, value in config["network"].items() if not name.startswith(STEM)}
    stem = {name.removeprefix(STEM): value for name, value in config["network"].items() if name.startswith(STEM)}
    return {"data": _data(config["data"]), "network": network | {"stem": stem}, "training": training}


def _data(data: dict[str, Any]) -> dict[str, Any]:
    """Return the data with their augmentations by word, each with its options; padding is a matter of crops.

    How images are read is left out: results are the same.
    """
    others = {name: value for name, value in data.items() if name not in APART}
    augment: dict[str, dict[str, Any]] = {word: {USED: True} for word in data["augment"]}
    for path, value in data["augment_options"]:
        word, _, name = path.partition(".")
        augment[word][name] = value
    if CROP.name in augment:
        augment[CROP.name]["padding"] = data["padding"]
    return others | {"augment": augment}


def _leaves(path: str, value: Any) -> Iterator[tuple[str, Any]]:
    """Yield settings with their dotted paths."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _leaves(f"{path}.{key}".strip("."), inner)
    elif isinstance(value, list) and any(isinstance(item, dict) for item in value):
        for index, inner in enumerate(value):
            yield from _leaves(f"{path}.{index}", inner)
    else:
        yield path, tuple(value) if isinstance(value, list) else value


def _of_a_block(path: str) -> bool:
    parts = path.split(".")
    return path.startswith(STAGES) and parts[3] in OF_A_BLOCK


def _without_list(path: str) -> str:
    """Return the path under which a configuration has a setting of augmentation: without the name of a list.

    The switch of an augmentation stands for the whole of it.
    """
    if path == f"{AUGMENT}_options":
        return AUGMENT
    if not path.startswith(f"{AUGMENT}."):
        return path
    parts = path.removeprefix(f"{AUGMENT}.").split(".")
    named = parts if parts[0] in AUGMENTATIONS else parts[1:]
    return ".".join((AUGMENT, *(part for part in named if part != USED)))


def _of_an_augmentation(path: str, chosen: set[str]) -> bool:
    """Whether a setting comes with augmentations that are compared."""
    return path.startswith(AUGMENT) and any(f"{path}.".startswith(f"{each}.") for each in chosen)


def _for_all_stages(path: str) -> str:
    """Return a stage's path without its index."""
    if not path.startswith(STAGES):
        return path
    return f"{STAGES}*.{path.removeprefix(STAGES).partition('.')[2]}"
