"""What a worker does before each trial."""

import gc
import math
import weakref
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from qpsearch.architecture.config import TrialConfig
from qpsearch.dispatch import worker
from qpsearch.dispatch.worker import WorkerSetup, messages
from qpsearch.errors import TrainingDiverged
from qpsearch.protocol import EpochReport, Failed, RunSettings
from qpsearch.space import parse_space
from tests.helpers import new_ledger
from tests.scripted import Behaviour, space_text


def test_what_is_alive_between_trials_is_left_out_of_collections(
    sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before the trial's own objects exist: those must not stay."""
    seen: list[str] = []

    def trainer(config: TrialConfig, run: RunSettings) -> Iterator[EpochReport]:
        seen.append("trains")
        yield EpochReport(epoch=1, train_loss=1.0, val_loss=1.0, val_accuracy=0.5)

    monkeypatch.setattr(worker.gc, "freeze", lambda: seen.append("frozen"))
    with new_ledger(sqlite_url, parse_space(space_text(Behaviour.IMPROVES, epochs=1))) as ledger:
        assignment = ledger.ask()
    assert assignment is not None
    setup = WorkerSetup(
        trainer=trainer, checkpoints=str(tmp_path), data_folder=None, device="cpu", threads=1, report_timeout_s=None
    )
    for _ in range(2):
        assert len(list(messages(assignment, setup, "cpu"))) == 1
    assert seen == ["frozen", "trains"] * 2


class Network:
    """Something that refers to itself."""

    def __init__(self) -> None:
        self.itself = self


def test_a_network_whose_training_failed_does_not_stay(sqlite_url: str, tmp_path: Path) -> None:
    """Nothing else frees a cycle once it is left out of collections."""
    seen: list[weakref.ref[Network]] = []

    def trainer(config: TrialConfig, run: RunSettings) -> Iterator[EpochReport]:
        network = Network()
        seen.append(weakref.ref(network))
        yield EpochReport(epoch=1, train_loss=float(network.itself is network), val_loss=1.0, val_accuracy=0.5)
        raise TrainingDiverged(2, math.inf)

    with new_ledger(sqlite_url, parse_space(space_text(Behaviour.IMPROVES, epochs=2))) as ledger:
        assignment = ledger.ask()
    assert assignment is not None
    setup = WorkerSetup(
        trainer=trainer, checkpoints=str(tmp_path), data_folder=None, device="cpu", threads=1, report_timeout_s=None
    )
    try:
        for _ in range(3):
            assert isinstance(list(messages(assignment, setup, "cpu"))[-1], Failed)
    finally:
        gc.unfreeze()
    assert [network() for network in seen] == [None] * 3


def test_images_are_read_as_the_driver_says_whatever_the_study_said(sqlite_url: str, tmp_path: Path) -> None:
    """A study goes on with any ``data.stream``; its trials keep what it was made with."""
    seen: list[bool | None] = []

    def trainer(config: TrialConfig, run: RunSettings) -> Iterator[EpochReport]:
        seen.append(config.data.stream)
        yield EpochReport(epoch=1, train_loss=1.0, val_loss=1.0, val_accuracy=0.5)

    with new_ledger(sqlite_url, parse_space(space_text(Behaviour.IMPROVES, epochs=1))) as ledger:
        assignment = ledger.ask()
    assert assignment is not None
    data = replace(assignment.config.data, stream=True)
    stored = replace(assignment, config=replace(assignment.config, data=data))
    for stream in (False, None, True):
        setup = WorkerSetup(
            trainer=trainer,
            checkpoints=str(tmp_path),
            data_folder=None,
            device="cpu",
            threads=1,
            report_timeout_s=None,
            stream=stream,
        )
        assert len(list(messages(stored, setup, "cpu"))) == 1
    assert seen == [False, None, True]
