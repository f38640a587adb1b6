"""Whether the studies of ``search.warm_start`` have anything that a space can take from them."""

from sqlalchemy import Connection

from qpsearch.space import Space
from qpsearch.study.drivers.stored import find_study, stored_space
from qpsearch.study.search.warm_start import warm_points
from qpsearch.study.storage.database import Database
from qpsearch.study.storage.optuna_tables import read_trials
from qpsearch.study.storage.tables import facts_of


def useless_warm_starts(database: Database, space: Space) -> list[str]:
    """Say of which studies of ``search.warm_start`` no trial fits a space, a sentence each.

    Raises:
        StudyNotFound: One of them is not in the database.
    """

    def query(connection: Connection) -> list[str]:
        found = []
        for name in space.search.warm_start:
            study = find_study(connection, name)
            earlier, trials = stored_space(facts_of(connection, study), name), read_trials(connection, study)
            if not warm_points(space, earlier, trials):
                lacks = "a value of a parameter that this space searches" if trials else "a trial"
                found.append(f"search.warm_start: study {name!r} does not have {lacks}, so nothing is taken from it")
        return found

    return database.read(query) if space.search.warm_start else []
