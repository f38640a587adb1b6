"""A file that leaves sampler and pruner to auto goes on meaning the study that it made."""

import pytest

from qpsearch.errors import StudyMismatch
from qpsearch.runner.refusals import refuse_other
from qpsearch.space import edited, parse_space
from qpsearch.study.storage.database import Database
from tests.helpers import new_ledger
from tests.scripted import Behaviour, space_text


def test_what_auto_stood_for_is_no_difference(sqlite_url: str) -> None:
    text = space_text(Behaviour.IMPROVES, sampler="auto", pruner="auto")
    with new_ledger(sqlite_url, parse_space(text)) as ledger:
        older = "UPDATE qpsearch_studies SET sampler = 'tpe', pruner = 'hyperband'"  # the defaults of earlier versions
        ledger._database.write(lambda c: c.exec_driver_sql(older))
    database = Database.open(sqlite_url)
    refuse_other(database, parse_space(text))
    with pytest.raises(StudyMismatch, match=r"search\.pruner: hyperband -> asha"):
        refuse_other(database, parse_space(edited(text, {"search.pruner": "asha"})))
    database.close()
