"""Which network ``qpsearch train`` is to train: of a space file, of a stored configuration, or by its name."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final

from qpsearch.architecture.candidates import sampled
from qpsearch.architecture.config import Network, TrialConfig
from qpsearch.architecture.named import FAMILIES, list_models, named_network
from qpsearch.architecture.one_point import config_text, network_text
from qpsearch.architecture.paper_points import RECIPE_OF
from qpsearch.errors import UserError
from qpsearch.space import Space, load_space, parse_space
from qpsearch.space.file.shipped import shipped
from qpsearch.space.schema.rules import BLOCK
from qpsearch.space.schema.value_types import StudyName
from qpsearch.vocabulary import BlockKind, Scalar

HELD_OUT: Final = 0.1  # of the training images, for validation, where a network is given by its name alone
UNPRUNED: Final = ("search.pruner=none",)  # what a space says of pruning must not depend on the epochs of one network
SMALL: Final = 32  # pixels of the images of named networks, but for those of ImageNet


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A network to train.

    Attributes:
        name: What it is called.
        config: Its configuration.
        space: The space of which it is a point; it says which epoch counts.
        drawn: The values of the space's parameters, by name; empty where the space has one point.
    """

    name: str
    config: TrialConfig
    space: Space
    drawn: Mapping[str, Scalar]


def wanted(what: str, settings: Sequence[str] = (), point: int = 0) -> Wanted:
    """Return the network that a user means.

    Args:
        what: A space file or the name of a shipped space; a JSON file with a configuration (of ``space sample --json``,
            ``trials STUDY N --json``, an export, or ``train``); or the name of a network, such as ``quotient20``.
        settings: Values in place of the file's, each ``PATH=VALUE``.
        point: Which of the points that ``space sample`` draws, where the space has several, or of those in its JSON.

    Raises:
        UserError: There is no such file or network, or a value cannot be used.
    """
    space = _space(what, settings, point)
    if space.compare is not None:
        raise UserError(f"{what}: compares arms, and `train` takes one network. Leave out its section `compare`.")
    found = sampled(space, point)
    return Wanted(name=space.study, config=found.config, space=space, drawn=found.draw.params)


def _space(what: str, settings: Sequence[str], point: int) -> Space:
    path = Path(what)
    if path.suffix == ".json":
        return _of_configuration(path, settings, point)
    if what in shipped() or path.suffix in (".yaml", ".yml") or path.is_file():
        return load_space(what, [*settings, *UNPRUNED])
    network = _named(what)
    dataset = "cifar10" if network.size == SMALL else "imagenet"
    block = network.stages[0].block
    recipe = RECIPE_OF[BlockKind(block)] if block in list(BlockKind) else RECIPE_OF[BlockKind.ADDITIVE]
    data = {"dataset": dataset, "validation": HELD_OUT}
    return parse_space(network_text(network, what, data=data, training={"recipe": recipe}), what, None, settings)


def _named(what: str) -> Network:
    try:
        return named_network(what)
    except UserError:
        if what.rstrip("0123456789").rstrip("_") in {*map(str, FAMILIES), *BLOCK.words}:
            raise  # which says what depths there are
        close = get_close_matches(what, [*shipped(), *list_models()], n=1)
        meant = f"Did you mean {close[0]!r}? " if close else ""
        raise UserError(
            f"{what}: is not a file, a shipped space or a network. {meant}List them: qpsearch space list, qpsearch "
            "model list."
        ) from None


def _of_configuration(path: Path, settings: Sequence[str], point: int) -> Space:
    try:
        document = _sampled(path, json.loads(path.read_bytes()), point)
        config = TrialConfig.from_json(json.dumps(_inner(document)))
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror}). Expected a JSON file.") from None
    except (ValueError, TypeError, LookupError, RecursionError):
        raise UserError(
            f"{path}: does not hold a configuration. Expected the JSON of one, as `trials STUDY N --json` or `space "
            "sample --json` prints it."
        ) from None
    name = next((str(document[key]) for key in ("name", "study") if document.get(key)), path.stem)
    try:
        StudyName().parse(name, "study")
    except ValueError:
        name = "network"
    search = document.get("search") or {}  # of run.json
    if not search and not (config.data.validation or config.data.own_validation):
        search = {"objective": {"minimize": "train_loss"}}  # nothing else can be measured
    return parse_space(config_text(config, name, search), str(path), None, settings)


def _sampled(path: Path, document: Any, point: int) -> Any:
    """Return a point of what ``space sample --json`` printed; another document as it is."""
    points = document.get("samples") if isinstance(document, dict) else None
    if not points:
        return document
    if point >= len(points):
        raise UserError(
            f"--point {point}: {path} holds {len(points)} points. Expected one from 0 to {len(points) - 1}."
        )
    return points[point]


def _inner(document: Any) -> Any:
    """Return the configuration in a document, which may have others around it."""
    if isinstance(document, dict) and "network" not in document:
        for key in ("config", "trial"):
            if key in document:
                return _inner(document[key])
    return document
