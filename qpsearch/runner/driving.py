"""Starting and resuming a study, for Python programs and the command line alike.

This module does not print or parse options: the caller gives a listener, which is called with each event.
"""

import contextlib
import sys
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Final

from qpsearch.architecture.candidates import check_feasible, on_the_grid
from qpsearch.architecture.notes import lost_guesses
from qpsearch.artifacts import check_store, parse_root
from qpsearch.dispatch import inline
from qpsearch.dispatch.interrupt import Interrupt
from qpsearch.dispatch.own_ray import begun_early
from qpsearch.dispatch.worker import WorkerSetup
from qpsearch.errors import (
    StorageEmpty,
    StorageError,
    StorageOutdated,
    StudyExists,
    UserError,
    command,
    counted,
    nearest,
)
from qpsearch.registry.datasets import Data
from qpsearch.runner import trainer
from qpsearch.runner.machine import about_images, check_gpu, data_folder, has_gpu, no_gpu, prepare_data
from qpsearch.runner.overrides import UNCHANGED, Overrides, other_resources
from qpsearch.runner.refusals import (
    exists_already,
    refuse_one_arm,
    refuse_other,
    refuse_other_artifacts,
    refuse_smaller,
)
from qpsearch.runner.sink_process import Sinks, open_sinks
from qpsearch.space import Space, load_space
from qpsearch.space.search import Budget, SpentBound
from qpsearch.space.space import Resources
from qpsearch.study import opening, queries
from qpsearch.study.ledger import Ledger, Listener
from qpsearch.study.opening import Opened
from qpsearch.study.storage.database import Database
from qpsearch.study.trials.events import Dispatching, Event, Noted, Preparing, StudyOpened, Waiting
from qpsearch.vocabulary import Dispatcher, FailReason, Fuse, WithWords, coerce_words

STOPPING: Final = (
    "stopping: running trials finish their epoch, or are stopped in 30 s\n"
    "the study can be resumed; Ctrl-C again: stop now"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement(WithWords):
    """How trials are dispatched, and where.

    Attributes:
        dispatcher: Ray Tune, or one trial at a time without Ray.
        address: A running Ray cluster, ``auto`` or ``host:port``; None to start Ray on this machine.

    Raises:
        UserError: The address is empty, or names a cluster where trials are trained here.
    """

    dispatcher: Dispatcher = Dispatcher.TUNE
    address: str | None = None

    def __post_init__(self) -> None:
        coerce_words(self)
        if self.address is not None and not self.address.strip():
            raise UserError("--address: is empty. Expected auto, or host:port of a running Ray cluster.")
        if self.address is not None and self.dispatcher is Dispatcher.INLINE:
            raise UserError(f"--address {self.address}: --dispatch inline trains here. Leave out one of the two.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How running a study ended.

    Attributes:
        name: The study's name.
        is_finished: Whether the study is finished; if False, the user stopped it.
        elsewhere: Open trials that other drivers run.
        spent: Which bound of the budget, other than the number of trials, is reached; else None.
        stopped: Which rule of ``search.stop`` holds, in words; else None.
    """

    name: str
    is_finished: bool
    elsewhere: int
    spent: SpentBound | None
    stopped: str | None


def run(
    space: Space,
    *,
    storage: str,
    source: str = "",
    overrides: Overrides = UNCHANGED,
    placement: Placement = Placement(),
    artifacts: str | None = None,
    sinks: Sequence[str] = (),
    join: bool = False,
    listen: Listener = lambda event: None,
) -> Outcome:
    """Make a study of a space, and run it until its budget is spent or the user stops it.

    Args:
        space: The space to search; its ``study`` is the study's name.
        storage: URL of the study database.
        source: Where the space came from, for the record.
        overrides: Values that replace the space's own budget and resources.
        placement: How trials are dispatched.
        artifacts: Folder or URI below which checkpoints go; None for the folder beside an SQLite file.
        sinks: Where curves are also shown: ``tensorboard[:FOLDER]``, ``wandb[:PROJECT]``.
        join: If the study already exists, join or resume it.
        listen: Called with each event.

    Raises:
        StudyExists: There is a study of that name, and ``join`` is False.
        UserError: The space, the machine or the database cannot do what was asked.
    """
    check_feasible(space)
    for text in lost_guesses(space):
        listen(Noted(text=text))
    change = _on_the_grid(space, overrides.budget, listen)
    space = replace(
        space.with_search(budget=change(space.search.budget)), resources=overrides.resources(space.resources)
    )
    root = None if artifacts is None else parse_root(artifacts)
    if root is not None:
        check_store(root)
    if space.study in existing_studies(storage) and not join:
        raise exists_already(storage, space)
    with contextlib.closing(_sinks(sinks, space.study, listen)) as shown:
        prepare(space.data, space.resources, listen)
        with contextlib.closing(Database.create(storage)) as database:
            try:
                opened = opening.create(database, space, source=source, artifacts=root)
                for text in queries.useless_warm_starts(database, space):
                    listen(Noted(text=text))
            except StudyExists:
                if not join:
                    raise
                refuse_other(database, space)
                refuse_one_arm(database, space.study, overrides)
                refuse_smaller(database, space.study, overrides)
                refuse_other_artifacts(database, space.study, root)
                opened = opening.resume(database, space.study, budget=change, wait=_waiting(listen))
            is_new = not opened.ended and not opened.open and not opened.others
            return _drive(opened, space.resources, space.data, placement, shown, listen, is_new=is_new)


def resume(
    name: str,
    *,
    storage: str,
    space: Space | str | Path | None = None,
    overrides: Overrides = UNCHANGED,
    placement: Placement = Placement(),
    sinks: Sequence[str] = (),
    take_over: bool = False,
    retry: Collection[FailReason] = (),
    ignore_stop: bool = False,
    of_comparison: bool = False,
    says_reading: bool = True,
    listen: Listener = lambda event: None,
) -> Outcome:
    """Resume a study, or join the drivers that work on it, until its budget is spent or the user stops it.

    Args:
        name: The study's name.
        storage: URL of the study database.
        space: A space, or its file, which must mean the same as the study's, and whose ``resources`` and
            ``data.stream`` hold from now on in this call; None keeps the study's own.
        overrides: Values that replace the stored budget and resources.
        placement: How trials are dispatched.
        sinks: As in ``run``.
        take_over: Take all open trials at once, also those of a host that may still live.
        retry: Try the trials again that failed for one of these reasons.
        ignore_stop: Go past the rules of ``search.stop``.
        of_comparison: Whether a comparison drives one of its arms or its own study, and the others likewise.
        says_reading: Whether to say where images are decoded while networks train.
        listen: Called with each event.

    Raises:
        StudyNotFound: There is no such study.
        StudyMismatch: The study was made from another space.
        UserError: The budget is below what was spent, or the machine or database cannot do what was asked.
    """
    with contextlib.closing(opened_for_reading(storage)) as reader:
        stored = queries.space_of(reader, name)
        if overrides.trials is not None and queries.confirms(reader, name):
            raise UserError(
                f"--trials {overrides.trials}: study {name} does not search. Plan more seeds: qpsearch confirm."
            )
        if not of_comparison:
            refuse_one_arm(reader, name, overrides, retry=retry, ignore_stop=ignore_stop)
        refuse_smaller(reader, name, overrides)
        change = _on_the_grid(stored, overrides.budget, listen)
        if space is not None:
            given = space if isinstance(space, Space) else load_space(space)
            refuse_other(reader, given.with_search(study=name))
            overrides = replace(overrides, given=given)
        root = queries.artifacts_of(reader, name)
    if root is not None:
        check_store(root)
    data, resources = overrides.data(stored.data), overrides.resources(stored.resources)
    if space is not None and overrides.given is not None:
        for text in other_resources(stored.resources, overrides.given.resources):
            listen(Noted(text=text))
    prepare(data, resources, listen if says_reading else lambda event: None)
    with (
        contextlib.closing(_sinks(sinks, name, listen)) as shown,
        contextlib.closing(Database.create(storage)) as database,
    ):
        opened = opening.resume(
            database,
            name,
            budget=change,
            take_over=take_over,
            retry=retry,
            ignore_stop=ignore_stop,
            wait=_waiting(listen),
        )
        return _drive(opened, resources, data, placement, shown, listen, is_new=False)


def prepare(data: Data, resources: Resources, listen: Listener) -> None:
    """Fetch or decode missing data; say beforehand what a user should know about images of their own.

    Raises:
        DataError: The data set cannot be fetched or read, or the user's own images have changed.
    """
    folder = data_folder(data)
    for text in about_images(data, folder, resources.cpus):
        listen(Noted(text=text))
    prepare_data(data, folder)


def reasons(given: str | None, option: str = "retry_failed") -> tuple[FailReason, ...]:
    """Return the reasons for which failed trials are tried again: those of one name, ``all``, or none for None.

    Raises:
        UserError: There is no such reason.
    """
    if given in (None, "all"):
        return () if given is None else tuple(FailReason)
    if given not in list(FailReason):
        raise UserError(f"{option} {given}: is not a reason. {nearest(str(given), ['all', *FailReason])}")
    return (FailReason(given),)


def opened_for_reading(storage: str) -> Database:
    """Open a database before anything is written; one of an earlier version is brought up to date.

    Raises:
        StorageError: There is no such database, or it cannot be used.
    """
    try:
        return Database.open(storage)
    except StorageOutdated:
        return Database.create(storage)


def is_comparison(storage: str, name: str) -> bool:
    """Whether a study compares arms; raises StudyNotFound."""
    try:
        reader = Database.open(storage)
    except StorageOutdated:
        return False  # it was made before there were any
    with contextlib.closing(reader):
        return queries.space_of(reader, name).compare is not None


def existing_studies(storage: str) -> list[str]:
    """Return the names of the studies in a database; empty if the database or qpsearch's tables do not exist yet.

    Raises:
        StorageError: The database exists but cannot be used.
    """
    database = Database(storage)
    if database.file is not None and not database.file.exists():
        return []
    try:
        with contextlib.closing(Database.open(storage)) as reader:
            return queries.study_names(reader)
    except (StorageEmpty, StorageOutdated):
        return []  # opening it for writing makes or migrates the tables, and looks again


def _on_the_grid(space: Space, change: Callable[[Budget], Budget], listen: Listener) -> Callable[[Budget], Budget]:
    """Return a change of the budget that caps a grid's trials at its points; say so if trials are cut.

    The points are counted here, not when the change is made, since the change is made in a transaction.
    """
    most = on_the_grid(space, Budget(trials=sys.maxsize)).trials
    if change(space.search.budget).trials > most:
        grid = f"a grid of {counted(most, 'point')}"
        listen(Noted(text=f"study {space.study}: {grid}, each taken once; more seeds: search.replicates"))

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
    data: Data,
    placement: Placement,
    sinks: Sinks,
    listen: Listener,
    *,
    is_new: bool,
) -> Outcome:
    """Run an opened study until it ends or the user stops it; a study that could not begin is deleted."""
    ended, best = opened.so_far()

    def tell(event: Event) -> None:
        listen(event)
        sinks.see(event)

    with Ledger(opened, tell) as ledger, Interrupt(lambda: listen(Noted(text=STOPPING))) as interrupt:
        ledger.wait_until(lambda: interrupt.expired)
        try:
            paused = tuple(trial.number for trial in opened.open if trial.is_paused)
            left = opened.spending.left(trials=len(ended))
            tell(StudyOpened(space=opened.space, ended=ended, best=best, left=left, paused=paused, uid=opened.uid))
            for other in opened.others:
                listen(Noted(text=f"joins {other}, which works on this study too"))
            _dispatch(ledger, resources, data, placement, interrupt, listen)
        except Exception as error:
            if is_new and not isinstance(error, StorageError):
                ledger.discard()  # does nothing if the study has trials
            raise
        return Outcome(
            name=opened.name,
            is_finished=ledger.finished,
            elsewhere=ledger.elsewhere,
            spent=ledger.spent,
            stopped=ledger.stopped,
        )


def _dispatch(
    ledger: Ledger,
    resources: Resources,
    data: Data,
    placement: Placement,
    interrupt: Interrupt,
    listen: Listener,
) -> None:
    folder = data_folder(data)

    def setup(device: str, gpus: float) -> WorkerSetup:
        ledger.gpus = gpus
        return WorkerSetup(
            trainer=trainer.train,
            runs_trainer=None if resources.fuse is Fuse.NEVER else partial(trainer.train_runs, fuse=resources.fuse),
            checkpoints=ledger.checkpoints.root,
            data_folder=None if folder is None else str(folder),
            device=device,
            threads=resources.cpus,
            report_timeout_s=resources.report_timeout_s,
            memory_share=min(gpus, 1.0) if device == "cuda" else 1.0,
            cuda_graphs=resources.cuda_graphs,
            stream=data.stream,
        )

    if placement.dispatcher is Dispatcher.INLINE:
        wants_gpu = has_gpu() if resources.gpus is None else resources.gpus > 0
        if wants_gpu:
            check_gpu()
        listen(Dispatching(how="one at a time, inline", slots=1, gpus=float(wants_gpu)))
        inline.run(ledger, setup("cuda", 1.0) if wants_gpu else setup("cpu", 0.0), interrupt)
        return
    listen(Preparing(what="starting Ray" if placement.address is None else f"joining Ray at {placement.address}"))

    def tell_death(program: str) -> None:
        why = f"Ray's {program} has died, and Ray ends this process within a minute"
        listen(Noted(text=f"{why}. Every epoch up to here is recorded; continue: {command('resume', ledger.name)}"))

    with begun_early(placement.address is None):
        from qpsearch.dispatch import tune  # takes a second to load, as Ray to start
        from qpsearch.dispatch.cluster import connected
        from qpsearch.dispatch.packing import pack

        with connected(resources, placement.address, tell_death) as cluster:
            cluster.prepare_nodes(data, folder)
            if cluster.gpus and (why := cluster.ask_gpu(trainer.gpu_fault)) is not None:
                raise no_gpu(why)
            if resources.gpus is None and cluster.gpus == 1:
                listen(Preparing(what="measuring how many trials fit on a GPU"))
                cluster, said = pack(
                    cluster, ledger.space, setup(cluster.device, 1.0), trainer.measure, lambda: interrupt.requested
                )
                listen(Noted(text=said))
            listen(Dispatching(how=str(cluster), slots=cluster.slots, gpus=cluster.gpus))
            worker = setup(cluster.device, cluster.gpus)
            tune.run(ledger, worker, interrupt, cpus=cluster.cpus, gpus=cluster.gpus, slots=cluster.slots)
