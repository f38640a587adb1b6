"""A study through a real PgBouncer, which gives each session, or each transaction, one of the server's connections."""

from contextlib import closing

import pytest
from sqlalchemy import text

from qpsearch.errors import StorageAway
from qpsearch.space import Space
from qpsearch.study import queries
from qpsearch.study.storage.database import Database
from tests.helpers import new_ledger, progress, resumed_ledger, train_all
from tests.postgres import Postgres


@pytest.mark.parametrize("mode", ["session", "transaction"])
def test_two_drivers_share_a_study_behind_a_pooler(
    postgres: Postgres, mode: str, space: Space, monkeypatch: pytest.MonkeyPatch, tmp_path: object
) -> None:
    monkeypatch.chdir(str(tmp_path))
    with postgres.bouncer(mode) as behind:
        url = behind(postgres.new_database())
        Database.create(url).close()
        with new_ledger(url, space) as first, resumed_ledger(url) as second:
            for number in range(6):
                ledger = (first, second)[number % 2]
                ledger._looked = float("-inf")
                assignment = ledger.ask()
                assert assignment is not None
                assert assignment.trial == number
                train_all(ledger, assignment)
        with closing(Database.open(url)) as database:
            assert queries.summary(database, "scripted").counts == {"COMPLETE": 6}
            database.with_optuna(lambda storage: storage.get_all_studies())
            bounds = "SELECT current_setting('lock_timeout'), current_setting('idle_in_transaction_session_timeout')"
            assert database.write(lambda c: tuple(c.execute(text(bounds)).one())) == ("30s", "20s")


def test_a_pooler_that_restarts_is_waited_for(
    postgres: Postgres, space: Space, monkeypatch: pytest.MonkeyPatch, tmp_path: object
) -> None:
    monkeypatch.chdir(str(tmp_path))
    with postgres.bouncer("transaction") as behind:
        url = behind(postgres.new_study_database())
        ledger = new_ledger(url, space)
        with ledger:
            assert ledger.ask() is not None
            ledger.report(0, 1, progress(1, 0.5))
    with closing(Database(url)) as database, pytest.raises(StorageAway):
        database.read(lambda c: c.execute(text("SELECT 1")))
