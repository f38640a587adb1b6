"""Running a study from its start, or from where it stopped: one way for Python programs and the command line.

Nothing is printed and no option is parsed here: whoever calls gives a listener, which is told everything as events.
"""

import contextlib
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from qpsearch.architecture.candidates import check_feasible, on_the_grid
from qpsearch.artifacts import open_artifacts
from qpsearch.dispatch import inline
from qpsearch.dispatch.interrupt import Interrupt
from qpsearch.dispatch.worker import WorkerSetup
from qpsearch.errors import StorageEmpty, StorageError, StorageOutdated, StudyExists, StudyMismatch, UserError
from qpsearch.runner import trainer
from qpsearch.runner.machine import data_folder, has_gpu, prepare_data
from qpsearch.runner.sinks import Sinks, open_sinks
from qpsearch.space import Space, diff, load_space
from qpsearch.space.space import Budget, Resources
from qpsearch.study import opening, queries
from qpsearch.study.ledger import Ledger, Listener
from qpsearch.study.opening import Opened
from qpsearch.study.storage.database import Database
from qpsearch.study.trials.events import Dispatching, Event, Noted, Preparing, StudyOpened, Waiting
from qpsearch.vocabulary import Dispatcher, WithWords

STOPPING: Final = (
    "stopping: running trials finish their epoch, or are stopped in 30 s\n"
    "the study can be resumed; Ctrl-C again: stop now"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Overrides:
    """What a caller sets in place of the space's own budget and resources; None leaves each as it is.

    Attributes:
        trials: Budget in trials, over all restarts and drivers.
        epochs: Budget in epochs of all trials together.
        seconds: Budget in wall time.
        gpu_seconds: Budget in seconds of one GPU.
        concurrent: Trials at once.
        gpus: GPUs a trial, or the share of one.
        cpus: Cores a trial.
    """

    trials: int | None = None
    epochs: int | None = None
    seconds: float | None = None
    gpu_seconds: float | None = None
    concurrent: int | None = None
    gpus: float | None = None
    cpus: int | None = None

    def budget(self, own: Budget) -> Budget:
        """Return a budget with these bounds in it."""
        return own.updated(trials=self.trials, epochs=self.epochs, seconds=self.seconds, gpu_seconds=self.gpu_seconds)

    def resources(self, own: Resources) -> Resources:
        """Return resources with these in them."""
        given = {"concurrent": self.concurrent, "gpus": self.gpus, "cpus": self.cpus}
        return replace(own, **{name: value for name, value in given.items() if value is not None})  # type: ignore[arg-type]  # each of its field's type


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement(WithWords):
    """Who places trials, and where.

    Attributes:
        dispatcher: Ray Tune, or one trial at a time without Ray.
        address: A running Ray cluster, ``auto`` or ``host:port``; None for a Ray of this machine alone.
    """

    dispatcher: Dispatcher = Dispatcher.TUNE
    address: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How running a study ended.

    Attributes:
        name: The study's.
        is_finished: Whether nothing is left to do; else the user stopped it.
        elsewhere: Open trials that other drivers run.
        spent: Which bound of the budget but that on trials is met, in words; None where there is room.
    """

    name: str
    is_finished: bool
    elsewhere: int
    spent: str | None


def run(
    space: Space,
    *,
    storage: str,
    source: str = "",
    overrides: Overrides = Overrides(),
    placement: Placement = Placement(),
    artifacts: str | None = None,
    sinks: Sequence[str] = (),
    join: bool = False,
    listen: Listener = lambda event: None,
) -> Outcome:
    """Make a study of a space, and run it until its budget is spent or the user stops it.

    Args:
        space: What is searched; its ``study`` is the name.
        storage: URL of the study database.
        source: Where the space came from, for the record.
        overrides: In place of the space's own budget and resources.
        placement: Who places trials.
        artifacts: Folder or URI below which checkpoints go; None for the folder beside an SQLite file.
        sinks: Where curves are shown, too: ``tensorboard[:FOLDER]``, ``wandb[:PROJECT]``.
        join: Join the study, or go on with it, where it exists already.
        listen: Is told what happens.

    Raises:
        StudyExists: There is a study of that name, and ``join`` is False.
        UserError: The space, the machine or the database cannot do what was asked.
    """
    check_feasible(space)
    change = _on_the_grid(space, overrides.budget, listen)
    space = replace(
        space.with_search(budget=change(space.search.budget)), resources=overrides.resources(space.resources)
    )
    folder = data_folder(space.data.dataset)
    root = None if artifacts is None else checked_artifacts(artifacts)
    if space.study in existing_studies(storage) and not join:
        raise StudyExists(opening.exists_message(space.study))
    with contextlib.closing(_sinks(sinks, space.study, listen)) as shown:
        prepare_data(space.data.dataset, folder)
        database = Database.create(storage)
        try:
            opened = opening.create(database, space, source=source, artifacts=root)
        except StudyExists:
            if not join:
                raise
            refuse_other(database, space)
            _refuse_other_artifacts(database, space.study, root)
            opened = opening.resume(database, space.study, budget=change, wait=_waiting(listen))
        is_new = not opened.ended and not opened.open and not opened.others
        return _drive(opened, space.resources, folder, placement, shown, listen, is_new=is_new)


def resume(
    name: str,
    *,
    storage: str,
    space: Space | str | Path | None = None,
    overrides: Overrides = Overrides(),
    placement: Placement = Placement(),
    sinks: Sequence[str] = (),
    take_over: bool = False,
    listen: Listener = lambda event: None,
) -> Outcome:
    """Go on with a study, or join the drivers that work on it, until its budget is spent or the user stops it.

    Args:
        name: The study's.
        storage: URL of the study database.
        space: A space, or its file, which must mean what the study's own means; None asks nothing.
        overrides: In place of the stored budget and resources.
        placement: Who places trials.
        sinks: As ``run`` has them.
        take_over: Take all open trials at once, also those of a host that may still live.
        listen: Is told what happens.

    Raises:
        StudyNotFound: There is no such study.
        StudyMismatch: The study was made from another space.
        UserError: The budget is below what was spent, or the machine or database cannot do what was asked.
    """
    try:
        reader = Database.open(storage)
    except StorageOutdated:
        reader = Database.create(storage)
    stored = queries.space_of(reader, name)
    _check_larger(reader, name, overrides)
    change = _on_the_grid(stored, overrides.budget, listen)
    if space is not None:
        given = space if isinstance(space, Space) else load_space(space)
        refuse_other(reader, given.with_search(study=name))
    reader.close()
    folder = data_folder(stored.data.dataset)
    prepare_data(stored.data.dataset, folder)
    with contextlib.closing(_sinks(sinks, name, listen)) as shown:
        opened = opening.resume(
            Database.create(storage), name, budget=change, take_over=take_over, wait=_waiting(listen)
        )
        return _drive(opened, overrides.resources(stored.resources), folder, placement, shown, listen, is_new=False)


def existing_studies(storage: str) -> list[str]:
    """Return the names of the studies in a database; none where it is not there yet, or has no tables of ours.

    Raises:
        StorageError: It is there and cannot be used.
    """
    database = Database(storage)
    if database.file is not None and not database.file.exists():
        return []
    try:
        return queries.study_names(Database.open(storage))
    except (StorageEmpty, StorageOutdated):
        return []  # opening it for writing makes or migrates the tables, and looks again


def checked_artifacts(given: str) -> str:
    """Return a path as an absolute one and a URI as it is; raises ArtifactError where it cannot be used."""
    open_artifacts(given)
    return given if "://" in given else str(Path(given).expanduser().absolute())


def refuse_other(database: Database, given: Space) -> None:
    """Raise StudyMismatch where the stored study means something else than a space."""
    stored = queries.space_of(database, given.study)
    changes = diff(stored, given)
    if changes:
        raise StudyMismatch(
            f"study {stored.study!r} was made from another space:\n  "
            + "\n  ".join(changes)
            + f"\nGo on with its own space (qpsearch resume {stored.study}), or start this one as a study of its own: "
            "qpsearch run FILE --study NAME."
        )


def _refuse_other_artifacts(database: Database, study: str, given: str | None) -> None:
    """Raise StudyMismatch where a study keeps its checkpoints elsewhere than was asked."""
    stored = queries.artifacts_of(database, study)
    if given is not None and given != stored:
        raise StudyMismatch(
            f"study {study!r} keeps its checkpoints in {stored or 'the folder beside its database'}, not in {given}. "
            "Join it without --artifacts and QPSEARCH_ARTIFACTS, or with the same."
        )


def _check_larger(database: Database, study: str, overrides: Overrides) -> None:
    """Refuse a budget that is below what was spent already."""
    if overrides.trials is None and overrides.epochs is None:
        return
    spent = queries.summary(database, study)
    ended = sum(count for state, count in spent.counts.items() if state != "RUNNING")
    for word, asked, done in (("trials", overrides.trials, ended), ("epochs", overrides.epochs, spent.epochs)):
        if asked is not None and asked < done:
            raise UserError(f"--{word} {asked}: study {study} has {done} {word} behind it. Expected at least as many.")


def _on_the_grid(space: Space, change: Callable[[Budget], Budget], listen: Listener) -> Callable[[Budget], Budget]:
    """Return a change of the budget that asks a grid for no more trials than it has points; say so where it matters.

    The points are counted here, not when the change is made: that is in a transaction.
    """
    most = on_the_grid(space, Budget(trials=sys.maxsize)).trials
    if change(space.search.budget).trials > most:
        text = f"study {space.study}: a grid of {most} points, each taken once; more seeds: search.replicates"
        listen(Noted(text=text))

    def within(stored: Budget) -> Budget:
        wanted = change(stored)
        return wanted.updated(trials=min(wanted.trials, most))

    return within


def _sinks(names: Sequence[str], study: str, listen: Listener) -> Sinks:
    return Sinks(open_sinks(names, study), lambda text: listen(Noted(text=text)))


def _waiting(listen: Listener) -> Callable[[float], None]:
    return lambda left_s: listen(Waiting(left_s=left_s))


def _drive(
    opened: Opened,
    resources: Resources,
    folder: Path | None,
    placement: Placement,
    sinks: Sinks,
    listen: Listener,
    *,
    is_new: bool,
) -> Outcome:
    """Run an opened study to its end, or to the user's; one that could not begin is taken back."""
    ended, best = opened.so_far()

    def tell(event: Event) -> None:
        listen(event)
        sinks.see(event)

    with Ledger(opened, tell) as ledger, Interrupt(lambda: listen(Noted(text=STOPPING))) as interrupt:
        ledger.wait_until(lambda: interrupt.expired)
        try:
            listen(StudyOpened(space=opened.space, ended=ended, best=best))
            for other in opened.others:
                listen(Noted(text=f"joins {other}, which works on this study too"))
            _dispatch(ledger, resources, folder, placement, interrupt, listen)
        except Exception as error:
            if is_new and not isinstance(error, StorageError):
                ledger.discard()  # unless it has trials
            raise
        return Outcome(name=opened.name, is_finished=ledger.finished, elsewhere=ledger.elsewhere, spent=ledger.spent)


def _dispatch(
    ledger: Ledger,
    resources: Resources,
    folder: Path | None,
    placement: Placement,
    interrupt: Interrupt,
    listen: Listener,
) -> None:
    def setup(device: str, gpus: float) -> WorkerSetup:
        ledger.gpus = gpus
        return WorkerSetup(
            trainer=trainer.train,
            checkpoints=ledger.checkpoints.root,
            data_folder=None if folder is None else str(folder),
            device=device,
            threads=resources.cpus,
            report_timeout_s=resources.report_timeout_s,
            memory_share=min(gpus, 1.0) if device == "cuda" else 1.0,
        )

    if placement.dispatcher is Dispatcher.INLINE:
        listen(Dispatching(how="one at a time, inline", slots=1))
        wants_gpu = has_gpu() if resources.gpus is None else resources.gpus > 0
        inline.run(ledger, setup("cuda", 1.0) if wants_gpu else setup("cpu", 0.0), interrupt)
        return
    listen(Preparing(what="starting Ray" if placement.address is None else f"joining Ray at {placement.address}"))
    from qpsearch.dispatch import tune  # Ray takes two seconds, which nothing else waits for
    from qpsearch.dispatch.cluster import connected
    from qpsearch.dispatch.packing import pack

    with connected(resources, placement.address) as cluster:
        cluster.prepare_nodes(ledger.space.data.dataset, folder)
        if resources.gpus is None and cluster.gpus == 1:
            listen(Preparing(what="measuring how many trials fit on a GPU"))
            cluster, said = pack(
                cluster, ledger.space, setup(cluster.device, 1.0), trainer.measure, lambda: interrupt.requested
            )
            listen(Noted(text=said))
        listen(Dispatching(how=str(cluster), slots=cluster.slots))
        worker = setup(cluster.device, cluster.gpus)
        tune.run(ledger, worker, interrupt, cpus=cluster.cpus, gpus=cluster.gpus, slots=cluster.slots)
