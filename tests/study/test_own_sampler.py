"""Samplers of the user's own: named in a space file, stored with their version, and blamed for their errors."""

from collections.abc import Callable, Iterator
from importlib.metadata import EntryPoints
from types import SimpleNamespace
from typing import Any

import optuna
import pytest
from optuna.samplers import BaseSampler, RandomSampler, TPESampler
from optuna.trial import TrialState

from qpsearch.architecture import plugins
from qpsearch.errors import SpaceError, StudyMismatch, UserError
from qpsearch.registry.own.sampler import CustomSampler, custom_sampler
from qpsearch.registry.samplers import OWN
from qpsearch.registry.samplers.base import DrawRequest
from qpsearch.space import Space, parse_space
from qpsearch.space.schema.search import SAMPLERS
from qpsearch.study import queries
from qpsearch.study.search.encoding import Encoding
from qpsearch.study.storage.database import Database
from qpsearch.vocabulary import PluginGroup
from tests.helpers import new_ledger, release, resumed_ledger, rows, train_all
from tests.scripted import Behaviour, space_text

DEPTH = "network.stages.0.depth"
seen: list[list[TrialState]] = []


class Deep(RandomSampler):
    """Always takes one depth, and notes what it sees of the study."""

    def __init__(self, seed: int, depth: int) -> None:
        super().__init__(seed=seed)
        self.depth = depth

    def sample_independent(self, study: optuna.Study, trial: Any, name: str, domain: Any) -> Any:
        if name == DEPTH:
            seen.append([each.state for each in study.get_trials(deepcopy=False)])
        return self.depth if name == DEPTH else super().sample_independent(study, trial, name, domain)


@pytest.fixture(autouse=True)
def forgotten() -> Iterator[None]:
    yield
    for name in list(OWN):
        del OWN[name], SAMPLERS[name]
    seen.clear()


def known(make: Callable[..., Any] = Deep, version: int = 1, **options: float) -> CustomSampler:
    """Make the sampler ``deep`` known, in place of an earlier one."""
    OWN.pop("deep", None)
    SAMPLERS.pop("deep", None)
    made = custom_sampler("deep", make, version=version, options=options or {"depth": 2})
    plugins.register_sampler(made)
    plugins.register_sampler(made)
    return made


def space(sampler: str = "{deep: {depth: 3}}", trials: int = 4) -> Space:
    return parse_space(space_text(Behaviour.IMPROVES, sampler=sampler, trials=trials, pruner="none"))


def test_a_space_file_names_it_with_its_options_and_a_study_is_drawn_by_it(sqlite_url: str) -> None:
    with pytest.raises(SpaceError, match=r"unknown sampler 'deep'\. .*Load a sampler of your own with --import MODULE"):
        space()
    known()
    assert space("deep").search.sampler_options == {"depth": 2}
    with pytest.raises(SpaceError, match=r"search\.sampler\.deep\.depth: .*2\.5"):
        space("{deep: {depth: 2.5}}")
    with new_ledger(sqlite_url, space()) as ledger:
        for expected in ([TrialState.RUNNING], [TrialState.COMPLETE, TrialState.RUNNING]):
            assignment = ledger.ask()
            assert assignment is not None
            assert assignment.config.network.stages[0].depth == 3
            assert seen[-1] == expected  # the copy of the study, with the trial that is being drawn
            train_all(ledger, assignment)
    assert rows(sqlite_url, "SELECT sampler FROM qpsearch_studies") == [("deep",)]
    database = Database.open(sqlite_url)
    assert queries.summary(database, "scripted").sampler == "deep"
    database.close()


def test_another_version_or_option_is_refused_with_what_changed(sqlite_url: str) -> None:
    known()
    new_ledger(sqlite_url, space("deep")).__enter__().__exit__(None, None, None)
    known(version=2, depth=1, width=0.5)
    expected = (
        r"study 'scripted' was made with another sampler 'deep': version 1 -> 2, depth \(option\) 2 -> 1, "
        r"width \(option\) \(absent\) -> 0\.5\. Import the module as it was, or start a new study"
    )
    with pytest.raises(StudyMismatch, match=expected):
        resumed_ledger(sqlite_url)
    known()
    with resumed_ledger(sqlite_url) as ledger:
        assignment = ledger.ask()
        assert assignment is not None
        assert assignment.config.network.stages[0].depth == 2
    assert "search.sampler.version: 1" in [f"{path}: {text}" for path, text in space("deep").meaning().items()]


def test_a_sampler_of_optuna_learns_in_it_as_the_built_in_one_does(sqlite_url: str) -> None:
    """The same draws as ``tpe``, for its class with its settings is what the module returns."""
    known(
        lambda seed, startup: TPESampler(seed=seed, multivariate=True, group=True, n_startup_trials=startup), startup=10
    )
    found = []
    for name in ("tpe", "deep"):
        text = space_text(Behaviour.IMPROVES, sampler=name, trials=16, study=name, pruner="none")
        with new_ledger(sqlite_url, parse_space(text)) as ledger:
            while (assignment := ledger.ask()) is not None:
                found.append((name, assignment.config))
                train_all(ledger, assignment)
    assert [config for name, config in found if name == "tpe"] == [config for name, config in found if name == "deep"]
    assert len(found) == 32


def returned_word(seed: int, depth: int) -> str:
    return "tpe"


def refused(seed: int, depth: int) -> BaseSampler:
    raise ValueError("no such package.")


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (returned_word, r"sampler 'deep': returns str\. Expected a sampler of Optuna or OptunaHub"),
        (refused, r"sampler 'deep': .*test_own_sampler\.py:\d+: ValueError: no such package\.$"),
    ],
)
def test_what_cannot_be_made_is_told_before_a_study_is(sqlite_url: str, make: Any, said: str) -> None:
    known(make)
    with pytest.raises(UserError, match=said):
        new_ledger(sqlite_url, space())
    assert rows(sqlite_url, "SELECT count(*) FROM studies") == [(0,)]


def test_the_place_of_an_error_is_told_whatever_the_users_folder_is_called() -> None:
    own: dict[str, Any] = {}
    code = "def make(seed, depth):\n    raise ValueError('no')"
    exec(compile(code, "/home/me/qpsearch/optuna/hub.py", "exec"), own)
    with pytest.raises(UserError, match=r"sampler 'deep': /home/me/qpsearch/optuna/hub\.py:2: ValueError: no\.$"):
        known(own["make"]).sampler(DrawRequest(seed=0, options={"depth": 2}, columns=Encoding(())))


class Broken(RandomSampler):
    """Fails when it draws."""

    def sample_independent(self, study: Any, trial: Any, name: str, domain: Any) -> Any:
        raise KeyError(name)


def test_a_list_of_studies_names_the_module_that_one_of_them_needs(
    sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    known()
    monkeypatch.setenv("QPSEARCH_IMPORT", "hub")
    new_ledger(sqlite_url, space("deep")).__enter__().__exit__(None, None, None)
    monkeypatch.delenv("QPSEARCH_IMPORT")
    del OWN["deep"], SAMPLERS["deep"]
    database = Database.open(sqlite_url)
    summary = queries.summary(database, "scripted")
    database.close()
    assert (
        summary.problem
        == "study scripted: was made with --import hub. Add that to the command, or set QPSEARCH_IMPORT."
    )


def test_an_error_while_it_draws_names_it_and_does_not_refuse_an_enqueued_trial(sqlite_url: str) -> None:
    known(lambda seed, depth: Broken(seed=seed))
    said = r"^sampler 'deep': .*test_own_sampler\.py:\d+: KeyError: 'network\.stages"
    with new_ledger(sqlite_url, space()) as ledger, pytest.raises(UserError, match=said):
        ledger.ask()
    study = optuna.load_study(study_name="scripted", storage=sqlite_url)
    study.enqueue_trial({"training.optimizer.sgd.lr": 0.25})
    with resumed_ledger(sqlite_url) as ledger, pytest.raises(UserError, match=said):
        ledger.ask()
    assert [trial.state for trial in study.trials] == [TrialState.WAITING]
    release(study._storage)


@pytest.mark.parametrize(
    ("name", "make", "options", "said"),
    [
        ("two words", Deep, {}, "a sampler cannot be named 'two words'. Expected a word of at most 40"),
        ("x" * 41, Deep, {}, "a sampler cannot be named"),
        ("deep", 3, {}, "sampler 'deep': 3 is not callable"),
        ("deep", Deep, {"way": "up"}, "option 'way' has the default 'up'. Expected a word and a number"),
        ("deep", Deep, {"is": True}, "option 'is' has the default True"),
    ],
)
def test_what_cannot_be_a_sampler_is_refused(name: str, make: Any, options: Any, said: str) -> None:
    with pytest.raises(UserError) as caught:
        custom_sampler(name, make, version=1, options=options)
    assert said in str(caught.value)


@pytest.mark.parametrize("version", ["", "  ", "main", "HEAD", "origin/master", "Latest", None, True, 1.1])
def test_a_version_that_does_not_say_which_code_it_is_is_refused(version: Any) -> None:
    with pytest.raises(UserError, match=r"^sampler 'deep': version .* does not say which code it is\. Expected a"):
        custom_sampler("deep", Deep, version=version)


@pytest.mark.parametrize("version", [0, 12, "1.10", "maintained-3", "9f2c1e0a" * 5])
def test_a_version_that_says_it_is_kept_as_it_is_written(version: Any) -> None:
    assert custom_sampler("deep", Deep, version=version).version == str(version)


def test_an_installed_package_brings_one_and_taken_names_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    made = custom_sampler("deep", Deep, version="1.2", options={"depth": 1})
    point = SimpleNamespace(name="deep", load=lambda: made, matches=lambda group: group == PluginGroup.SAMPLERS)
    monkeypatch.setattr(plugins, "entry_points", lambda: EntryPoints([point]))
    plugins.load_installed()
    assert space("deep").search.sampler is made
    for name in ("deep", "tpe", "auto"):
        with pytest.raises(UserError, match=f"sampler '{name}': there is already a sampler of that name"):
            plugins.register_sampler(custom_sampler(name, Deep, version=1))
