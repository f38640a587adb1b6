"""Checkpoints: whole or absent, never half written.

A file holds what cannot be computed again: weights, optimiser state, the epoch. Random state is not in
it, since every epoch's generator is a function of the run's seed and the epoch.
"""

import logging
import os
import pickle
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """State after an epoch."""

    epoch: int
    model: dict[str, Any]
    optimizer: dict[str, Any]


def save(path: Path, epoch: int, model: nn.Module, optimizer: torch.optim.Optimizer) -> None:
    """Write a checkpoint so that ``path`` holds either all of it or is not there, also after a power cut."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f"{path.name}.partial")
    state = {"epoch": epoch, "model": model.state_dict(), "optimizer": optimizer.state_dict()}
    with temporary.open("wb") as file:
        torch.save(state, file)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)


def newest(paths: Iterable[Path], device: torch.device) -> Checkpoint | None:
    """Load the first readable one of several checkpoints; None where there is none (the run starts over)."""
    for path in paths:
        try:
            state = torch.load(path, map_location=device, weights_only=True)
            return Checkpoint(epoch=state["epoch"], model=state["model"], optimizer=state["optimizer"])
        except (OSError, RuntimeError, EOFError, KeyError, pickle.UnpicklingError, zipfile.BadZipFile) as error:
            logger.warning("checkpoint %s cannot be used (%s)", path, error)
    return None
