"""The best configurations of a study. Trials of one configuration are its seeds: the luckiest of them is not its score.

Two trials have one configuration if the same text is stored for both: every setting, whatever the parameters were.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from operator import ge
from typing import Any, Final

from optuna.trial import TrialState
from sqlalchemy import ColumnElement, Connection, Row, Select, case, func, select

from qpsearch.errors import UserError, command
from qpsearch.space.search import Objective
from qpsearch.study.drivers.stored import find_study, is_confirmation, stored_space
from qpsearch.study.queries.confirmed import confirmation, fresh_seeds
from qpsearch.study.queries.trials import FINITE, records_of_study
from qpsearch.study.records import ConfigurationRecord
from qpsearch.study.storage.database import Database
from qpsearch.study.storage.tables import configs, epochs, facts_of, runs, trials, values

# A run's value: its score; of an imported trial, which does not have scores of runs, and of a cost, the trial's value.
VALUE: Final = func.coalesce(case((values.c.objective == 0, runs.c.score)), values.c.value)
FIRST: Final = func.min(trials.c.number).label("first")
MEAN: Final = func.avg(VALUE).label("value")
ROUNDING: Final = 1e-12  # by which means of the same runs may differ, relative to values above 1
TRAINED: Final = select(epochs.c.epoch).where(epochs.c.trial_id == trials.c.trial_id).exists()  # here, not imported


def best_configurations(database: Database, name: str, *, trained: bool = False) -> list[ConfigurationRecord]:
    """Return the Pareto front of the configurations of the complete trials, by the first objective, best first.

    A configuration's values are the means over all runs of its complete trials. With one objective, the front is at
    most one configuration: of equally good ones the one that was complete in the trial of the lowest number. A
    configuration with a value that is not finite (a loss that overflowed) is not on the front.

    Args:
        database: The study database.
        name: The study.
        trained: Whether only configurations count of which a trial was trained here, not imported.

    Raises:
        StudyNotFound: There is no such study.
    """

    def query(connection: Connection) -> list[ConfigurationRecord]:
        study = find_study(connection, name)
        return front_of(connection, study, stored_space(facts_of(connection, study), name).search.objectives, trained)

    return database.read(query)


def top_configurations(database: Database, name: str, count: int) -> list[ConfigurationRecord]:
    """Return the best configurations of the complete trials, best first; of several objectives, those of the front.

    Args:
        database: The study database.
        name: The study.
        count: How many at most.

    Raises:
        StudyNotFound: There is no such study.
    """

    def query(connection: Connection) -> list[ConfigurationRecord]:
        study = find_study(connection, name)
        objectives = stored_space(facts_of(connection, study), name).search.objectives
        return front_of(connection, study, objectives, top=count)[:count]

    return database.read(query)


def configurations_of(database: Database, name: str, numbers: Sequence[int]) -> list[ConfigurationRecord]:
    """Return the configurations of some trials, each once, in the order of the numbers.

    Raises:
        StudyNotFound: There is no such study.
        UserError: One of the numbers is not that of a complete trial.
    """

    def query(connection: Connection) -> list[ConfigurationRecord]:
        study = find_study(connection, name)
        rows = connection.execute(
            select(trials.c.number, configs.c.config_json)
            .join(configs, configs.c.trial_id == trials.c.trial_id)
            .where(trials.c.study_id == study, trials.c.state == TrialState.COMPLETE)
            .order_by(trials.c.number)
        ).all()
        text_of = {row.number: row.config_json for row in rows}
        first = {row.config_json: row.number for row in reversed(rows)}
        missing = [number for number in numbers if number not in text_of]
        if missing:
            raise UserError(
                f"study {name!r} does not have a complete trial {missing[0]}. List its trials: "
                f"{command('trials', name)}."
            )
        sign = stored_space(facts_of(connection, study), name).search.objective.sign
        return _records(connection, study, list(dict.fromkeys(first[text_of[number]] for number in numbers)), sign)

    return database.read(query)


def front_of(
    connection: Connection, study: int, objectives: Sequence[Objective], trained: bool = False, top: int = 1
) -> list[ConfigurationRecord]:
    """Find the front by values alone, and read no other trials; with one objective, the ``top`` best."""
    alone = _alone(connection, study, objectives[0]) if len(objectives) == top == 1 and not trained else None
    if alone is not None:
        return _with_level(
            connection, study, _records(connection, study, [alone[0]], objectives[0].sign), objectives[0], alone[1]
        )
    ranked = _means(study, trained)
    if len(objectives) == 1:  # the database sorts faster
        ranked = ranked.order_by(MEAN.desc() if objectives[0].sign > 0 else MEAN.asc(), FIRST).limit(top)
    gains: dict[int, dict[int, float]] = defaultdict(dict)
    for row in connection.execute(ranked):
        gains[row.first][row.objective] = objectives[row.objective].sign * row.value
    whole = [
        ([own[place] for place in sorted(own)], number) for number, own in gains.items() if len(own) == len(objectives)
    ]
    whole.sort(key=lambda each: ([-gain for gain in each[0]], each[1]))
    found: list[tuple[list[float], int]] = []
    for own, number in whole:  # who could beat it comes before it
        if len(objectives) == 1 or not any(other != own and all(map(ge, other, own)) for other, _ in found):
            found.append((own, number))
    if not found:
        return []
    records = _records(connection, study, [number for _, number in found], objectives[0].sign)
    if len(objectives) > 1:
        return records
    return _with_level(connection, study, records, objectives[0], objectives[0].sign * found[0][0][0], trained)


def _means(study: int, trained: bool) -> Select[int, int, float]:
    """Return a query for the mean of each configuration in each objective, with the first of its complete trials."""
    ranked = (
        select(FIRST, values.c.objective, MEAN)
        .select_from(trials)
        .join(configs, configs.c.trial_id == trials.c.trial_id)
        .join(values, values.c.trial_id == trials.c.trial_id)
        .join(runs, runs.c.trial_id == trials.c.trial_id)
        .where(trials.c.study_id == study, trials.c.state == TrialState.COMPLETE)
        .group_by(configs.c.config_json, values.c.objective)
        .having(func.count() == func.sum(case((values.c.value_type == FINITE, 1), else_=0)))
    )
    return ranked.having(func.max(case((TRAINED, 1), else_=0)) == 1) if trained else ranked


def _with_level(
    connection: Connection,
    study: int,
    records: list[ConfigurationRecord],
    objective: Objective,
    value: float,
    trained: bool = False,
) -> list[ConfigurationRecord]:
    """Count the other configurations that have the best one's value, by rounding alone more or less.

    Args:
        connection: To the database.
        study: The study.
        records: Its best configurations, the best first.
        objective: Its only objective.
        value: The best one's.
        trained: See ``best_configurations``.
    """
    bound = value - objective.sign * ROUNDING * max(1.0, abs(value))

    def reaches(column: ColumnElement[float]) -> ColumnElement[bool]:
        return column >= bound if objective.sign > 0 else column <= bound

    able = (  # a mean is at most its best trial: thousands of texts need not be grouped
        select(configs.c.config_json)
        .join(trials, trials.c.trial_id == configs.c.trial_id)
        .join(values, values.c.trial_id == trials.c.trial_id)
        .where(trials.c.study_id == study, trials.c.state == TrialState.COMPLETE)
        .where(values.c.value_type == FINITE, reaches(values.c.value))
        .distinct()
    )
    if len(connection.execute(able.limit(2)).all()) < 2:
        return records
    alike = _means(study, trained).where(configs.c.config_json.in_(able)).having(reaches(func.avg(VALUE)))
    level = len(connection.execute(alike).all()) - 1
    return [replace(records[0], level=level), *records[1:]]


def _alone(connection: Connection, study: int, objective: Objective) -> tuple[int, float] | None:
    """Return the number and value of the trial with the best value if it is the only one of its configuration.

    Then it is the best configuration, since a mean is at most its best trial: thousands of texts need not be grouped.
    """
    complete = (trials.c.study_id == study) & (trials.c.state == TrialState.COMPLETE)
    better = values.c.value.desc() if objective.sign > 0 else values.c.value.asc()
    top = connection.execute(
        select(trials.c.number, configs.c.config_json, values.c.value)
        .join(configs, configs.c.trial_id == trials.c.trial_id)
        .join(values, values.c.trial_id == trials.c.trial_id)
        .where(complete, values.c.value_type == FINITE)
        .order_by(better, trials.c.number)
        .limit(1)
    ).first()
    if top is None:
        return None
    alike = select(func.count()).select_from(trials).join(configs, configs.c.trial_id == trials.c.trial_id)
    count = connection.execute(alike.where(complete, configs.c.config_json == top.config_json)).scalar_one()
    return (int(top.number), float(top.value)) if count == 1 else None


def _records(connection: Connection, study: int, firsts: list[int], sign: float) -> list[ConfigurationRecord]:
    """Read the configurations whose first complete trials are given; ``sign`` is the first objective's."""
    complete = (trials.c.study_id == study) & (trials.c.state == TrialState.COMPLETE)
    own = (
        select(configs.c.config_json)
        .join(trials, trials.c.trial_id == configs.c.trial_id)
        .where(complete, trials.c.number.in_(firsts))
    )
    rows = connection.execute(
        select(configs.c.config_json, trials.c.trial_id, trials.c.number, runs.c.replicate, runs.c.seed)
        .add_columns(values.c.objective, VALUE.label("value"), TRAINED.label("is_trained"))
        .select_from(trials)
        .join(configs, configs.c.trial_id == trials.c.trial_id)
        .join(values, values.c.trial_id == trials.c.trial_id)
        .join(runs, runs.c.trial_id == trials.c.trial_id)
        .where(complete, configs.c.config_json.in_(own))
        .order_by(trials.c.number, runs.c.replicate, values.c.objective)
    )
    alike: dict[str, list[Row[Any]]] = defaultdict(list)
    for row in rows:
        alike[row.config_json].append(row)
    by_first = {each[0].number: each for each in alike.values()}
    ids = [by_first[number][0].trial_id for number in firsts]
    records = {record.number: record for record in records_of_study(connection, study, only=ids)}
    fresh, is_fresh = fresh_seeds(connection, facts_of(connection, study).uid), is_confirmation(connection, study)
    found = []
    for number in firsts:
        by_objective: dict[int, list[Row[Any]]] = defaultdict(list)
        for row in {(row.objective, row.seed): row for row in reversed(by_first[number])}.values():
            by_objective[row.objective].insert(0, row)  # one seed twice is one run: a grid's trials share their seeds
        scored = sorted(by_objective[0], key=lambda row: not row.is_trained)
        of_objective = tuple(sum(row.value for row in each) / len(each) for _, each in sorted(by_objective.items()))
        again = fresh.get(records[number].config_json)
        found.append(
            ConfigurationRecord(
                first=records[number],
                trials=tuple(dict.fromkeys(row.number for row in by_first[number])),
                values=of_objective,
                seeds=tuple(row.seed for row in scored if row.is_trained),
                scores=tuple(row.value for row in scored),
                is_fresh=is_fresh,
                confirmed=None if again is None else confirmation(again, of_objective[0], sign),
            )
        )
    return found
