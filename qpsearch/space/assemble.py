"""From a file to a ``Space``: the tree that the reader made, with its fixed parts given their types."""

from pathlib import Path
from typing import Any

from qpsearch.errors import SpaceError
from qpsearch.records import Budget, Objective
from qpsearch.space.document import Mapping, Node, Where, load, parse
from qpsearch.space.domains import Constant, Group
from qpsearch.space.reader import Reader
from qpsearch.space.schema import SPACE
from qpsearch.space.space import Data, Resources, Search, Space
from qpsearch.vocabulary import (
    DATASETS,
    Augmentation,
    DatasetName,
    Direction,
    Metric,
    PrunerKind,
    SamplerKind,
    ScoreKind,
)


def load_space(path: Path) -> Space:
    """Read a space file.

    Raises:
        SpaceError: With one line for each problem of the file.
    """
    text, root = load(path)
    return _space(text, root)


def parse_space(text: str, source: str = "space") -> Space:
    """Read a space from text, such as the one stored with a study; raises as ``load_space`` does."""
    return _space(text, parse(text, source))


def _space(text: str, root: Node) -> Space:
    reader = Reader()
    tree = reader.section(root, SPACE, "")
    if reader.problems:
        raise SpaceError(reader.ordered())
    space = Space(
        source=text,
        study=_constant(tree, "study"),
        data=_data(tree),
        network=_group(tree, "network"),
        training=_group(tree, "training"),
        search=_search(tree, reader, root),
        resources=_resources(tree),
    )
    _check_whole(space, reader, root)
    if reader.problems:
        raise SpaceError(reader.ordered())
    return space


def _group(tree: Group, name: str) -> Group:
    group = tree.get(name)
    assert isinstance(group, Group)
    return group


def _constant(tree: Group, name: str) -> Any:
    """Return a fixed leaf's value; its type is what the schema's kind made of it."""
    leaf = tree.get(name)
    assert isinstance(leaf, Constant)
    return leaf.value


def _data(tree: Group) -> Data:
    data = _group(tree, "data")
    return Data(
        dataset=DatasetName(_constant(data, "dataset")),
        validation=_constant(data, "validation"),
        augment=tuple(map(Augmentation, _constant(data, "augment"))),
    )


def _search(tree: Group, reader: Reader, root: Node) -> Search:
    search = _group(tree, "search")
    return Search(
        objective=_objective(_group(search, "objective"), reader, root),
        score=ScoreKind(_constant(search, "score")),
        sampler=SamplerKind(_constant(search, "sampler")),
        pruner=PrunerKind(_constant(search, "pruner")),
        budget=_budget(search),
        replicates=_constant(search, "replicates"),
        seed=_constant(search, "seed"),
    )


def _budget(search: Group) -> Budget:
    bounds = _group(search, "budget")
    gpu_hours = _constant(bounds, "gpu_hours")
    return Budget(
        trials=_constant(search, "trials"),
        epochs=_constant(bounds, "epochs"),
        seconds=_constant(bounds, "time"),
        gpu_seconds=None if gpu_hours is None else 3600 * gpu_hours,
    )


def _objective(group: Group, reader: Reader, root: Node) -> Objective:
    named = {direction: _constant(group, direction) for direction in Direction if _constant(group, direction)}
    if len(named) > 1:
        reader.wrong(
            _where(root, "search", "objective"), "search.objective", "names two metrics; one objective can be searched."
        )
    direction, metric = next(iter(named.items()), (Direction.MAXIMIZE, Metric.VAL_ACCURACY))
    natural = Direction.MINIMIZE if metric == Metric.VAL_LOSS else Direction.MAXIMIZE
    if direction != natural:
        reader.wrong(
            _where(root, "search", "objective"),
            "search.objective",
            f"{metric} gets better the other way: write {{{natural}: {metric}}}.",
        )
    return Objective(metric=Metric(metric), direction=Direction(direction))


def _resources(tree: Group) -> Resources:
    resources = _group(tree, "resources")
    return Resources(
        gpus=_constant(resources, "gpus"),
        cpus=_constant(resources, "cpus"),
        concurrent=_constant(resources, "concurrent"),
        report_timeout_s=_constant(resources, "report_timeout"),
    )


def _check_whole(space: Space, reader: Reader, root: Node) -> None:
    """Check what no single leaf can tell."""
    facts = DATASETS[space.data.dataset]
    if not facts.classes <= space.data.validation <= facts.train_images // 2:
        reader.wrong(
            _where(root, "data", "validation"),
            "data.validation",
            f"{space.data.validation} of the {facts.train_images} training images of {space.data.dataset}. "
            f"Expected from {facts.classes} (one for each label) to {facts.train_images // 2}.",
        )


def _where(node: Node, *path: str) -> Where:
    """Return the place of a path, or of its nearest ancestor that the file has."""
    for name in path:
        child = node.get(name) if isinstance(node, Mapping) else None
        if child is None:
            break
        node = child
    return node.where
