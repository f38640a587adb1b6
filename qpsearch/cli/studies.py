"""``qpsearch studies ...``, ``export`` and ``import``: whole studies."""

import sys
import time
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from qpsearch.cli.options import Json, SpaceArgument, Storage, StudyArgument, checked_name, print_json
from qpsearch.cli.results import status
from qpsearch.display.budget import resume_command
from qpsearch.display.plain import say
from qpsearch.errors import UserError, command, counted
from qpsearch.runner.machine import DEFAULT_STORAGE
from qpsearch.space.file.loader import load_space

app = typer.Typer(help="List, rename, delete and copy studies.", invoke_without_command=True)

Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]


class ExportFormat(StrEnum):
    """What ``export`` writes."""

    CSV = "csv"
    PARQUET = "parquet"
    JSON = "json"
    OPTUNA = "optuna"


@app.callback()
def _list(context: typer.Context, storage: Storage = DEFAULT_STORAGE, as_json: Json = False) -> None:
    asked = context.invoked_subcommand
    if asked is None:
        status(None, storage=storage, as_json=as_json)
        return
    source = context.get_parameter_source("storage")
    if source is not None and source.name == "COMMANDLINE":  # else what is deleted would be in another database
        raise UserError(f"--storage stands before {asked}. Write it after: {command('studies', asked, 'STUDY')}.")
    if as_json:
        raise UserError(f"--json stands before {asked}, and is for the list of studies alone. Leave it out.")


@app.command("rename")
def rename(
    study: StudyArgument,
    new: Annotated[str, typer.Argument(help="Its new name.", metavar="NEW")],
    storage: Storage = DEFAULT_STORAGE,
) -> None:
    """Give a study another name.

    Examples:
        qpsearch studies rename digits first-try
    """
    from qpsearch.study import manage
    from qpsearch.study.storage.database import Database

    Database.open(storage).close()  # fails if the database does not exist, so that it is not created
    manage.rename(Database.create(storage), study, str(checked_name(new, "NEW")))
    say(f"study {study} is now {new}")


@app.command("delete")
def delete(
    study: StudyArgument,
    yes: Yes = False,
    keep_checkpoints: Annotated[
        bool, typer.Option("--keep-checkpoints", help="Delete the trials alone, and leave their checkpoints.")
    ] = False,
    storage: Storage = DEFAULT_STORAGE,
) -> None:
    """Delete a study with all its trials and checkpoints.

    Examples:
        qpsearch studies delete first-try
        qpsearch studies delete first-try --yes
    """
    from qpsearch.study import manage, queries
    from qpsearch.study.storage.database import Database

    database = Database.open(storage)
    names = manage.family(database, study)
    if not yes:
        total = counted(sum(queries.trial_count(database, each) for each in names), "trial")
        also = f", with {' and '.join(map(repr, names[1:]))}," if names[1:] else ""
        if not sys.stdin.isatty():
            raise UserError(f"study {study!r}{also} has {total}. To delete them without being asked, add --yes.")
        files = "but not" if keep_checkpoints else "and"
        typer.confirm(f"Delete study {study!r}{also} and {total}, {files} their checkpoints, for good?", abort=True)
    for stays in manage.delete(Database.create(storage), study, keep_checkpoints=keep_checkpoints):
        say(f"not removed: {stays}", out=sys.stderr)
    say(f"study {study} is deleted")


@app.command("backup")
def backup(
    to: Annotated[
        Path | None, typer.Option(help="The new file; default beside the database, with the time.", metavar="FILE")
    ] = None,
    storage: Storage = DEFAULT_STORAGE,
) -> None:
    """Write a consistent copy of an SQLite database, also while studies run. Checkpoints are not copied.

    Examples:
        qpsearch studies backup
        qpsearch studies backup --to /backups/monday.db
    """
    from qpsearch.study.storage.database import Database

    database = Database.open(storage)
    beside = database.file or Path("studies/backup.db")
    target = to or beside.with_name(f"{beside.stem}-{time.strftime('%Y%m%d-%H%M%S')}{beside.suffix}")
    database.backup(target)
    say(f"backup: {target}")


@app.command("copy")
def copy(
    study: StudyArgument,
    to: Annotated[str | None, typer.Option(help="The database to copy into; default the same.", metavar="URL")] = None,
    new: Annotated[str | None, typer.Option("--as", help="The copy's name; default the same.", metavar="NAME")] = None,
    storage: Storage = DEFAULT_STORAGE,
) -> None:
    """Copy a study with its trials and checkpoints into another database, or under another name.

    Examples:
        qpsearch studies copy digits --as digits-2
        qpsearch studies copy digits --to archive.db
    """
    from qpsearch.study import manage
    from qpsearch.study.storage.database import Database

    source = Database.open(storage)
    target = Database.create(to or storage)
    name = checked_name(new, "--as") or study
    manage.copy(source, study, target, name)
    say(f"study {study} is copied to {target.shown} as {name}")


def export(
    study: StudyArgument,
    kind: Annotated[ExportFormat, typer.Option("--format", help="optuna: a database of a plain Optuna study.")],
    output: Annotated[Path, typer.Option(help="Folder to write into.", metavar="FOLDER")] = Path("studies/export"),
    storage: Storage = DEFAULT_STORAGE,
    as_json: Json = False,
) -> None:
    """Write a study's trials and epochs as tables, or as a plain Optuna study.

    Examples:
        qpsearch export digits --format csv
        qpsearch export digits --format optuna --output archive
    """
    from qpsearch.analysis.tables import TableFormat, epoch_table, trial_table, write_tables
    from qpsearch.study import queries
    from qpsearch.study.optuna_export import export_optuna
    from qpsearch.study.storage.database import Database

    database = Database.open(storage)
    records = queries.trial_records(database, study)
    try:
        if kind is ExportFormat.OPTUNA:
            paths = [export_optuna(database, study, output)]
        else:
            trials = trial_table(records, queries.space_of(database, study))
            epochs = epoch_table(queries.epoch_rows(database, study))
            paths = write_tables(trials, epochs, TableFormat(kind.value), output, study)
    except OSError as error:
        raise UserError(f"{output}: cannot be written ({error.strerror}). --output names another folder.") from None
    if as_json:
        print_json({"study": study, "files": [str(path) for path in paths]})
        return
    for path in paths:
        say(str(path))


def import_(
    space: SpaceArgument,
    origin: Annotated[
        str,
        typer.Option(
            "--from", help="Database of the Optuna study, or a journal file of its JournalStorage.", metavar="URL"
        ),
    ],
    name: Annotated[str, typer.Option("--name", help="The Optuna study's name.", metavar="NAME")],
    study: Annotated[str | None, typer.Option(help="Name of the new study, in place of the file's.")] = None,
    mapped: Annotated[
        list[str] | None, typer.Option("--map", help="A parameter's name there and here.", metavar="THEIRS=OURS")
    ] = None,
    values: Annotated[
        list[str] | None,
        typer.Option(
            "--map-value",
            help="A value there and here, of a parameter by its name there.",
            metavar="PARAM:THEIRS=OURS",
        ),
    ] = None,
    ignored: Annotated[
        list[str] | None,
        typer.Option("--ignore", help="A parameter there that the space lacks: leave it out.", metavar="PARAM"),
    ] = None,
    objective: Annotated[
        int | None,
        typer.Option(
            help="Of several objectives there, the one that is the space's first: 1, 2, ...; its costs are computed.",
            metavar="N",
        ),
    ] = None,
    storage: Storage = DEFAULT_STORAGE,
) -> None:
    """Take over the ended trials of a plain Optuna study; `qpsearch resume` then continues the study.

    Trials that do not fit the space are left out, and counted by the reason.

    Examples:
        qpsearch import mine.yaml --from optuna.db --name old
        qpsearch import mine.yaml --from journal.log --name old --ignore dropout
        qpsearch import mine.yaml --from a.db --name old --map-value width:small=16
    """
    from qpsearch.study import queries
    from qpsearch.study.optuna_import import Matching, fit, import_study, read_foreign
    from qpsearch.study.storage.database import Database

    loaded = load_space(space).with_search(study=checked_name(study))
    foreign = read_foreign(origin, name)
    matching = Matching.of(
        loaded, foreign, names=mapped or (), values=values or (), ignored=ignored or (), objective=objective
    )
    found = fit(loaded, foreign, matching)
    database = Database.create(storage)
    import_study(database, loaded, found, source=str(space))
    for line in found.lines:
        say(line)
    go_on = resume_command(loaded.study, queries.summary(database, loaded.study).reached)
    say(f"study {loaded.study}: {counted(len(found.fitted), 'trial')} imported; continue: {go_on}")
