"""The papers' settings as points of a space: ``search.first: papers``.

A point has one kind of block in all stages, the rules that its paper has for it, and the paper's recipe, as far as the
space searches them and its domains have these values. What a paper does not say is left open. The bound of a
quotient is that of the depth (rule Q5), of searched depths that of the middle.
"""

import contextlib
from collections.abc import Mapping, Sequence
from typing import Any, Final

from qpsearch.architecture.named import OF_THE_PAPERS
from qpsearch.architecture.resolve import ALPHA_BY_DEPTH, alpha_for, layers_of
from qpsearch.errors import Infeasible
from qpsearch.registry.augmentations import AUGMENTATIONS
from qpsearch.registry.recipes import RECIPES
from qpsearch.space import Space, draw
from qpsearch.space.domains import Domain, stored
from qpsearch.space.file.points import domains_of, member_of
from qpsearch.space.leaves import AUGMENT, STAGES
from qpsearch.space.schema.data import USED
from qpsearch.space.schema.network import rule_paths
from qpsearch.space.schema.rules import BY_DEPTH
from qpsearch.space.schema.value_types import AUTO
from qpsearch.vocabulary import (
    MULTIPLYING,
    BlockKind,
    BranchKind,
    Decay,
    InitKind,
    Precision,
    Scalar,
    StemActivation,
)

RECIPE_OF: Final = {  # the paper's recipe for each kind of block; additive networks are the quotient paper's baseline
    BlockKind.ADDITIVE: "quotient",
    BlockKind.QUOTIENT: "quotient",
    BlockKind.PRODUCT_UNIT: "pure",
    BlockKind.QUOTIENT_PRODUCT_UNIT: "quotient",
}
THEIR_CODE: Final[dict[str, Any]] = {  # what the quotient authors' networks, their baseline too, have beside the recipe
    "init": InitKind.FRAMEWORK,
    "training.optimizer.sgd.nesterov": False,
    "training.warmup": 0,
    "training.label_smoothing": 0,
    "training.grad_clip": None,
    "training.ema": None,
    "training.decay": Decay.ALL,
    "training.dropout": 0,
    "training.drop_path": 0,
}


def first_points_of(space: Space) -> list[Mapping[str, Scalar]]:
    """Return the configurations that a space wants tried first: the papers', if it says so, and those that it lists."""
    return [*(paper_points(space) if space.search.papers else ()), *space.search.first]


def paper_points(space: Space) -> list[dict[str, Scalar]]:
    """Return the papers' settings as values of the space's parameters, one point for each kind of block that it has.

    A kind of block counts where every stage may be of that kind.
    """
    domains, found = domains_of(space), list[dict[str, Scalar]]()
    blocks = {site.path: site.leaf for site in space.sites if site.path.rpartition(".")[2] == "block"}
    for block in OF_THE_PAPERS:
        if not all(leaf.options is not None and block in leaf.options for leaf in blocks.values()):
            continue
        values, point = _values_of(block, alpha_for(_layers(space))), dict[str, Scalar]()
        for site in space.sites:
            name = _name(site.path)
            if site.parameter in domains and (known := _known(name, domains[site.parameter], values.get(name, ()))):
                point[site.parameter] = known[0]
        if point and point not in found:
            found.append(point)
    return found


def _name(path: str) -> str:
    """Return a path without its stage, or ``network.rules``: ``quotient.alpha``."""
    parts = path.split(".")
    if path.startswith(f"{STAGES}."):
        named = [index for index, part in enumerate(parts) if part.isdigit()]
        return ".".join(parts[named[-1] + 1 :])
    return path.removeprefix("network.rules.")


def _known(name: str, domain: Domain, wanted: Sequence[Any]) -> list[Scalar]:
    """Return those of some values that a domain has."""
    found = []
    for value in wanted:
        with contextlib.suppress(ValueError):
            found.append(member_of(name, domain, value))
    return found


class _Middle:
    """Chooses the middle of each domain."""

    def choose(self, name: str, domain: Domain) -> Scalar:
        return stored(domain.at(0.5))


def _layers(space: Space) -> int:
    """Return the layers of a network of the space; where they are searched, of one in the middle."""
    try:
        drawn = draw(space, _Middle())
    except Infeasible:  # an expression that the middle does not suit
        return ALPHA_BY_DEPTH[0][0]
    return layers_of(drawn.values["network"]["stages"])


def _values_of(block: BlockKind, alpha: float) -> dict[str, list[Any]]:
    """Return the paper's values for a kind of block, by name: of several, the first that a space has is taken.

    Args:
        block: The kind of block.
        alpha: The bound of its quotients at the space's depth.
    """
    family, recipe = OF_THE_PAPERS[block], RECIPES[RECIPE_OF[block]].settings
    stage = family.stage(width=1, stride=1, depth=1, branch=BranchKind.BASIC, alpha=alpha)
    known: dict[str, Any] = {"block": block, "network.stem.activation": family.stem_activation}
    known |= {".".join(rule.path): rule.value_in(stage) for rule in rule_paths() if rule.belongs_to(block)}
    known |= {f"{AUGMENT}.{word}.{USED}": word in recipe["data"]["augment"] for word in AUGMENTATIONS}
    known |= {"training.precision": Precision.FLOAT32} | _flat("training", recipe["training"])
    if RECIPE_OF[block] == "quotient":
        known |= THEIR_CODE
    values = {name: [value] for name, value in known.items()}
    if block in MULTIPLYING:
        nearest = sorted((each for _, each in ALPHA_BY_DEPTH), key=lambda each: abs(each - alpha))
        values["quotient.alpha"] = [BY_DEPTH, alpha, *nearest]
        values["init"].append(AUTO)  # which is the framework's for them
    if family.stem_activation is StemActivation.AUTO:
        values["network.stem.activation"].append(
            StemActivation.QUOTIENT if block in MULTIPLYING else StemActivation.RELU
        )
    return values


def _flat(path: str, settings: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in settings.items():
        if isinstance(value, Mapping):
            found |= {f"{path}.{name}": next(iter(value))} if name == "optimizer" else {}
            found |= _flat(f"{path}.{name}", value)
        else:
            found[f"{path}.{name}"] = value
    return found
