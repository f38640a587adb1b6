"""Departures from functions of two parameters: what is found, and what trials that lie close together cannot show."""

from collections.abc import Mapping

import numpy as np
import pytest
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution

from qpsearch.analysis.anova.departures import Departures, Left, Unseen, departures_in
from qpsearch.analysis.anova.features import design
from qpsearch.analysis.anova.parameters import Bools, Floats, Parameter, searched_of

SPACE: dict[str, BaseDistribution] = {
    "a": CategoricalDistribution(("x", "y")),
    "b": CategoricalDistribution(("x", "y")),
    "c": CategoricalDistribution(("x", "y")),
    "lr": FloatDistribution(0.0, 1.0),
}
TRIALS = 160
Codes = Mapping[str, Floats]


def _codes(rng: np.random.Generator, *, close: bool) -> dict[str, Floats]:
    """Draw trials evenly, or all but twelve of them in one corner of the words."""
    codes = {name: rng.integers(0, 2, TRIALS).astype(float) for name in ("a", "b", "c")} | {"lr": rng.random(TRIALS)}
    if close:
        for name in ("a", "b", "c"):
            codes[name][12:] = 1.0
    return codes


def _search(codes: Codes, values: Floats, rng: np.random.Generator) -> tuple[str | None, Unseen | None]:
    searched = searched_of(SPACE, {})
    standard = (values - values.mean()) / values.std()
    left = Left(design(searched, codes, standard), standard, seed=0)
    departures = Departures(departures_in(searched.parameters, codes, searched.even), searched.even, left, rng)
    return departures.found(), departures.crowded(searched.parameters)


def _noise(rng: np.random.Generator) -> Floats:
    return np.asarray(0.3 * rng.normal(size=TRIALS))


def test_even_trials_show_a_cliff_an_interaction_of_three_and_nothing_where_nothing_is() -> None:
    rng = np.random.default_rng(0)
    codes = _codes(rng, close=False)
    cliff = np.where(codes["lr"] > 0.8, -1.0, 0.0) + _noise(rng)
    product = (codes["a"] - 0.5) * (codes["b"] - 0.5) * (codes["c"] - 0.5) * 4 + _noise(rng)
    assert _search(codes, cliff, rng) == ("a cliff along lr", None)
    assert _search(codes, product, rng) == ("an interaction of a, b, c", None)
    assert _search(codes, codes["lr"] + _noise(rng), rng) == (None, None)


def test_trials_that_lie_close_together_are_told_with_what_could_hide() -> None:
    rng = np.random.default_rng(1)
    codes = _codes(rng, close=True)
    found, unseen = _search(codes, 0.5 * codes["a"] + _noise(rng), rng)
    assert found is None
    assert unseen is not None
    assert unseen.name == "an interaction of a, b, c"
    assert unseen.share > 4 * unseen.even


def test_few_levels_and_too_few_parameters_leave_nothing_to_look_for() -> None:
    codes = {"a": np.array([0.0, 1.0]), "depth": np.array([0.0, 3.0])}
    few = [Parameter(name="a", distribution=SPACE["a"]), Parameter(name="depth", distribution=IntDistribution(1, 4))]
    assert departures_in(few, codes, codes) == []


def test_words_with_many_values_do_not_have_all_their_triples_looked_at() -> None:
    """Triples of sixteen words of nine values have 286,720 functions."""
    words = [
        Parameter(name=f"w{index:02}", distribution=CategoricalDistribution(tuple(range(9)))) for index in range(16)
    ]
    rng = np.random.default_rng(0)
    codes = {each.name: each.drawn(rng, 50) for each in words}
    found = departures_in(words, codes, codes)
    assert [each.name for each in found][:2] == ["an interaction of w00, w01, w02", "an interaction of w00, w01, w03"]
    assert sum(each.columns.shape[1] for each in found) == 4 * 8**3  # of the first four words


class OfTheSwitch:
    """What a draw has where a switch is on."""

    asks = ("switch",)

    def holds(self, codes: Codes) -> Bools:
        return np.asarray(codes["switch"] == 1)


def test_a_switch_times_two_of_its_options_is_no_interaction_of_three() -> None:
    options = {name: FloatDistribution(0.0, 1.0) for name in ("x", "y", "z")}
    searched = searched_of(
        {"switch": CategoricalDistribution((False, True)), **options}, {name: OfTheSwitch() for name in options}
    )
    found = departures_in(searched.parameters, searched.even, searched.even)
    (triple,) = (each for each in found if each.name.startswith("an interaction"))
    assert triple.name == "an interaction of x, y, z"
    assert triple.columns.var() == pytest.approx(1.0, rel=0.15)  # as every departure's


@pytest.mark.parametrize(
    ("distribution", "chance"),
    [(FloatDistribution(0.0, 1.0), 0.75), (IntDistribution(1, 8), 0.875), (IntDistribution(1, 4, log=True), None)],
)
def test_the_chance_above_a_code_is_that_of_draws(distribution: BaseDistribution, chance: float | None) -> None:
    parameter = Parameter(name="n", distribution=distribution)
    code = 0.25 if parameter.levels is None else 0.0
    drawn = parameter.drawn(np.random.default_rng(0), 20_000)
    assert parameter.chance_above(code) == pytest.approx(float((drawn > code).mean()), abs=0.02)
    assert chance is None or parameter.chance_above(code) == chance
