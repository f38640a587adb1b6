"""Writing a trained network into a folder: weights, programs, configuration, loader and card."""

import json
import os
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import qpsearch
from qpsearch.architecture.blocks import BLOCKS, custom_blocks
from qpsearch.architecture.config import TrialConfig
from qpsearch.architecture.cost import cost
from qpsearch.architecture.plugins import imports
from qpsearch.errors import UserError
from qpsearch.runner.documents import ExportDocument
from qpsearch.runner.machine import prepare_kept
from qpsearch.runner.model_card import card, loader

if TYPE_CHECKING:
    from qpsearch.training.export import Check

UNFINISHED: Final = ".export-"  # begins the name of a folder in which an export is made


@dataclass(frozen=True, slots=True, kw_only=True)
class Export:
    """An exported network.

    Attributes:
        folder: The folder that was written.
        files: The names of its files.
        problems: For each file that could not be written, why.
        info: The whole of its ``config.json``: what was exported, input, output, results, checks.
    """

    folder: Path
    files: tuple[str, ...]
    problems: Mapping[str, str]
    info: Mapping[str, Any]

    def to_dict(self) -> dict[str, Any]:
        """Return the export as ``--json`` prints it."""
        told = {name: self.info[name] for name in ("study", "trial", "replicate", "input", "output", "results")}
        document = ExportDocument(
            folder=str(self.folder),
            files=self.files,
            problems=dict(self.problems),
            checks=tuple(self.info["checks"]),
            **told,
        )
        return document.to_dict()


def write_export(
    config: TrialConfig, trained: tuple[str, str], target: Path, told: Mapping[str, Any], forms: Sequence[str]
) -> Export:
    """Write a trained network into a folder, in place of what an earlier export of it left there.

    Args:
        config: Its configuration.
        trained: The folder of its checkpoint, a path or URI, and the checkpoint's name.
        target: The folder.
        told: What ``config.json`` says of its training: study and trial (None outside studies), replicate, seed, epoch,
            results.
        forms: Names of the files with weights or programs that are wanted, of ``training.export.FORMS``; none of them
            needs another package.

    Raises:
        UserError: The folder cannot be written.
        ArtifactError: The checkpoint is missing or damaged.
        DataError: The data set, on whose images the outputs are compared, cannot be had.
    """
    from qpsearch.training.export import real_inputs, write_forms
    from qpsearch.training.testing import load_trained

    images_folder = prepare_kept(config.data)
    network, inputs = load_trained(config, *trained, "cpu"), real_inputs(config, images_folder)
    try:
        target.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=UNFINISHED, dir=target) as made:
            checks = write_forms(network, config, inputs, Path(made), forms)
            info = _info(config, told, checks)
            files = _finish(Path(made), info)
            _replace(Path(made), target, files)
    except OSError as error:
        raise UserError(f"{target}: cannot be written ({error.strerror or error}). Name another folder.") from None
    problems = {check.file: check.problem for check in checks if check.problem is not None}
    return Export(folder=target, files=files, problems=problems, info=info)


def check_free(folder: Path, *, overwrite: bool) -> None:
    """Raise UserError unless a folder is empty, or holds an earlier export that may be replaced."""
    from qpsearch.training.exported import read_info

    try:
        names = [path.name for path in folder.iterdir()] if folder.exists() else []
    except OSError as error:
        raise UserError(f"{folder}: cannot be used ({error.strerror}). Name another folder.") from None
    if all(name.startswith(UNFINISHED) for name in names):
        return
    found = read_info(folder)
    if found is None:
        raise UserError(f"{folder}: is not empty, and is not an earlier export. Name another folder.")
    if not overwrite:
        what = f"trial {found.get('trial')} of study {found.get('study')!r}"
        raise UserError(
            f"{folder}: already holds an export of {what}. Replace it (--overwrite), or name another folder."
        )


def finite(value: float | None) -> float | None:
    """Return a number that JSON has; None for another."""
    return value if value is not None and isfinite(value) else None


def _finish(made: Path, info: dict[str, Any]) -> tuple[str, ...]:
    """Write what tells about the other files: card, loader and, with the hashes of all, ``config.json``."""
    from qpsearch.training.exported import CARD, CONFIG, FILES, LOADER, WEIGHTS, sha256_of

    if (made / WEIGHTS).exists():
        (made / LOADER).write_text(loader(info), encoding="utf-8")
    (made / CARD).write_text(card(info), encoding="utf-8")
    names = {path.name for path in made.iterdir()}
    info["files"] = {name: sha256_of(made / name) for name in FILES if name in names}
    (made / CONFIG).write_text(json.dumps(info, indent=2, allow_nan=False) + "\n", encoding="utf-8")
    return tuple(name for name in FILES if name in names | {CONFIG})


def _replace(made: Path, folder: Path, files: tuple[str, ...]) -> None:
    """Move files into place, ``config.json`` first, and remove what an earlier export had and this one has not."""
    from qpsearch.training.exported import FILES

    for name in FILES:
        if name in files:
            os.replace(made / name, folder / name)
        else:
            (folder / name).unlink(missing_ok=True)


def _info(config: TrialConfig, told: Mapping[str, Any], checks: "Sequence[Check]") -> dict[str, Any]:
    import torch

    from qpsearch.training.exported import FORMAT, VERSION, describe_input, describe_output

    own = custom_blocks(config.network)
    return {
        "format": FORMAT,
        "version": VERSION,
        "qpsearch": qpsearch.__version__,
        "torch": torch.__version__,
        **{name: value for name, value in told.items() if name != "results"},
        "cost": asdict(cost(config.network)),
        "custom_blocks": {name: BLOCKS[name].source for name in own},
        "imports": [Path(word).stem if word.endswith(".py") else word for word in imports()] if own else [],
        "input": describe_input(config),
        "output": describe_output(config),
        "results": told["results"],
        "checks": [asdict(check) | {"difference": finite(check.difference)} for check in checks],
        "config": json.loads(config.to_json()),
    }
