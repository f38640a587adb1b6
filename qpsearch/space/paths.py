"""Which paths a draw may have, and from which leaves each may come: what conditions and arithmetic can name.

A stage is counted as in the network that is built. Where stages are chosen, the file's own place of a leaf is named
by the branch: ``network.stages.1.wide.width`` beside ``network.stages.1.width``.
"""

from collections import defaultdict
from dataclasses import dataclass

from qpsearch.space.domains import Constant, Group, Items, Leaf, Tied, Tree, Variant, leaves, possible_values
from qpsearch.space.schema.network import SHAPE, STAGE, RulePath, rule_paths

STAGES = "network.stages"


@dataclass(frozen=True, slots=True)
class PlacedStage:
    """A stage of the file: its path there, its leaves, and the places that it may take in a network."""

    path: str
    group: Group
    places: frozenset[int]

    def may_have(self, rule: RulePath) -> bool:
        """Whether its blocks may be of a kind that has a rule; True where its block could not be read."""
        leaf = leaf_at(self.group, ("block",))
        if leaf is None or leaf == Constant(None):
            return True
        return any(map(rule.belongs_to, possible_values(leaf) or ()))

    def takes(self, rule: RulePath) -> bool:
        """Whether it may need a rule that it does not name itself, and so takes the shared one."""
        return self.may_have(rule) and leaf_at(self.group, rule.path) is None


def placed_stages(tree: Tree) -> list[PlacedStage]:
    """Return every stage of a file, in its order, with the places that it may take."""
    found: list[PlacedStage] = []
    _place(STAGES, tree, frozenset({0}), found)
    return found


def moving_places(stages: list[PlacedStage]) -> frozenset[int]:
    """Return the places of a network that different items of the file's list may take from draw to draw.

    They have no path: what ``network.stages.1.width`` means would depend on the draw.
    """
    items: dict[int, set[str]] = defaultdict(set)
    for stage in stages:
        item = stage.path.removeprefix(f"{STAGES}.").partition(".")[0]
        for place in stage.places:
            items[place].add(item if item.isdigit() else "")
    return frozenset(place for place, own in items.items() if len(own) > 1)


def leaf_at(tree: Tree | None, path: tuple[str, ...]) -> Leaf | None:
    """Return the leaf at a path below a group; None where there is none."""
    for name in path:
        tree = tree.get(name) if isinstance(tree, Group) else None
    return None if isinstance(tree, Group | Items | Variant) else tree


def known_paths(network: Group, training: Group) -> dict[str, list[Leaf]]:
    """Return every path that some draw has, with the leaves that it may come from."""
    found: dict[str, list[Leaf]] = defaultdict(list)
    stages = placed_stages(_child(network, "stages"))
    shared = [rule for rule in rule_paths() if not any(stage.takes(rule) for stage in stages)]
    unused = {".".join(("network.rules", *rule.path)) for rule in shared}
    for part, group in (("network", network), ("training", training)):
        for path, leaf in leaves(part, group):
            if not counts_stages(path) and path not in unused:
                found[path].append(leaf)
            if isinstance(leaf, Tied):
                found[leaf.name] = [leaf]
    rules = network.get("rules")
    moving = moving_places(stages)
    for stage in stages:
        own: dict[tuple[str, ...], Leaf | None] = {(name,): leaf_at(stage.group, (name,)) for name in SHAPE}
        for rule in rule_paths():
            if stage.may_have(rule):
                own[rule.path] = leaf_at(stage.group, rule.path) or leaf_at(rules, rule.path)
        for tail, placed in own.items():
            for place in stage.places - moving if placed is not None else ():
                found[".".join((STAGES, str(place), *tail))].append(placed)  # type: ignore[arg-type]  # no None here
    return dict(found)


def counts_stages(path: str) -> bool:
    """Whether a path ends at a stage's own place: in the file's counting, or in that of the network."""
    parts = path.split(".")
    return path.startswith(f"{STAGES}.") and len(parts) > 3 and parts[2].isdigit() and parts[3] in STAGE.fields


def _child(group: Group, name: str) -> Tree:
    child = group.get(name)
    assert child is not None
    return child


def _place(path: str, tree: Tree, starts: frozenset[int], found: list[PlacedStage]) -> frozenset[int]:
    """Place a stage, a list or a choice that begins at one of ``starts``; return where what follows begins."""
    match tree:
        case Group():
            found.append(PlacedStage(path, tree, starts))
            return frozenset(start + 1 for start in starts)
        case Items(children):
            for index, child in enumerate(children):
                starts = _place(f"{path}.{index}", child, starts, found)
            return starts
        case Variant(_, branches):
            return frozenset().union(*(_place(f"{path}.{name}", tree, starts, found) for name, tree in branches))
        case _:
            return starts
