"""From a file to a ``Space``: the tree that the reader made, with its fixed parts given their types."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from qpsearch.registry.datasets import Data
from qpsearch.registry.fidelity import FidelityKind
from qpsearch.registry.metrics import Metric
from qpsearch.registry.options import Options, defaults
from qpsearch.registry.pruners import PRUNER_OPTIONS, PrunerKind
from qpsearch.registry.samplers import sampler_of
from qpsearch.registry.samplers.base import Sampler
from qpsearch.registry.samplers.gp import GP
from qpsearch.space.constraints import Condition, Limit
from qpsearch.space.file.arms import arms_in
from qpsearch.space.file.augmentations import fixed_augment, possible_augment, searched_augment
from qpsearch.space.file.changes import with_settings
from qpsearch.space.file.checks import Checks
from qpsearch.space.file.document import MappingNode, Node, dump, parse_document, read_document, spelled
from qpsearch.space.file.extends import flatten
from qpsearch.space.file.fidelity import fidelity_of
from qpsearch.space.file.leaf_reader import LeafReader
from qpsearch.space.file.own_images import data_of, with_facts
from qpsearch.space.file.points import domains_of, first_points
from qpsearch.space.file.problems import Problems
from qpsearch.space.file.reader import Reader
from qpsearch.space.file.recipes import with_recipe
from qpsearch.space.file.shipped import find_space
from qpsearch.space.file.space_checks import check_arms, check_space
from qpsearch.space.leaves import Constant, Group, Site, Tree, Variant, sites
from qpsearch.space.schema.settings import COMPARE, SPACE
from qpsearch.space.schema.value_types import AUTO
from qpsearch.space.search import Budget, Score, Search, Stop
from qpsearch.space.space import Resources, Space, TunedArms
from qpsearch.vocabulary import Direction, ScoreKind

DEFAULT_TRIALS = 100


def load_space(name: str | Path, settings: Sequence[str] = ()) -> Space:
    """Read a space file, as ``qpsearch.load_space`` does with what is loaded already.

    Raises:
        SpaceError: With one line for each problem of the file.
    """
    path = find_space(name)
    text, root = read_document(path)
    return _space(text, root, path.parent, (path,), settings)


def parse_space(
    text: str,
    source: str = "space",
    folder: Path | None = None,
    settings: Sequence[str] = (),
    *,
    strict: bool = True,
) -> Space:
    """Read a space from text, such as the one stored with a study.

    Args:
        text: YAML.
        source: Stands for the file in messages.
        folder: What ``extends`` starts from; None for the working directory.
        settings: Values in place of the text's, as in ``load_space``.
        strict: Whether a setting that nothing uses is a mistake. False for the space that a study stores: it was
            accepted once, and later versions must still read it.

    Raises:
        SpaceError: With one line for each problem of the text.
    """
    return _space(text, parse_document(text, source), folder or Path(), (), settings, strict=strict)


def _space(
    text: str,
    root: Node,
    folder: Path,
    above: tuple[Path, ...],
    settings: Sequence[str] = (),
    *,
    strict: bool = True,
) -> Space:
    problems = Problems()
    given = with_settings(flatten(root, folder, above), settings, problems)
    whole = with_facts(given, folder, problems)
    arms = arms_in(whole, problems)
    # An arm may use what the file alone does not; and what --set leaves without a use is no mistake of the file.
    checks_reach = strict and not arms and not settings
    space = _one(text, root, whole, problems, strict=strict, checks_reach=checks_reach)
    return _tuned(space, whole, arms, problems, strict=strict) if arms else space


def _tuned(space: Space, whole: Node, arms: dict[str, Node], problems: Problems, *, strict: bool) -> Space:
    """Return a comparison with its arms, each with a space of its own that leaves enough trials complete."""
    given = whole.get("compare") if isinstance(whole, MappingNode) else None
    tree = Reader(problems, LeafReader(problems, whole)).section(given, COMPARE, "compare") if given else Group(())
    problems.raise_if_any()
    tune, retrain = _group(tree, "tune"), _group(tree, "retrain")
    trials, top = _constant(tune, "trials"), _constant(retrain, "top")
    if space.search.pruner is PrunerKind.ASHA:
        options = dict(space.search.pruner_options)
        options["complete"] = max(options["complete"] or 1, top)
        space = replace(space, search=replace(space.search, pruner_options=options))
    spaces = {}
    for name, node in arms.items():
        document = spelled(node)
        document.setdefault("search", {})["pruner"] = _spelled_pruner(space.search)
        arm = _one(dump(document), node, node, Problems(), strict=False, checks_reach=False)
        arm = replace(arm, search=replace(arm.search, pruner_options=space.search.pruner_options))
        budget = arm.search.budget.updated(trials=trials)
        spaces[name] = arm.with_search(study=f"{space.study}.{name}", budget=budget)
    count, seeds = _constant(tune, "searches"), _constant(retrain, "seeds")
    found = TunedArms(arms=spaces, trials=trials, count=count, top=top, seeds=seeds)
    check_arms(space, found, whole, problems, strict=strict)
    problems.raise_if_any()
    again = replace(space.search, fidelity=None)  # on fresh seeds, only whole trainings
    return replace(space, search=again, compare=found)


def _spelled_pruner(search: Search) -> Any:
    """Return the pruner as a file spells it."""
    options = {name: AUTO if value is None else value for name, value in search.pruner_options.items()}
    return {search.pruner.value: options} if options else search.pruner.value


def _one(text: str, root: Node, flat: Node, problems: Problems, *, strict: bool, checks_reach: bool) -> Space:
    """Return the space of a document, its arms apart; ``flat`` is the document with what it extends.

    With ``checks_reach``, a setting that nothing uses is a mistake.
    """
    whole = with_recipe(flat, problems)
    leaves = LeafReader(problems, whole)
    tree = Reader(problems, leaves).section(whole, SPACE, "")
    network, training = tree.get("network"), tree.get("training")
    if not isinstance(network, Group) or not isinstance(training, Group) or network.get("stages") is None:
        problems.raise_if_any()
    assert isinstance(network, Group)
    assert isinstance(training, Group)
    data = tree.get("data")
    augment = searched_augment(data) if isinstance(data, Group) else None
    every = tuple(sites(network, training, augment))
    checks = Checks(problems, whole, network, every, leaves)
    checks.check_parts(root.where.source if checks_reach else None)
    conditions = (*checks.conditions("forbid"), *checks.conditions("require"))
    problems.raise_if_any()
    if flat is not root:
        text = dump(checks.without_unused(spelled(flat)))  # the text that a study stores must need no other file
    network = checks.used(network)
    search = _search(_group(tree, "search"), checks, conditions)
    space = Space(
        source=text,
        study=_constant(tree, "study"),
        data=_data(_group(tree, "data"), augment, every, whole, problems),
        network=network,
        training=training,
        augment=augment,
        search=search,
        resources=_resources(tree),
    )
    papers, first = first_points(whole, domains_of(space), problems)
    levels = _group(_group(tree, "search"), "fidelity")
    given = {kind: _constant(levels, kind.value) for kind in FidelityKind}
    fidelity = fidelity_of(given, space, whole, problems)
    space = replace(space, search=replace(search, papers=papers, first=first, fidelity=fidelity))
    check_space(space, whole, problems, strict=strict)
    problems.raise_if_any()
    return space


def _group(tree: Group, name: str) -> Group:
    group = tree.get(name)
    assert isinstance(group, Group)
    return group


def _constant(tree: Group, name: str) -> Any:
    """Return a fixed leaf's value, of the type that the schema gives it."""
    leaf = tree.get(name)
    assert isinstance(leaf, Constant)
    return leaf.value


def _data(data: Group, augment: Tree | None, every: Sequence[Site], whole: Node, problems: Problems) -> Data:
    given = {name: _constant(data, name) for name, _ in data.children if name != "augment"}
    words, options = fixed_augment(data) if augment is None else (possible_augment(every), ())
    return data_of(given | {"augment": words, "augment_options": options}, whole, problems)


def _search(search: Group, checks: Checks, conditions: tuple[Condition, ...]) -> Search:
    named = _group(search, "objective")
    objectives = checks.objectives({way: _constant(named, way) for way in Direction})
    sampler, sampler_options = _sampler(search)
    pruner, pruner_options = _pruner(search, sampler)
    grid = checks.grid_points() if sampler.is_exhaustive else None
    trials = _constant(search, "trials")
    if trials is None:
        trials = grid or DEFAULT_TRIALS
    limits = _group(search, "limits")
    least, most = _constant(search, "replicates")
    return Search(
        objectives=objectives,
        metrics=_constant(search, "metrics"),
        score=_score(search),
        sampler=sampler,
        sampler_options=sampler_options,
        pruner=pruner,
        pruner_options=pruner_options,
        papers=False,
        first=(),
        warm_start=_constant(search, "warm_start"),
        budget=_budget(search, trials),
        stop=Stop(**{name: _constant(_group(search, "stop"), name) for name, _ in _group(search, "stop").children}),
        limits=tuple(
            Limit.parse(Metric(name), _constant(limits, name))
            for name, _ in limits.children
            if _constant(limits, name) is not None
        ),
        conditions=conditions,
        replicates=least,
        race=most if most > least else None,
        seed=_constant(search, "seed"),
    )


def _sampler(search: Group) -> tuple[Sampler, Options]:
    word, options = _chosen(search, "sampler")
    if word != AUTO:
        return sampler_of(word), options
    return GP, defaults(GP.options)


def _pruner(search: Group, sampler: Sampler) -> tuple[PrunerKind, Options]:
    word, options = _chosen(search, "pruner")
    if word != AUTO:
        return PrunerKind(word), options
    kind = PrunerKind.NONE if sampler.is_designed else PrunerKind.ASHA
    return kind, defaults(PRUNER_OPTIONS[kind])


def _score(search: Group) -> Score:
    word, settings = _chosen(search, "score")
    return Score(kind=ScoreKind(word), **settings)


def _chosen(tree: Group, name: str) -> tuple[str, dict[str, Any]]:
    """Return the word that a fixed choice of sections names, and the settings of its section."""
    variant = tree.get(name)
    assert isinstance(variant, Variant)
    ((word, settings),) = variant.branches
    assert isinstance(settings, Group)
    return word, {key: _constant(settings, key) for key, _ in settings.children}


def _budget(search: Group, trials: int) -> Budget:
    bounds = _group(search, "budget")
    gpu_hours = _constant(bounds, "gpu_hours")
    return Budget(
        trials=trials,
        epochs=_constant(bounds, "epochs"),
        seconds=_constant(bounds, "time"),
        gpu_seconds=None if gpu_hours is None else 3600 * gpu_hours,
    )


def _resources(tree: Group) -> Resources:
    resources = _group(tree, "resources")
    return Resources(
        gpus=_constant(resources, "gpus"),
        cpus=_constant(resources, "cpus"),
        concurrent=_constant(resources, "concurrent"),
        report_timeout_s=_constant(resources, "report_timeout"),
        fuse=_constant(resources, "fuse"),
        cuda_graphs=_constant(resources, "cuda_graphs"),
    )
