"""Studies from Python: run, resume and read studies, in a program or a notebook.

The command line uses the same functions (``qpsearch.runner.driving``, ``qpsearch.study.queries``).
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qpsearch.display.progress import open_display
from qpsearch.errors import UserError
from qpsearch.runner.driving import Overrides, Placement
from qpsearch.runner.driving import resume as drive_on
from qpsearch.runner.driving import run as drive
from qpsearch.runner.machine import DEFAULT_STORAGE
from qpsearch.space import Space, build_space, load_space
from qpsearch.space.schema.value_types import Duration, StudyName
from qpsearch.study import queries
from qpsearch.study.records import StudySummary, TrialRecord
from qpsearch.study.storage.database import Database
from qpsearch.vocabulary import Dispatcher, Evaluator, as_member

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go
    from optuna import Study as OptunaStudy
    from torch import Tensor

    from qpsearch.analysis.importance import ImportanceTable
    from qpsearch.models import ResidualNetwork


class Study:
    """A study in a database, to look at: trials, the best one, importances, trained networks.

    Each access reads the database anew, so that a study that runs elsewhere can be watched, and does not take a lock
    that a running study would wait for. ``load_study``, ``run`` and ``resume`` return one.

    Attributes:
        name: The study's name.
        storage: URL of its database.

    Example:
        >>> import qpsearch
        >>> study = qpsearch.load_study("smoke")
        >>> study.name, len(study.trials), study.best.state
        ('smoke', 4, 'COMPLETE')
    """

    def __init__(self, name: str, storage: str | None = None) -> None:
        self.name, self.storage = name, _storage(storage)
        self._database = Database.open(self.storage)
        queries.summary(self._database, name)  # raises StudyNotFound

    @property
    def space(self) -> Space:
        """The space that the study searches.

        Example:
            >>> import qpsearch
            >>> qpsearch.load_study("smoke").space.data.dataset.value
            'digits'
        """
        return queries.space_of(self._database, self.name)

    @property
    def summary(self) -> StudySummary:
        """The study's progress: trials by state, the spent budget, the drivers.

        Example:
            >>> import qpsearch
            >>> qpsearch.load_study("smoke").summary.counts
            {'COMPLETE': 4}
        """
        return queries.summary(self._database, self.name)

    @property
    def trials(self) -> list[TrialRecord]:
        """The study's trials, by number: state, values, parameters, configuration.

        Example:
            >>> import qpsearch
            >>> [trial.state for trial in qpsearch.load_study("smoke").trials]
            ['COMPLETE', 'COMPLETE', 'COMPLETE', 'COMPLETE']
        """
        return queries.trial_records(self._database, self.name)

    @property
    def best(self) -> TrialRecord:
        """The best complete trial so far, by the first objective.

        Raises:
            UserError: No trial is complete yet.
        """
        return self._trial(None)

    @property
    def front(self) -> list[TrialRecord]:
        """The Pareto front: the complete trials that no other surpasses in all objectives."""
        return queries.front(self.trials, self.space.search.objectives)

    @property
    def optuna(self) -> OptunaStudy:
        """The study as an Optuna study, for tools that read Optuna's studies, such as ``optuna.visualization``.

        The Optuna study is for reading: trials that are added through it do not belong to qpsearch.

        Example:
            >>> import optuna
            >>> import qpsearch
            >>> figure = optuna.visualization.plot_optimization_history(qpsearch.load_study("smoke").optuna)
            >>> type(figure).__name__
            'Figure'
        """
        from optuna import load_study as load

        return load(study_name=self.name, storage=self._database.optuna_storage())

    def trials_dataframe(self) -> pd.DataFrame:
        """Return a row for each trial; parameters in columns ``param.NAME``, the configuration as JSON.

        Example:
            >>> import qpsearch
            >>> frame = qpsearch.load_study("smoke").trials_dataframe()
            >>> frame[["number", "state"]].head(2)
               number     state
            0       0  COMPLETE
            1       1  COMPLETE
        """
        import pandas as pd

        from qpsearch.analysis.tables import trial_rows

        return pd.DataFrame(trial_rows(self.trials, self.space))

    def epochs_dataframe(self) -> pd.DataFrame:
        """Return a row for each recorded epoch: losses, accuracy, learning rate, seconds, by trial and replicate.

        Example:
            >>> import qpsearch
            >>> frame = qpsearch.load_study("smoke").epochs_dataframe()
            >>> bool((frame["val_accuracy"] <= 1).all())
            True
        """
        import pandas as pd

        return pd.DataFrame(queries.epoch_rows(self._database, self.name))

    def importance(self, evaluator: str = Evaluator.BRANCHES) -> ImportanceTable:
        """Say which parameters affect the first objective most, with intervals.

        Returns:
            A table: its ``importances`` have ``parameter``, ``importance``, ``low``, ``high`` and ``trials``; its
            ``predicted`` is the share of the variance of unseen trials that the parameters explain.

        Args:
            evaluator: ``branches``, ``fanova``, ``mdi`` or ``ped-anova``, as in ``qpsearch importance --evaluator``.

        Raises:
            UserError: There are fewer than 8 complete trials, or all have the same value.

        Example:
            >>> import qpsearch
            >>> table = qpsearch.load_study("many").importance()
            >>> sorted(each.parameter for each in table.importances)
            ['network.stages.0.block', 'training.optimizer.sgd.lr']
        """
        from qpsearch.analysis.importance import importance

        trials = queries.frozen_trials(self._database, self.name)
        return importance(
            trials, self.space.search.objective, study=self.name, evaluator=as_member(Evaluator, evaluator, "evaluator")
        )

    def plot_importance(self, evaluator: str = Evaluator.BRANCHES) -> go.Figure:
        """Draw ``importance`` as bars with intervals.

        Args:
            evaluator: As in ``importance``.

        Example:
            >>> import qpsearch
            >>> type(qpsearch.load_study("many").plot_importance()).__name__
            'Figure'
        """
        from qpsearch.analysis.figures import importance_bars

        return importance_bars(self.importance(evaluator))

    def load_model(self, trial: int | None = None, *, replicate: int = 0, device: str = "cpu") -> ResidualNetwork:
        """Return a trained network in eval mode, with the weights of the epoch that gave the run its score.

        Args:
            trial: Number of a complete trial; None for the best.
            replicate: Which of the trial's runs, if there are several.
            device: ``cpu``, ``cuda``, ...

        Raises:
            UserError: There is no such trial, or its checkpoint is gone.

        Example:
            >>> import qpsearch, torch
            >>> from sklearn.datasets import load_digits
            >>> study = qpsearch.load_study("smoke")
            >>> images = torch.tensor(load_digits().images[:5], dtype=torch.uint8)[:, None]
            >>> study.load_model()(study.preprocess(images)).shape
            torch.Size([5, 10])
        """
        from qpsearch.training.testing import load_trained

        number = self._trial(trial).number
        runs = queries.kept_runs(self._database, self.name, [number])
        if not 0 <= replicate < len(runs):
            last = len(runs) - 1
            raise UserError(
                f"trial {number} of study {self.name!r} does not have replicate {replicate}. Expected 0 to {last}."
            )
        config = next(record for record in self.trials if record.number == number).config
        return load_trained(config, runs[replicate].folder, runs[replicate].checkpoint, device)

    def preprocess(self, images: Tensor) -> Tensor:
        """Turn images as the data set stores them into inputs of the study's networks.

        Args:
            images: (N, C, H, W) uint8, with values as in the data set: 0 to 16 for the digits, 0 to 255 elsewhere.

        Returns:
            (N, C, H, W) float32, with mean 0 and standard deviation 1 of each channel over the training images.
        """
        from qpsearch.training.data import normalise

        return normalise(images, self.space.data.dataset)

    def _trial(self, number: int | None) -> TrialRecord:
        """Return a complete trial, by default the best."""
        records = self.trials
        if number is None:
            best = queries.best(records, self.space.search.objectives)
            if best is None:
                raise UserError(f"study {self.name!r} has no complete trial yet.")
            return best
        found = next((record for record in records if record.number == number), None)
        if found is None:
            raise UserError(f"study {self.name!r} does not have trial {number}. Expected 0 to {len(records) - 1}.")
        if found.state != "COMPLETE":
            raise UserError(f"trial {number} of study {self.name!r} is {found.state}. Expected a complete one.")
        return found

    def __repr__(self) -> str:
        summary = self.summary
        counts = ", ".join(f"{count} {state}" for state, count in sorted(summary.counts.items())) or "no trials"
        best = f"; best {summary.best.value:.4f} (trial {summary.best.number})" if summary.best is not None else ""
        return f"<Study {self.name!r}: {counts}{best}>"


def load_study(name: str, storage: str | None = None) -> Study:
    """Return a study of a database, to look at.

    Args:
        name: The study's name.
        storage: URL of its database, or the path of an SQLite file; None stands for QPSEARCH_STORAGE, or
            studies/qpsearch.db.

    Raises:
        StudyNotFound: There is no study of that name.
        StorageError: There is no such database.

    Example:
        >>> import qpsearch
        >>> qpsearch.load_study("smoke")
        <Study 'smoke': 4 COMPLETE; best ... (trial ...)>
    """
    return Study(name, storage)


def run(
    space: Space | str | Path | Mapping[str, Any],
    *,
    storage: str | None = None,
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
    artifacts: str | None = None,
    sinks: tuple[str, ...] = (),
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
        sinks: Where curves are also shown: ``tensorboard[:FOLDER]``, ``wandb[:PROJECT]``.
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
    loaded = loaded.with_search(study=_name(study), seed=seed)
    with open_display(quiet=not progress) as display:
        drive(
            loaded,
            storage=_storage(storage),
            source=source,
            overrides=_overrides(trials, epochs, time, gpu_hours, concurrent, gpus, cpus),
            placement=Placement(dispatcher=as_member(Dispatcher, dispatch, "dispatch"), address=address),
            artifacts=artifacts or os.environ.get("QPSEARCH_ARTIFACTS"),
            sinks=sinks,
            join=join,
            listen=display.see,
        )
    return Study(loaded.study, storage)


def resume(
    name: str,
    *,
    storage: str | None = None,
    space: Space | str | Path | None = None,
    trials: int | None = None,
    epochs: int | None = None,
    time: str | None = None,
    gpu_hours: float | None = None,
    dispatch: str = Dispatcher.TUNE,
    address: str | None = None,
    concurrent: int | None = None,
    gpus: float | None = None,
    cpus: int | None = None,
    sinks: tuple[str, ...] = (),
    take_over: bool = False,
    progress: bool = True,
) -> Study:
    """Resume a study after Ctrl-C, a crash or a power cut, with a larger budget, or beside other drivers.

    ``qpsearch resume`` does the same, with options of the same names.

    Args:
        name: The study's name.
        storage: URL of its database, or the path of an SQLite file; None stands for QPSEARCH_STORAGE, or
            studies/qpsearch.db.
        space: A space, or its file, which is checked to mean the same as the study's; None skips the check.
        trials: Budget in trials, those of before included; None leaves each bound as it is.
        epochs: Budget in epochs of all trials together.
        time: Budget in wall time, such as ``"90m"`` or ``"12h"``.
        gpu_hours: Budget in hours of one GPU.
        dispatch: ``tune`` for Ray Tune, ``inline`` for one trial at a time without Ray.
        address: A running Ray cluster: ``auto``, or ``host:port``.
        concurrent: Trials at once; None fills the machine.
        gpus: GPUs per trial; 0.5 shares one between two.
        cpus: Cores per trial.
        sinks: Where curves are also shown: ``tensorboard[:FOLDER]``, ``wandb[:PROJECT]``.
        take_over: Take all open trials at once, also those of a host that may still live.
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
    with open_display(quiet=not progress) as display:
        drive_on(
            name,
            storage=_storage(storage),
            space=space,
            overrides=_overrides(trials, epochs, time, gpu_hours, concurrent, gpus, cpus),
            placement=Placement(dispatcher=as_member(Dispatcher, dispatch, "dispatch"), address=address),
            sinks=sinks,
            take_over=take_over,
            listen=display.see,
        )
    return Study(name, storage)


def _storage(given: str | None) -> str:
    """Return the given database, or as the command line does the one that QPSEARCH_STORAGE names."""
    return given or os.environ.get("QPSEARCH_STORAGE") or DEFAULT_STORAGE


def _loaded(space: Space | str | Path | Mapping[str, Any]) -> tuple[Space, str]:
    """Return a space and its source."""
    if isinstance(space, Space):
        return space, ""
    if isinstance(space, Mapping):
        return build_space(space), ""
    return load_space(space), str(space)


def _name(study: str | None) -> str | None:
    try:
        return None if study is None else str(StudyName().parse(study, "study"))
    except ValueError as error:
        raise UserError(f"study: {error}") from None


def _overrides(
    trials: int | None,
    epochs: int | None,
    time: str | None,
    gpu_hours: float | None,
    concurrent: int | None,
    gpus: float | None,
    cpus: int | None,
) -> Overrides:
    own = Overrides(trials=trials, epochs=epochs, concurrent=concurrent, gpus=gpus, cpus=cpus)
    try:
        seconds = None if time is None else float(str(Duration().parse(time, "time")))
    except ValueError as error:
        raise UserError(f"time: {error}") from None
    return replace(own, seconds=seconds, gpu_seconds=None if gpu_hours is None else 3600 * gpu_hours)
