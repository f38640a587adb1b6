"""Reading ``search.fidelity``: the levels at which runs train, and what does not go together with them."""

from collections.abc import Iterator, Mapping
from typing import Final

from qpsearch.registry.fidelity import Fidelity, FidelityKind
from qpsearch.space.file.checks import where_is
from qpsearch.space.file.document import Node
from qpsearch.space.file.problems import Problems
from qpsearch.space.leaves import Constant
from qpsearch.space.space import Space

KEY: Final = "search.fidelity"

Levels = Mapping[FidelityKind, tuple[float, ...]]


def fidelity_of(given: Levels, space: Space, root: Node, problems: Problems) -> Fidelity | None:
    """Return the levels that a file names; None where it does not name any, or where they are wrong.

    Args:
        given: The levels of each kind; empty for a kind that is not named.
        space: The space, so far without levels.
        root: The whole document, which gives the places.
        problems: Notes what is wrong.
    """
    named = {kind: levels for kind, levels in given.items() if levels}
    if not named:
        return None
    found = list(_wrong(named, space))
    for path, text in found:
        problems.wrong(where_is(root, *path.split(".")), path, text)
    if found:
        return None
    ((kind, levels),) = named.items()
    return Fidelity(kind=kind, levels=levels, epochs=space.most_epochs)


def _wrong(named: Levels, space: Space) -> Iterator[tuple[str, str]]:
    (kind, levels), *others = named.items()
    if others:
        yield KEY, f"has {' and '.join(named)}. Expected one of them."
        return
    whole = space.data.facts.size if kind is FidelityKind.IMAGE_SIZE else 1
    if len(levels) < 2 or list(levels) != sorted(levels) or levels[-1] != whole:
        of = " pixels, the images' own height and width" if kind is FidelityKind.IMAGE_SIZE else ", the whole"
        yield f"{KEY}.{kind}", f"expected two levels or more that ascend to {whole}{of}, such as {_example(whole)}."
    elif kind is FidelityKind.IMAGES:
        yield from _too_few(levels[0], space)
    yield from _around(space)


def _too_few(share: float, space: Space) -> Iterator[tuple[str, str]]:
    images, classes = space.data.trained_on, space.data.facts.classes
    if round(share * images) < classes:
        least = f"{classes / images:.2g}"
        text = f"{share:g} of {images:,} training images are too few for {classes} classes. Expected at least {least}."
        yield f"{KEY}.{FidelityKind.IMAGES}", text


def _around(space: Space) -> Iterator[tuple[str, str]]:
    """Yield what is wrong with other settings, given that there are levels."""
    search = space.search
    if not isinstance(space.training.get("epochs"), Constant):
        yield "training.epochs", f"runs train equally many epochs at each level of {KEY}. Write a number."
    if not search.pruner.has_rungs:
        text = f"{search.pruner} does not judge trials at the ends of the levels of {KEY}. Write pruner: asha."
        yield "search.pruner", text
    elif search.pruner_options.get("first") is not None:
        text = f"rungs are at the ends of the levels of {KEY}. Remove it."
        yield f"search.pruner.{search.pruner}.first", text


def _example(whole: int) -> str:
    return "[0.1, 0.3, 1]" if whole == 1 else f"[{whole // 2}, {whole * 3 // 4}, {whole}]"
