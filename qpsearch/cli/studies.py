"""``qpsearch run`` and ``qpsearch resume``."""

import contextlib
import sys
from collections.abc import Callable
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from qpsearch.cli import trainer
from qpsearch.cli.main import INTERRUPTED
from qpsearch.cli.options import (
    DEFAULT_STORAGE,
    Storage,
    StudyName,
    checked_name,
    data_folder,
    existing_studies,
    has_gpu,
    prepare_data,
)
from qpsearch.cli.progress import Progress, budget_text, progress
from qpsearch.cli.sinks import Sink, Sinks, open_sinks
from qpsearch.errors import StorageError, StorageOutdated, StudyExists, StudyMismatch, UserError
from qpsearch.points import check_feasible, on_the_grid
from qpsearch.records import Budget
from qpsearch.space import Space, diff, load_space
from qpsearch.space.space import Resources

if TYPE_CHECKING:
    from qpsearch.dispatch.interrupt import Interrupt
    from qpsearch.study.events import Event
    from qpsearch.study.ledger import Ledger
    from qpsearch.study.opening import Opened
    from qpsearch.study.storage import Database

STOPPING = "stopping: running trials end at their next report, in 30 s at the latest; Ctrl-C again stops at once"


class Dispatcher(StrEnum):
    """Who places trials."""

    TUNE = "tune"
    INLINE = "inline"


Trials = Annotated[
    int | None, typer.Option(min=1, max=10_000_000, help="Budget in trials, over all restarts and drivers.")
]
Epochs = Annotated[int | None, typer.Option(min=1, max=2**53, help="Budget in epochs of all trials together.")]
Time = Annotated[str | None, typer.Option(help="Budget in wall time: 90m, 12h, 2d.", metavar="TIME")]
GpuHours = Annotated[float | None, typer.Option(min=0, max=1e9, help="Budget in hours of one GPU.")]
Concurrent = Annotated[
    int | None, typer.Option(min=1, max=100_000, help="Trials at once; the default fills the machine.")
]
Gpus = Annotated[float | None, typer.Option(min=0, max=1024, help="GPUs a trial; 0.5 packs two on one.")]
Cpus = Annotated[int | None, typer.Option(min=1, max=1024, help="CPU cores a trial.")]
Address = Annotated[str | None, typer.Option(help="A running Ray cluster: auto, or host:port.", metavar="ADDRESS")]
Artifacts = Annotated[
    str | None,
    typer.Option(
        envvar="QPSEARCH_ARTIFACTS",
        help="Where checkpoints go: a folder that all nodes share, or s3://..., gs://...",
        metavar="URI",
    ),
]
SinkNames = Annotated[
    list[str] | None,
    typer.Option(help="Also show curves in tensorboard[:FOLDER] or wandb[:PROJECT].", metavar="SINK"),
]
Dispatch = Annotated[Dispatcher, typer.Option(help="tune: Ray Tune. inline: one trial at a time, without Ray.")]


def run(
    space: Annotated[str, typer.Argument(help="A space file, or the name of a shipped space.", metavar="SPACE")],
    study: Annotated[str | None, typer.Option(help="Name of the study, in place of the file's.")] = None,
    trials: Trials = None,
    epochs: Epochs = None,
    time: Time = None,
    gpu_hours: GpuHours = None,
    seed: Annotated[
        int | None, typer.Option(min=0, max=2**31 - 1, help="Seed of the search, in place of the file's.")
    ] = None,
    concurrent: Concurrent = None,
    gpus: Gpus = None,
    cpus: Cpus = None,
    address: Address = None,
    dispatch: Dispatch = Dispatcher.TUNE,
    artifacts: Artifacts = None,
    sink: SinkNames = None,
    join: Annotated[
        bool, typer.Option("--join", help="Where the study exists already, join it or go on with it.")
    ] = False,
    storage: Storage = DEFAULT_STORAGE,
) -> None:
    """Start a study. One Ctrl-C stops it softly, and `qpsearch resume` goes on with it."""
    from qpsearch.study import opening
    from qpsearch.study.storage import Database

    asked = _budget_change(trials, epochs, time, gpu_hours)
    loaded = load_space(space).with_search(study=checked_name(study), seed=seed)
    check_feasible(loaded)
    asked = _on_the_grid(loaded, asked)
    loaded = _with_resources(loaded.with_search(budget=asked(loaded.search.budget)), concurrent, gpus, cpus)
    folder = data_folder(loaded.data.dataset)
    root = None if artifacts is None else checked_artifacts(artifacts)
    if loaded.study in existing_studies(storage) and not join:
        raise StudyExists(opening.exists_message(loaded.study))
    sinks = open_sinks(sink or [], loaded.study)
    prepare_data(loaded.data.dataset, folder)
    database = Database.create(storage)
    try:
        opened = opening.create(database, loaded, source=space, artifacts=root)
    except StudyExists:
        if not join:
            raise
        refuse_other(database, loaded)
        _refuse_other_artifacts(database, loaded.study, root)
        opened = opening.resume(database, loaded.study, budget=asked, wait=_tell_wait)
    is_new = not opened.ended and not opened.open and not opened.others
    _drive(opened, loaded.resources, folder, dispatch, address, sinks, is_new=is_new)


def resume(
    study: StudyName,
    space: Annotated[
        Path | None, typer.Option(help="Check first that this file still means the same study.", metavar="FILE")
    ] = None,
    trials: Trials = None,
    epochs: Epochs = None,
    time: Time = None,
    gpu_hours: GpuHours = None,
    concurrent: Concurrent = None,
    gpus: Gpus = None,
    cpus: Cpus = None,
    address: Address = None,
    dispatch: Dispatch = Dispatcher.TUNE,
    take_over: Annotated[
        bool,
        typer.Option("--take-over", help="Take all open trials at once, also those of a host that may still live."),
    ] = False,
    sink: SinkNames = None,
    storage: Storage = DEFAULT_STORAGE,
) -> None:
    """Go on with a study after Ctrl-C, a crash or a power cut, with a larger budget, or beside other drivers."""
    from qpsearch.study import opening
    from qpsearch.study.reading import space_of
    from qpsearch.study.storage import Database

    asked = _budget_change(trials, epochs, time, gpu_hours)
    try:
        reader = Database.open(storage)
    except StorageOutdated:
        reader = Database.create(storage)
    stored = space_of(reader, study)
    if trials is not None or epochs is not None:
        _check_larger(reader, study, trials, epochs)
    asked = _on_the_grid(stored, asked)
    if space is not None:
        refuse_other(reader, load_space(space).with_search(study=study))
    reader.close()
    folder = data_folder(stored.data.dataset)
    prepare_data(stored.data.dataset, folder)
    loaded = _with_resources(stored, concurrent, gpus, cpus)
    sinks = open_sinks(sink or [], study)
    database = Database.create(storage)
    opened = opening.resume(database, study, budget=asked, take_over=take_over, wait=_tell_wait)
    _drive(opened, loaded.resources, folder, dispatch, address, sinks, is_new=False)


def _check_larger(database: "Database", study: str, trials: int | None, epochs: int | None) -> None:
    """Refuse a budget that is below what was spent already."""
    from qpsearch.study.reading import summary

    spent = summary(database, study)
    ended = sum(count for state, count in spent.counts.items() if state != "RUNNING")
    for word, asked, done in (("trials", trials, ended), ("epochs", epochs, spent.epochs)):
        if asked is not None and asked < done:
            raise UserError(f"--{word} {asked}: study {study} has {done} {word} behind it. Expected at least as many.")


def _on_the_grid(space: Space, change: Callable[[Budget], Budget]) -> Callable[[Budget], Budget]:
    """Return a change of the budget that asks a grid for no more trials than it has points; say so where it matters.

    The points are counted here, not when the change is made: that is in a transaction.
    """
    most = on_the_grid(space, Budget(trials=sys.maxsize)).trials
    if change(space.search.budget).trials > most:
        print(f"study {space.study}: a grid of {most} points, each taken once; more seeds: search.replicates")

    def within(stored: Budget) -> Budget:
        wanted = change(stored)
        return wanted.updated(trials=min(wanted.trials, most))

    return within


def _drive(
    opened: "Opened",
    resources: Resources,
    folder: Path | None,
    dispatch: Dispatcher,
    address: str | None,
    sinks: list[Sink],
    *,
    is_new: bool,
) -> None:
    """Run an opened study to its end, or to the user's, and say how it ended."""
    from qpsearch.dispatch.interrupt import Interrupt
    from qpsearch.study.ledger import Ledger

    closed, best = opened.so_far()
    display = progress(opened.space, closed, best)
    shown = Sinks(sinks, display.say)

    def listen(event: "Event") -> None:
        display.see(event)
        shown.see(event)

    with (
        display,
        contextlib.closing(shown),
        Ledger(opened, listen) as ledger,
        Interrupt(lambda: display.say(STOPPING)) as interrupt,
    ):
        ledger.wait_until(lambda: interrupt.expired)
        for other in opened.others:
            display.say(f"joins {other}, which works on this study too")
        try:
            _dispatch(ledger, resources, folder, dispatch, address, interrupt, display)
        except UserError as error:
            if is_new and not isinstance(error, StorageError):
                ledger.discard()
            raise
        finished, elsewhere, spent = ledger.finished, ledger.elsewhere, ledger.spent
    _say_end(opened, display, elsewhere, spent)
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

    def bench(device: str, gpus: float) -> Bench:
        ledger.gpus = gpus
        return Bench(
            trainer=trainer.train,
            checkpoints=ledger.checkpoints.root,
            data_folder=None if folder is None else str(folder),
            device=device,
            threads=resources.cpus,
            report_timeout_s=resources.report_timeout_s,
            memory_share=min(gpus, 1.0) if device == "cuda" else 1.0,
        )

    if dispatch is Dispatcher.INLINE:
        from qpsearch.dispatch import inline

        display.say(_plan(ledger, "one at a time, inline"))
        wants_gpu = has_gpu() if resources.gpus is None else resources.gpus > 0
        inline.run(ledger, bench("cuda", 1.0) if wants_gpu else bench("cpu", 0.0), interrupt)
        return
    from qpsearch.dispatch import tune
    from qpsearch.dispatch.cluster import connected

    with connected(resources, address) as cluster:
        cluster.prepare_nodes(ledger.space.data.dataset, folder)
        if resources.gpus is None and cluster.gpus == 1:
            from qpsearch.dispatch.packing import pack

            cluster, said = pack(
                cluster, ledger.space, bench(cluster.device, 1.0), trainer.measure, lambda: interrupt.requested
            )
            display.say(said)
        display.say(_plan(ledger, str(cluster)))
        equipment = bench(cluster.device, cluster.gpus)
        tune.run(ledger, equipment, interrupt, cpus=cluster.cpus, gpus=cluster.gpus, slots=cluster.slots)


def _plan(ledger: "Ledger", how: str) -> str:
    search, epochs = ledger.space.search, ledger.space.most_epochs
    runs = f"{search.replicates} runs of " if search.replicates > 1 else ""
    return (
        f"study {ledger.name}: {budget_text(ledger.budget)} of {runs}at most {epochs} epochs, {how}; "
        f"sampler {search.sampler}, pruner {search.pruner}, seed {search.seed}"
    )


def _say_end(opened: "Opened", display: Progress, elsewhere: int, spent: str | None) -> None:
    tally = display.tally
    counts = ", ".join(f"{count} {state}" for state, count in sorted(tally.states.items())) or "none"
    display.say(
        f"study {opened.name}: {tally.closed} of {tally.asked} trials ended, in this run {counts}; {tally.best_text()}"
    )
    if spent is not None and tally.closed < tally.asked:
        display.say(
            f"the budget of {spent} is spent; a larger one goes on: qpsearch resume {opened.name}, with --epochs, "
            "--time or --gpu-hours"
        )
    elif elsewhere and tally.closed + elsewhere == tally.asked:
        text = "1 trial is" if elsewhere == 1 else f"{elsewhere} trials are"
        display.say(f"{text} still run by other drivers of the study, who end it")
    elif tally.closed < tally.asked:
        display.say(f"stopped; go on with: qpsearch resume {opened.name}")
    elif tally.best is None:
        display.say(f"no trial is complete; why: qpsearch trials {opened.name}")
    else:
        display.say(
            f"the best of many is optimistic until it is trained again on fresh seeds\n"
            f"look further: qpsearch best {opened.name}; qpsearch importance {opened.name}"
        )


def _with_resources(space: Space, concurrent: int | None, gpus: float | None, cpus: int | None) -> Space:
    own = space.resources
    resources = replace(
        own,
        concurrent=own.concurrent if concurrent is None else concurrent,
        gpus=own.gpus if gpus is None else gpus,
        cpus=own.cpus if cpus is None else cpus,
    )
    return replace(space, resources=resources)


def _budget_change(
    trials: int | None, epochs: int | None, time: str | None, gpu_hours: float | None
) -> Callable[[Budget], Budget]:
    """Return what the flags make of a budget."""
    from qpsearch.space.kinds import Duration

    try:
        seconds = None if time is None else float(str(Duration().parse(time, "time")))
    except ValueError as error:
        raise UserError(f"--time: {error}") from None
    gpu_seconds = None if gpu_hours is None else 3600 * gpu_hours

    def change(stored: Budget) -> Budget:
        return stored.updated(trials=trials, epochs=epochs, seconds=seconds, gpu_seconds=gpu_seconds)

    return change


def checked_artifacts(given: str) -> str:
    """Return a path as an absolute one and a URI as it is; raises ArtifactError where it cannot be used."""
    from qpsearch.artifacts import open_artifacts

    open_artifacts(given)
    return given if "://" in given else str(Path(given).expanduser().absolute())


def _refuse_other_artifacts(database: "Database", study: str, given: str | None) -> None:
    """Raise StudyMismatch where a study keeps its checkpoints elsewhere than was asked."""
    from qpsearch.study.reading import artifacts_of

    stored = artifacts_of(database, study)
    if given is not None and given != stored:
        raise StudyMismatch(
            f"study {study!r} keeps its checkpoints in {stored or 'the folder beside its database'}, not in {given}. "
            "Join it without --artifacts and QPSEARCH_ARTIFACTS, or with the same."
        )


def refuse_other(database: "Database", given: Space) -> None:
    """Raise StudyMismatch where the stored study means something else than a space."""
    from qpsearch.study.reading import space_of

    stored = space_of(database, given.study)
    changes = diff(stored, given)
    if changes:
        raise StudyMismatch(
            f"study {stored.study!r} was made from another space:\n  "
            + "\n  ".join(changes)
            + f"\nGo on with its own space (qpsearch resume {stored.study}), or start this one as a study of its own: "
            "qpsearch run FILE --study NAME."
        )


def _tell_wait(left_s: float) -> None:
    """Count down: in one line on a terminal, every ten seconds in a log."""
    if sys.stdout.isatty():
        print(f"\rits driver is on another host and silent; taken over in {left_s:3.0f} s ", end="", flush=True)
    elif round(left_s) % 10 == 0:
        print(f"its driver is on another host and silent; taken over in {left_s:.0f} s", flush=True)
