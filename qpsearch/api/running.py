"""Studies from Python: run and resume, in a program or a notebook.

The command line uses the same functions (``qpsearch.runner.starting``).
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from qpsearch.api.given import (
    NUMBER,
    PathLike,
    address_of,
    known_study,
    path_text,
    sink_names,
    storage_url,
    study_name,
    word,
)
from qpsearch.api.spaces import build_space, load_space
from qpsearch.api.study import Study
from qpsearch.architecture.plugins import load_everything
from qpsearch.display.steady import open_display
from qpsearch.errors import StudyExists
from qpsearch.runner.driving import Placement, reasons
from qpsearch.runner.overrides import Overrides
from qpsearch.runner.starting import resume as drive_on
from qpsearch.runner.starting import run as drive
from qpsearch.space import Space
from qpsearch.space.schema.numbers import checked
from qpsearch.study.opening import exists
from qpsearch.vocabulary import Dispatcher, Variable


def run(
    space: Space | str | Path | Mapping[str, Any],
    *,
    storage: PathLike | None = None,
    study: str | None = None,
    trials: int | None = None,
    epochs: int | None = None,
    time: str | None = None,
    gpu_hours: float | None = None,
    seed: int | None = None,
    dispatch: str = Dispatcher.TUNE,
    address: str | None = None,
    concurrent: int | None = None,
    gpus: float | None = None,
    cpus: int | None = None,
    artifacts: PathLike | None = None,
    sinks: str | Sequence[str] = (),
    join: bool = False,
    progress: bool = True,
) -> Study:
    """Make a study of a space, run it until its budget is spent or Ctrl-C stops it, and return it.

    ``qpsearch run`` does the same, with options of the same names.

    Args:
        space: A space, its file, the name of a shipped space, or what a file would say, as a dict.
        storage: URL of the study database, or the path of an SQLite file; it is created if it is missing. None
            stands for QPSEARCH_STORAGE, or studies/qpsearch.db.
        study: Name of the study, in place of the space's own.
        trials: Budget in trials.
        epochs: Budget in epochs of all trials together.
        time: Budget in wall time, such as ``"90m"`` or ``"12h"``.
        gpu_hours: Budget in hours of one GPU.
        seed: Seed of the search, in place of the space's own.
        dispatch: ``tune`` for Ray Tune, ``inline`` for one trial at a time without Ray.
        address: A running Ray cluster: ``auto``, or ``host:port``.
        concurrent: Trials at once; None fills the machine.
        gpus: GPUs per trial; 0.5 shares one between two.
        cpus: Cores per trial.
        artifacts: Folder or URI for checkpoints; None for QPSEARCH_ARTIFACTS, or the folder beside the database.
        sinks: Where curves are also shown, one or several: ``tensorboard[:FOLDER]``, ``wandb[:PROJECT]``.
        join: If the study already exists, join or resume it.
        progress: Whether to show the study's progress.

    Raises:
        SpaceError: The space is not valid; its message has one line for each problem.
        StudyExists: There is a study of that name, and ``join`` is False.
        UserError: The machine or the database cannot do what was asked.

    Example:
        >>> import qpsearch
        >>> qpsearch.run("smoke", trials=4, dispatch="inline", progress=False)
        <Study 'smoke': 4 COMPLETE; best ... (trial ...)>
    """
    loaded, source = _loaded(space)
    loaded = loaded.with_search(study=study_name(study), seed=checked(NUMBER, seed, "seed"))
    try:
        with open_display(quiet=not progress) as display:
            drive(
                loaded,
                storage=storage_url(storage),
                source=source,
                overrides=Overrides.of(
                    trials=trials,
                    epochs=epochs,
                    time=time,
                    gpu_hours=gpu_hours,
                    concurrent=concurrent,
                    gpus=gpus,
                    cpus=cpus,
                ),
                placement=Placement(dispatcher=word(Dispatcher, dispatch, "dispatch"), address=address_of(address)),
                artifacts=path_text(artifacts, "artifacts") or Variable.ARTIFACTS.given,
                sinks=sink_names(sinks),
                join=join,
                listen=display.see,
            )
    except StudyExists as error:
        if not error.name:
            raise
        where = "" if storage is None else f", storage={str(storage)!r}"
        again, joined = f"qpsearch.resume({error.name!r}{where})", "" if error.changes else ", or join=True"
        raise exists(error.name, error.changes, resume=f"{again}{joined}", another="study='NAME'") from None
    return Study(loaded.study, storage)


def resume(
    name: str,
    *,
    storage: PathLike | None = None,
    space: Space | str | Path | Mapping[str, Any] | None = None,
    trials: int | None = None,
    epochs: int | None = None,
    time: str | None = None,
    gpu_hours: float | None = None,
    dispatch: str = Dispatcher.TUNE,
    address: str | None = None,
    concurrent: int | None = None,
    gpus: float | None = None,
    cpus: int | None = None,
    sinks: str | Sequence[str] = (),
    take_over: bool = False,
    retry_failed: str | None = None,
    ignore_stop: bool = False,
    progress: bool = True,
) -> Study:
    """Resume a study after Ctrl-C, a crash or a power cut, with a larger budget, or beside other drivers.

    ``qpsearch resume`` does the same, with options of the same names.

    Args:
        name: The study's name.
        storage: URL of its database, or the path of an SQLite file; None stands for QPSEARCH_STORAGE, or
            studies/qpsearch.db.
        space: A space, its file, or what a file would say, which is checked to mean the same as the study's. Its
            ``resources`` and ``data.stream`` hold in this call. None skips the check, and keeps the study's own.
        trials: Budget in trials, those of before included; None leaves each bound as it is.
        epochs: Budget in epochs of all trials together.
        time: Budget in wall time, such as ``"90m"`` or ``"12h"``.
        gpu_hours: Budget in hours of one GPU.
        dispatch: ``tune`` for Ray Tune, ``inline`` for one trial at a time without Ray.
        address: A running Ray cluster: ``auto``, or ``host:port``.
        concurrent: Trials at once; None fills the machine.
        gpus: GPUs per trial; 0.5 shares one between two.
        cpus: Cores per trial.
        sinks: Where curves are also shown, one or several: ``tensorboard[:FOLDER]``, ``wandb[:PROJECT]``.
        take_over: Take all open trials at once, also those of a host that may still live.
        retry_failed: Try failed trials again: ``all``, or those with one reason, such as ``error``.
        ignore_stop: Go past the rules of ``search.stop`` in the study's space.
        progress: Whether to show the study's progress.

    Raises:
        StudyNotFound: There is no such study.
        StudyMismatch: The study was made from another space.
        StudyBusy: A driver on another host works on it, and the database is an SQLite file.
        UserError: The budget is below what was spent, or the machine or database cannot do what was asked.

    Example:
        >>> import qpsearch
        >>> qpsearch.resume("smoke", dispatch="inline", progress=False)  # nothing is left to do
        <Study 'smoke': 4 COMPLETE; best ... (trial ...)>
    """
    load_everything()
    name = known_study(name)
    with open_display(quiet=not progress) as display:
        drive_on(
            name,
            storage=storage_url(storage),
            space=None if space is None else _loaded(space)[0],
            overrides=Overrides.of(
                trials=trials,
                epochs=epochs,
                time=time,
                gpu_hours=gpu_hours,
                concurrent=concurrent,
                gpus=gpus,
                cpus=cpus,
            ),
            placement=Placement(dispatcher=word(Dispatcher, dispatch, "dispatch"), address=address_of(address)),
            sinks=sink_names(sinks),
            take_over=take_over,
            retry=reasons(retry_failed),
            ignore_stop=ignore_stop,
            listen=display.see,
        )
    return Study(name, storage)


def _loaded(space: Space | str | Path | Mapping[str, Any]) -> tuple[Space, str]:
    """Return a space and its source."""
    if isinstance(space, Space):
        return space, ""
    if isinstance(space, Mapping):
        return build_space(space), ""
    return load_space(space), str(space)
