"""Checkpoints: whole or absent, never half written, and known by their content.

A file holds what cannot be computed again: weights, optimiser state, the epoch. Random state is not in
it, since every epoch's generator is a function of the run's seed and the epoch.
"""

import io
import logging
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

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


def write(path: Path, content: bytes) -> None:
    """Write a file so that ``path`` holds either all of it or is not there, also after a power cut."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f"{path.name}.partial")
    with temporary.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)


def newest(paths: Iterable[Path], device: torch.device) -> Checkpoint | None:
    """Load the first sound one of several checkpoints; None where there is none (the run starts over)."""
    for path in paths:
        try:
            content = path.read_bytes()
            if path.stem.rpartition("-")[2] != content_hash(content):
                raise ValueError("its content is not what its name says")
            state = torch.load(io.BytesIO(content), map_location=device, weights_only=True)
            return Checkpoint(epoch=state["epoch"], model=state["model"], optimizer=state["optimizer"])
        except (OSError, ValueError) as error:
            logger.warning("checkpoint %s cannot be used (%s)", path, error)
    return None
