"""The run whose network is used: of the best configuration or of a named trial."""

from optuna.trial import TrialState

from qpsearch.errors import UserError
from qpsearch.study.queries.best import best_configurations
from qpsearch.study.queries.trials import KeptRun, kept_runs, trial_detail
from qpsearch.study.records import TrialDetail
from qpsearch.study.storage.database import Database


def trained_run(database: Database, name: str, trial: int | None, replicate: int = 0) -> tuple[TrialDetail, KeptRun]:
    """Return a complete trial that was trained here, and one of its runs.

    Args:
        database: The study database.
        name: The study.
        trial: The trial's number; None for the first trial of the best configuration that was trained here.
        replicate: Which of the trial's runs, from 0.

    Raises:
        StudyNotFound: There is no such study.
        UserError: There is no such trial or run, or the trial does not have weights.
    """
    if trial is None:
        best = next(iter(best_configurations(database, name, trained=True)), None)
        found = [] if best is None else kept_runs(database, name, best.trials)
        if not found:
            raise UserError(
                f"study {name!r} does not have a complete trial that was trained here. "
                f"Show its progress: qpsearch status {name}."
            )
        trial = found[0].trial
    detail = trial_detail(database, name, trial)
    if detail.record.state != TrialState.COMPLETE.name:
        raise UserError(f"trial {trial} of study {name!r} is {detail.record.state}. Expected a complete one.")
    own = kept_runs(database, name, [trial])
    if not own:
        raise UserError(f"trial {trial} of study {name!r} was imported without weights. Expected one trained here.")
    if not 0 <= replicate < len(own):
        raise UserError(
            f"trial {trial} of study {name!r} does not have replicate {replicate}. Expected 0 to {len(own) - 1}."
        )
    return detail, own[replicate]
