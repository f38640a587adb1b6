"""Checkpoints: whole or absent, never half written, and known by their content.

A file holds what cannot be computed again: weights, optimiser state, the epoch. Random state is not in
it, since every epoch's generator is a function of the run's seed and the epoch.
"""

import io
import logging
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from qpsearch.artifacts import open_artifacts
from qpsearch.errors import ArtifactError
from qpsearch.records import content_hash

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """State after an epoch."""

    epoch: int
    model: dict[str, Any]
    optimizer: dict[str, Any]


def serialise(epoch: int, model: nn.Module, optimizer: torch.optim.Optimizer) -> bytes:
    """Return the content of a checkpoint, which ``torch.load`` reads."""
    buffer = io.BytesIO()
    torch.save({"epoch": epoch, "model": model.state_dict(), "optimizer": optimizer.state_dict()}, buffer)
    return buffer.getvalue()


def write(folder: str, name: str, content: bytes) -> None:
    """Write a checkpoint into a folder, given as path or URI.

    Raises:
        ArtifactError: It cannot be written. No fault of the run's: the disk is full, or the store is away.
    """
    try:
        open_artifacts(folder).write(name, content)
    except OSError as error:
        raise ArtifactError(f"{folder}: a checkpoint cannot be written ({error.strerror or error}).") from None


def newest(folder: str | None, names: Iterable[str], device: torch.device) -> Checkpoint | None:
    """Load the first sound one of several checkpoints; None where there is none (the run starts over)."""
    if folder is None:
        return None
    for name in names:
        try:
            content = open_artifacts(folder).read(name)
            if name.removesuffix(".pt").rpartition("-")[2] != content_hash(content):
                raise ValueError("its content is not what its name says")
            state = torch.load(io.BytesIO(content), map_location=device, weights_only=True)
            return Checkpoint(epoch=state["epoch"], model=state["model"], optimizer=state["optimizer"])
        except (OSError, ValueError) as error:
            logger.warning("checkpoint %s/%s cannot be used (%s)", folder, name, error)
    return None
