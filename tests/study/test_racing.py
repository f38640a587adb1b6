"""Racing over seeds: who may be the best trains more of them, and everything follows from the database."""

import math
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from qpsearch.analysis.plan import make_plan
from qpsearch.cli.plan import _costs as costs_in_words
from qpsearch.display.progress import PlainDisplay
from qpsearch.errors import SpaceError
from qpsearch.protocol import Assignment, Failed
from qpsearch.seeds import derive_seed
from qpsearch.space import Space, edited, parse_space
from qpsearch.study import queries
from qpsearch.study.ledger import Ledger
from qpsearch.study.search.racing import Rival, needs_seed, seeds_of_the_best
from qpsearch.study.storage.database import Database
from qpsearch.study.trials.events import Closed, Event, Raced
from qpsearch.vocabulary import FailReason
from tests.helpers import abandon, new_ledger, progress, resumed_ledger, rows
from tests.scripted import Behaviour, space_text

DIVERGED = Failed(reason=FailReason.DIVERGED, detail="training loss nan in epoch 2")
FOUND = "SELECT number, count(score), value FROM trials JOIN qpsearch_runs USING (trial_id) JOIN trial_values USING (trial_id) GROUP BY number, value ORDER BY number"  # fmt: skip


def space(trials: int = 4, race: str = "[1, 5]", epochs: int = 2, pruner: str = "none", **settings: Any) -> Space:
    text = space_text(Behaviour.IMPROVES, trials=trials, epochs=epochs, pruner=pruner, sampler="random")
    blocks = "choice: [additive, quotient, product_unit]"
    return parse_space(
        edited(text.replace(blocks, "choice: [quotient]"), {"search.replicates": {"race": eval(race)}} | settings)
    )


class Lab:
    """Trains what a ledger hands out; the score of a run is looked up by its trial and replicate."""

    def __init__(self, scores: dict[int, list[float]]) -> None:
        self.scores = scores
        self.trained: dict[int, list[int]] = defaultdict(list)  # replicates of each trial, once an epoch
        self.order: list[tuple[int, int]] = []

    def train(self, ledger: Ledger, assignment: Assignment, most: int = 1000) -> bool:
        """Report epochs until the attempt is over; return whether it was."""
        self.order.append((assignment.trial, assignment.attempt))
        for run in assignment.runs:
            own = self.trained[assignment.trial]
            while own.count(run.replicate) < assignment.config.recipe.epochs:
                if (most := most - 1) < 0:
                    return False
                own.append(run.replicate)
                value = self.scores[assignment.trial][run.replicate]
                report = progress(own.count(run.replicate), value, run.replicate)
                if not ledger.report(assignment.trial, assignment.attempt, report):
                    return True
        raise AssertionError("the attempt has reported all its epochs, and was not ended")

    def search(self, ledger: Ledger) -> None:
        while (assignment := ledger.ask()) is not None:
            self.train(ledger, assignment)


SCORES = {0: [0.50], 1: [0.52, 0.56, 0.0], 2: [0.55, 0.57, 0.50, 0.0], 3: [0.30], 4: [0.60, 0.58, 0.62, 0.0]}
SEEDS = {0: 1, 1: 2, 2: 2, 3: 1, 4: 3}  # after 0, 1, 2, 3, 4 complete trials, the best needs 1, 2, 2, 3, 3


def test_the_best_needs_one_seed_more_for_each_doubling_of_the_trials() -> None:
    assert [seeds_of_the_best(n, 5) for n in (0, 1, 2, 3, 6, 7, 14, 15, 1000)] == [1, 2, 2, 3, 3, 4, 4, 5, 5]


def test_doubt_is_a_distance_in_standard_deviations_over_seeds() -> None:
    others = [Rival(is_complete=True, scores=scores) for scores in ([0.7, 0.9], [0.4], [0.1])]
    others.append(Rival(is_complete=False, scores=[0.95]))  # what is not complete is not the best
    margin = math.sqrt(0.02) * 0.7265 * math.sqrt(1 + 1 / 2)  # t of one degree of freedom at 0.7
    assert needs_seed([0.8 - margin + 1e-3], others, 1.0, 5)
    assert not needs_seed([0.8 - margin - 1e-3], others, 1.0, 5)
    assert needs_seed([0.1 + margin - 1e-2], others, -1.0, 5)  # where smaller is better, the best is 0.1 on one seed
    assert not needs_seed([0.9] * 3, others, 1.0, 5)  # as many as the best needs
    assert not needs_seed([0.9] * 2, others, 1.0, 2)
    assert not needs_seed([-math.inf], others, 1.0, 5)
    assert not needs_seed([0.9], [], 1.0, 5)  # the first trial has nobody to be compared with
    assert needs_seed([0.1], [Rival(is_complete=True, scores=[0.9])], 1.0, 5)  # nobody has two seeds yet


def test_seeds_go_to_those_that_may_be_the_best_and_the_mean_is_stored(sqlite_url: str) -> None:
    lab, events = Lab(SCORES), list[Event]()
    with new_ledger(sqlite_url, space(trials=5), events.append) as ledger:
        lab.search(ledger)
        assert ledger.finished
    assert {trial: len(set(own)) for trial, own in lab.trained.items()} == SEEDS
    means = [np.mean(SCORES[trial][: SEEDS[trial]]) for trial in range(5)]
    found = rows(sqlite_url, FOUND)
    assert [(number, count) for number, count, _ in found] == list(SEEDS.items())
    assert [value for _, _, value in found] == pytest.approx(means)
    assert [event.number for event in events if isinstance(event, Closed)] == list(range(5))
    assert [(event.number, event.seeds) for event in events if isinstance(event, Raced)] == [
        (trial, seeds) for trial in range(5) for seeds in range(1, SEEDS[trial])
    ]
    assert rows(sqlite_url, "SELECT seed FROM qpsearch_runs JOIN trials USING (trial_id) WHERE number = 4") == [
        (derive_seed(0, "run", 4, replicate),) for replicate in range(3)
    ]  # as with replicates: 3
    database = Database.open(sqlite_url)
    (best,) = queries.best_configurations(database, "scripted")
    database.close()
    assert (best.number, best.n, best.value) == (4, 3, pytest.approx(0.6))
    assert best.sd == pytest.approx(0.02)


def test_the_copy_that_samplers_see_has_the_mean(sqlite_url: str) -> None:
    with new_ledger(sqlite_url, space(trials=3)) as ledger:
        Lab(SCORES).search(ledger)
        shown = [trial.value for trial in ledger._replica._study.get_trials()]
    assert shown == pytest.approx([0.5, 0.54, 0.56])


@pytest.mark.parametrize("stop", range(1, 18, 2))
def test_a_kill_at_any_epoch_changes_nothing(sqlite_url: str, stop: int) -> None:
    """After so many epochs the driver dies; what was trained is trained once, by the next one."""
    lab, left = Lab(SCORES), stop
    ledger = new_ledger(sqlite_url, space(trials=5))
    while left > 0:
        assignment = ledger.ask()
        assert assignment is not None
        before = sum(map(len, lab.trained.values()))
        lab.train(ledger, assignment, left)
        left -= sum(map(len, lab.trained.values())) - before
    abandon(ledger)
    with resumed_ledger(sqlite_url) as ledger:
        lab.search(ledger)
    assert {trial: len(set(own)) for trial, own in lab.trained.items()} == SEEDS
    assert [(number, count) for number, count, _ in rows(sqlite_url, FOUND)] == list(SEEDS.items())
    assert rows(sqlite_url, "SELECT count(*) FROM qpsearch_epochs") == [(18,)]


def test_another_driver_trains_the_seed_that_a_trial_waits_for(sqlite_url: str) -> None:
    lab = Lab(SCORES)
    with new_ledger(sqlite_url, space(trials=2)) as first, resumed_ledger(sqlite_url) as second:
        for ledger in (first, first):
            assignment = ledger.ask()
            assert assignment is not None
            lab.train(ledger, assignment)
        second._looked = -math.inf  # do not wait a second for the next look at what others wrote
        again = second.ask()
        assert again is not None
        assert (again.trial, again.attempt, [run.replicate for run in again.runs]) == (1, 2, [1])
        assert first.ask() is None
        lab.train(second, again)
    assert [(number, count) for number, count, _ in rows(sqlite_url, FOUND)] == [(0, 1), (1, 2)]


def test_when_the_budget_ends_a_trial_in_the_race_is_complete_with_what_it_has(sqlite_url: str) -> None:
    """Seven epochs: 0 (2), 1 (2 + 2), and half of the first run of 2, which has no result; then half of its second."""
    for epochs, expected in ((7, [(0, 1, 0.5), (1, 2, 0.54)]), (9, [(0, 1, 0.5), (1, 2, 0.54), (2, 1, 0.55)])):
        lab, name = Lab(SCORES), f"race{epochs}"
        asked = {"search.budget": {"epochs": epochs}, "study": name}
        with new_ledger(sqlite_url, space(trials=5, **asked)) as ledger:
            while (assignment := ledger.ask()) is not None:
                spent = sum(map(len, lab.trained.values()))
                if not lab.train(ledger, assignment, epochs - spent):
                    ledger.interrupt(assignment.trial, assignment.attempt)
        own = f"AND study_id = (SELECT study_id FROM studies WHERE study_name = '{name}') GROUP BY"
        found = rows(sqlite_url, FOUND.replace("GROUP BY", own.replace("AND", "WHERE")))
        assert [tuple(row) for row in found] == [pytest.approx(each) for each in expected]
    assert rows(sqlite_url, "SELECT count(*) FROM qpsearch_epochs") == [(16,)]  # what was trained stays on record
    database = Database.open(sqlite_url)
    detail = queries.trial_detail(database, "race9", 2)
    database.close()
    assert (len(detail.runs), detail.begun, len(detail.epochs)) == (1, 2, 3)
    with resumed_ledger(sqlite_url, "race9", epochs=100) as ledger:
        lab.search(ledger)
    assert {trial: len(set(own)) for trial, own in lab.trained.items()} == SEEDS | {2: 2}
    states = rows(sqlite_url, "SELECT state FROM trials JOIN studies USING (study_id) WHERE study_name = 'race9'")
    assert states == [("COMPLETE",)] * 5


def test_a_trial_that_passes_the_last_rung_is_raced(sqlite_url: str) -> None:
    """Nine trials with rungs after 1 and 3 epochs of 9: those that get to the end compete for seeds."""
    lab = Lab({number: [0.1 * number + 0.01 * seed for seed in range(5)] for number in range(9)})
    with new_ledger(sqlite_url, space(trials=9, epochs=9, pruner="asha")) as ledger:
        lab.search(ledger)
    complete = [(number, count) for number, count, _ in rows(sqlite_url, FOUND) if max(lab.trained[number]) >= 0]
    ended = rows(sqlite_url, "SELECT number FROM trials WHERE state = 'COMPLETE' ORDER BY number")
    counts = {number: count for number, count in complete if (number,) in ended}
    assert counts[max(counts)] == seeds_of_the_best(len(counts) - 1, 5) > 1
    assert rows(sqlite_url, "SELECT count(*) FROM trials WHERE state = 'RUNNING'") == [(0,)]


def test_a_failed_seed_fails_the_trial_and_the_race_goes_on(sqlite_url: str) -> None:
    lab = Lab(SCORES)
    with new_ledger(sqlite_url, space(trials=3)) as ledger:
        for attempts in (1, 1):
            assignment = ledger.ask()
            assert assignment is not None
            assert assignment.attempt == attempts
            lab.train(ledger, assignment)
        again = ledger.ask()
        assert again is not None
        ledger.fail(again.trial, again.attempt, DIVERGED)
        lab.search(ledger)
    assert rows(sqlite_url, "SELECT state FROM trials ORDER BY number") == [("COMPLETE",), ("FAIL",), ("COMPLETE",)]


def test_plans_and_files_say_at_least_and_at_most(tmp_path: Path) -> None:
    found = space(race="[2, 4]").search
    assert (found.replicates, found.race, found.most_replicates, found.seeds_text) == (2, 4, 4, "2 to 4")
    assert space(race="[2, 4]").meaning()["search.replicates"] == "race from 2 to 4"
    assert space(race="[2, 4]").fingerprint != space(race="[2, 3]").fingerprint
    for race in ("[3]", "[3, 3]", "[5, 1]", "3"):
        with pytest.raises(SpaceError, match=r"search\.replicates\.race: expected the seeds of a trial at least, and"):
            space(race=race)
    with pytest.raises(SpaceError, match=r"race: 0 is not a whole number from 1 to 1000"):
        space(race="[0, 3]")
    with pytest.raises(SpaceError, match=r"a race compares one value, .* Write replicates: 5"):
        space(**{"search.objective": {"maximize": "val_accuracy", "minimize": "parameters"}})
    with pytest.raises(SpaceError, match=r"factorial compares all its points alike, .* Write replicates: 5"):
        space(**{"search.sampler": "factorial"})


def test_the_log_and_the_plan_tell_it(sqlite_url: str, capsys: pytest.CaptureFixture[str]) -> None:
    with new_ledger(sqlite_url, space(trials=2), PlainDisplay().see) as ledger:
        Lab(SCORES).search(ledger)
    said = capsys.readouterr().out
    assert "trial 1 may be the best: 0.5200 over 1 seed; it trains another one\n" in said
    assert "trial 1 COMPLETE 0.5400  quotient, 4 epochs" in said
    assert "continues" not in said
    plan = list(costs_in_words(space(race="[2, 5]"), make_plan(space(race="[2, 5]")), []))
    assert plan[:2] == [
        "search: 4 trials, 16 epochs without pruning",
        "race: these are at least, with 2 seeds a trial; at most, with 5, 40 epochs",
    ]
