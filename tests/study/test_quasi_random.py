"""Quasi-random draws: a Sobol sequence of the space, the same after a restart."""

import numpy as np

from qpsearch.registry.samplers.quasi_random import QuasiRandom
from qpsearch.space import Space, edited, parse_space
from qpsearch.study.ledger import Ledger
from qpsearch.study.search.guesses import StudySpace, guesses_of
from tests.helpers import new_ledger, resumed_ledger, train_all
from tests.scripted import Behaviour, space_text

LR, BLOCK, DEPTH = "training.optimizer.sgd.lr", "network.stages.0.block", "network.stages.0.depth"
ALPHA = "network.rules.quotient.alpha"
TEXT = space_text(Behaviour.IMPROVES, trials=16, sampler="quasi_random", pruner="none")


def rates(ledger: Ledger, most: int = 100) -> list[float]:
    found = []
    while len(found) < most and (assignment := ledger.ask()) is not None:
        found.append(assignment.config.recipe.optimizer.lr)
        train_all(ledger, assignment)
    return found


def test_sixteen_points_have_each_sixteenth_of_a_range_once_and_blocks_evenly() -> None:
    sequence = QuasiRandom(StudySpace(parse_space(TEXT)))
    points = [sequence.point(number, 0) for number in range(48)]
    shares = [np.log(point[LR] / 0.01) / np.log(50) for point in points]
    assert sorted(int(16 * share) for share in shares[:16]) == list(range(16))
    assert sorted(int(16 * share) for share in shares[16:32]) == list(range(16))
    counts = [sum(point[BLOCK] == word for point in points) for word in ("additive", "quotient", "product_unit")]
    assert max(counts) - min(counts) <= 2
    assert all((ALPHA in point) == (point[BLOCK] == "quotient") for point in points)
    assert sequence.point(5, 1) == {}  # the point could not be trained
    assert QuasiRandom(StudySpace(parse_space(TEXT))).point(3000, 0) == sequence.point(
        3000, 0
    )  # beyond the first block
    assert sequence.point(7, 0) == points[7]


def test_a_restart_goes_on_in_the_sequence_and_another_seed_scrambles_it(sqlite_url: str) -> None:
    space: Space = parse_space(TEXT)
    with new_ledger(sqlite_url, space) as ledger:
        found = rates(ledger, 7)
    with resumed_ledger(sqlite_url) as ledger:
        found += rates(ledger)
    expected = [QuasiRandom(StudySpace(space)).point(number, 0)[LR] for number in range(16)]
    assert found == expected
    other = QuasiRandom(StudySpace(parse_space(edited(TEXT, {"search.seed": 1}))))
    assert other.point(0, 0)[LR] != expected[0]


def test_a_prior_comes_before_the_sequence() -> None:
    space = parse_space(edited(TEXT, {LR: {"log": [0.01, 0.5], "prior": 0.1, "confidence": "high"}}))

    guesses = guesses_of(space, [{DEPTH: 3}])
    assert guesses is not None
    assert guesses.guess(0, 0) == {DEPTH: 3}
    assert guesses.guess(1, 0)[LR] == 0.1
    assert guesses.guess(1, 0)[DEPTH] == QuasiRandom(StudySpace(space)).point(0, 0)[DEPTH]
