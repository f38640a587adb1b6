"""The time that a network takes for one image."""

import statistics
import time
from typing import Final

import torch
from torch import Tensor, nn

WARM_UP: Final = 5  # passes that are not counted: on a CPU the first took 3 times the others, at 8x8
PASSES: Final = 50
MOST_S: Final = 1.0  # after which no further pass begins


@torch.no_grad()
def latency_ms(model: nn.Module, image: Tensor) -> float:
    """Return the median milliseconds of a forward pass in eval mode, as ``evaluate`` makes it; the mode is restored.

    Args:
        model: Maps images to logits.
        image: (1, C, H, W), normalised, on the device and in the memory format of the model.
    """
    was_training = model.training
    model.eval()
    is_cuda = image.device.type == "cuda"
    taken: list[float] = []
    began = time.perf_counter()
    while len(taken) < WARM_UP + 1 or (len(taken) < WARM_UP + PASSES and time.perf_counter() - began < MOST_S):
        if is_cuda:
            torch.cuda.synchronize(image.device)
        start = time.perf_counter()
        model(image)
        if is_cuda:
            torch.cuda.synchronize(image.device)
        taken.append(time.perf_counter() - start)
    model.train(was_training)
    return statistics.median(taken[WARM_UP:]) * 1000
