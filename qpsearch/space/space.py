"""A space: everything a file said, checked, with every default filled in."""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Final, TypeAlias

from qpsearch.registry.augmentations import AUGMENTATIONS, settings_for
from qpsearch.registry.datasets import Data
from qpsearch.registry.fidelity import FidelityKind
from qpsearch.registry.own.sampler import CustomSampler
from qpsearch.space.domains import text_of
from qpsearch.space.leaves import AUGMENT, NEVER, Constant, Group, Items, Leaf, Site, Tree, Variant, sites
from qpsearch.space.schema.data import OWN, USED
from qpsearch.space.schema.value_types import AUTO
from qpsearch.space.search import Budget, Search
from qpsearch.vocabulary import CudaGraphs, Fuse, WithWords

SEARCHES: Final = "compare.tune.searches"
# Settings that studies were stored without, with their defaults: such studies keep their fingerprints.
LATER: Final = {
    "data.padding": "mean",
    "data.normalise": "dataset",
    "data.augment_options": "[]",
    "training.optimizer.sgd.nesterov": "False",
    "training.warmup": "0.0",
    "training.label_smoothing": "0.0",
    "training.grad_clip": "none",
    "training.gradient_accumulation": "1",
    "training.ema": "none",
    "training.decay": "all",
    "training.dropout": "0.0",
    "training.drop_path": "0.0",
    "data.own_validation": "False",
    "data.share": "1.0",
    "search.sampler.random": "0.0",
    "search.sampler.population": "50",
    "search.pruner.startup": "5",
    "search.pruner.warmup": "auto",
    "search.pruner.audit": "0.0",
    SEARCHES: "1",
}

SEEDS: Final = 2**31  # how many seeds a search can have
APART: Final = 1_000_003  # from one search of an arm to the next, so that comparisons with seeds 0 and 1 share none

Searched: TypeAlias = tuple[str, int]
"""A search of a comparison: the name of its arm, and which of the arm's searches it is, from 1."""

TRUTHS: Final = re.compile(r"\b(true|false)\b")


@dataclass(frozen=True, slots=True, kw_only=True)
class Resources(WithWords):
    """The cores and GPUs of a trial, and how it is trained; None stands for ``auto`` (or no timeout)."""

    gpus: float | None
    cpus: int
    concurrent: int | None
    report_timeout_s: float | None
    fuse: Fuse = Fuse.NEVER  # as every study was trained that does not say it
    cuda_graphs: CudaGraphs = CudaGraphs.AUTO


@dataclass(frozen=True, slots=True, kw_only=True)
class TunedArms:
    """Arms that are compared: each is tuned alike, and its best configurations are trained again on fresh seeds.

    Attributes:
        arms: The space of each arm, by the arm's name, in the order of the file.
        trials: Trials of each search.
        count: Searches of each arm.
        top: Best configurations of each search that are trained again.
        seeds: Fresh seeds of each of them.
    """

    arms: "Mapping[str, Space]"
    trials: int
    count: int
    top: int
    seeds: int

    @property
    def searches(self) -> "dict[Searched, Space]":
        """The space of each search, whose study has a name and seeds of its own; the first searches come first."""
        return {
            (name, number): arm if number == 1 else _another(arm, number)
            for number in range(1, self.count + 1)
            for name, arm in self.arms.items()
        }

    def named(self, searched: Searched) -> str:
        """Return what a search is called in messages."""
        name, number = searched
        return name if self.count == 1 else f"{name}, search {number} of {self.count}"


@dataclass(frozen=True, kw_only=True)
class Space:
    """What may be built and trained, and how it is searched.

    Attributes:
        source: The text of the file that the space was read from.
        study: Name of the study.
        data: The data set.
        network: Tree of the network's leaves, in drawing order.
        training: Tree of the recipe's leaves, in drawing order.
        augment: Tree of the augmentations, where some of it is searched; ``data`` then has those that some trial may
            have. None where ``data`` says it all.
        search: Sampler, pruner, budget.
        resources: Cores and GPUs of a trial.
        compare: The arms of a comparison; None for a space that is searched as a whole.

    Example:
        >>> import qpsearch
        >>> space = qpsearch.load_space("smoke")
        >>> space.study, space.data.dataset, space.search.budget.trials
        ('smoke', 'digits', 3)
    """

    source: str
    study: str
    data: Data
    network: Group
    training: Group
    augment: Tree | None = None
    search: Search
    resources: Resources
    compare: TunedArms | None = None

    @cached_property
    def sites(self) -> tuple[Site, ...]:
        """Every leaf in the order of drawing, with when it is drawn."""
        return tuple(sites(self.network, self.training, self.augment))

    @property
    def searched(self) -> dict[str, str]:
        """The searched parameters and their domains as the file spells them; tied leaves once, under their tie.

        Those of a comparison are those of its arms; a parameter that several arms search has the first one's domain.
        """
        return {name: str(site.leaf) for name, site in self.drawn.items()}

    @cached_property
    def drawn(self) -> dict[str, Site]:
        """A leaf of each searched parameter, likewise."""
        if self.compare is None:
            return {site.parameter: site for site in self.sites if site.domain is not None and site.when != NEVER}
        found: dict[str, Site] = {}
        for arm in self.compare.arms.values():
            found |= {name: site for name, site in arm.drawn.items() if name not in found}
        return found

    @property
    def most_epochs(self) -> int:
        """The largest number of epochs of any configuration."""
        epochs = self.training.get("epochs")
        assert epochs is not None
        assert not isinstance(epochs, Group | Items | Variant)
        return int(epochs.upper)

    @property
    def run_epochs(self) -> int:
        """The largest number of epochs of any run, over all its levels of fidelity; the pruners' maximum resource."""
        return self.search.run_epochs(self.most_epochs)

    def images_of_level(self, epoch: int) -> int | None:
        """Return how many images an epoch trains on; None where that is the same at all levels of fidelity."""
        fidelity = self.search.fidelity
        if fidelity is None or fidelity.kind is not FidelityKind.IMAGES:
            return None
        return replace(self.data, share=fidelity.levels[fidelity.level_of(epoch)]).trained_on

    @property
    def fewest_epochs(self) -> int | None:
        """The smallest number of epochs of any configuration; None where it is computed in each draw."""
        epochs = self.training.get("epochs")
        assert epochs is not None
        assert not isinstance(epochs, Group | Items | Variant)
        if epochs.domain is None:
            return int(epochs.upper) if isinstance(epochs, Constant) else None
        assert epochs.domain.bounds is not None
        return int(epochs.domain.bounds[0])

    def meaning(self) -> dict[str, str]:
        """Return everything that affects results, as ``path: text`` pairs in drawing order.

        The budget, the machine, how images are read and the study's name are left out: changing them does not change a
        trial. Fingerprints are made of it, so that it spells some settings as the first studies did; ``told`` does not.
        """
        return self._lines(is_told=False)

    def told(self) -> dict[str, str]:
        """Return the same for messages: by the keys of a space file, with values as a file spells them.

        Augmentations are named leaf by leaf, whether some of them are searched or none.
        """
        return self._lines(is_told=True)

    def _lines(self, *, is_told: bool) -> dict[str, str]:
        apart = {"own", "stream"}
        if is_told or self.augment is not None:
            apart |= {"augment", "augment_options"}
        lines = {f"data.{name}": _plain(getattr(self.data, name)) for name in Data.__slots__ if name not in apart}
        if self.data.own is not None:  # whose images count, not where they lie
            own = {"data.dataset": "own images", "data.images": self.data.own.fingerprint}
            lines |= own | {"data.size": str(self.data.own.size)}
        if is_told:
            lines.pop("data.own_validation")
            lines |= {"data.validation": OWN} if self.data.own_validation else {}
            lines |= self._augmentations()
            lines |= {site.path: str(site.leaf) for site in self.sites if site.keys[:1] != ("augment",)}
        else:
            lines |= {site.path: _spelled_first(site.leaf) for site in self.sites if not _is_default_option(site)}
        search = self.search
        lines["search.objective"] = ", ".join(f"{each.direction} {each.metric}" for each in search.objectives)
        if search.metrics:
            lines["search.metrics"] = ", ".join(search.metrics)
        lines |= {
            f"search.{name}": _plain(getattr(search, name))
            for name in ("score", "sampler", "pruner", "replicates", "seed")
        }
        for name, word, options in (
            ("sampler", search.sampler, search.sampler_options),
            ("pruner", search.pruner, search.pruner_options),
        ):
            place = f"search.{name}.{word}" if is_told else f"search.{name}"
            lines |= {f"{place}.{option}": _option(value) for option, value in options.items()}
        if search.race is not None:
            lines["search.replicates"] = f"race from {search.replicates} to {search.race}"
        if isinstance(search.sampler, CustomSampler):
            lines["search.sampler.version"] = search.sampler.version
        if search.fidelity is not None:
            lines["search.fidelity"] = str(search.fidelity)
        if search.papers:
            lines["search.first.papers"] = "yes"
        for index, point in enumerate(search.first):
            spelled = {
                name: text_of(value) if is_told else _spelled_first(Constant(value)) for name, value in point.items()
            }
            lines |= {f"search.first.{index}.{name}": text for name, text in spelled.items()}
        if search.warm_start:
            lines["search.warm_start"] = ", ".join(search.warm_start)
        lines |= {f"search.limits.{limit.metric}": str(limit) for limit in search.limits}
        lines |= {f"search.{text}": "yes" for text in sorted(map(str, search.conditions))}
        if self.compare is None:
            return lines
        arms = {name: arm._lines(is_told=is_told) for name, arm in self.compare.arms.items()}
        return lines | _meaning_of_arms(lines, self.compare, arms)

    def _augmentations(self) -> dict[str, str]:
        """Return every augmentation that some draw may have, and its options."""
        if self.augment is None:
            lines = {}
            for word in self.data.augment:
                lines[f"{AUGMENT}.{word}.{USED}"] = text_of(True)
                options = AUGMENTATIONS[word].options
                for name, value in settings_for(word, self.data.augment_options).items():
                    lines[f"{AUGMENT}.{word}.{name}"] = text_of(int(value) if options[name].is_whole else value)
            return lines
        return {
            site.path: str(site.leaf)
            for site in self.sites
            if site.keys[:1] == ("augment",) and site.when != NEVER and site.keys[1] in self.data.augment
        }

    @property
    def fingerprint(self) -> str:
        """Hash of the meaning: equal for two files exactly when they define the same study."""
        meaning = {path: text for path, text in self.meaning().items() if LATER.get(path) != text}
        text = json.dumps(meaning, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()

    def with_search(
        self, *, study: str | None = None, budget: Budget | None = None, seed: int | None = None
    ) -> "Space":
        """Return the space with some of its search settings replaced, as the command line does."""
        search = replace(
            self.search,
            budget=budget or self.search.budget,
            seed=self.search.seed if seed is None else seed,
        )
        renamed = replace(self, study=study or self.study, search=search)
        return renamed if self.compare is None else replace(renamed, compare=_renamed(self.compare, renamed))


def _renamed(compare: TunedArms, space: Space) -> TunedArms:
    """Return the arms under the name of their comparison, and with its seed."""
    arms = {
        name: arm.with_search(study=f"{space.study}.{name}", seed=space.search.seed)
        for name, arm in compare.arms.items()
    }
    return replace(compare, arms=arms)


def _another(arm: Space, number: int) -> Space:
    """Return the space of an arm's second search, and so on."""
    seed = (arm.search.seed + (number - 1) * APART) % SEEDS
    return arm.with_search(study=f"{arm.study}.{number}", seed=seed)


def diff(stored: Space, given: Space) -> list[str]:
    """Say what differs in meaning, a line each: ``network.stages.0.width: 16 -> 32``."""
    old, new = stored.told(), given.told()
    paths = list(dict.fromkeys([*old, *new]))
    return [
        f"{path}: {old.get(path, '(absent)')} -> {new.get(path, '(absent)')}"
        for path in paths
        if old.get(path) != new.get(path)
    ]


def _meaning_of_arms(
    own: Mapping[str, str], compare: TunedArms, arms: Mapping[str, Mapping[str, str]]
) -> dict[str, str]:
    """Return what each arm changes, how often it is searched, and how many configurations are trained again."""
    lines = {SEARCHES: str(compare.count)}
    lines |= {"compare.retrain.top": str(compare.top), "compare.retrain.seeds": str(compare.seeds)}
    for name, meaning in arms.items():
        changed = {path: text for path, text in meaning.items() if own.get(path) != text}
        changed |= {path: "(absent)" for path in own if path not in meaning and not path.startswith("compare.")}
        lines |= {f"compare.arms.{name}.{path}": text for path, text in changed.items()} or {
            f"compare.arms.{name}": "as the file"
        }
    return lines


def _is_default_option(site: Site) -> bool:
    """Whether a leaf is an option of an augmentation at its default: studies keep their meaning where one is added."""
    if site.keys[:1] != ("augment",) or site.keys[2] == USED:
        return False
    _, word, name = site.keys
    return site.leaf == Constant(AUGMENTATIONS[word].options[name].default)


def _spelled_first(leaf: Leaf) -> str:
    """Return a leaf as the first studies spelled it: ``True`` and ``False`` as Python does."""
    text = str(leaf)
    if not any(isinstance(option, bool) for option in leaf.options or ()):
        return text
    return TRUTHS.sub(lambda found: found[0].capitalize(), text)


def _option(value: float | None) -> str:
    return AUTO if value is None else text_of(value)


def _plain(value: object) -> str:
    if not isinstance(value, tuple):
        return str(value)
    items = (f"{each[0]}: {each[1]!r}" if isinstance(each, tuple) else str(each) for each in value)
    return str(Constant(tuple(items)))
