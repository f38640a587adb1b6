"""What is searched of ``data.augment``, and what every draw has, or may have."""

from collections.abc import Sequence

from qpsearch.registry.augmentations import AUGMENTATIONS, AugmentOptions, chosen
from qpsearch.space.leaves import NEVER, Constant, Group, Site, Tree
from qpsearch.space.schema.data import USED


def searched_augment(data: Group) -> Tree | None:
    """Return the tree of the augmentations; None where nothing about them is searched."""
    augment = data.get("augment")
    return None if isinstance(augment, Group) and all(map(_is_constant, augment.children)) else augment


def fixed_augment(data: Group) -> tuple[tuple[str, ...], AugmentOptions]:
    """Return the augmentations that all draws have, and their options, where nothing about them is searched."""
    augment = data.get("augment")
    assert isinstance(augment, Group)
    return chosen({word: _values(own) for word, own in augment.children})


def possible_augment(every: Sequence[Site]) -> tuple[str, ...]:
    """Return the augmentations that some draw may have, given all leaves of a space."""
    used = {
        site.keys[1]
        for site in every
        if site.keys[:1] == ("augment",)
        and site.keys[2] == USED
        and site.when != NEVER
        and site.leaf != Constant(False)
    }
    return tuple(word for word in AUGMENTATIONS if word in used)


def _is_constant(child: tuple[str, Tree]) -> bool:
    return isinstance(child[1], Group) and all(isinstance(leaf, Constant) for _, leaf in child[1].children)


def _values(own: Tree) -> dict[str, object]:
    assert isinstance(own, Group)
    return {name: leaf.value for name, leaf in own.children if isinstance(leaf, Constant)}
