"""The papers' settings as points of a space: ``search.first: papers``.

A point has one kind of block in all stages, the rules that its paper has for it, and the paper's recipe, as far as the
space searches them and its domains have these values. What a paper does not say is left open.
"""

from collections.abc import Mapping
from typing import Any, Final

from qpsearch.architecture.config import Stage
from qpsearch.architecture.named import OF_THE_PAPERS
from qpsearch.architecture.resolve import alpha_for
from qpsearch.registry.augmentations import AUGMENTATIONS
from qpsearch.registry.recipes import RECIPES
from qpsearch.space import Space
from qpsearch.space.file.points import domains_of, member_of
from qpsearch.space.leaves import AUGMENT, STAGES
from qpsearch.space.schema.data import USED
from qpsearch.space.schema.network import rule_paths
from qpsearch.vocabulary import BlockKind, BranchKind, Scalar

RECIPE_OF: Final = {  # the paper's recipe for each kind of block; additive networks are those of the quotient paper
    BlockKind.ADDITIVE: "quotient",
    BlockKind.QUOTIENT: "quotient",
    BlockKind.PRODUCT_UNIT: "pure",
    BlockKind.QUOTIENT_PRODUCT_UNIT: "quotient",
}
DEPTH: Final = 20  # whose bound of quotients is taken; the papers' other depths differ by little


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
        values, point = _values_of(block), dict[str, Scalar]()
        for site in space.sites:
            name = _name(site.path)
            if site.parameter not in domains or name not in values:
                continue
            try:
                point[site.parameter] = member_of(name, domains[site.parameter], values[name])
            except ValueError:
                continue  # the space does not have the paper's value
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


def _values_of(block: BlockKind) -> dict[str, Any]:
    """Return the paper's values for a kind of block, by name."""
    alpha = alpha_for(DEPTH)
    stage: Stage = OF_THE_PAPERS[block].stage(width=1, stride=1, depth=1, branch=BranchKind.BASIC, alpha=alpha)
    values: dict[str, Any] = {"block": block}
    values |= {".".join(rule.path): rule.value_in(stage) for rule in rule_paths() if rule.belongs_to(block)}
    recipe = RECIPES[RECIPE_OF[block]].settings
    values |= {f"{AUGMENT}.{word}.{USED}": word in recipe["data"]["augment"] for word in AUGMENTATIONS}
    return values | _flat("training", recipe["training"])


def _flat(path: str, settings: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in settings.items():
        if isinstance(value, Mapping):
            found |= {f"{path}.{name}": next(iter(value))} if name == "optimizer" else {}
            found |= _flat(f"{path}.{name}", value)
        else:
            found[f"{path}.{name}"] = value
    return found
