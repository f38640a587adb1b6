"""Importing studies of other programs: what fits is taken over, the rest is counted, and no meaning is changed."""

import shutil
import sqlite3
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.storages import BaseStorage, JournalStorage, RDBStorage
from optuna.storages.journal import JournalFileBackend
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState, create_trial
from sqlalchemy import text

from qpsearch.architecture.candidates import candidate
from qpsearch.architecture.cost import cost
from qpsearch.cli.studies import import_
from qpsearch.errors import StorageError, StudyExists, UserError
from qpsearch.space import Space, parse_space
from qpsearch.space.sampling import StoredChooser
from qpsearch.study import opening, queries
from qpsearch.study.drivers import leftovers
from qpsearch.study.optuna_import import Foreign, Matching, fit, import_study, writing
from qpsearch.study.storage.database import Database
from tests.helpers import new_ledger, progress, ready_database, resumed_ledger, rows, train_all
from tests.scripted import Behaviour, space_text

DEPTH, BLOCK, ALPHA = "network.stages.0.depth", "network.stages.0.block", "network.rules.quotient.alpha"
LR, BATCH = "training.optimizer.sgd.lr", "training.batch_size"
GOOD = {DEPTH: 2, BLOCK: "additive", LR: 0.1}
SPACE = space_text(Behaviour.IMPROVES)
WITH_MACS = SPACE.replace("search: {", "search: {objective: {maximize: val_accuracy, minimize: [macs]}, ")


def trial(
    value: float | Sequence[float] | None = 0.5,
    *,
    params: dict[str, Any] = GOOD,
    state: TrialState = TrialState.COMPLETE,
    constraints: dict[str, Any] | None = None,
    reported: Sequence[float] = (),
    **more: Any,
) -> FrozenTrial:
    """A trial of another program; ``more`` are parameters, whose dots are written as two underscores."""
    found = params | {name.replace("__", "."): given for name, given in more.items()}
    return create_trial(
        state=state,
        values=None if value is None else [value] if isinstance(value, float) else list(value),
        params=found,
        distributions={name: _distribution(given) for name, given in found.items()},
        system_attrs=constraints or {},
        intermediate_values=dict(enumerate(reported, 1)),
    )


def _distribution(value: Any) -> BaseDistribution:
    match value:
        case bool() | str() | None:
            return CategoricalDistribution((None, False, True, "plain", "additive", "quotient"))
        case int():
            return IntDistribution(0, 1000)
        case _:
            return FloatDistribution(0.0, 1000.0)


def store(storage: BaseStorage, trials: Sequence[FrozenTrial], directions: Sequence[str] = ("maximize",)) -> None:
    optuna.create_study(study_name="theirs", storage=storage, directions=list(directions)).add_trials(trials)


@pytest.fixture
def theirs(tmp_path: Path, sqlite_template: Path) -> Callable[..., str]:
    """Make a database with a study of another program, and return its path."""
    path = tmp_path / "theirs.db"

    def make(trials: Sequence[FrozenTrial], directions: Sequence[str] = ("maximize",)) -> str:
        shutil.copyfile(sqlite_template, path)
        storage = RDBStorage(f"sqlite:///{path}")
        store(storage, trials, directions)
        storage.remove_session()
        storage.engine.dispose()
        return str(path)

    return make


@pytest.fixture
def imported(tmp_path: Path, sqlite_url: str, capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Call ``qpsearch import`` with a space, and return what it prints."""

    def call(origin: str, space: str = SPACE, **options: Any) -> str:
        (tmp_path / "s.yaml").write_text(space)
        import_(str(tmp_path / "s.yaml"), origin, "theirs", **{"storage": sqlite_url, **options})
        return capsys.readouterr().out

    return call


def stored(url: str, name: str = "scripted") -> list[tuple[int, str, float | None]]:
    with closing(Database.open(url)) as database:
        return [(found.number, found.state, found.value) for found in queries.trial_records(database, name)]


def names(url: str) -> list[str]:
    return [row.study_name for row in rows(url, "SELECT study_name FROM studies")]


def test_trials_that_do_not_fit_are_left_out_and_counted_by_the_reason(
    theirs: Callable[..., str], imported: Callable[..., str], sqlite_url: str
) -> None:
    origin = theirs(
        [
            trial(0.3),
            trial(None, params={DEPTH: 1}, state=TrialState.FAIL),
            trial(0.4, params=GOOD | {LR: 0.75}),
            trial(None, params=GOOD | {LR: 0.7}, state=TrialState.PRUNED, reported=[0.1]),
            trial(None, params=GOOD, state=TrialState.PRUNED, reported=[0.2]),
            trial(None, params=GOOD, state=TrialState.FAIL),
            trial(None, params=GOOD, state=TrialState.RUNNING),
            trial(93.5),
        ]
    )
    assert imported(origin).splitlines() == [
        "left out are 5 of 8 trials:",
        f"  2: {LR} is not in {{log: [0.01, 0.5]}} (trials 2: 0.75, 3: 0.7)",
        f"  1: no value for {BLOCK} (trial 1)",
        "  1: has not ended (trial 6)",
        "  1: a value that val_accuracy cannot have (trial 7: 93.5)",
        "study scripted: 3 trials imported; continue: qpsearch resume scripted",
    ]
    assert stored(sqlite_url) == [(0, "COMPLETE", 0.3), (1, "PRUNED", None), (2, "FAIL", None)]


def test_seeds_are_those_with_which_something_was_trained_here(
    theirs: Callable[..., str], imported: Callable[..., str], sqlite_url: str
) -> None:
    """The trial of this study has the configuration of those that were imported."""
    one = SPACE.replace("{int: [1, 3]}", "{choice: [2]}").replace("[additive, quotient, product_unit]", "[additive]")
    one = one.replace("  rules:\n    quotient: {alpha: {float: [1.3, 2.2]}}\n", "").replace("epochs: 4", "epochs: 1")
    one = one.replace("{log: [0.01, 0.5]}", "{choice: [0.1]}")
    imported(theirs([trial(0.4), trial(None, state=TrialState.PRUNED, reported=[0.2]), trial(0.5)]), one)
    with resumed_ledger(sqlite_url, asked=4) as ledger:
        assignment = ledger.ask()
        assert assignment is not None
        ledger.report(assignment.trial, assignment.attempt, progress(1, 0.6))
    own = assignment.runs[0].seed
    with closing(Database.open(sqlite_url)) as database:
        (best,) = queries.best_configurations(database, "scripted")
        assert (best.trials, best.n, best.seeds, best.scores) == ((0, 2, 3), 3, (own,), (0.6, 0.4, 0.5))
        details = [queries.trial_detail(database, "scripted", number) for number in range(4)]
    assert [detail.record.seeds for detail in details] == [(), (), (), (own,)]
    assert [[run.seed for run in detail.runs] for detail in details] == [[], [], [], [own]]


@pytest.mark.parametrize("attributes", [{"constraints": [-1.0, 0.5]}, {"constraints:size": 0.5}], ids=["2", "5"])
def test_a_trial_that_violates_its_constraints_is_not_the_best(
    attributes: dict[str, Any], theirs: Callable[..., str], imported: Callable[..., str], sqlite_url: str
) -> None:
    kept = trial(0.6, constraints={"constraints": [-1.0, 0.0]})
    said = imported(theirs([trial(0.9, constraints=attributes), kept, trial(0.5)]))
    name = "1" if "constraints" in attributes else "size"
    assert f"  1: violates its constraints (trial 0: {name} = 0.5)" in said
    assert stored(sqlite_url) == [(0, "COMPLETE", 0.6), (1, "COMPLETE", 0.5)]


def test_a_parameter_that_the_space_lacks_is_left_out_only_when_asked(
    theirs: Callable[..., str], imported: Callable[..., str], sqlite_url: str
) -> None:
    origin = theirs([trial(dropout=0.5), trial(dropout=0.1, network__stages__0__blok="additive")])
    with pytest.raises(UserError) as refused:
        imported(origin)
    assert str(refused.value).splitlines() == [
        "study 'theirs': the space does not have the study's parameter 'dropout'. Known: network.rules.quotient.alpha. "
        "Match the name: --map dropout=OURS. Or leave the parameter out: --ignore dropout.",
        "study 'theirs': the space does not have the study's parameter 'network.stages.0.blok'. "
        "Known: network.rules.quotient.alpha. Match the name: --map network.stages.0.blok=OURS. "
        "Or leave the parameter out: --ignore network.stages.0.blok.",
    ]
    assert refused.value.exit_code == 2
    assert names(sqlite_url) == []
    assert "2 trials imported" in imported(origin, ignored=["dropout", "network.stages.0.blok"])


def test_a_value_for_what_is_constant_in_the_space_must_be_that_constant(
    theirs: Callable[..., str], imported: Callable[..., str]
) -> None:
    same, other = trial(training__batch_size=1), trial(training__batch_size=32)
    branch = trial(network__rules__quotient__alpha=1.5)  # of a block that this trial does not have
    assert imported(theirs([same, other, branch])).splitlines()[:3] == [
        "left out are 1 of 3 trials:",
        f"  1: {BATCH} is 1 in the space (trial 1: 32)",
        f"not used is {ALPHA} where the space does not draw it: trial 2",
    ]


def test_a_second_objective_is_neither_dropped_nor_replaced(
    theirs: Callable[..., str], imported: Callable[..., str], sqlite_url: str
) -> None:
    macs = float(cost(candidate(parse_space(SPACE), StoredChooser(GOOD)).config.network).macs)
    origin = theirs([trial([0.5, 12.0])], ["maximize", "minimize"])
    with pytest.raises(UserError) as refused:
        imported(origin)
    assert str(refused.value) == (
        "study 'theirs' has the directions maximize, minimize; the space has the direction maximize. "
        "Set `search.objective: {maximize: val_accuracy, minimize: [parameters]}`, if that is what the study optimised. "
        "To take over one of the study's objectives, and compute the space's costs: --objective 1."
    )
    with pytest.raises(UserError, match=rf"objective 2 of trial 0 is 12, but macs of the network is {macs:g}, so"):
        imported(origin, WITH_MACS)
    with pytest.raises(UserError, match=r"--objective 3: study 'theirs' has 2 objectives, counted from 1"):
        imported(origin, objective=3)
    assert names(sqlite_url) == []
    imported(origin, objective=1)
    imported(origin, WITH_MACS, objective=1, study="computed")
    imported(theirs([trial([0.5, macs])], ["maximize", "minimize"]), WITH_MACS, study="equal")
    found = rows(sqlite_url, "SELECT study_id, objective, value FROM trial_values JOIN trials USING (trial_id)")
    assert found == [(1, 0, 0.5), (2, 0, 0.5), (2, 1, macs), (3, 0, 0.5), (3, 1, macs)]


@pytest.mark.parametrize(
    ("space", "said"),
    [
        (
            SPACE,
            "study 'theirs' has the direction minimize; the space has the direction maximize. "
            "Set `search.objective: {minimize: val_loss}`, if that is what the study optimised.",
        ),
        (
            WITH_MACS,
            "study 'theirs' has the direction minimize; the space has the directions maximize, minimize. "
            "Set `search.objective: {minimize: val_loss}`, if that is what the study optimised.",
        ),
    ],
)
def test_another_direction_is_refused_with_the_setting_that_fits(
    space: str, said: str, theirs: Callable[..., str], imported: Callable[..., str]
) -> None:
    origin = theirs([trial(0.5)], ["minimize"])
    with pytest.raises(UserError) as refused:
        imported(origin, space)
    assert str(refused.value) == said
    setting = said.split("`")[1].removeprefix("search.objective: ")
    assert "1 trial imported" in imported(origin, SPACE.replace("search: {", f"search: {{objective: {setting}, "))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"mapped": ["lrn=" + LR]}, "--map lrn=.*: study 'theirs' does not have a parameter 'lrn'. Did you mean 'lr'"),
        ({"mapped": ["lr=training.lr"]}, "--map lr=training.lr: the space does not have a parameter 'training.lr'"),
        ({"mapped": ["lr=" + LR, "lr=" + ALPHA]}, f"'lr' is matched to '{LR}' already"),
        ({"mapped": ["lr=" + LR, "kind=" + LR]}, f"'kind' and 'lr' would both be '{LR}' in trial 0|'lr' and 'kind'"),
        ({"ignored": ["knd"]}, "--ignore knd: study 'theirs' does not have a parameter 'knd'. Did you mean 'kind'"),
        ({"ignored": [DEPTH]}, f"--ignore {DEPTH}: the space draws this parameter"),
        ({"ignored": ["lr"], "mapped": ["lr=" + LR]}, f"--ignore lr: is matched to '{LR}' by --map"),
        ({"values": ["kind=plain"]}, "--map-value kind=plain: is not PARAM:THEIRS=OURS"),
        ({"values": ["knd:plain=additive"]}, "does not have a parameter 'knd'. Did you mean 'kind'"),
        ({"values": ["kind:plane=additive"]}, "'kind' does not have the value 'plane'. Did you mean 'plain'"),
        ({"values": ["kind:plain=additiv"]}, "cannot be 'additiv'. It is {choice: .additive, quotient, product_unit.}"),
        ({"values": ["lr:0.1=9"]}, "training.optimizer.sgd.lr cannot be '9'. It is {log: .0.01, 0.5.}"),
        ({"values": ["kind:plain=additive", "kind:plain=quotient"]}, "'plain' is matched to 'additive' already"),
    ],
    ids=lambda part: "" if isinstance(part, str) else "+".join(part),
)
def test_an_option_that_matches_nothing_is_refused(
    options: dict[str, list[str]], said: str, theirs: Callable[..., str], imported: Callable[..., str], sqlite_url: str
) -> None:
    origin = theirs([trial(params={DEPTH: 1, "kind": "plain", "lr": 0.1})])
    pairs = [f"lr={LR}"] * ("mapped" not in options and options.get("ignored") != ["lr"])
    with pytest.raises(UserError, match=said):
        imported(origin, **{"mapped": [*pairs, f"kind={BLOCK}"] if "mapped" not in options else [], **options})
    assert names(sqlite_url) == []


def test_values_are_matched_by_their_text(
    theirs: Callable[..., str], imported: Callable[..., str], sqlite_url: str
) -> None:
    own = {"kind": "plain", "deep": True, "lr": 10.0}
    said = imported(
        theirs([trial(params=own), trial(params=own | {"kind": "additive", "deep": False, "lr": 0.25})]),
        mapped=[f"kind={BLOCK}", f"deep={DEPTH}", f"lr={LR}"],
        values=["kind:plain=additive", "deep:True=3", "lr:10=0.125", "deep:False=1"],
    )
    assert said.startswith("study scripted: 2 trials imported")
    with closing(Database.open(sqlite_url)) as database:
        assert [found.params for found in queries.trial_records(database, "scripted")] == [
            {DEPTH: 3, BLOCK: "additive", LR: 0.125},
            {DEPTH: 1, BLOCK: "additive", LR: 0.25},
        ]


def test_numbers_in_steps_and_in_log_scale_are_taken_over_as_the_space_spells_them(
    theirs: Callable[..., str], imported: Callable[..., str], sqlite_url: str
) -> None:
    momentum = "training.optimizer.sgd.momentum"
    space = SPACE.replace("{sgd: {", "{sgd: {momentum: {float: [0.0, 0.9], step: 0.1}, ")
    assert space != SPACE
    space = space.replace("depth: {int: [1, 3]}", "depth: {log_int: [1, 64]}")
    found = [trial(params=GOOD | {DEPTH: 48, "m": value}) for value in (3 * 0.1, 0.25, 5.0)]
    assert imported(theirs(found), space, mapped=[f"m={momentum}"], values=[f"m:5={7 * 0.1}"]).splitlines() == [
        "left out are 1 of 3 trials:",
        f"  1: {momentum} is not in {{float: [0.0, 0.9], step: 0.1}} (trial 1: 0.25)",
        "study scripted: 2 trials imported; continue: qpsearch resume scripted",
    ]
    with closing(Database.open(sqlite_url)) as database:
        records = queries.trial_records(database, "scripted")
    assert [(found.params[DEPTH], found.params[momentum]) for found in records] == [(48, 0.3), (48, 0.7)]


def designed(sampler: str, trials: int) -> str:
    """A space of nine points, whose blocks and depths alone are searched."""
    document = SPACE.replace("alpha: {float: [1.3, 2.2]}", "alpha: 2.0").replace("lr: {log: [0.01, 0.5]}", "lr: 0.1")
    found = document.replace("sampler: tpe", f"sampler: {sampler}").replace("pruner: asha", "pruner: none")
    return found.replace("trials: 6", f"trials: {trials}")


@pytest.mark.parametrize(("sampler", "trials"), [("grid", 9), ("factorial", 9), ("factorial", 18)])
def test_a_design_goes_on_with_the_points_that_were_not_imported(
    sampler: str, trials: int, theirs: Callable[..., str], imported: Callable[..., str], sqlite_url: str
) -> None:
    def point(depth: int, block: str, **more: Any) -> FrozenTrial:
        return trial(params={DEPTH: depth, BLOCK: block}, **more)

    found = [point(2, "quotient"), point(3, "additive"), point(1, "additive")]
    imported(theirs(found), designed(sampler, trials))
    with resumed_ledger(sqlite_url) as ledger:
        while (assignment := ledger.ask()) is not None:
            train_all(ledger, assignment)
    with closing(Database.open(sqlite_url)) as database:
        points = Counter(tuple(each.params.values()) for each in queries.trial_records(database, "scripted"))
    assert len(points) == 9
    assert set(points.values()) == {trials // 9}


def test_a_grid_takes_one_trial_of_each_point_a_complete_one_where_there_is_one(
    theirs: Callable[..., str], imported: Callable[..., str], sqlite_url: str
) -> None:
    params = {DEPTH: 2, BLOCK: "additive"}
    found = [
        trial(None, params=params, state=TrialState.PRUNED),
        trial(0.4, params=params | {DEPTH: 3}),
        trial(0.6, params=params),
        trial(0.7, params=params),
    ]
    origin = theirs(found)
    assert imported(origin, designed("grid", 9)).splitlines() == [
        "left out are 2 of 4 trials:",
        "  2: another trial has the same point of the grid (trials 3, 0)",
        "study scripted: 2 trials imported; continue: qpsearch resume scripted",
    ]
    assert stored(sqlite_url) == [(0, "COMPLETE", 0.4), (1, "COMPLETE", 0.6)]
    imported(origin, designed("factorial", 9), study="other")
    assert len(stored(sqlite_url, "other")) == 4


def test_listed_configurations_are_tried_after_an_import_too(
    theirs: Callable[..., str], imported: Callable[..., str], sqlite_url: str
) -> None:
    listed = SPACE.replace("search: {", f"search: {{first: [{{{LR}: 0.25}}, {{{LR}: 0.125}}], ")
    imported(theirs([trial(0.3), trial(0.4), trial(0.5)]), listed)
    with resumed_ledger(sqlite_url) as ledger:
        rates = [ledger.params(each.trial)[LR] for each in (ledger.ask(), ledger.ask()) if each is not None]
    assert rates == [0.25, 0.125]


def test_values_of_further_metrics_are_checked_too(
    theirs: Callable[..., str], imported: Callable[..., str], sqlite_url: str
) -> None:
    both = SPACE.replace("search: {", "search: {objective: {maximize: [val_accuracy, val_macro_f1]}, ")
    ways = ("maximize", "maximize")
    assert imported(theirs([trial((0.5, 0.4)), trial((0.5, 53.0))], ways), both).splitlines() == [
        "left out are 1 of 2 trials:",
        "  1: a value that val_macro_f1 cannot have (trial 1: 53)",
        "study scripted: 1 trial imported; continue: qpsearch resume scripted",
    ]


def test_nothing_is_written_where_no_trial_fits(
    theirs: Callable[..., str], imported: Callable[..., str], sqlite_url: str, tmp_path: Path
) -> None:
    with pytest.raises(UserError) as refused:
        imported(theirs([trial(50.0), trial(60.0), trial(params={LR: 0.1})]))
    assert str(refused.value).splitlines() == [
        "study 'theirs': no trial fits the space.",
        "left out are 3 of 3 trials:",
        "  2: a value that val_accuracy cannot have (trials 0: 50, 1: 60)",
        f"  1: no value for {DEPTH} (trial 2)",
    ]
    assert refused.value.exit_code == 2
    with pytest.raises(UserError, match=r"no trial fits the space.\nThe study does not have trials."):
        imported(theirs([]), storage=str(tmp_path / "new.db"))
    assert not (tmp_path / "new.db").exists()
    assert names(sqlite_url) == []
    assert rows(sqlite_url, "SELECT uid FROM qpsearch_leftovers") == []


@pytest.mark.parametrize("name", ["journal.log", "journal.db"])
def test_a_journal_is_told_from_a_database_by_what_it_holds(
    name: str, tmp_path: Path, imported: Callable[..., str], sqlite_url: str
) -> None:
    path = tmp_path / name
    store(JournalStorage(JournalFileBackend(str(path))), [trial(0.25), trial(0.5)])
    written = path.read_bytes()
    assert "2 trials imported" in imported(str(path))
    assert stored(sqlite_url) == [(0, "COMPLETE", 0.25), (1, "COMPLETE", 0.5)]
    assert "2 trials imported" in imported(f"sqlite:///{path}", study="again")
    assert path.read_bytes() == written
    lines = written.splitlines(keepends=True)
    for content, said in (
        (lines[0] + b"{torn\n" + b"".join(lines[1:]), "this journal cannot be read"),
        (lines[0] + b'{"op_code": 99}\n', "this journal cannot be read"),
        (b"name,value\n", "is neither an SQLite database nor a journal of Optuna's JournalStorage"),
    ):
        path.write_bytes(content)
        with pytest.raises(StorageError, match=f"{path}: {said}"):
            imported(str(path), study="third")
    with pytest.raises(StorageError, match=r"none.log: there is no database or journal at this path"):
        imported(str(tmp_path / "none.log"))


def test_a_database_of_an_earlier_optuna_gets_the_same_advice_everywhere_and_is_not_touched(
    tmp_path: Path, imported: Callable[..., str]
) -> None:
    path = tmp_path / "old.db"
    with closing(sqlite3.connect(path)) as old, old:
        old.execute("CREATE TABLE version_info (version_info_id INTEGER, schema_version INTEGER, library_version TEXT)")
        old.execute("INSERT INTO version_info VALUES (1, 12, '2.10.1')")
        old.execute("CREATE TABLE alembic_version (version_num TEXT)")
        old.execute("INSERT INTO alembic_version VALUES ('v2.6.0.a')")
        old.execute("CREATE TABLE studies (study_id INTEGER, study_name TEXT)")
    written = path.read_bytes()
    said = f"its tables were made by Optuna 2.10.1; .* upgrade them: optuna storage upgrade --storage sqlite:///{path}$"
    with pytest.raises(StorageError, match=said):
        imported(str(path))
    with pytest.raises(StorageError, match=said):
        Database.create(str(path))
    assert path.read_bytes() == written


def foreign(count: int) -> Foreign:
    """A study of so many trials, in memory."""
    storage = optuna.storages.InMemoryStorage()
    store(storage, [trial(index / count, reported=[0.1, 0.2]) for index in range(count)])
    found = storage.get_all_trials(0)
    return Foreign(name="theirs", directions=[StudyDirection.MAXIMIZE], trials=found)


def start(database: Database, space: Space, count: int = 7) -> None:
    found = foreign(count)
    import_study(database, space, fit(space, found, Matching.of(space, found)), source="test")


@pytest.fixture
def database(request: pytest.FixtureRequest, sqlite_url: str) -> Any:
    """A database of each kind."""
    postgres = None if request.param == "sqlite" else request.getfixturevalue("postgres")
    with closing(ready_database(postgres.new_database() if postgres else sqlite_url)) as database:
        yield database


def watched(database: Database, monkeypatch: pytest.MonkeyPatch, seen: Callable[[int], None]) -> None:
    """Write two trials in a transaction, and call ``seen`` with the number of the transaction before it begins."""
    monkeypatch.setattr(writing, "MOST_ROWS", 2 * (1 + 3 + 1 + 2 + 4))
    write, count = database.write, iter(range(100))

    def counted(step: Callable[[Any], Any]) -> Any:
        seen(next(count))
        return write(step)

    monkeypatch.setattr(database, "write", counted)


@pytest.mark.parametrize("database", ["sqlite", "postgresql"], indirect=True)
def test_others_write_between_the_batches_of_an_import_and_do_not_see_half_a_study(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    space, counts = parse_space(SPACE), []
    other = Database(database._url.render_as_string(hide_password=False))

    def seen(number: int) -> None:
        other.write(lambda c: c.execute(text("UPDATE version_info SET library_version = library_version")))
        assert other.read(lambda c: c.execute(text("SELECT uid FROM qpsearch_studies")).all()) == []
        counts.append(other.read(lambda c: c.execute(text("SELECT count(*) FROM trials")).scalar()))

    watched(database, monkeypatch, seen)
    with closing(other):
        start(database, space)
        assert counts[-5:] == [0, 2, 4, 6, 7]
        found = queries.frozen_trials(other, "scripted")
        assert [(each.number, each.value, each.params, each.intermediate_values) for each in found] == [
            (index, index / 7, GOOD, {1: 0.1, 2: 0.2}) for index in range(7)
        ]
        for table, expected in (("qpsearch_configs", 7), ("qpsearch_runs", 7), ("qpsearch_attempts", 7)):
            assert other.read(lambda c, t=table: c.execute(text(f"SELECT count(*) FROM {t}")).scalar()) == expected
        with pytest.raises(StudyExists):
            start(database, space)


@pytest.mark.parametrize("next_", ["run", "import"])
def test_what_a_killed_import_leaves_is_removed_by_whoever_opens_the_database_next(
    next_: str, sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    space = parse_space(SPACE)
    with closing(ready_database(sqlite_url)) as database:

        def die(number: int) -> None:
            if number == 4:
                raise KeyboardInterrupt

        with monkeypatch.context() as patch:
            watched(database, patch, die)
            patch.setattr(leftovers, "sweep", lambda *arguments, **options: [])  # a killed process does not tidy up
            with pytest.raises(KeyboardInterrupt):
                start(database, space)
        (name,) = names(sqlite_url)
        assert name.startswith("unfinished-import-")
        assert len(rows(sqlite_url, "SELECT * FROM trials")) == 4
        assert leftovers.sweep(database) == []  # its process lives
        assert names(sqlite_url) == [name]
        gone = "UPDATE qpsearch_leftovers SET process_started = process_started - 1000"
        database.write(lambda c: c.execute(text(gone)))
        monkeypatch.setattr(leftovers, "TRIALS_AT_ONCE", 3)
        if next_ == "run":
            with new_ledger(sqlite_url, space):
                pass
        else:
            start(database, space)
    assert names(sqlite_url) == ["scripted"]
    count = 7 if next_ == "import" else 0
    for table in (
        "trials",
        "trial_params",
        "trial_system_attributes",
        "qpsearch_configs",
        "qpsearch_attempts",
        "qpsearch_leases",
    ):
        per_trial = 3 if table == "trial_params" else 1
        expected = 1 if table == "qpsearch_leases" else count * per_trial
        assert len(rows(sqlite_url, f"SELECT * FROM {table}")) == expected, table
    assert rows(sqlite_url, "SELECT * FROM qpsearch_leftovers") == []


def test_an_import_that_fails_or_comes_second_leaves_nothing(sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    space = parse_space(SPACE)

    def overtake(number: int) -> None:
        if number == 4:
            with closing(ready_database(sqlite_url)) as other:
                opening.create(other, space, source="test").database.close()

    with closing(ready_database(sqlite_url)) as database:
        watched(database, monkeypatch, overtake)
        with pytest.raises(StudyExists, match="study 'scripted' already exists"):
            start(database, space)
    assert names(sqlite_url) == ["scripted"]
    assert rows(sqlite_url, "SELECT * FROM trials") == []
    assert rows(sqlite_url, "SELECT * FROM qpsearch_leftovers") == []
