"""Every name that a space file may have is in its table, and every entry of a table has a name."""

from collections.abc import Mapping
from enum import StrEnum

import pytest

from qpsearch.architecture.blocks import BLOCKS
from qpsearch.architecture.notes import notes
from qpsearch.registry.augmentations import AUGMENTATIONS
from qpsearch.registry.datasets import DATASETS
from qpsearch.registry.options import Option
from qpsearch.registry.pruners import PRUNER_OPTIONS, PrunerKind
from qpsearch.registry.samplers import SAMPLERS
from qpsearch.registry.samplers.base import Sampler
from qpsearch.space import edited, load_space, parse_space
from qpsearch.vocabulary import BlockKind

TABLES: list[tuple[type[StrEnum], Mapping[str, object]]] = [
    (PrunerKind, PRUNER_OPTIONS),
    (BlockKind, BLOCKS),
]


@pytest.mark.parametrize(("names", "table"), TABLES, ids=lambda part: getattr(part, "__name__", ""))
def test_names_and_tables_agree(names: type[StrEnum], table: Mapping[str, object]) -> None:
    assert list(table) == list(names)


@pytest.mark.parametrize(
    "options",
    [*PRUNER_OPTIONS.values(), *(each.options for each in (*SAMPLERS.values(), *AUGMENTATIONS.values()))],
)
def test_a_default_is_one_of_the_values(options: Mapping[str, Option]) -> None:
    for option in options.values():
        assert option.default is None or option.low <= option.default <= option.high


def test_a_pruner_that_did_no_better_than_random_search_is_told() -> None:
    text = edited(load_space("digits").source, {"search.replicates": 5})  # which wilcoxon needs
    given = {kind: kind.value for kind in PrunerKind} | {PrunerKind.THRESHOLD: {"threshold": {"lower": 0.2}}}
    said = {kind: notes(parse_space(edited(text, {"search.pruner": setting}))) for kind, setting in given.items()}
    assert {kind for kind, found in said.items() if found} == {PrunerKind.HYPERBAND}
    assert said[PrunerKind.HYPERBAND][0].startswith("search.pruner hyperband did no better than random search")
    halving = edited(text, {"search.pruner": "successive_halving", "search.sampler": "tpe"})
    (found,) = notes(parse_space(halving))
    assert found.startswith("search.pruner successive_halving did worse with tpe than random search")


@pytest.mark.parametrize("name", DATASETS)
def test_a_data_set_can_be_had_in_one_way(name: str) -> None:
    facts = DATASETS[name]
    assert (facts.read is None) != (facts.write is None)
    assert len(facts.mean) == len(facts.std) == facts.channels


def test_augmentations_keep_the_order_in_which_they_draw() -> None:
    """A stored trial is repeated to the bit only then; a new one may stand anywhere among them."""
    known = ["flip", "crop", "jitter", "randaugment", "trivialaugment", "cutout", "erase", "mixup", "cutmix"]
    assert [word for word in AUGMENTATIONS if word in known] == known


@pytest.mark.parametrize("sampler", SAMPLERS.values(), ids=str)
def test_what_a_sampler_says_of_its_points_agrees(sampler: Sampler) -> None:
    assert sampler.is_designed >= sampler.is_exhaustive
    assert sampler.is_blind >= sampler.is_designed
    assert (sampler.points is not None) >= sampler.is_designed


def test_samplers_keep_their_words() -> None:
    """Stored studies name them; a new one may stand anywhere among them."""
    known = ["gp", "tpe", "cmaes", "random", "quasi_random", "nsga2", "nsga3", "grid", "factorial"]
    assert [word for word in SAMPLERS if word in known] == known
