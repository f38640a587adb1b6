"""Checkpoints: whole or absent, never half written, and verified by a hash of their content.

A file holds weights, optimiser state and the epoch. It does not hold random state, since every epoch's generator is a
function of the run's seed and the epoch.
"""

import io
import logging
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from qpsearch.artifacts import open_artifacts, read_sound

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """State after an epoch."""

    epoch: int
    model: dict[str, Any]
    optimizer: dict[str, Any]
    scaler: dict[str, Any]


def serialise(epoch: int, model: nn.Module, optimizer: torch.optim.Optimizer, scaler: torch.amp.GradScaler) -> bytes:
    """Return the content of a checkpoint, which ``torch.load`` reads."""
    states = {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "scaler": scaler.state_dict()}
    buffer = io.BytesIO()
    torch.save({"epoch": epoch} | states, buffer)
    return buffer.getvalue()


def newest(folder: str | None, names: Iterable[str], device: torch.device) -> Checkpoint | None:
    """Load the first undamaged one of several checkpoints; None where all are unusable (the run starts over).

    Raises:
        ArtifactError: The store cannot be reached.
    """
    for name, content in read_sound(open_artifacts(folder), names) if folder is not None else ():
        try:
            state = torch.load(io.BytesIO(content), map_location=device, weights_only=True)
            return Checkpoint(**{"scaler": {}} | state)
        except ValueError as error:
            logger.warning("checkpoint %s cannot be used (%s)", name, error)
    return None
