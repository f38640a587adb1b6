"""The folder of an exported network: what is in it, and the network read back from it."""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

import torch
from torch import Tensor

from qpsearch.architecture.blocks import BLOCKS
from qpsearch.architecture.config import Network, TrialConfig
from qpsearch.architecture.plugins import load_everything
from qpsearch.errors import ArtifactDamaged, ArtifactError, UserError, command
from qpsearch.models import ResidualNetwork, build_model
from qpsearch.registry.augmentations import centre
from qpsearch.registry.datasets import Data
from qpsearch.training.data import normalise
from qpsearch.vocabulary import Variable

FORMAT: Final = "qpsearch model export"
VERSION: Final = 1
CONFIG: Final = "config.json"
WEIGHTS: Final = "model.safetensors"
PROGRAM: Final = "model.pt2"
ONNX: Final = "model.onnx"
LOADER: Final = "load.py"
CARD: Final = "README.md"
FILES: Final = (CONFIG, WEIGHTS, PROGRAM, ONNX, LOADER, CARD)


@dataclass(frozen=True, slots=True)
class ExportedModel:
    """A network that ``qpsearch model export`` wrote.

    Attributes:
        network: The trained network in eval mode. It maps normalised images (N, C, H, W) to logits (N, classes).
        classes: The names of the classes, by label; empty where they are not known.
        config: The configuration that was trained.
        info: The whole of ``config.json``: input, output, results, checks.
    """

    network: ResidualNetwork
    classes: tuple[str, ...]
    config: TrialConfig
    info: dict[str, Any]

    def preprocess(self, images: Tensor) -> Tensor:
        """Turn images as the data set stores them into inputs of the network.

        Args:
            images: (N, C, H, W) uint8, with values as in the data set: 0 to 16 for the digits, 0 to 255 elsewhere.

        Returns:
            (N, C, size, size) float32, normalised as in training; of larger images the centre.

        Raises:
            UserError: ``images`` is not a tensor of that type and shape.
        """
        return preprocessed(images, self.config.data)


def load_exported(folder: str | Path) -> ExportedModel:
    """Load a network from the folder that ``qpsearch model export`` or ``Study.export_model`` wrote.

    Needs neither the study nor its data; of other packages, safetensors. The weights are verified by a hash. Code in
    the folder is not run.

    Args:
        folder: The folder with ``config.json`` and ``model.safetensors``.

    Raises:
        ArtifactError: There is no export in the folder, or it has a newer format.
        ArtifactDamaged: A file does not hold what was written, or does not fit its network.
        UserError: ``folder`` is not a path, safetensors is not installed, or the network has a custom block that is not
            registered here.

    Example:
        >>> import qpsearch
        >>> folder = qpsearch.load_study("smoke").export_model("winner").folder
        >>> exported = qpsearch.load_exported(folder)
        >>> exported.classes[:3], exported.info["study"]
        (('0', '1', '2'), 'smoke')
    """
    require("safetensors")
    given: object = folder
    if not isinstance(given, str | Path):
        raise UserError(f"folder: {given!r} is not a path. Expected a text or a Path.")
    folder = Path(given)
    info = read_info(folder)
    if info is None:
        again = command("model", "export", "STUDY")
        raise ArtifactError(f"{folder}: is not an export of a network. Make one: {again}.")
    if info.get("version") != VERSION:
        raise ArtifactError(
            f"{folder}: has format {info.get('version')} of exports, but this qpsearch reads {VERSION}. "
            "Install the version that wrote it."
        )
    try:
        config = TrialConfig.from_json(json.dumps(info["config"]))
        custom = dict(info["custom_blocks"])
        sha256, classes = info["files"][WEIGHTS], tuple(map(str, info["output"]["classes"] or ()))
    except (ValueError, TypeError, LookupError):
        raise ArtifactDamaged(f"{folder / CONFIG}: is damaged. Export the network again.") from None
    try:
        found = sha256_of(folder / WEIGHTS)
    except OSError as error:
        raise ArtifactError(f"{folder / WEIGHTS}: cannot be read ({error.strerror}).") from None
    if found != sha256:
        raise ArtifactDamaged(f"{folder / WEIGHTS}: does not hold what was exported. Export the network again.")
    _find_blocks(folder, custom)
    return ExportedModel(read_weights(folder / WEIGHTS, config.network), classes, config, info)


def _find_blocks(folder: Path, modules: dict[str, str]) -> None:
    """Register the custom blocks of a network; raises UserError where one is not installed and not imported."""
    if all(name in BLOCKS for name in modules):
        return
    load_everything()
    missing = [name for name in modules if name not in BLOCKS]
    if missing:
        raise UserError(
            f"{folder}: block {missing[0]!r} of the network is not known here. Set {Variable.IMPORT} to the module "
            f"that defines it, such as {modules[missing[0]]}."
        )


def read_weights(path: Path, network: Network) -> ResidualNetwork:
    """Return a network in eval mode with the weights of a file; raises ArtifactDamaged where they do not fit."""
    from safetensors import SafetensorError
    from safetensors.torch import load_model

    model = build_model(network, 0)
    try:
        load_model(model, path)
    except (RuntimeError, SafetensorError) as error:
        why = str(error).strip().splitlines()[-1].strip()
        raise ArtifactDamaged(f"{path}: does not fit its network ({why}). Export the network again.") from None
    return model.eval()


def read_info(folder: Path) -> dict[str, Any] | None:
    """Return ``config.json`` of an export; None where the folder does not hold an export."""
    try:
        info = json.loads((folder / CONFIG).read_bytes())
    except (OSError, ValueError):
        return None
    return info if isinstance(info, dict) and info.get("format") == FORMAT else None


def preprocessed(images: object, data: Data) -> Tensor:
    """Do as ``inputs_of`` for images that a caller gives; those that the network sees whole may come, too.

    Raises:
        UserError: They are not a tensor of the type and shape of the data set's images.
    """
    facts, found = data.facts, type(images).__name__
    sides = sorted({facts.size, facts.stored_size or facts.size}, reverse=True)
    if isinstance(images, Tensor):
        found = f"{images.dtype} of shape {tuple(images.shape)}"
        if images.dtype == torch.uint8 and tuple(images.shape[1:]) in [(facts.channels, side, side) for side in sides]:
            return inputs_of(images, data)
    shapes = " or ".join(f"(N, {facts.channels}, {side}, {side})" for side in sides)
    raise UserError(f"images: got {found}. Expected a torch tensor {shapes} of uint8, 0 to {facts.peak:g}.")


def inputs_of(images: Tensor, data: Data) -> Tensor:
    """Turn uint8 images as the data set stores them into inputs of its networks, as for validation."""
    return centre(normalise(images, data), data.facts.size)


def describe_input(config: TrialConfig) -> dict[str, Any]:
    """Return what an exported program takes, in words that a program in another language can follow."""
    facts, (mean, std), network = config.data.facts, config.data.moments, config.network
    is_resized = config.data.own is not None and facts.stored_size > 0
    first = (
        f"the shorter side resized to {facts.stored_size} pixels, bilinear with antialiasing; " if is_resized else ""
    )
    return {
        "name": "images",
        "shape": ["batch", network.channels, network.size, network.size],
        "type": "float32",
        "channels": "RGB" if network.channels == 3 else "grey",
        "peak": facts.peak,
        "mean": list(mean),
        "std": list(std),
        "formula": f"{first}(pixel / peak - mean) / std for each channel; of a larger image the centre",
    }


def describe_output(config: TrialConfig) -> dict[str, Any]:
    """Return what an exported program gives."""
    names = config.data.facts.names
    return {
        "name": "logits",
        "shape": ["batch", config.network.classes],
        "type": "float32",
        "classes": list(names) if len(names) == config.network.classes else None,
    }


def sha256_of(path: Path) -> str:
    """Return the hash of a file's content; raises OSError."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def is_installed(package: str) -> bool:
    """Whether a package can be imported."""
    return find_spec(package) is not None


def require(*packages: str) -> None:
    """Raise UserError with the way to install them if packages are missing."""
    missing = [name for name in packages if not is_installed(name)]
    if missing:
        raise UserError(f"exported networks need {_listed(missing)}. Install: pip install 'qpsearch[export]'.")


def _listed(names: Iterable[str]) -> str:
    *others, last = names
    return f"{', '.join(others)} and {last}" if others else last
