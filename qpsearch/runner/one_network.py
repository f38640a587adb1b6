"""One network, trained by itself in a folder of its own: no search, and no study.

The folder holds ``run.json`` (what is trained, and how), ``epochs.jsonl`` (a report for each epoch), the checkpoint of
the last epoch and of the one that counts, and at the end what an export holds: weights, ``config.json``, loader, card.
"""

import contextlib
import json
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Final, Self

import qpsearch
from qpsearch.architecture.config import TrialConfig
from qpsearch.architecture.cost import cost
from qpsearch.architecture.one_point import counted_text
from qpsearch.dispatch.environment import own_cores, yielding
from qpsearch.errors import UserError
from qpsearch.protocol import STEPS_EVERY_S, EpochReport, RunSettings, StepCount
from qpsearch.registry.metrics import Metric
from qpsearch.runner import trainer
from qpsearch.runner.changes import changes, shortened
from qpsearch.runner.exporting import Export, finite, write_export
from qpsearch.runner.machine import data_folder, has_gpu, prepare_data
from qpsearch.runner.training_folder import (
    EPOCHS,
    FORMAT,
    RECORD,
    STEM,
    alone,
    check_replaceable,
    not_written,
    remove_training,
)
from qpsearch.runner.wanted import Wanted
from qpsearch.space import Space
from qpsearch.vocabulary import Scalar

VERSION: Final = 1
MACS_A_THREAD: Final = 10**9
UNREADABLE: Final = (ValueError, TypeError, LookupError, AttributeError)  # what another text than a record's raises
CHANGES: Final = 5  # differences that a message names


@dataclass(frozen=True, slots=True, kw_only=True)
class OneRecord:
    """What is trained in a folder, and how: the content of ``run.json``.

    Attributes:
        name: What the network is called.
        config: Its configuration.
        drawn: The values that were drawn, where its space has several points.
        seed: Seed of weights, order of images and augmentation.
        device: ``cpu`` or ``cuda``.
        threads: CPU threads.
        memory_format: ``channels_last`` or ``contiguous``.
        version: The version of qpsearch that began it.
        looks: What each look at the test images gave: when, epoch, accuracy, loss, images.
        search: The keys ``objective``, ``score`` and ``metrics`` of its space; empty where an earlier version began it.
    """

    name: str
    config: Mapping[str, Any]
    drawn: Mapping[str, Scalar]
    seed: int
    device: str
    threads: int
    memory_format: str = "channels_last"
    version: str = qpsearch.__version__
    looks: tuple[Mapping[str, Any], ...] = ()
    search: Mapping[str, Any] = field(default_factory=dict)

    def to_text(self) -> str:
        """Return the text of ``run.json``."""
        return json.dumps({"format": FORMAT, "format_version": VERSION} | asdict(self), indent=2) + "\n"

    @classmethod
    def from_text(cls, text: str) -> Self:
        """Return what ``to_text`` wrote; raises ValueError, TypeError or LookupError for anything else."""
        told = json.loads(text)
        if told.pop("format") != FORMAT or told.pop("format_version") != VERSION:
            raise ValueError("is not of this format")
        found = cls(**told | {"looks": tuple(told["looks"])})
        numbers = (found.seed, found.threads, *(look["epoch"] for look in found.looks))
        if found.device not in ("cpu", "cuda") or not all(isinstance(number, int) for number in numbers):
            raise ValueError("was changed by hand")
        return found


class OneNetwork:
    """A network that is trained in a folder; use ``begin`` or ``reopen``.

    Args:
        folder: The folder.
        record: What is trained, and how.
        space: The space of which the network is a point.
        reports: The epochs that were trained.

    Attributes:
        folder: The folder.
        record: What is trained, and how.
        reports: The epochs that were trained, in order.
    """

    def __init__(self, folder: Path, record: OneRecord, space: Space, reports: Sequence[EpochReport] = ()) -> None:
        self.folder, self.record, self.reports = folder, record, list(reports)
        self._search = replace(space.search, fidelity=None)  # one network is trained at the last level alone
        self._graphs = space.resources.cuda_graphs
        config = TrialConfig.from_json(json.dumps(record.config))
        self.config = replace(config, data=replace(config.data, stream=space.data.stream))

    @property
    def epochs(self) -> int:
        """The epochs of the whole training."""
        return self.config.recipe.epochs

    @property
    def is_finished(self) -> bool:
        """Whether all epochs were trained."""
        return bool(self.reports) and self.reports[-1].epoch >= self.epochs

    @property
    def counting(self) -> EpochReport | None:
        """The epoch that counts, as the space's ``search.score`` says; None before the first."""
        if not self.reports:
            return None
        metric = self._search.objective.metric
        values = {each.epoch: metric.of(each, each.metrics) for each in self.reports}
        epoch = self._search.counting_epochs(values)[0] if self._search.best_epochs(values) else 0
        return next((report for report in self.reports if report.epoch == epoch), self.reports[-1])

    def train(self, steps_every_s: float = STEPS_EVERY_S) -> Iterator[EpochReport | StepCount]:
        """Train the epochs that are left; whoever stops iterating can continue later, from the last whole epoch.

        Args:
            steps_every_s: How many seconds pass at least between two words about the steps of an epoch.

        Raises:
            UserError: Another process trains in the folder, or it cannot be written.
            DataError: The data set cannot be had.
            TrainingDiverged, OutOfMemory, ArtifactError: As ``qpsearch.train`` raises them.
        """
        if self.record.device == "cuda" and not has_gpu():
            if self.is_finished:
                return
            raise UserError(
                f"{self.folder}: is trained on a GPU, and this machine does not have one. Continue where one is, or "
                "train on this machine in another folder: --output."
            )
        os.environ.update(yielding())  # before torch is loaded, which the next line may do
        if self.record.device == "cuda" and (why := trainer.gpu_fault()) is not None:
            raise UserError(
                f"torch cannot use the GPU: {why}. Repair its driver, or hide it to train on the CPU: export "
                "CUDA_VISIBLE_DEVICES="
            )
        with alone(self.folder):
            self._check_unchanged()
            images = data_folder(self.config.data)
            prepare_data(self.config.data, images)
            settings = RunSettings(
                seed=self.record.seed,
                device=self.record.device,
                threads=self.record.threads,
                memory_format=self.record.memory_format,
                data_folder=None if images is None else str(images),
                checkpoint_folder=str(self.folder),
                checkpoint_stem=STEM,
                steps_every_s=steps_every_s,
                metrics=self._search.extra,
                resume_from=tuple(dict.fromkeys(each.checkpoint for each in self._kept())),
                cuda_graphs=self._graphs,
            )
            with contextlib.closing(trainer.train(self.config, settings)) as told:
                for each in told:
                    if isinstance(each, EpochReport):
                        self._take(each)
                    yield each

    def _check_unchanged(self) -> None:
        """Raise UserError if another process wrote into the folder since this one read it."""
        try:
            is_same = OneRecord.from_text((self.folder / RECORD).read_text(encoding="utf-8")) == self.record
        except (OSError, *UNREADABLE):
            is_same = False
        if not is_same or _reports(self.folder) != self.reports:
            raise UserError(f"{self.folder}: another process has just trained there. Name another folder: --output.")

    def look_at_test_images(self) -> Mapping[str, Any]:
        """Evaluate the weights that count on the test images, and note it in the record.

        Raises:
            ArtifactError: The checkpoint is missing or damaged.
            DataError: The data set cannot be had.
        """
        from qpsearch.training.testing import test_run

        report = self._counting()
        folder = data_folder(self.config.data)
        prepare_data(self.config.data, folder)
        trained = (self.config, str(self.folder), report.checkpoint)
        device = self.record.device if has_gpu() else "cpu"
        (found,) = test_run(*trained, folder, (0.0,), device, self._search.extra)
        look = {
            "noise": 0.0,
            "images": found.images,
            "accuracy": found.accuracy,
            "loss": finite(found.loss),
            "nonfinite": found.nonfinite,
            "evaluated": time.time(),
            "epoch": report.epoch,
            **{Metric(word).on_test: value for word, value in found.metrics.items()},
        }
        self.record = replace(self.record, looks=(*self.record.looks, look))
        self._write(RECORD, self.record.to_text())
        return look

    def export(self, *, programs: bool = False) -> Export:
        """Write the weights that count, with configuration, loader and card, into the folder.

        Weights and programs need packages: ``pip install 'qpsearch[export]'``. Without them the card stands alone.

        Args:
            programs: Whether to write programs of torch.export and ONNX, too, which takes some seconds.

        Raises:
            UserError: A package that programs need is missing.
            ArtifactError: The checkpoint is missing or damaged.
        """
        from qpsearch.training.export import FORMS, PACKAGES
        from qpsearch.training.exported import WEIGHTS, is_installed, require

        if programs:
            require(*PACKAGES)
        forms = FORMS if programs else (WEIGHTS,) if is_installed("safetensors") else ()
        report = self._counting()
        trained = (str(self.folder), report.checkpoint)
        return write_export(self.config, trained, self.folder, self._told(report), forms)

    def _told(self, report: EpochReport) -> dict[str, Any]:
        search = self._search
        metric, looks = search.objective.metric, self.record.looks
        return {
            "name": self.record.name,
            "study": None,
            "trial": None,
            "replicate": 0,
            "seed": self.record.seed,
            "epoch": report.epoch,
            "results": {
                "metric": str(metric),
                "direction": str(search.objective.direction),
                "measured_on": metric.measured_on,
                "validation_images": self.config.data.validation if metric.needs_validation else 0,
                "counting_epoch": str(search.score),
                "score": finite(metric.of(report, report.metrics)),
                "n": 1,
                "sd": None,
                "confirmed": False,
                "checkpoint": report.checkpoint,
                "test": [dict(look) for look in looks[-1:] if look["epoch"] == report.epoch],
                "looks_at_test_images": len(looks),
            },
        }

    def _counting(self) -> EpochReport:
        if (report := self.counting) is None:
            raise UserError(f"{self.folder}: no epoch was trained yet. Continue: qpsearch train ... --resume.")
        return report

    def _kept(self) -> list[EpochReport]:
        """Return the epochs whose checkpoints are kept, the newest first."""
        counting = self.counting
        return [] if counting is None else [self.reports[-1], counting]

    def _take(self, report: EpochReport) -> None:
        """Write a report down, and remove the checkpoints that it makes superfluous."""
        self.reports = [*(each for each in self.reports if each.epoch < report.epoch), report]
        lines = (json.dumps(asdict(each), default=str) for each in self.reports)
        self._write(EPOCHS, "".join(f"{line}\n" for line in lines))
        kept = {each.checkpoint for each in self._kept()}
        for path in self.folder.glob(f"{STEM}-*.pt"):
            if path.name not in kept:
                path.unlink(missing_ok=True)

    def _write(self, name: str, text: str) -> None:
        """Write a file whole or not at all."""
        partial = self.folder / f"{name}.partial"
        try:
            partial.write_text(text, encoding="utf-8")
            os.replace(partial, self.folder / name)
        except OSError as error:
            raise not_written(self.folder, error) from None


def begin(
    asked: Wanted, folder: Path, *, seed: int = 0, threads: int | None = None, overwrite: bool = False
) -> OneNetwork:
    """Make the folder in which a network is to be trained.

    Args:
        asked: The network.
        folder: The folder.
        seed: Seed of weights, order of images and augmentation.
        threads: CPU threads; None for as many as pay, ``threads_for``.
        overwrite: Whether an earlier training in the folder may be replaced.

    Raises:
        UserError: The folder holds something, or cannot be written.
    """
    record = OneRecord(
        name=asked.name,
        config=json.loads(asked.config.to_json()),
        drawn=dict(asked.drawn),
        seed=seed,
        device="cuda" if has_gpu() else "cpu",
        threads=threads or threads_for(asked.config),
        search=counted_text(asked.space.search),
    )
    made = OneNetwork(folder, record, asked.space)
    try:
        check_replaceable(folder, overwrite=overwrite)
        folder.mkdir(parents=True, exist_ok=True)
        with alone(folder):
            check_replaceable(folder, overwrite=overwrite)  # again: another process may have begun since
            remove_training(folder)
            made._write(RECORD, record.to_text())
    except OSError as error:
        raise not_written(folder, error) from None
    return made


def threads_for(config: TrialConfig) -> int:
    """Return as many CPU threads as pay: with less than a billion MACs of a batch each, they wait for each other."""
    return max(1, min(own_cores(), cost(config.network).macs * config.recipe.batch_size // MACS_A_THREAD))


def reopen(asked: Wanted, folder: Path, *, seed: int | None = None, threads: int | None = None) -> OneNetwork:
    """Continue what was begun in a folder.

    Args:
        asked: The network, which must be the one that is trained there.
        folder: The folder.
        seed: The seed, which must be the one that was used; None for whichever it was.
        threads: CPU threads, likewise: with others, sums are rounded in another order.

    Raises:
        UserError: Nothing was begun there, or it is another network.
    """
    try:
        record = OneRecord.from_text((folder / RECORD).read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(
            f"{folder}: nothing was trained there ({error.strerror}). Begin without --resume, or name another folder: "
            "--output."
        ) from None
    except UNREADABLE:
        raise UserError(
            f"{folder / RECORD}: is damaged, or of another version. Train in another folder: --output."
        ) from None
    given = {"seed": (record.seed, seed), "cpus": (record.threads, threads)}
    _check_same(folder, record, asked, {name: each for name, each in given.items() if each[1] not in (None, each[0])})
    return OneNetwork(folder, record, asked.space, _reports(folder))


def _check_same(folder: Path, record: OneRecord, asked: Wanted, differ: dict[str, tuple[Any, Any]]) -> None:
    """Raise UserError unless a network is the one that is trained in a folder, and nothing else differs."""
    found = changes(record.config, json.loads(asked.config.to_json()))
    for name in ("data.stream", "data.own.converted"):  # results are the same
        found.pop(name, None)
    if "data.own.fingerprint" in found and "data.own.place" not in found:
        own = asked.config.data.own
        assert own is not None
        raise UserError(
            f"{folder}: is trained on other images than {own.place} has now. Put them back as they were, train with "
            "today's images in another folder (--output), or replace this training: --overwrite."
        )
    if record.search:
        found |= changes(record.search, counted_text(asked.space.search), "search.")
    if found := found | differ:
        first = [(name, *map(shortened, values)) for name, values in [*found.items()][:CHANGES]]
        said = "; ".join(
            f"{name.replace('recipe.', 'training.', 1)}: {then} there, {now} asked for" for name, then, now in first
        )
        raise UserError(
            f"{folder}: another network is trained there ({said}). Ask for that one, or name another folder: --output."
        )


def _reports(folder: Path) -> list[EpochReport]:
    try:
        lines = (folder / EPOCHS).read_text(encoding="utf-8").splitlines()
        return [EpochReport(**json.loads(line)) for line in lines]
    except FileNotFoundError:
        return []
    except (OSError, ValueError, TypeError):
        raise UserError(f"{folder / EPOCHS}: is damaged. Train again: --overwrite.") from None
