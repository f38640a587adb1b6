"""``qpsearch enqueue``: a configuration of the user's own, added to a study."""

from typing import Annotated

import typer

from qpsearch.cli.options import Json, Settings, Storage, StudyArgument, print_json, settings_of
from qpsearch.display.budget import resume_command
from qpsearch.display.plain import say
from qpsearch.errors import UserError, counted
from qpsearch.runner.machine import DEFAULT_STORAGE


def enqueue(
    study: StudyArgument,
    settings: Settings = None,
    trial: Annotated[
        int | None,
        typer.Option("--trial", metavar="N", min=0, help="A trial whose values are taken where no others are given."),
    ] = None,
    storage: Storage = DEFAULT_STORAGE,
    as_json: Json = False,
) -> None:
    """Add a configuration of your own to a study, also while it runs.

    The next free worker trains it as a trial of the study, which pruner and sampler see. What is not given is drawn by
    the study's sampler. A study whose trials are used up gets one more.

    Examples:
        qpsearch enqueue digits --set network.stages.*.block=quotient
        qpsearch enqueue digits --trial 12 --set training.optimizer.sgd.lr=0.05
    """
    from qpsearch.runner.tool_documents import EnqueueDocument
    from qpsearch.study import queries
    from qpsearch.study.planning.enqueueing import enqueue as add
    from qpsearch.study.storage.database import Database

    values = settings_of(settings)
    if not values and trial is None:
        raise UserError("give a value (--set PATH=VALUE) or a trial to repeat (--trial N).")
    for path, value in values.items():
        if isinstance(value, list | dict):
            raise UserError(f"--set {path}: expected a value, not a list or mapping.")
    added = add(storage, study, values, like=trial)
    if as_json:
        print_json(EnqueueDocument.of(added).to_dict())
        return
    drawn = f"; the budget is now {counted(added.trials, 'trial')}" if added.is_extra else ""
    database = Database.open(storage)
    command = resume_command(study, queries.summary(database, study).reached, queries.stop_reached(database, study))
    how = "a driver that runs takes it next" if added.has_driver else f"train it: {command}"
    say(f"trial {added.number} of {study} waits{drawn}; {how}")
