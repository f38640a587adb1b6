"""A trainer that follows a script instead of learning, importable in worker processes.

What it does is told by the configuration: ``batch_size`` picks the behaviour, the learning rate sets the
level it reaches. It logs every epoch that it starts, one line each, into the folder that SCRIPTED_LOG names, so that
a test can count work done twice; it writes real checkpoint files and goes on from them.
"""

import json
import os
import time
from collections.abc import Iterator
from enum import IntEnum
from pathlib import Path

from qpsearch.architecture.config import TrialConfig
from qpsearch.artifacts import open_artifacts, read_sound
from qpsearch.errors import OutOfMemory, TrainingDiverged
from qpsearch.protocol import EpochReport, RunSettings


class Behaviour(IntEnum):
    """Values of ``training.batch_size``."""

    IMPROVES = 1
    STALLS = 2
    DIVERGES = 3
    RAISES = 4
    DIES = 5
    HANGS = 6
    OUT_OF_MEMORY = 7
    ENDS_EARLY = 8
    SLOW = 9
    LACKS_MEMORY = 16  # for all images of a batch at once


LATE = "{asha: {first: 3}}"
"""Of four epochs: trials pause after whatever they do in their second."""


def space_text(
    *behaviours: Behaviour,
    study: str = "scripted",
    trials: int = 6,
    epochs: int = 4,
    seed: int = 0,
    replicates: int | str = 1,
    pruner: str = "asha",
    sampler: str = "tpe",
    timeout: str = "none",
) -> str:
    """Return a space file in which each trial follows one of the behaviours."""
    chosen = ", ".join(str(int(behaviour)) for behaviour in behaviours)
    batch = f"{{choice: [{chosen}]}}" if len(behaviours) > 1 else chosen
    return f"""
study: {study}
data: {{dataset: digits, validation: 300}}
network:
  stem: {{width: 4}}
  stages:
    - {{width: 4, depth: {{int: [1, 3]}}, block: {{choice: [additive, quotient, product_unit]}}}}
  rules:
    quotient: {{alpha: {{float: [1.3, 2.2]}}}}
training:
  epochs: {epochs}
  batch_size: {batch}
  optimizer: {{sgd: {{lr: {{log: [0.01, 0.5]}}}}}}
search: {{sampler: {sampler}, pruner: {pruner}, trials: {trials}, seed: {seed}, replicates: {replicates}}}
resources: {{report_timeout: {timeout}}}
"""


def train(config: TrialConfig, run: RunSettings) -> Iterator[EpochReport]:
    """Yield reports as the script says."""
    behaviour = Behaviour(config.recipe.batch_size)
    level = 0.5 + config.recipe.optimizer.lr
    for epoch in range(_restore(run) + 1, config.recipe.epochs + 1):
        _log(run, epoch)
        if behaviour is Behaviour.LACKS_MEMORY and config.recipe.gradient_accumulation == 1:
            raise OutOfMemory("16 images at once", in_step=True)
        if epoch == 2:
            _misbehave(behaviour)
        if behaviour is Behaviour.ENDS_EARLY and epoch == 3:
            return
        accuracy = 0.1 if behaviour is Behaviour.STALLS else min(level * epoch / config.recipe.epochs, 1.0)
        time.sleep(0.3 if behaviour is Behaviour.SLOW else float(os.environ.get("SCRIPTED_EPOCH_S", "0")))
        yield EpochReport(
            epoch=epoch,
            train_loss=1.0 / epoch,
            val_loss=1.0,
            val_accuracy=accuracy,
            seconds=0.01,
            checkpoint=_save(run, epoch),
        )


def _misbehave(behaviour: Behaviour) -> None:
    match behaviour:
        case Behaviour.DIVERGES:
            raise TrainingDiverged(2, float("nan"))
        case Behaviour.RAISES:
            raise ZeroDivisionError("as the script says")
        case Behaviour.DIES:
            os.kill(os.getpid(), 9)
        case Behaviour.HANGS:
            time.sleep(600)
        case Behaviour.OUT_OF_MEMORY:
            raise OutOfMemory("as the script says")


def gpu_fault() -> None:
    """Find no fault: Ray is told of GPUs that are not there."""


def _log(run: RunSettings, epoch: int) -> None:
    folder = os.environ.get("SCRIPTED_LOG")
    if folder is None:
        return
    trial = Path(run.checkpoint_folder or "").name
    line = f"{trial} {run.checkpoint_stem.split('-')[0]} {epoch} {run.checkpoint_stem} pid={os.getpid()}\n"
    descriptor = os.open(Path(folder) / "log", os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(descriptor, line.encode())
    os.close(descriptor)


def _save(run: RunSettings, epoch: int) -> str:
    if run.checkpoint_folder is None:
        return ""
    content = json.dumps({"epoch": epoch}).encode() + b" " * int(os.environ.get("SCRIPTED_CHECKPOINT_BYTES", "0"))
    name = run.checkpoint_name(epoch, content)
    open_artifacts(run.checkpoint_folder).write(name, content)
    return name


def _restore(run: RunSettings) -> int:
    if run.checkpoint_folder is None:
        return 0
    sound = read_sound(open_artifacts(run.checkpoint_folder), run.resume_from)
    return next((int(json.loads(content)["epoch"]) for _, content in sound), 0)
