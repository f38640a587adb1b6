"""Numbers in steps are decimals, and whole numbers in log scale are even in their logarithm."""

import itertools
import math
import random
from collections import Counter
from contextlib import closing
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qpsearch.space import FloatRange, LogIntRange, Prior, Space, build_space
from qpsearch.space.domains import Domain
from qpsearch.study import queries
from qpsearch.study.storage.database import Database
from tests.helpers import new_ledger, resumed_ledger, train_all

TENTHS = FloatRange(low=0.0, high=1.0, step=0.1)
OCTAVES = LogIntRange(low=8, high=511)  # 8 to 15, 16 to 31, ..., 256 to 511


@given(low=st.integers(-500, 500), step=st.integers(1, 60), count=st.integers(1, 80), digits=st.integers(0, 6))
def test_steps_are_the_decimals_that_a_reader_counts(low: int, step: int, count: int, digits: int) -> None:
    decimals = [Decimal(low + step * index).scaleb(-digits) for index in range(count + 1)]
    first, last = float(decimals[0]), float(decimals[-1])
    domain = FloatRange(low=first, high=last, step=float(Decimal(step).scaleb(-digits)))
    assert domain.values is not None
    assert [*domain.values] == [float(each) for each in decimals]
    assert domain.size == count + 1
    own, size = domain.distribution(), (last - first) / count
    for index, value in enumerate(domain.values):
        assert value in domain
        assert own._contains(value)  # what is stored is read back by Optuna
        computed = first + index * size  # with the errors of floats, as Optuna makes it
        assert computed in domain
        assert domain.member(computed) == value
        assert value + 0.4 * size not in domain
        assert value - 0.4 * size not in domain
    assert first - size not in domain
    assert math.nan not in domain


def test_a_tenth_and_a_tenth_and_a_tenth_are_three() -> None:
    assert str(list(TENTHS.values or ())) == "[0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0]"
    assert TENTHS.member(0.1 + 0.2) == 0.3 != 0.1 + 0.2
    assert str(FloatRange(low=0, high=1, step=0.1).values[3:5]) == "[0.3, 0.4]"  # type: ignore[index]  # it has a step


@pytest.mark.parametrize("step", [0.0, -0.1, 0.3, 2.0, 1e-9, math.inf, math.nan])
def test_a_step_that_does_not_lead_from_end_to_end_is_refused(step: float) -> None:
    with pytest.raises(ValueError, match="step"):
        FloatRange(low=0.0, high=1.0, step=step)


def shares(domain: Domain, n: int) -> Counter[Any]:
    generator = random.Random(1)
    return Counter(domain.draw(generator) for _ in range(n))


def test_whole_numbers_are_even_in_their_logarithm_and_none_is_out_of_reach() -> None:
    drawn = shares(OCTAVES, 30_000)
    assert set(drawn) == set(range(8, 512))  # the rarest is expected 14 times
    octaves = Counter(math.floor(math.log2(value)) for value in drawn.elements())
    assert [octaves[power] / 30_000 for power in range(3, 9)] == pytest.approx([1 / 6] * 6, abs=0.012)
    few = shares(LogIntRange(low=1, high=4), 20_000)
    expected = [math.log((n + 0.5) / (n - 0.5)) / math.log(9) for n in range(1, 5)]
    assert [few[n] / 20_000 for n in range(1, 5)] == pytest.approx(expected, abs=0.015)


def test_each_step_is_as_likely_as_the_others() -> None:
    drawn = shares(TENTHS, 11_000)
    assert set(drawn) == set(TENTHS.values or ())
    assert max(drawn.values()) - min(drawn.values()) < 200  # 1000 each, sd 30


@pytest.mark.parametrize(
    "domain",
    [
        FloatRange(low=0.0, high=1.0, step=0.1, prior=Prior(0.7)),
        LogIntRange(low=8, high=512, prior=Prior(64)),
        LogIntRange(low=1, high=3, prior=Prior(2)),
    ],
    ids=str,
)
def test_draws_near_a_prior_lie_near_it_on_both_sides(domain: FloatRange | LogIntRange) -> None:
    generator = random.Random(0)
    drawn: list[Any] = [domain.near_prior(generator) for _ in range(1000)]
    assert all(value in domain and domain.member(value) == value for value in drawn)
    assert domain.prior is not None
    centre: Any = domain.prior.value
    assert {value < centre for value in drawn if value != centre} == {True, False}
    wide = 0.2 * (domain.high - domain.low) if isinstance(domain, FloatRange) else centre
    assert sum(abs(value - centre) <= wide for value in drawn) / 1000 > 0.85


def space(sampler: str, trials: int, **training: Any) -> Space:
    sgd = {"lr": 0.1, "momentum": {"float": [0.0, 0.9], "step": 0.1}}
    return build_space(
        {
            "study": "scripted",
            "data": {"dataset": "digits", "validation": 300},
            "network": {"stem": {"width": 4}, "stages": [{"width": 4, "depth": 1, "block": "additive"}]},
            "training": {"epochs": 1, "batch_size": {"log_int": [8, 12]}, "optimizer": {"sgd": sgd | training}},
            "search": {"sampler": sampler, "pruner": "none", "trials": trials},
        }
    )


def run(url: str, wanted: Space, stop: int = 0) -> list[tuple[Any, ...]]:
    with new_ledger(url, wanted) as ledger:
        for _ in range(stop):
            assignment = ledger.ask()
            assert assignment is not None
            train_all(ledger, assignment)
    with resumed_ledger(url) as ledger:
        while (assignment := ledger.ask()) is not None:
            train_all(ledger, assignment)
    with closing(Database.open(url)) as database:
        return [tuple(record.params.values()) for record in queries.trial_records(database, "scripted")]


def test_a_grid_takes_each_step_and_each_whole_number_once(sqlite_url: str) -> None:
    found = run(sqlite_url, space("grid", 20, momentum={"float": [0.0, 0.9], "step": 0.3}))
    assert Counter(found) == Counter(itertools.product(range(8, 13), (0.0, 0.3, 0.6, 0.9)))


def test_what_is_stored_is_what_the_file_spells_whatever_optuna_computes(sqlite_url: str) -> None:
    """And a restart, which reads it back, changes nothing."""
    found = run(sqlite_url, space("tpe", 13))
    tenths = [0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9]
    assert all(whole in range(8, 13) and momentum in tenths for whole, momentum in found)
    assert {momentum for _, momentum in found} & {0.3, 0.6, 0.7}  # Optuna: 0.30000000000000004, ...
    assert run(sqlite_url.replace("q.db", "again.db"), space("tpe", 13), stop=11) == found
