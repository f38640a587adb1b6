"""Exporting a trained network of a study into a folder that does without the study."""

from dataclasses import asdict
from pathlib import Path
from statistics import mean
from typing import TYPE_CHECKING, Any, Final

from qpsearch.registry.metrics import ON_TEST
from qpsearch.runner.exporting import Export, check_free, finite, write_export

if TYPE_CHECKING:
    from qpsearch.space.search import Search
    from qpsearch.study.queries import KeptRun
    from qpsearch.study.records import TrialDetail
    from qpsearch.study.storage.database import Database

LOOK: Final = ("noise", "images", "accuracy", "loss", "nonfinite", "evaluated")  # of a look at the test images


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
    from qpsearch.training.export import FORMS, PACKAGES
    from qpsearch.training.exported import require

    require(*PACKAGES)
    detail, run = queries.trained_run(database, study, trial, replicate)
    config, number = detail.record.config, detail.record.number
    target = folder or Path("studies", "export", f"{study}-{number}{f'-{replicate}' if replicate else ''}")
    check_free(target, overwrite=overwrite)
    return write_export(config, (run.folder, run.checkpoint), target, _told(database, study, detail, run), FORMS)


def _told(database: "Database", study: str, detail: "TrialDetail", run: "KeptRun") -> dict[str, Any]:
    from qpsearch.study import queries

    search = queries.space_of(database, study).search
    epoch = next(
        row["epoch"]
        for row in detail.epochs
        if row["replicate"] == run.replicate and row["checkpoint"] == run.checkpoint
    )
    return {
        "study": study,
        "trial": detail.record.number,
        "replicate": run.replicate,
        "seed": run.seed,
        "epoch": epoch - (search.fidelity.before_last if search.fidelity else 0),  # of the training of the last level
        "results": _results(database, study, search, detail, run),
    }


def _results(
    database: "Database", study: str, search: "Search", detail: "TrialDetail", run: "KeptRun"
) -> dict[str, Any]:
    """Return the numbers of a run, of its configuration, and of what confirms them."""
    from qpsearch.study import queries
    from qpsearch.study.records import sd_of

    number, data = detail.record.number, detail.record.config.data
    front = queries.best_configurations(database, study, trained=True)
    best = next((each for each in front if number in each.trials), None)
    scores = [each.score for each in detail.runs if each.score is not None] if best is None else list(best.scores)
    seeds = tuple(each.seed for each in detail.runs) if best is None else best.seeds
    numbers = (number,) if best is None else best.trials
    is_fresh = queries.confirms(database, study)
    fresh = [] if is_fresh else queries.fresh_runs(database, study, detail.record.config_json, seeds)
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
        "measured_on": search.objective.metric.measured_on,
        "validation_images": data.validation if search.objective.metric.needs_validation else 0,
        "counting_epoch": str(search.score),
        "score": finite(next(each.score for each in detail.runs if each.replicate == run.replicate)),
        "trials": list(numbers),
        "seeds": list(seeds),
        "mean": finite(mean(scores)),
        "sd": sd_of(scores),
        "n": len(scores),
        "complete_trials": complete,
        "is_best": best is not None,
        "best_trial": front[0].number if front else None,
        "was_chosen": complete > len(numbers),
        "on_fresh_seeds": is_fresh,
        "confirmed": bool(fresh),
        "fresh": [asdict(each) | {"score": finite(each.score)} for each in fresh],
        "fresh_mean": finite(mean(each.score for each in fresh)) if fresh else None,
        "fresh_sd": sd_of([each.score for each in fresh]),
        "test": [
            {name: row[name] for name in (*LOOK, *(name for name in row if name.startswith(ON_TEST)))}
            for _, row in sorted(last.items())
        ],
        "looks_at_test_images": len(queries.looks(database, study)),
    }
