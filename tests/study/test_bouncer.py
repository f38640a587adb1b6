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
            got = []
            for ledger in (first, second) * 6:
                ledger._looked = float("-inf")
                if (assignment := ledger.ask()) is not None:
                    got.append((assignment.trial, assignment.attempt))
                    train_all(ledger, assignment)
            assert sorted(trial for trial, attempt in got if attempt == 1) == list(range(6))
            assert max(attempt for _, attempt in got) == 2  # the best at the rung went on
        with closing(Database.open(url)) as database:
            counts = queries.summary(database, "scripted").counts
            assert set(counts) == {"COMPLETE", "PRUNED"}
            assert sum(counts.values()) == 6
            assert counts["COMPLETE"] >= sum(attempt == 2 for _, attempt in got)  # others went on without a pause
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
