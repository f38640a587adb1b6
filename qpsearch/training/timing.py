"""How long a configuration trains, and how much memory it takes, from a few steps on noise or on its own images."""

import statistics
import time
from collections.abc import Callable
from typing import Final

import torch

from qpsearch.architecture.config import TrialConfig
from qpsearch.architecture.cost import cost
from qpsearch.protocol import RunSettings
from qpsearch.training.data import Split
from qpsearch.training.evaluate import evaluate
from qpsearch.training.loop import TrainingRun, prepared

MEASURED_BYTES: Final = 2**30
TIMED: Final = 20  # steps at most


def peak_of_steps(config: TrialConfig, run: RunSettings) -> tuple[int, int]:
    """Train a few steps and evaluate; return the peak bytes of the GPU's allocator, and the GPU's whole memory."""
    device = prepared(run)
    trainer = TrainingRun(config, run)
    trainer.steps(trainer.captured.unsteady + 2)  # a graph has memory of its own
    return torch.cuda.max_memory_reserved(device), torch.cuda.get_device_properties(device).total_memory


def seconds_an_epoch(config: TrialConfig, run: RunSettings, within_s: float = 3.0) -> float:
    """Estimate how long an epoch takes, from a few batches of noise instead of images; the data set is not read.

    Where the activations of a batch of large images would take more than a gigabyte, a smaller batch is timed.

    Args:
        config: The configuration to estimate.
        run: Device, threads and memory format.
        within_s: About how long to measure; up to four times that where the first batches are slow. A single batch may
            take longer.
    """
    device = prepared(run)
    batch = max(2, min(config.recipe.batch_size, MEASURED_BYTES // cost(config.network).activation_bytes))
    split = noise(config, batch, device)
    trainer = TrainingRun(config, run, (split, split))

    def timed(work: Callable[[], object], images: int, before: int) -> float:
        """Return the median seconds for an image behind the first runs, which warm up; of so few, the last one's."""
        taken: list[float] = []
        while sum(taken[before:]) < within_s / 2 and sum(taken) < 2 * within_s and len(taken) < before + TIMED:
            began = time.perf_counter()
            work()
            if device.type == "cuda":
                torch.cuda.synchronize(device)
            taken.append(time.perf_counter() - began)
        return statistics.median(taken[before:] or taken[-1:]) / images

    images = min(batch, config.recipe.batch_size)
    train_s = timed(lambda: trainer.steps(1, evaluates=False), images, trainer.captured.unsteady)
    evaluation_s = timed(lambda: evaluate(trainer.model, split, config.data), batch, 1)
    return config.data.trained_on * train_s + config.data.validation * evaluation_s


def noise(config: TrialConfig, count: int, device: torch.device) -> Split:
    """Return random images and labels of the shape of a configuration's data set, on a device."""
    facts, generator = config.data.facts, torch.Generator().manual_seed(0)
    side = facts.stored_size or facts.size
    shape = (count, facts.channels, side, side)
    images = torch.randint(0, facts.peak + 1, shape, generator=generator, dtype=torch.uint8)
    labels = torch.randint(0, facts.classes, (count,), generator=generator)
    return Split(images.to(device), labels.to(device))
