"""Reading a study: records for tables and figures. Does not take a lock that a driver could wait for."""

from qpsearch.study.queries.best import best_configurations, configurations_of, top_configurations
from qpsearch.study.queries.confirmed import (
    chosen_by,
    comparison_named,
    confirmation_name,
    confirms,
    numbers_in_search,
    trials_of_arms,
)
from qpsearch.study.queries.detail import trial_detail
from qpsearch.study.queries.kept import KeptRun, kept_runs
from qpsearch.study.queries.results import EPOCH_COLUMNS, RunResult, epoch_rows, evaluation_rows, run_results
from qpsearch.study.queries.summaries import count_complete, stop_reached, summary
from qpsearch.study.queries.timeline import Origin, Span, attempt_spans, origin, state_of_study
from qpsearch.study.queries.trials import (
    artifacts_of,
    frozen_trials,
    holders,
    looks,
    running_records,
    space_of,
    state_counts,
    steps_of,
    study_names,
    trial_count,
    trial_records,
)
from qpsearch.study.queries.warm_starts import useless_warm_starts
from qpsearch.study.queries.winner import FreshRun, fresh_runs, trained_run

__all__ = [
    "FreshRun",
    "KeptRun",
    "Origin",
    "RunResult",
    "Span",
    "artifacts_of",
    "attempt_spans",
    "best_configurations",
    "chosen_by",
    "comparison_named",
    "configurations_of",
    "confirmation_name",
    "confirms",
    "count_complete",
    "EPOCH_COLUMNS",
    "epoch_rows",
    "evaluation_rows",
    "fresh_runs",
    "frozen_trials",
    "holders",
    "kept_runs",
    "looks",
    "numbers_in_search",
    "origin",
    "run_results",
    "running_records",
    "space_of",
    "state_counts",
    "state_of_study",
    "steps_of",
    "stop_reached",
    "study_names",
    "summary",
    "top_configurations",
    "trained_run",
    "trial_count",
    "trial_detail",
    "trial_records",
    "trials_of_arms",
    "useless_warm_starts",
]
