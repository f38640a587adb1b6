"""Which trials are read, in which order: those that are shown, and no others."""

import math
from contextlib import closing
from typing import Any

import pytest
from sqlalchemy import Engine, event, text

from qpsearch.errors import StorageDamaged
from qpsearch.protocol import Failed
from qpsearch.space import parse_space
from qpsearch.study import queries
from qpsearch.vocabulary import FailReason, Order
from tests.helpers import new_ledger, progress, ready_database
from tests.scripted import Behaviour, space_text

VALUES = [0.5, math.inf, 0.9, None, 0.7, 0.9]  # by number; None fails


def test_the_first_trials_of_an_order_are_read_without_the_others(url: str) -> None:
    space = parse_space(space_text(Behaviour.IMPROVES, epochs=2, trials=7, pruner="none"))
    with new_ledger(url, space) as ledger:
        for number, value in enumerate(VALUES):
            assert ledger.ask() is not None
            ledger.report(number, 1, progress(1, 0.1))
            if value is None:
                ledger.fail(number, 1, Failed(reason=FailReason.DIVERGED, detail="scripted"))
            else:
                ledger.report(number, 1, progress(2, value))
        assert ledger.ask() is not None
        with closing(ready_database(url)) as database:
            assert queries.state_counts(database, "scripted") == {
                "COMPLETE": 5,
                "FAIL": 1,
                "RUNNING": 1,
                "WAITING": 0,
                "PAUSED": 0,
            }
    with closing(ready_database(url)) as database:
        assert queries.state_counts(database, "scripted") == {
            "COMPLETE": 5,
            "FAIL": 1,
            "RUNNING": 0,
            "WAITING": 1,
            "PAUSED": 0,
        }
        database.write(lambda c: c.execute(text("UPDATE qpsearch_attempts SET seconds = (trial_id * 3) % 7")))

        def numbers(order: Order, top: int | None = None, states: tuple[str, ...] = ()) -> list[int]:
            records = queries.trial_records(database, "scripted", order=order, top=top, states=states)
            return [record.number for record in records]

        every = {record.number: record for record in queries.trial_records(database, "scripted")}
        assert numbers(Order.VALUE) == [2, 5, 4, 0, 1, 3, 6]
        assert numbers(Order.EPOCHS) == [0, 1, 2, 4, 5, 3, 6]
        assert numbers(Order.TIME) == sorted(every, key=lambda number: (-every[number].seconds, number))
        assert numbers(Order.NUMBER, top=3) == [0, 1, 2]
        assert numbers(Order.VALUE, states=("FAIL", "RUNNING")) == [3, 6]
        database.write(
            lambda c: c.execute(text("UPDATE trial_params SET distribution_json = 'x' WHERE trial_id NOT IN (3, 6)"))
        )
        assert numbers(Order.VALUE, top=2) == [2, 5]
        with pytest.raises(StorageDamaged):
            numbers(Order.VALUE, top=3)


def test_what_is_read_of_a_study_does_not_grow_with_the_other_studies(sqlite_url: str) -> None:
    """Each table of trials is searched by an index: none is read from end to end."""
    with new_ledger(sqlite_url, parse_space(space_text(Behaviour.IMPROVES, epochs=1))) as ledger:
        assert ledger.ask() is not None
        ledger.report(0, 1, progress(1, 0.5))
    ran: dict[str, Any] = {}

    def remember(connection: Any, cursor: Any, statement: str, given: Any, context: Any, many: bool) -> None:
        ran.setdefault(statement, given)

    with closing(ready_database(sqlite_url)) as database:
        event.listen(Engine, "before_cursor_execute", remember)
        try:
            queries.summary(database, "scripted")
            queries.best_configurations(database, "scripted", trained=True)
            queries.running_records(database, "scripted")
            queries.state_counts(database, "scripted")
            for order in Order:
                queries.trial_records(database, "scripted", order=order, top=1)
        finally:
            event.remove(Engine, "before_cursor_execute", remember)
        plans = [
            row[3]
            for statement, given in ran.items()
            if statement.startswith("SELECT")
            for row in database.read(
                lambda c, s=statement, g=given: c.exec_driver_sql(f"EXPLAIN QUERY PLAN {s}", g).all()
            )
        ]
    scanned = {plan.split()[1] for plan in plans if plan.startswith("SCAN")}
    assert len(plans) > 20
    assert not {name for name in scanned if name.startswith(("trial", "qpsearch"))}, scanned
