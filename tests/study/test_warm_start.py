"""Warm starts: the best configurations of earlier studies are tried first."""

from typing import Any

import pytest

from qpsearch.errors import SpaceError, StudyNotFound
from qpsearch.space import Space, edited, parse_space
from qpsearch.space.file.points import with_switches
from qpsearch.study.ledger import Ledger
from tests.helpers import new_ledger, progress, resumed_ledger
from tests.scripted import Behaviour, space_text

TEXT = space_text(Behaviour.IMPROVES, trials=8, epochs=1, sampler="random")
LR, DEPTH, BLOCK = "training.optimizer.sgd.lr", "network.stages.0.depth", "network.stages.0.block"


def made(url: str, study: str, changes: dict[str, Any]) -> list[dict[str, Any]]:
    """Run a study whose accuracy falls with the learning rate; return what each trial drew, in order."""
    with new_ledger(url, space(study, changes)) as ledger:
        return run(ledger)


def space(study: str, changes: dict[str, Any]) -> Space:
    return parse_space(edited(TEXT, {"study": study, **changes}))


def run(ledger: Ledger) -> list[dict[str, Any]]:
    found = []
    while (assignment := ledger.ask()) is not None:
        stage, optimizer = assignment.config.network.stages[0], assignment.config.recipe.optimizer
        found.append({LR: optimizer.lr, DEPTH: stage.depth, BLOCK: str(stage.block)})
        ledger.report(assignment.trial, assignment.attempt, progress(1, 1 - optimizer.lr))
    return found


def test_the_three_best_of_each_study_come_first_after_what_the_file_lists(url: str) -> None:
    first, second = made(url, "one", {}), made(url, "two", {"search.seed": 1})
    best = [sorted(trials, key=lambda trial: trial[LR])[:3] for trials in (first, second)]
    changes = {"search.warm_start": ["one", "two"], "search.first": [{LR: 0.25}], "search.seed": 2}
    with new_ledger(url, space("warm", changes)) as ledger:
        assert ledger.ask().config.recipe.optimizer.lr == 0.25  # type: ignore[union-attr]
    with resumed_ledger(url, "warm") as ledger:  # the points come from the database
        found = run(ledger)
    assert found[1:7] == best[0] + best[1]


def test_what_the_space_lacks_is_drawn(sqlite_url: str) -> None:
    """A rule that is fixed now, and another range: values outside of it are drawn from the new domain."""
    earlier = sorted(made(sqlite_url, "one", {}), key=lambda trial: trial[LR])[:3]
    assert {trial[DEPTH] for trial in earlier} == {1, 3}
    changes = {
        "search.warm_start": "one",
        BLOCK: "quotient",
        DEPTH: {"int": [2, 5]},
        LR: {"log": [0.001, 1.0]},
    }
    found = made(sqlite_url, "warm", changes)[:3]
    assert [trial[LR] for trial in found] == [trial[LR] for trial in earlier]
    assert [new[DEPTH] for new, old in zip(found, earlier, strict=True) if old[DEPTH] == 3] == [3] * sum(
        old[DEPTH] == 3 for old in earlier
    )


OPTIMIZERS = {
    "training.optimizer": {
        "choice": {"sgd": {"lr": {"log": [0.001, 1.0]}}, "adamw": {"lr": {"log": [0.001, 1.0]}, "weight_decay": 0.1}}
    }
}


def test_what_a_listed_value_needs_is_not_drawn() -> None:
    open_ = space("open", OPTIMIZERS)
    adamw = {"training.optimizer.adamw.lr": 0.5}
    assert with_switches(open_, adamw) == {**adamw, "training.optimizer": "adamw"}
    assert with_switches(open_, {LR: 0.5, "training.optimizer": "sgd"}) == {LR: 0.5, "training.optimizer": "sgd"}
    assert with_switches(space("fixed", {}), {LR: 0.5, DEPTH: 3}) == {LR: 0.5, DEPTH: 3}


def test_listed_values_are_tried_whichever_branch_they_are_of(sqlite_url: str) -> None:
    """Also those of an earlier study that had the branch alone."""
    best = [trial[LR] for trial in sorted(made(sqlite_url, "one", {}), key=lambda trial: trial[LR])[:3]]
    rates = [0.5, 0.05, 0.6, 0.06]
    listed = [{f"training.optimizer.{('sgd', 'adamw')[place % 2]}.lr": rate} for place, rate in enumerate(rates)]
    found = made(sqlite_url, "open", {**OPTIMIZERS, "search.first": listed, "search.warm_start": "one"})
    assert [trial[LR] for trial in found[:7]] == rates + best


def test_an_unknown_study_is_named(sqlite_url: str) -> None:
    made(sqlite_url, "digits", {})
    with pytest.raises(StudyNotFound, match=r"search.warm_start: no study 'digit'. Did you mean 'digits'"):
        new_ledger(sqlite_url, space("warm", {"search.warm_start": "digit"}))
    with pytest.raises(StudyNotFound, match=r"search.warm_start: no study 'warm'"):
        made(sqlite_url, "warm", {"search.warm_start": "warm"})


def test_a_design_does_not_start_warm() -> None:
    with pytest.raises(SpaceError, match=r"search.warm_start: the points of a factorial design are known before"):
        space("warm", {"search.warm_start": "one", "search.sampler": "factorial"})


def test_it_is_part_of_what_a_study_means() -> None:
    plain, warm = space("warm", {}), space("warm", {"search.warm_start": ["1.10"]})
    assert warm.search.warm_start == ("1.10",)
    assert plain.fingerprint != warm.fingerprint
    assert "search.warm_start" not in plain.meaning()
