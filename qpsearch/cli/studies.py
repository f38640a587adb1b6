"""``qpsearch run`` and ``qpsearch resume``."""

from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from qpsearch.cli import trainer
from qpsearch.cli.options import (
    DEFAULT_STORAGE,
    Storage,
    StudyName,
    data_folder,
    existing_studies,
    has_gpu,
    prepare_data,
)
from qpsearch.cli.progress import Progress, progress
from qpsearch.errors import StorageError, StorageOutdated, StudyExists, StudyMismatch, UserError
from qpsearch.space import Space, diff, load_space
from qpsearch.space.space import Resources

if TYPE_CHECKING:
    from qpsearch.dispatch.interrupt import Interrupt
    from qpsearch.study.ledger import Ledger
    from qpsearch.study.opening import Opened

INTERRUPTED = 130
STOPPING = "stopping: running trials end at their next report, in 30 s at the latest; Ctrl-C again stops at once"


class Dispatcher(StrEnum):
    """Who places trials."""

    TUNE = "tune"
    INLINE = "inline"


Trials = Annotated[int | None, typer.Option(min=1, help="Budget in trials, in place of the file's.")]
Concurrent = Annotated[int | None, typer.Option(min=1, help="Trials at once; the default fills the machine.")]
Gpus = Annotated[float | None, typer.Option(min=0, help="GPUs a trial; 0.5 packs two on one.")]
Cpus = Annotated[int | None, typer.Option(min=1, help="CPU cores a trial.")]
Address = Annotated[str | None, typer.Option(help="A running Ray cluster: auto, or host:port.", metavar="ADDRESS")]
Dispatch = Annotated[Dispatcher, typer.Option(help="tune: Ray Tune. inline: one trial at a time, without Ray.")]


def run(
    space: Annotated[Path, typer.Argument(help="A space file.", metavar="SPACE")],
    study: Annotated[str | None, typer.Option(help="Name of the study, in place of the file's.")] = None,
    trials: Trials = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Seed of the search, in place of the file's.")] = None,
    concurrent: Concurrent = None,
    gpus: Gpus = None,
    cpus: Cpus = None,
    address: Address = None,
    dispatch: Dispatch = Dispatcher.TUNE,
    storage: Storage = DEFAULT_STORAGE,
) -> None:
    """Start a study. One Ctrl-C stops it softly, and `qpsearch resume` goes on with it."""
    from qpsearch.study import opening
    from qpsearch.study.storage import Database

    loaded = _with_resources(
        load_space(space).with_search(study=_checked_name(study), trials=trials, seed=seed), concurrent, gpus, cpus
    )
    folder = data_folder(loaded.data.dataset)
    if loaded.study in existing_studies(storage):
        raise StudyExists(opening.exists_message(loaded.study))
    prepare_data(loaded.data.dataset, folder)
    opened = opening.create(Database.create(storage), loaded, source=str(space))
    _drive(opened, loaded.resources, folder, dispatch, address, is_new=True)


def resume(
    study: StudyName,
    space: Annotated[
        Path | None, typer.Option(help="Check first that this file still means the same study.", metavar="FILE")
    ] = None,
    trials: Trials = None,
    concurrent: Concurrent = None,
    gpus: Gpus = None,
    cpus: Cpus = None,
    address: Address = None,
    dispatch: Dispatch = Dispatcher.TUNE,
    storage: Storage = DEFAULT_STORAGE,
) -> None:
    """Go on with a study after Ctrl-C, a crash or a power cut, or with a larger budget."""
    from qpsearch.study import opening
    from qpsearch.study.reading import space_of
    from qpsearch.study.storage import Database

    try:
        reader = Database.open(storage)
    except StorageOutdated:
        reader = Database.create(storage)
    stored = space_of(reader, study)
    reader.close()
    if space is not None:
        _refuse_other(stored, load_space(space))
    folder = data_folder(stored.data.dataset)
    prepare_data(stored.data.dataset, folder)
    loaded = _with_resources(stored, concurrent, gpus, cpus)
    opened = opening.resume(Database.create(storage), study, asked=trials, wait=_tell_wait)
    _drive(opened, loaded.resources, folder, dispatch, address, is_new=False)


def _drive(
    opened: "Opened",
    resources: Resources,
    folder: Path | None,
    dispatch: Dispatcher,
    address: str | None,
    *,
    is_new: bool,
) -> None:
    """Run an opened study to its end, or to the user's, and say how it ended."""
    from qpsearch.dispatch.interrupt import Interrupt
    from qpsearch.study.ledger import Ledger

    closed, best = opened.so_far()
    display = progress(opened.space, opened.asked, closed, best)
    with display, Ledger(opened, display.see) as ledger, Interrupt(lambda: display.say(STOPPING)) as interrupt:
        try:
            _dispatch(ledger, resources, folder, dispatch, address, interrupt, display)
        except UserError as error:
            if is_new and not isinstance(error, StorageError):
                ledger.discard()
            raise
        finished = ledger.finished
    _say_end(opened, display)
    if not finished:
        raise typer.Exit(INTERRUPTED)
    if display.tally.best is None:
        raise typer.Exit(1)


def _dispatch(
    ledger: "Ledger",
    resources: Resources,
    folder: Path | None,
    dispatch: Dispatcher,
    address: str | None,
    interrupt: "Interrupt",
    display: Progress,
) -> None:
    from qpsearch.dispatch.worker import Bench

    def bench(device: str) -> Bench:
        return Bench(
            trainer=trainer.train,
            checkpoints=str(ledger.checkpoints.root),
            data_folder=None if folder is None else str(folder),
            device=device,
            threads=resources.cpus,
            memory_format="channels_last" if device == "cuda" else "contiguous",
            report_timeout_s=resources.report_timeout_s,
        )

    if dispatch is Dispatcher.INLINE:
        from qpsearch.dispatch import inline

        display.say(_plan(ledger, "one at a time, inline"))
        wants_gpu = has_gpu() if resources.gpus is None else resources.gpus > 0
        inline.run(ledger, bench("cuda" if wants_gpu else "cpu"), interrupt)
        return
    from qpsearch.dispatch import tune
    from qpsearch.dispatch.cluster import connected

    with connected(resources, address) as cluster:
        display.say(_plan(ledger, str(cluster)))
        cluster.prepare_nodes(ledger.space.data.dataset, folder)
        tune.run(ledger, bench(cluster.device), interrupt, cpus=cluster.cpus, gpus=cluster.gpus, slots=cluster.slots)


def _plan(ledger: "Ledger", how: str) -> str:
    search, epochs = ledger.space.search, ledger.space.most_epochs
    runs = f"{search.replicates} runs of " if search.replicates > 1 else ""
    return (
        f"study {ledger.name}: {ledger.asked} trials of {runs}at most {epochs} epochs, {how}; "
        f"sampler {search.sampler}, pruner {search.pruner}, seed {search.seed}"
    )


def _say_end(opened: "Opened", display: Progress) -> None:
    tally = display.tally
    counts = ", ".join(f"{count} {state}" for state, count in sorted(tally.states.items())) or "none"
    display.say(f"study {opened.name}: {tally.closed} of {tally.asked} trials ended, now {counts}; {tally.best_text()}")
    if tally.closed < tally.asked:
        display.say(f"stopped; go on with: qpsearch resume {opened.name}")
    elif tally.best is None:
        display.say(f"no trial is complete; why: qpsearch trials {opened.name}")
    else:
        display.say(
            f"the best of many is optimistic until it is trained again on fresh seeds\n"
            f"look further: qpsearch best {opened.name}; qpsearch importance {opened.name}"
        )


def _checked_name(study: str | None) -> str | None:
    from qpsearch.space.kinds import StudyName as Kind

    try:
        return None if study is None else str(Kind().parse(study, "study"))
    except ValueError as error:
        raise UserError(f"--study: {error}") from None


def _with_resources(space: Space, concurrent: int | None, gpus: float | None, cpus: int | None) -> Space:
    own = space.resources
    resources = replace(
        own,
        concurrent=own.concurrent if concurrent is None else concurrent,
        gpus=own.gpus if gpus is None else gpus,
        cpus=own.cpus if cpus is None else cpus,
    )
    return replace(space, resources=resources)


def _refuse_other(stored: Space, given: Space) -> None:
    changes = diff(stored, given)
    if changes:
        raise StudyMismatch(
            f"study {stored.study!r} was made from another space:\n  "
            + "\n  ".join(changes)
            + "\nResume it without --space, or start this space as a study of its own: qpsearch run FILE --study NAME."
        )


def _tell_wait(left_s: float) -> None:
    print(f"its driver is on another host; gone for sure in {left_s:.0f} s", flush=True)
