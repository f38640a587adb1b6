"""Exporting a trained network of a study into a folder that does without the study."""

import json
import os
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from math import isfinite
from pathlib import Path
from statistics import mean, stdev
from typing import TYPE_CHECKING, Any, Final

import qpsearch
from qpsearch.architecture.blocks import BLOCKS, custom_blocks
from qpsearch.architecture.cost import cost
from qpsearch.architecture.plugins import imports
from qpsearch.errors import UserError
from qpsearch.runner.documents import ExportDocument
from qpsearch.runner.machine import data_folder, prepare_data
from qpsearch.runner.model_card import card, loader

if TYPE_CHECKING:
    from qpsearch.study.queries import KeptRun
    from qpsearch.study.records import TrialDetail
    from qpsearch.study.storage.database import Database
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


def export_model(
    database: "Database",
    study: str,
    folder: Path | None = None,
    *,
    trial: int | None = None,
    replicate: int = 0,
    overwrite: bool = False,
) -> Export:
    """Write a trained network's weights, programs, loader and card into a folder.

    Args:
        database: The study database.
        study: The study.
        folder: The folder; None for ``studies/export/STUDY-TRIAL``.
        trial: Number of a complete trial; None for the first one of the best configuration that was trained here.
        replicate: Which of the trial's runs, from 0.
        overwrite: Whether an earlier export in the folder may be replaced.

    Raises:
        UserError: A package is missing, there is no such trial, or the folder holds something else or cannot be
            written.
        ArtifactError: The checkpoint is missing or damaged.
        DataError: The data set, on whose images the outputs are compared, cannot be had.
    """
    from qpsearch.study import queries
    from qpsearch.training.export import PACKAGES, real_inputs, write_forms
    from qpsearch.training.exported import require
    from qpsearch.training.testing import load_trained

    require(*PACKAGES)
    detail, run = queries.trained_run(database, study, trial, replicate)
    config, number = detail.record.config, detail.record.number
    target = folder or Path("studies", "export", f"{study}-{number}{f'-{replicate}' if replicate else ''}")
    _check_free(target, overwrite)
    images_folder = data_folder(config.data)
    prepare_data(config.data, images_folder)
    network = load_trained(config, run.folder, run.checkpoint, "cpu")
    inputs = real_inputs(config, images_folder)
    try:
        target.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=UNFINISHED, dir=target) as made:
            checks = write_forms(network, config, inputs, Path(made))
            info = _info(database, study, detail, run, checks)
            files = _finish(Path(made), info)
            _replace(Path(made), target, files)
    except OSError as error:
        raise UserError(f"{target}: cannot be written ({error.strerror or error}). Name another folder.") from None
    problems = {check.file: check.problem for check in checks if check.problem is not None}
    return Export(folder=target, files=files, problems=problems, info=info)


def _check_free(folder: Path, overwrite: bool) -> None:
    """Raise UserError unless the folder is empty, or holds an earlier export that may be replaced."""
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


def _info(
    database: "Database", study: str, detail: "TrialDetail", run: "KeptRun", checks: "list[Check]"
) -> dict[str, Any]:
    import torch

    from qpsearch.training.exported import FORMAT, VERSION, describe_input, describe_output

    config = detail.record.config
    own = custom_blocks(config.network)
    epoch = next(
        row["epoch"]
        for row in detail.epochs
        if row["replicate"] == run.replicate and row["checkpoint"] == run.checkpoint
    )
    return {
        "format": FORMAT,
        "version": VERSION,
        "qpsearch": qpsearch.__version__,
        "torch": torch.__version__,
        "study": study,
        "trial": detail.record.number,
        "replicate": run.replicate,
        "seed": run.seed,
        "epoch": epoch,
        "cost": asdict(cost(config.network)),
        "custom_blocks": {name: BLOCKS[name].source for name in own},
        "imports": [Path(word).stem if word.endswith(".py") else word for word in imports()] if own else [],
        "input": describe_input(config),
        "output": describe_output(config),
        "results": _results(database, study, detail, run),
        "checks": [asdict(check) | {"difference": _finite(check.difference)} for check in checks],
        "config": json.loads(detail.record.config_json),
    }


def _results(database: "Database", study: str, detail: "TrialDetail", run: "KeptRun") -> dict[str, Any]:
    """Return the numbers of a run, of its configuration, and of what confirms them."""
    from qpsearch.study import queries

    search = queries.space_of(database, study).search
    number, data = detail.record.number, detail.record.config.data
    front = queries.best_configurations(database, study, trained=True)
    best = next((each for each in front if number in each.trials), None)
    scores = [each.score for each in detail.runs if each.score is not None] if best is None else list(best.scores)
    seeds = tuple(each.seed for each in detail.runs) if best is None else best.seeds
    numbers = (number,) if best is None else best.trials
    fresh = queries.fresh_runs(database, study, detail.record.config_json, seeds)
    last = {
        row["noise"]: row
        for row in detail.evaluations
        if row["replicate"] == run.replicate and row["checkpoint"] == run.checkpoint
    }
    complete = queries.count_complete(database, study)
    return {
        "metric": str(search.objective.metric),
        "direction": str(search.objective.direction),
        "objectives": [str(each.metric) for each in search.objectives],
        "validation_images": data.validation if search.objective.metric.needs_validation else 0,
        "counting_epoch": str(search.score),
        "score": _finite(next(each.score for each in detail.runs if each.replicate == run.replicate)),
        "trials": list(numbers),
        "seeds": list(seeds),
        "mean": _finite(mean(scores)),
        "sd": _sd(scores),
        "n": len(scores),
        "complete_trials": complete,
        "is_best": best is not None,
        "best_trial": front[0].number if front else None,
        "was_chosen": complete > len(numbers),
        "confirmed": bool(fresh),
        "fresh": [asdict(each) | {"score": _finite(each.score)} for each in fresh],
        "fresh_mean": _finite(mean(each.score for each in fresh)) if fresh else None,
        "fresh_sd": _sd([each.score for each in fresh]),
        "test": [
            {name: row[name] for name in ("noise", "images", "accuracy", "loss", "nonfinite", "evaluated")}
            for _, row in sorted(last.items())
        ],
        "looks_at_test_images": len(queries.looks(database, study)),
    }


def _sd(scores: list[float]) -> float | None:
    return stdev(scores) if len(scores) > 1 and all(map(isfinite, scores)) else None


def _finite(value: float | None) -> float | None:
    """Return a number that JSON has."""
    return value if value is not None and isfinite(value) else None
