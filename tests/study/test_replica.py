"""The replica against plain Optuna, and what it shows the sampler."""

import warnings
from pathlib import Path

import optuna
import pytest
from optuna.trial import TrialState

from qpsearch.protocol import Failed
from qpsearch.registry.options import defaults
from qpsearch.registry.pruners import PRUNER_OPTIONS, PrunerKind
from qpsearch.registry.samplers import SAMPLERS
from qpsearch.registry.samplers.trials.copies import copied
from qpsearch.seeds import derive_seed
from qpsearch.space import Space, draw, parse_space
from qpsearch.study import queries
from qpsearch.study.search import replica
from qpsearch.study.search.chooser import OptunaChooser
from qpsearch.study.search.guesses import guesses_of
from qpsearch.study.search.pruners import pruning
from qpsearch.study.search.pruning import Traits, Verdict
from qpsearch.study.search.samplers import Samplers
from qpsearch.study.storage.database import Database
from qpsearch.vocabulary import Direction, FailReason
from tests.helpers import accuracy_of, new_ledger, progress, release, train_all
from tests.scripted import Behaviour, space_text


def test_every_pruner_can_be_made() -> None:
    assert set(PRUNER_OPTIONS) == set(PrunerKind)
    for kind in PrunerKind:
        pruning(kind, defaults(PRUNER_OPTIONS[kind]), 9, Direction.MAXIMIZE, "any")


@pytest.mark.parametrize(
    ("epochs", "warmup", "first"), [(20, None, 4), (23, None, 4), (4, None, 1), (20, 3, 4), (20, 4, 5), (20, 0, 1)]
)
def test_the_first_epoch_that_a_threshold_prunes_is_as_documented(epochs: int, warmup: int | None, first: int) -> None:
    """Of 20 epochs, ``auto`` never prunes the first 3: ``WARMUP`` says so."""
    options = defaults(PRUNER_OPTIONS[PrunerKind.THRESHOLD]) | {"lower": 0.5, "warmup": warmup}
    own = pruning(PrunerKind.THRESHOLD, options, epochs, Direction.MAXIMIZE, "any")
    trial = optuna.trial.create_trial(state=TrialState.RUNNING)
    own.follow(0, Traits(stratum="any"), trial)
    told = [own.report(0, epoch, 0.1, ()).verdict for epoch in range(1, epochs + 1)]
    assert told.index(Verdict.PRUNE) + 1 == first


@pytest.mark.parametrize("word", ["tpe", "random"])
def test_suggestions_are_those_of_plain_optuna_on_the_database(sqlite_url: str, word: str) -> None:
    """40 of 40 suggestions are alike."""
    space = parse_space(space_text(Behaviour.IMPROVES, trials=40, sampler=word, pruner="none"))
    with new_ledger(sqlite_url, space) as ledger:
        while (assignment := ledger.ask()) is not None:
            train_all(ledger, assignment)
    database = Database.open(sqlite_url)
    ours = queries.frozen_trials(database, "scripted")
    values = {trial.number: trial.value for trial in ours}
    steps = {trial.number: trial.intermediate_values for trial in ours}
    database.close()
    plain = optuna.create_study(storage=f"{sqlite_url}2", study_name="plain", direction="maximize")
    samplers = Samplers(SAMPLERS[word], {}, space.sites)
    for number in range(40):
        plain.sampler = samplers.of_draw(derive_seed(0, "sampler", number, 0))
        trial = plain.ask()
        draw(space, OptunaChooser(trial))
        for step, value in steps[number].items():
            trial.report(value, step)
        plain.tell(trial, values[number])
    assert [trial.params for trial in plain.get_trials()] == [trial.params for trial in ours]
    release(plain._storage)


def share_of_failing(sqlite_url: str, seed: int) -> float:
    """Run a study in which quotient blocks always diverge; return their share among the last 30 of 60 trials."""
    blocks = []
    with new_ledger(sqlite_url, parse_space(space_text(Behaviour.IMPROVES, trials=60, seed=seed))) as ledger:
        while (assignment := ledger.ask()) is not None:
            blocks.append(assignment.config.network.stages[0].block == "quotient")
            if blocks[-1]:
                ledger.fail(assignment.trial, assignment.attempt, Failed(reason=FailReason.DIVERGED, detail="x"))
            else:
                train_all(ledger, assignment)
    database = Database.open(sqlite_url)
    states = [trial.state for trial in queries.frozen_trials(database, "scripted")]
    database.close()
    assert states.count(TrialState.FAIL) == sum(blocks)  # the database keeps the truth
    return sum(blocks[-30:]) / 30


def test_failures_teach_the_sampler(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """TPE ignores FAIL, so that it goes on asking for what always diverges."""
    seeds = range(4)
    taught = sum(share_of_failing(f"sqlite:///{tmp_path}/taught{seed}.db", seed) for seed in seeds) / 4

    monkeypatch.setattr(replica, "_for_sampler", lambda *given: copied(*given[:5]))
    untaught = sum(share_of_failing(f"sqlite:///{tmp_path}/untaught{seed}.db", seed) for seed in seeds) / 4
    assert taught < untaught / 2


def test_a_slow_starter_is_judged_among_its_like(sqlite_url: str) -> None:
    """Low-fidelity pruning kills product-unit nets, which start slowly."""
    space = parse_space(space_text(Behaviour.IMPROVES, trials=60, pruner="median", sampler="random", epochs=6))
    slow_best = 0.0
    with new_ledger(sqlite_url, space) as ledger:
        while (assignment := ledger.ask()) is not None:
            slow = assignment.config.network.stages[0].block == "product_unit"
            for epoch in range(1, 7):
                late = 0.1 if slow and epoch < 5 else 0.5
                value = late + accuracy_of(assignment) / 10
                if not ledger.report(assignment.trial, assignment.attempt, progress(epoch, value)):
                    break
            slow_best = max(slow_best, value if slow and epoch == 6 else 0)
    database = Database.open(sqlite_url)
    records = queries.trial_records(database, "scripted")
    database.close()
    slow_ones = [record for record in records if record.params["network.stages.0.block"] == "product_unit"]
    complete = [record for record in slow_ones if record.state == "COMPLETE"]
    assert len(complete) >= len(slow_ones) * 0.3
    assert any(record.state == "PRUNED" for record in slow_ones)
    assert max(record.value for record in complete) == pytest.approx(slow_best)  # type: ignore[type-var]


def test_a_draw_never_misses_a_trial_that_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else it would take a point of the sequence that another trial has, and its own would never be taken."""
    space = parse_space(space_text(Behaviour.IMPROVES, sampler="quasi_random"))
    own = replica.Replica("any", space.search, 2, space.sites, guesses_of(space, ()))

    def follow(number: int, state: TrialState) -> None:
        trial = optuna.trial.create_trial(state=TrialState.RUNNING)
        trial.number, trial.state = number, state
        own.follow(trial, Traits(stratum="any"))

    for number in range(4):
        follow(number, TrialState.FAIL)
    seen, add = [], own._add

    def meanwhile(trial: optuna.trial.FrozenTrial) -> int:
        seen.append(own._drawn_before(4))  # as a thread that draws would
        return add(trial)

    monkeypatch.setattr(own, "_add", meanwhile)
    follow(1, TrialState.RUNNING)
    assert (seen, own._drawn_before(4), own.known) == ([4], 4, 4)
    shown = [trial.state for trial in own._study.get_trials()]
    assert shown == [TrialState.PRUNED] * 4 + [TrialState.RUNNING]  # to the sampler it is a new one


def test_making_a_mirror_warns_of_nothing_and_says_nothing(
    sqlite_url: str, space: Space, capsys: pytest.CaptureFixture[str]
) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with new_ledger(sqlite_url, space) as ledger:
            ledger.ask()
    assert capsys.readouterr() == ("", "")
