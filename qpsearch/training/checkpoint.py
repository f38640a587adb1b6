"""Checkpoints: whole or absent, never half written, and verified by a hash of their content.

A file holds weights, optimiser state and the epoch; where weights are averaged, it holds both the averaged ones, which
are those of the run, and those to go on from; and metrics that later epochs need. It does not hold random state, since
every epoch's generator is a function of the run's seed and the epoch.
"""

import io
import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from qpsearch.artifacts import Artifacts, open_artifacts, read_sound, read_verified
from qpsearch.errors import ArtifactDamaged, OutOfMemory
from qpsearch.training.memory import out_of_memory_named
from qpsearch.training.optim import state_of

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """State after an epoch.

    Attributes:
        epoch: The epoch, from 1.
        model: Weights and buffers of the network, averaged where the recipe averages them.
        optimizer: State of the optimiser.
        scaler: What scales float16's gradients.
        raw: Weights and buffers to go on from; empty where ``model`` holds them.
        measured: Metrics that later epochs of the run need, or repeat.
    """

    epoch: int
    model: dict[str, Any]
    optimizer: dict[str, Any]
    scaler: dict[str, Any]
    raw: dict[str, Any]
    measured: dict[str, float | None]


def serialise(
    epoch: int,
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    scaler: torch.amp.GradScaler,
    averaged: nn.Module | None = None,
    measured: Mapping[str, float | None] | None = None,
) -> bytes:
    """Return the content of a checkpoint, which ``torch.load`` reads."""
    own = {
        name: value.clone() for name, value in model.state_dict().items()
    }  # torch.save writes all that a view shares
    states = {"model": own, "optimizer": state_of(optimizer), "scaler": scaler.state_dict()}
    if averaged is not None:
        states |= {"model": averaged.state_dict(), "raw": own}
    buffer = io.BytesIO()
    torch.save({"epoch": epoch} | states | ({"measured": dict(measured)} if measured else {}), buffer)
    return buffer.getvalue()


def load(files: Artifacts, name: str) -> Checkpoint:
    """Load a checkpoint, on the CPU, whatever it was trained on. Code in the file is never run.

    Raises:
        OSError: There is no such file.
        ArtifactDamaged: The file is damaged, or is not a checkpoint.
        ArtifactError: The store cannot be reached.
        OutOfMemory: The machine does not have the memory for it.
    """
    return _parse(name, read_verified(files, name))


def newest(folder: str | None, names: Iterable[str]) -> Checkpoint | None:
    """Load the first undamaged one of several checkpoints; None where all are unusable (the run starts over).

    Raises:
        ArtifactError: The store cannot be reached.
        OutOfMemory: The machine does not have the memory for it.
    """
    for name, content in read_sound(open_artifacts(folder), names) if folder is not None else ():
        try:
            return _parse(name, content)
        except ArtifactDamaged as error:
            logger.warning("%s cannot be used (%s)", name, error)
    return None


def _parse(name: str, content: bytes) -> Checkpoint:
    try:
        with out_of_memory_named():
            state = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)  # no device has a part in it
        found = Checkpoint(**{"scaler": {}, "raw": {}, "measured": {}} | state)
    except OutOfMemory:
        raise
    except Exception as error:  # of zip, pickle or torch: a crafted file may raise anything
        why = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise ArtifactDamaged(f"{name}: is not a checkpoint ({why.rstrip('.')}).") from None
    parts = (found.model, found.optimizer, found.scaler, found.raw, found.measured)
    if not (isinstance(found.epoch, int) and all(isinstance(part, dict) for part in parts)):
        raise ArtifactDamaged(f"{name}: is not a checkpoint (of an epoch, weights and the state of an optimiser).")
    if not all(map(torch.is_tensor, (*found.model.values(), *found.raw.values()))):
        raise ArtifactDamaged(f"{name}: is not a checkpoint (its weights are not tensors).")
    return found
