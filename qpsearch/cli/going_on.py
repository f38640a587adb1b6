"""The command that goes on with a study."""

from typing import TYPE_CHECKING

from qpsearch.display.budget import resume_command
from qpsearch.errors import command

if TYPE_CHECKING:
    from qpsearch.study.storage.database import Database


def go_on_command(database: "Database", study: str) -> str:
    """Return the command that goes on with a study; with the arm of a comparison, that of the comparison.

    Raises:
        StudyNotFound: There is no such study.
    """
    from qpsearch.study import queries

    whole = queries.comparison_named(database, study)
    if whole is not None and queries.trials_of_arms(database, whole):  # the arms' searches are over
        return command("resume", whole)
    return resume_command(
        whole or study, queries.summary(database, study).reached, queries.stop_reached(database, study)
    )
