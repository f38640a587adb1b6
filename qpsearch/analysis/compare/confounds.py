"""In which settings arms differ, besides those that are compared: a difference in results may be theirs.

Arms are told apart by the shares of their trials that have each value, so that a setting that varies in one arm alone
counts, and so does one whose values are the same in other numbers. A setting that an arm cannot have, such as the
learning rate of an optimizer that it does not use, is told by what it depends on.
"""

import json
import statistics
from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import combinations
from typing import Any, Final

from qpsearch.analysis.compare.arms import Arm, Arms
from qpsearch.analysis.compare.basis import Basis
from qpsearch.architecture.config import TrialConfig
from qpsearch.registry.augmentations import AUGMENTATIONS
from qpsearch.registry.augmentations.crop import CROP
from qpsearch.space import Space
from qpsearch.space.domains import as_written
from qpsearch.space.leaves import AUGMENT, Derived, Site
from qpsearch.space.leaves import STAGES as ALL_STAGES
from qpsearch.space.schema.data import USED

STAGES: Final = f"{ALL_STAGES}."
RULES: Final = "network.rules."
STEM: Final = "stem_"
SECTIONS: Final = ("quotient", "product_unit")  # of a stage, that only some kinds of block have
APART: Final = ("augment", "augment_options", "padding", "stream")
MOST: Final = 6  # settings that are told with their values
FEW: Final = 3  # numbers that are named one by one

ByPath = dict[str, Any]
"""The settings of a configuration by path."""
ByArm = dict[str, list[Any]]
"""The values of a setting in each arm that has it: one for each trial, or each configuration."""


def confounds(arms: Arms, varied: Sequence[Space] = ()) -> list[str]:
    """Say in which settings the arms differ besides those that are compared, a line each; the clearest first.

    Args:
        arms: The arms, with those trials alone that their means are over.
        varied: Spaces that were searched for each arm: what each of them varies is tuned, and does not count.
    """
    return differences({arm.name: _configs(arm, arms.basis) for arm in arms.arms}, _chosen(arms, varied))


def differences(arms: Mapping[str, Sequence[str]], chosen: set[str]) -> list[str]:
    """Say in which settings some arms differ, a line each.

    Args:
        arms: The configurations of each arm as stored: each as often as it counts in the arm's mean.
        chosen: Paths of settings that are compared.
    """
    known = {text: _facts(text) for texts in arms.values() for text in texts}
    _complete_augmentations(list(known.values()))
    each_stage = _differing(known.values(), chosen)
    found: dict[str, ByArm] = defaultdict(lambda: defaultdict(list))
    for name, texts in arms.items():
        for text in texts:
            for path, value in _open(known[text], each_stage, chosen).items():
                found[path][name].append(value)
    apart = {path: _distance(values) for path, values in found.items()}
    paths = sorted((path for path in found if apart[path]), key=lambda path: (-apart[path], path))
    lines = [f"{path}: {_by_value(found[path])}" for path in paths[:MOST]]
    others = paths[MOST:]
    return [*lines, f"{len(others)} other setting{'s' * (len(others) > 1)}: {', '.join(others)}"] if others else lines


def _configs(arm: Arm, basis: Basis) -> list[str]:
    """Return the configurations of an arm as often as its mean counts them: by trial in a search, else by point."""
    if basis is Basis.SEARCHED:
        return [trial.config_json for trial in arm.trials]
    each = {(point, trial.config_json): None for point, trials in arm.points.items() for trial in trials}
    return [text for _, text in each]


def _distance(values: ByArm) -> float:
    """Return how far two arms are apart at most: 0 where all are told alike, 1 where two have nothing in common.

    Of numbers it is the distance of Kolmogorov and Smirnov, of words half of the sum of differences of shares.
    """
    if len({_told(each) for each in values.values()}) < 2:
        return 0.0
    return max((_between(first, second) for first, second in combinations(values.values(), 2)), default=0.0)


def _between(first: Sequence[Any], second: Sequence[Any]) -> float:
    if _are_numbers(first) and _are_numbers(second):
        lower, upper = sorted(first), sorted(second)
        return max(abs(_share_up_to(lower, end) - _share_up_to(upper, end)) for end in {*first, *second})
    one, two = Counter(map(as_written, first)), Counter(map(as_written, second))
    return sum(abs(one[word] / len(first) - two[word] / len(second)) for word in {*one, *two}) / 2


def _share_up_to(ordered: Sequence[float], end: float) -> float:
    return bisect_right(ordered, end) / len(ordered)


def _are_numbers(values: Sequence[Any]) -> bool:
    return all(isinstance(value, int | float) and not isinstance(value, bool) for value in values)


def _by_value(values: ByArm) -> str:
    """Return ``zero_last_norm (additive), framework (quotient)``."""
    names: dict[str, list[str]] = defaultdict(list)
    for name, each in values.items():
        names[_told(each)].append(name)
    return ", ".join(f"{told} ({'; '.join(each)})" for told, each in names.items())


def _told(values: Sequence[Any]) -> str:
    """Return ``0.1``, ``0.1 in 67% and 0.2 in 33%``, or ``0.1 to 0.9 with median 0.3`` for more numbers."""
    counts = Counter(values) if _are_numbers(values) else Counter(map(as_written, values))
    if len(counts) == 1:
        return as_written(values[0])
    if _are_numbers(values) and len(counts) > FEW:
        low, middle, high = min(values), statistics.median(values), max(values)
        return f"{as_written(low)} to {as_written(high)} with median {as_written(middle)}"
    order = sorted(counts) if _are_numbers(values) else sorted(counts, key=lambda word: (-counts[word], word))
    return " and ".join(f"{as_written(each)} in {counts[each] / len(values):.0%}" for each in order)


def _chosen(arms: Arms, varied: Sequence[Space]) -> set[str]:
    """Return the paths of a configuration that the comparison is about, or that every arm's search varied.

    A setting that is computed from others is left to them.
    """
    spaces = varied or (arms.space,)
    paths = set(arms.chosen) | set.intersection(*(_paths_of(space, _is_computed) for space in spaces))
    of_arms = () if arms.space.compare is None else arms.space.compare.arms.values()
    for space in (arms.space, *of_arms):
        paths |= _paths_of(space, lambda site: site.parameter in arms.chosen)
    if varied:
        paths |= set.intersection(*(_paths_of(space, _is_drawn) for space in varied))
    paths = set(map(_without_list, paths))
    stages = max((len(config.network.stages) for arm in arms.arms for config in arm.configs), default=0)
    shared = [path.removeprefix(RULES) for path in paths if path.startswith(RULES)]
    return paths | {f"{STAGES}{index}.{rule}" for rule in shared for index in range(stages)}


def _paths_of(space: Space, fits: Callable[[Site], bool]) -> set[str]:
    return {path for site in space.sites if fits(site) for path in _paths(site)}


def _is_drawn(site: Site) -> bool:
    return site.domain is not None


def _is_computed(site: Site) -> bool:
    return isinstance(site.leaf, Derived)


def _paths(site: Site) -> Iterator[str]:
    """Yield the path of a leaf, and those at the places that its stage may take."""
    yield site.path
    if site.stage is not None:
        yield from (f"{STAGES}{place}.{'.'.join(site.keys)}" for place in site.stage.places)


def _facts(text: str) -> ByPath:
    """Return the settings of a stored configuration, also those that it leaves out at their defaults."""
    config = _as_a_space(json.loads(TrialConfig.from_json(text).to_json(complete=True)))
    return dict(_leaves("", config)) | {ALL_STAGES: len(config["network"]["stages"])}


def _as_a_space(config: dict[str, Any]) -> dict[str, Any]:
    """Return the settings of a configuration under the names that a space file has for them."""
    recipe = config["recipe"]
    kind = recipe["optimizer"]["kind"]
    optimizer = {"": kind, kind: {key: value for key, value in recipe["optimizer"].items() if key != "kind"}}
    network = {name: value for name, value in config["network"].items() if not name.startswith(STEM)}
    stem = {name.removeprefix(STEM): value for name, value in config["network"].items() if name.startswith(STEM)}
    stages = [_stage(each) for each in config["network"]["stages"]]
    return {
        "data": _data(config["data"]),
        "network": network | {"stem": stem, "stages": stages},
        "training": recipe | {"optimizer": optimizer},
    }


def _stage(stage: dict[str, Any]) -> dict[str, Any]:
    """Return a stage with the sections alone that its block has; the rules of a custom block have its name."""
    own = {stage["block"]: dict(stage["own"])} if stage["own"] else {}
    return own | {name: value for name, value in stage.items() if name != "own" and not _is_empty(name, value)}


def _is_empty(name: str, value: Any) -> bool:
    return name in SECTIONS and value is None


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


def _complete_augmentations(known: Sequence[ByPath]) -> None:
    """Add to each configuration the augmentations that others use, as not used."""
    switches = {path for facts in known for path in facts if path.startswith(AUGMENT) and path.endswith(f".{USED}")}
    for facts in known:
        for path in switches:
            facts.setdefault(path, False)


def _leaves(path: str, value: Any) -> Iterator[tuple[str, Any]]:
    """Yield settings with their dotted paths; what stands under an empty key is the value of its section."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _leaves(f"{path}.{key}".strip("."), inner)
    elif isinstance(value, list) and any(isinstance(item, dict) for item in value):
        for index, inner in enumerate(value):
            yield from _leaves(f"{path}.{index}", inner)
    else:
        yield path, tuple(value) if isinstance(value, list) else value


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


def _is_chosen(path: str, chosen: set[str]) -> bool:
    """Whether a setting is compared, or comes with augmentations or stages that are."""
    if path == ALL_STAGES:
        return any(_is_a_stage(each) for each in chosen)
    return path in chosen or any(
        path.startswith(f"{each}.") for each in chosen if each.startswith(AUGMENT) or _is_a_stage(each)
    )


def _is_a_stage(path: str) -> bool:
    """Whether a path is that of a whole stage, or of all of them: a choice of stages."""
    return path == ALL_STAGES or (path.startswith(STAGES) and path.removeprefix(STAGES).isdigit())


def _differing(known: Iterable[ByPath], chosen: set[str]) -> set[str]:
    """Return the settings of stages that are told stage by stage.

    Those are settings that differ between the stages of some configuration, or are compared in some stages alone.
    """
    found = {_of_a_stage(path) for path in chosen}
    for facts in known:
        values: dict[str, set[str]] = defaultdict(set)
        for path, value in facts.items():
            values[_of_a_stage(path)].add(as_written(value))
        found |= {setting for setting, each in values.items() if len(each) > 1}
    return found - {""}


def _of_a_stage(path: str) -> str:
    """Return the setting of a stage that a path means: ``block`` of ``network.stages.0.block``; empty elsewhere."""
    return path.removeprefix(STAGES).partition(".")[2] if path.startswith(STAGES) else ""


def _open(facts: ByPath, each_stage: set[str], chosen: set[str]) -> ByPath:
    """Return the settings that are not compared; one that all stages have alike stands once, for all of them."""
    found = {}
    for path, value in facts.items():
        if not _is_chosen(path, chosen):
            setting = _of_a_stage(path)
            found[f"{STAGES}*.{setting}" if setting and setting not in each_stage else path] = value
    return found
