"""What a trained network gives on the test images, clean and under noise."""

from collections.abc import Sequence
from pathlib import Path

from qpsearch.architecture.blocks import custom_blocks
from qpsearch.architecture.config import TrialConfig
from qpsearch.artifacts import join, open_artifacts
from qpsearch.errors import ArtifactDamaged, ArtifactError
from qpsearch.models import ResidualNetwork, build_model
from qpsearch.training import checkpoint
from qpsearch.training.data import test_images
from qpsearch.training.devices import usable_device
from qpsearch.training.evaluate import Evaluation, evaluate
from qpsearch.training.reading import processes_kept


def test_run(
    config: TrialConfig,
    folder: str,
    name: str,
    data_folder: Path | None,
    levels: Sequence[float],
    device: str,
    metrics: Sequence[str],
) -> list[Evaluation]:
    """Evaluate a trained run on the test split, at each level of Poisson noise (0 for none).

    Args:
        config: The configuration that was trained.
        folder: Folder of its checkpoints, a path or URI.
        name: Name of the checkpoint.
        data_folder: Folder of the data sets.
        levels: Noise levels; see ``qpsearch.training.evaluate.poisson``.
        device: ``cpu`` or ``cuda``.
        metrics: Metrics beyond loss and accuracy; those that are not computed from logits are left out.

    Raises:
        ArtifactError: The checkpoint is missing or damaged.
        DataError: The data set is missing or damaged.
        UserError: There is no such device here.
    """
    model = load_trained(config, folder, name, device)
    images = test_images(config.data, data_folder, usable_device(device))
    with processes_kept():
        return [evaluate(model, images, config.data, level, metrics=metrics) for level in levels]


def load_trained(config: TrialConfig, folder: str, name: str, device: str) -> ResidualNetwork:
    """Return a trained network in eval mode; arguments and errors are those of ``test_run``."""
    place, path = usable_device(device), join(folder, name).partition("?")[0]
    advice = "Another trial may be used: --trial N."
    try:
        found = checkpoint.load(open_artifacts(folder), name)
    except OSError:
        raise ArtifactError(f"{path}: is missing, so its trial cannot be evaluated. {advice}") from None
    except ArtifactDamaged as error:
        raise ArtifactDamaged(f"{path.removesuffix(name)}{error} {advice}") from None
    model = build_model(config.network, 0).to(place)
    try:
        model.load_state_dict(found.model)
    except RuntimeError as error:
        other = f"{path}: does not fit its network."
        if own := custom_blocks(config.network):
            raise ArtifactError(f"{other} The code of one of its blocks has changed since: {', '.join(own)}.") from None
        raise ArtifactDamaged(f"{other[:-1]} ({str(error).strip().splitlines()[-1].strip()}) {advice}") from None
    return model.eval()
