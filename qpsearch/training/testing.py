"""The test accuracy of a trained network, clean and under noise."""

from collections.abc import Sequence
from pathlib import Path

import torch

from qpsearch.architecture.config import TrialConfig
from qpsearch.errors import ArtifactError
from qpsearch.models import ResidualNetwork, build_model
from qpsearch.training import checkpoint
from qpsearch.training.data import test_images
from qpsearch.training.evaluate import Evaluation, evaluate


def test_run(
    config: TrialConfig, folder: str, name: str, data_folder: Path | None, levels: Sequence[float], device: str
) -> list[Evaluation]:
    """Evaluate a trained run on the test split, at each level of Poisson noise (0 for none).

    Args:
        config: The configuration that was trained.
        folder: Folder of its checkpoints, a path or URI.
        name: Name of the checkpoint.
        data_folder: Folder of the data sets.
        levels: Noise levels; see ``qpsearch.training.evaluate.poisson``.
        device: ``cpu`` or ``cuda``.

    Raises:
        ArtifactError: The checkpoint is missing or damaged.
        DataError: The data set is missing or damaged.
    """
    model = load_trained(config, folder, name, device)
    images = test_images(config.data.dataset, data_folder, torch.device(device))
    return [evaluate(model, images, config.data, level) for level in levels]


def load_trained(config: TrialConfig, folder: str, name: str, device: str) -> ResidualNetwork:
    """Return a trained network in eval mode; arguments and errors are those of ``test_run``."""
    place = torch.device(device)
    found = checkpoint.newest(folder, [name], place)
    if found is None:
        raise ArtifactError(f"{folder}/{name}: is missing or damaged, so its trial cannot be evaluated.")
    model = build_model(config.network, 0).to(place)
    try:
        model.load_state_dict(found.model)
    except RuntimeError:
        blocks = ", ".join(sorted({str(stage.block) for stage in config.network.stages}))
        other = f"{folder}/{name}: does not fit its network."
        raise ArtifactError(f"{other} The code of one of its blocks has changed since: {blocks}.") from None
    return model.eval()
