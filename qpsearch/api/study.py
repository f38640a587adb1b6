"""Studies from Python: a study in a database, to look at."""

from __future__ import annotations

import weakref
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from qpsearch.api.answers import Answers
from qpsearch.api.given import (
    NUMBER,
    PathLike,
    address_of,
    known_study,
    parameter_values,
    path_text,
    sink_names,
    storage_url,
    trial_numbers,
    word,
)
from qpsearch.architecture.plugins import load_everything
from qpsearch.errors import UserError, command
from qpsearch.space import Space
from qpsearch.space.schema.numbers import checked, required
from qpsearch.space.schema.value_types import Integer
from qpsearch.study import queries
from qpsearch.study.records import ConfigurationRecord, StudySummary, TrialRecord
from qpsearch.study.storage.database import Database
from qpsearch.vocabulary import Dispatcher, Scalar

if TYPE_CHECKING:
    import pandas as pd
    from optuna import Study as OptunaStudy
    from torch import Tensor

    from qpsearch.models import ResidualNetwork
    from qpsearch.runner.confirming import Confirmed
    from qpsearch.runner.exporting import Export
    from qpsearch.runner.rerunning import Rerun
    from qpsearch.study.planning.enqueueing import Enqueued

CONFIRMED: Final = Integer(1, 1000)  # configurations, and seeds of each


class Study(Answers):
    """A study in a database, to look at: trials, the best one, importances, trained networks.

    Each access reads the database anew, so that a study that runs elsewhere can be watched, and does not take a lock
    that a running study would wait for. ``load_study``, ``run`` and ``resume`` return one. Another process can be given
    one: its name and the URL are pickled, with the password that the URL may have.

    Attributes:
        name: The study's name.

    Example:
        >>> import qpsearch
        >>> study = qpsearch.load_study("smoke")
        >>> study.name, len(study.trials), study.best.n
        ('smoke', 4, 1)
    """

    def __init__(self, name: str, storage: PathLike | None = None) -> None:
        load_everything()  # what its space may name
        self.name = known_study(name)
        self._given = storage
        self._opened = Database.open(storage_url(storage))
        file = self._opened.file
        self._place = storage_url(storage) if file is None else str(file.absolute())  # wherever the process goes
        weakref.finalize(self, self._opened.close)
        queries.summary(self._database, self.name)  # raises StudyNotFound

    @property
    def storage(self) -> str:
        """Its database: the absolute path of an SQLite file, or a URL.

        Example:
            >>> import os, qpsearch
            >>> os.path.basename(qpsearch.load_study("smoke").storage)
            'qpsearch.db'
        """
        storage_url(self._given)  # which the commands of messages then name
        return self._place

    @property
    def _database(self) -> Database:
        storage_url(self._given)
        return self._opened

    @property
    def space(self) -> Space:
        """The space that the study searches.

        Example:
            >>> import qpsearch
            >>> qpsearch.load_study("smoke").space.data.dataset
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
    def best(self) -> ConfigurationRecord:
        """The best configuration of the complete trials so far, by the first objective.

        Complete trials of one configuration count as its seeds: its value is the mean over the runs of all of them.

        Raises:
            UserError: No trial is complete yet.
        """
        best = next(iter(self.front), None)
        if best is None:
            raise UserError(
                f"study {self.name!r} does not have a complete trial with a finite value yet. "
                f"Show its progress: {command('status', self.name)}."
            )
        return best

    @property
    def front(self) -> list[ConfigurationRecord]:
        """The Pareto front: the configurations of complete trials that no other surpasses in all objectives."""
        return queries.best_configurations(self._database, self.name)

    @property
    def optuna(self) -> OptunaStudy:
        """The study as an Optuna study, for tools that read Optuna's studies, such as ``optuna.visualization``.

        The Optuna study is for reading. What its ``enqueue_trial`` adds is trained by the study's next driver; other
        trials that are added through it do not belong to qpsearch.

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
        """Return a row for each trial: results, error text, start (UTC), seeds, parameters, the configuration as JSON.

        Parameters are in columns ``param.NAME``: the word ``none`` where a trial chose ``none``, and a missing value
        where the trial did not draw the parameter, since nothing in its network uses it. Seeds are in columns
        ``seed.REPLICATE``. ``is_retried`` says whether a trial lacked memory and is not trained as drawn.

        Example:
            >>> import qpsearch
            >>> frame = qpsearch.load_study("smoke").trials_dataframe()
            >>> frame[["number", "state"]].head(2)
               number     state
            0       0  COMPLETE
            1       1  COMPLETE
        """
        import pandas as pd

        from qpsearch.analysis.tables import trial_table

        table = trial_table(self.trials, self.space)
        return pd.DataFrame(table.rows, columns=table.columns)

    def epochs_dataframe(self) -> pd.DataFrame:
        """Return a row for each recorded epoch: losses, accuracy, learning rate, seconds, by trial and replicate.

        Example:
            >>> import qpsearch
            >>> frame = qpsearch.load_study("smoke").epochs_dataframe()
            >>> bool((frame["val_accuracy"] <= 1).all())
            True
        """
        import pandas as pd

        from qpsearch.analysis.tables import epoch_table

        table = epoch_table(queries.epoch_rows(self._database, self.name))
        return pd.DataFrame(table.rows, columns=table.columns)

    def load_model(self, trial: int | None = None, *, replicate: int = 0, device: str = "cpu") -> ResidualNetwork:
        """Return a trained network in eval mode, with the weights of the epoch that gave the run its score.

        Args:
            trial: Number of a complete trial; None for the first one of the best configuration that was trained here.
            replicate: Which of the trial's runs, if there are several.
            device: ``cpu``, ``cuda``, ...

        Raises:
            UserError: There is no such trial, or torch cannot use the device here.
            ArtifactError: The trial's checkpoint is gone.

        Example:
            >>> import qpsearch, torch
            >>> from sklearn.datasets import load_digits
            >>> study = qpsearch.load_study("smoke")
            >>> images = torch.tensor(load_digits().images[:5], dtype=torch.uint8)[:, None]
            >>> study.load_model()(study.preprocess(images)).shape
            torch.Size([5, 10])
        """
        from qpsearch.training.testing import load_trained

        trial = checked(NUMBER, trial, "trial")
        replicate = required(NUMBER, replicate, "replicate")
        detail, run = queries.trained_run(self._database, self.name, trial, replicate)
        return load_trained(detail.record.config, run.folder, run.checkpoint, device)

    def export_model(
        self, folder: PathLike | None = None, *, trial: int | None = None, replicate: int = 0, overwrite: bool = False
    ) -> Export:
        """Write a trained network into a folder that does without the study, as ``qpsearch model export`` does.

        The folder gets the weights (safetensors), ``config.json``, a loader, programs for ``torch.export`` and ONNX,
        each compared with the network on real images, and a model card. ``load_exported`` reads it.

        Args:
            folder: The folder; None for ``studies/export/STUDY-TRIAL``.
            trial: Number of a complete trial; None for the first one of the best configuration that was trained here.
            replicate: Which of the trial's runs, if there are several.
            overwrite: Whether an earlier export in the folder may be replaced.

        Returns:
            The ``folder``, its ``files``, and the ``problems`` of files that could not be written.

        Raises:
            UserError: A package of ``pip install 'qpsearch[export]'`` is missing, there is no such trial, or the folder
                holds something else.
            ArtifactError: The trial's checkpoint is gone.
            DataError: The data set, on whose images the outputs are compared, cannot be had.

        Example:
            >>> import qpsearch
            >>> export = qpsearch.load_study("smoke").export_model("exported", trial=0)
            >>> export.files
            ('config.json', 'model.safetensors', 'model.pt2', 'model.onnx', 'load.py', 'README.md')
        """
        from qpsearch.runner.winner import export_model

        text = path_text(folder, "folder")
        place = None if text is None else Path(text)
        trial = checked(NUMBER, trial, "trial")
        replicate = required(NUMBER, replicate, "replicate")
        return export_model(self._database, self.name, place, trial=trial, replicate=replicate, overwrite=overwrite)

    def confirm(
        self,
        *,
        top: int | None = None,
        seeds: int = 5,
        trials: Sequence[int] | None = None,
        dispatch: str = Dispatcher.TUNE,
        address: str | None = None,
        concurrent: int | None = None,
        gpus: float | None = None,
        cpus: int | None = None,
        sinks: str | Sequence[str] = (),
        progress: bool = True,
    ) -> Confirmed:
        """Train the best configurations again on fresh seeds, as ``qpsearch confirm`` does.

        Each seed is a trial of a study beside this one, which the search does not see. The same call goes on after an
        interruption; with more seeds or configurations it adds to what is there. Afterwards ``best.confirmed`` has what
        the seeds gave.

        Args:
            top: How many of the best configurations, from 1; None for 3.
            seeds: Fresh seeds for each of them, from 1.
            trials: The configurations of these complete trials, in place of the best.
            dispatch: ``tune`` for Ray Tune, ``inline`` for one trial at a time without Ray.
            address: A running Ray cluster: ``auto``, or ``host:port``.
            concurrent: Trials at once; None fills the machine.
            gpus: GPUs per trial; 0.5 shares one between two.
            cpus: Cores per trial.
            sinks: Where curves are also shown, one or several: ``tensorboard[:FOLDER]``, ``wandb[:PROJECT]``.
            progress: Whether to show the progress.

        Returns:
            The name of the ``study`` beside this one, and the ``configurations``, each with ``confirmed``:
            its ``mean`` and ``sd`` over ``n`` fresh seeds, and the ``drop`` from the value of the search.

        Raises:
            UserError: No trial is complete yet, or one of ``trials`` is not; this study's trials are on fresh seeds
                already; or ``top`` and ``trials`` are both given.

        Example:
            >>> import qpsearch
            >>> found = qpsearch.load_study("smoke").confirm(top=1, seeds=2, dispatch="inline", progress=False)
            >>> found.study, found.configurations[0].confirmed.n
            ('smoke.confirm', 2)
        """
        from qpsearch.display.steady import open_display
        from qpsearch.runner.confirming import confirm
        from qpsearch.runner.driving import Placement
        from qpsearch.runner.overrides import Overrides

        top = checked(CONFIRMED, top, "top")
        seeds = required(CONFIRMED, seeds, "seeds")
        with open_display(quiet=not progress) as display:
            return confirm(
                self.name,
                storage=self.storage,
                top=top,
                seeds=seeds,
                trials=trial_numbers(trials, "trials"),
                overrides=Overrides(concurrent=concurrent, gpus=gpus, cpus=cpus),
                placement=Placement(dispatcher=word(Dispatcher, dispatch, "dispatch"), address=address_of(address)),
                sinks=sink_names(sinks),
                listen=display.see,
            )

    def rerun(self, trial: int, *, replicate: int | None = None) -> Rerun:
        """Train a stored trial again and compare each epoch with its record, as ``qpsearch rerun`` does.

        The study is only read. A pruned trial is trained as far as it came, a failed one until it fails.

        Args:
            trial: Number of the trial.
            replicate: One of its runs, from 0; None for all of them.

        Returns:
            Whether it ``matches`` to the bit; its ``runs``, each with the ``first`` epoch that differs and the largest
            ``differences``; and ``changes``: what was another version or machine then.

        Raises:
            UserError: There is no such trial or run, or nothing of it was trained here.

        Example:
            >>> import qpsearch
            >>> again = qpsearch.load_study("smoke").rerun(0)
            >>> again.trial, [run.epochs for run in again.runs]
            (0, [2])
        """
        from qpsearch.runner.rerunning import rerun

        trial = required(NUMBER, trial, "trial")
        replicate = checked(NUMBER, replicate, "replicate")
        return rerun(self._database, self.name, trial, replicate=replicate)

    def enqueue(self, values: Mapping[str, Scalar] | None = None, *, trial: int | None = None) -> Enqueued:
        """Add a configuration to the study, as ``qpsearch enqueue`` does; the next driver that asks trains it.

        Args:
            values: Values of some parameters, by path, tie or pattern; the study's sampler draws the others.
            trial: Number of a trial whose values are taken where no others are given.

        Returns:
            The trial: its ``number`` and ``params``, and whether the study ``has_driver`` now.

        Raises:
            UserError: The configuration cannot be trained, or a value is not in its domain.

        Example:
            >>> import qpsearch
            >>> study = qpsearch.load_study("many")
            >>> study.enqueue({"network.stages.*.block": "quotient"}, trial=0).number
            8
        """
        from qpsearch.study.planning.enqueueing import enqueue

        trial = checked(NUMBER, trial, "trial")
        return enqueue(self.storage, self.name, parameter_values(values), like=trial)

    def preprocess(self, images: Tensor) -> Tensor:
        """Turn images as the data set stores them into inputs of the study's networks.

        Args:
            images: (N, C, H, W) uint8, with values as in the data set: 0 to 16 for the digits, 0 to 255 elsewhere.

        Returns:
            (N, C, size, size) float32, normalised as in training; of larger images the centre.

        Raises:
            UserError: ``images`` is not a tensor of that type and shape.
        """
        from qpsearch.training.exported import preprocessed

        return preprocessed(images, self.space.data)

    def __reduce__(self) -> tuple[type[Study], tuple[str, str]]:
        return type(self), (self.name, self.storage)

    def __repr__(self) -> str:
        summary = self.summary
        counts = ", ".join(f"{count} {state}" for state, count in sorted(summary.counts.items())) or "no trials"
        best = f"; best {summary.best.value:.4f} (trial {summary.best.number})" if summary.best is not None else ""
        return f"<Study {self.name!r}: {counts}{best}>"


def load_study(name: str, storage: PathLike | None = None) -> Study:
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
