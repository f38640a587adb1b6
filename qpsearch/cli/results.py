"""Commands that read a study: ``status``, ``trials``, ``best``, ``importance``."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from qpsearch.cli.console import open_console, open_table
from qpsearch.cli.options import Json, Storage, StudyArgument, print_json
from qpsearch.runner.machine import DEFAULT_STORAGE
from qpsearch.runner.progress import duration
from qpsearch.space.space import Objective
from qpsearch.study.records import StudySummary, TrialRecord
from qpsearch.vocabulary import Evaluator, Scalar

if TYPE_CHECKING:
    from qpsearch.analysis.importance import ImportanceTable

STATES = ("COMPLETE", "PRUNED", "FAIL", "RUNNING")
LITTLE = 0.1  # R^2 below which importances are doubted


def status(
    study: Annotated[
        str | None, typer.Argument(help="Name of a study; without it all are listed.", metavar="[STUDY]")
    ] = None,
    storage: Storage = DEFAULT_STORAGE,
    as_json: Json = False,
) -> None:
    """Say how far a study is, or list all studies."""
    from qpsearch.study import queries
    from qpsearch.study.storage.database import Database

    database = Database.open(storage)
    names = queries.study_names(database) if study is None else [study]
    summaries = [queries.summary(database, name) for name in names]
    running = queries.running_records(database, study) if study is not None else []
    if as_json:
        print_json(
            {
                "studies": [_summary_dict(summary) for summary in summaries],
                "running": [record.to_dict() for record in running],
            }
        )
        return
    table = open_table("study", "done", *(state.lower() for state in STATES), "best", "trained", "driver")
    for summary in summaries:
        done = sum(count for state, count in summary.counts.items() if state != "RUNNING")
        best = f"{summary.best.value:.4f} (trial {summary.best.number})" if summary.best else "-"
        counts = [str(summary.counts.get(state, 0)) for state in STATES]
        table.add_row(
            summary.name,
            f"{done}/{summary.budget.trials}",
            *counts,
            best,
            duration(summary.seconds),
            ", ".join(summary.drivers) or "none",
        )
    console = open_console()
    console.print(table)
    for problem in filter(None, (summary.problem for summary in summaries)):
        console.print(problem, soft_wrap=True)
    for summary in summaries if study is not None else []:
        _print_details(console, summary, running)


def trials(study: StudyArgument, storage: Storage = DEFAULT_STORAGE, as_json: Json = False) -> None:
    """List a study's trials."""
    from qpsearch.study import queries
    from qpsearch.study.storage.database import Database

    database = Database.open(storage)
    records = queries.trial_records(database, study)
    if as_json:
        print_json({"study": study, "trials": [record.to_dict() for record in records]})
        return
    metric, *costs = [each.metric.value for each in queries.space_of(database, study).search.objectives]
    table = open_table("trial", "state", metric, *costs, "epochs", "seconds", "what was chosen, or why it failed")
    for record in records:
        values = [f"{record.value:.4f}" if record.value is not None else "-"]
        values += [f"{value:,.0f}" for value in record.values[1:]] or ["-"] * len(costs)
        table.add_row(
            str(record.number), record.state, *values, str(record.epochs), f"{record.duration_s:.1f}", _choices(record)
        )
    open_console().print(table)


def best(study: StudyArgument, storage: Storage = DEFAULT_STORAGE, as_json: Json = False) -> None:
    """Show the best complete trial so far; of several objectives, the Pareto front."""
    from qpsearch.errors import UserError
    from qpsearch.study import queries
    from qpsearch.study.storage.database import Database

    database = Database.open(storage)
    objectives = queries.space_of(database, study).search.objectives
    objective = objectives[0]
    records = queries.trial_records(database, study)
    found = queries.best(records, objectives)
    front = queries.front(records, objectives) if len(objectives) > 1 else []
    if as_json:
        document = {"study": study, "objective": asdict(objective), "best": found.to_dict() if found else None}
        several = {"objectives": list(map(asdict, objectives)), "front": [record.to_dict() for record in front]}
        print_json(document | (several if front else {}))
        return
    if found is None:
        raise UserError(f"study {study!r} has no complete trial yet. How far it is: qpsearch status {study}.")
    complete = sum(record.state == "COMPLETE" for record in records)
    if front:
        _print_front(front, objectives, complete)
        return
    runs = queries.run_scores(database, study, found.number)
    print(f"trial {found.number}: {objective.metric} {found.value:.4f} on validation images,")
    print(
        f"the best of {complete} complete trials, n = {len(runs)}: optimistic until it is trained again on fresh seeds"
    )
    print(f"seeds: {', '.join(str(seed) for seed, _ in runs)}")
    width = max(len(name) for name in found.params) if found.params else 0
    for name, value in found.params.items():
        print(f"  {name:<{width}}  {_shown(value)}")


def _print_front(front: list[TrialRecord], objectives: tuple[Objective, ...], complete: int) -> None:
    console = open_console()
    console.print(f"Pareto front: {len(front)} of {complete} complete trials")
    table = open_table("trial", *(f"{each.metric} ({each.direction})" for each in objectives), "what was chosen")
    for record in front:
        score, *costs = record.values
        table.add_row(str(record.number), f"{score:.4f}", *(f"{value:,.0f}" for value in costs), _choices(record))
    console.print(table)
    console.print("Scores are of one search on validation images: optimistic until trained again on fresh seeds.")


def importance(
    study: StudyArgument,
    evaluator: Annotated[
        Evaluator,
        typer.Option(help="branches: fANOVA, conditional parameters within their branch. The others are Optuna's own."),
    ] = Evaluator.BRANCHES,
    output: Annotated[
        Path | None,
        typer.Option(help="The HTML page; default studies/STUDY-importance[-EVALUATOR].html.", metavar="FILE"),
    ] = None,
    storage: Storage = DEFAULT_STORAGE,
    as_json: Json = False,
) -> None:
    """Say which parameters decide, how surely, and draw it."""
    from qpsearch.analysis.figures import importance_bars
    from qpsearch.analysis.importance import importance as judge
    from qpsearch.analysis.page import write_page
    from qpsearch.study import queries
    from qpsearch.study.storage.database import Database

    database = Database.open(storage)
    objective = queries.space_of(database, study).search.objective
    table = judge(queries.frozen_trials(database, study), objective, study=study, evaluator=evaluator)
    word = "" if evaluator is Evaluator.BRANCHES else f"-{evaluator.value}"
    path = output or Path("studies") / f"{study}-importance{word}.html"
    write_page(importance_bars(table), _notes(table), path)
    if as_json:
        print_json(table.to_dict() | {"page": str(path)})
        return
    console = open_console()
    console.print(table.title, soft_wrap=True)
    shown = open_table("parameter", "importance", "5-95%", "trials")
    for row in table.importances:
        shown.add_row(row.parameter, f"{row.importance:.3f}", f"{row.low:.3f}-{row.high:.3f}", str(row.trials))
    console.print(shown)
    for note in _notes(table):
        console.print(note, soft_wrap=True)
    console.print(f"page: {path}", soft_wrap=True)


def _notes(table: "ImportanceTable") -> tuple[str, ...]:
    notes = [f"{table.total - table.n} trials that are pruned, failed or running were not used."]
    if table.predicted is not None:
        what = f"R2 = {max(table.predicted, 0):.2f}, the share of the variance of unseen trials that they explain"
        doubt = "; with so little, importances can be noise" if table.predicted < LITTLE else ""
        notes.append(f"Parameters judged on all trials: {what}{doubt}.")
    if table.evaluator.value == "ped-anova":
        notes.append(
            "PED-ANOVA tells the best tenth of the trials from the rest of what was sampled; "
            "a block that explains most of the variance can rank low."
        )
    return (*notes, *(f"left out: {reason}" for reason in table.left_out))


def _print_details(console: Console, summary: StudySummary, running: list[TrialRecord]) -> None:
    goals = ", ".join(f"{each.direction} {each.metric}" for each in summary.objectives) or "objective unknown"
    console.print(f"{goals}; sampler {summary.sampler}, pruner {summary.pruner}", soft_wrap=True)
    console.print(f"spent: {_spent(summary)}", soft_wrap=True)
    _print_accounts(console, summary)
    if summary.failures:
        console.print("failed: " + ", ".join(f"{count} {reason}" for reason, count in sorted(summary.failures.items())))
    if summary.infeasible:
        console.print(f"infeasible draws, not trials: {summary.infeasible}")
    for record in running:
        state = "runs" if summary.drivers else "waits for 'qpsearch resume'"
        console.print(
            f"trial {record.number} {state}: {record.epochs} epochs so far, {record.place or 'not placed yet'}",
            soft_wrap=True,
        )


def _spent(summary: StudySummary) -> str:
    """Return what was spent of each bound."""
    budget = summary.budget
    ended = sum(count for state, count in summary.counts.items() if state != "RUNNING")
    bounds = [
        (f"{ended}", f"{budget.trials}", "trials"),
        (f"{summary.epochs}", None if budget.epochs is None else f"{budget.epochs}", "epochs"),
        (duration(summary.wall_s), None if budget.seconds is None else duration(budget.seconds), "of wall time"),
        (
            f"{summary.gpu_s / 3600:.2f}",
            None if budget.gpu_seconds is None else f"{budget.gpu_seconds / 3600:g}",
            "GPU hours",
        ),
    ]
    return ", ".join(f"{spent}{'' if bound is None else f' of {bound}'} {unit}" for spent, bound, unit in bounds)


def _print_accounts(console: Console, summary: StudySummary) -> None:
    """Print where the time went, by kinds of block."""
    kinds = ("complete", "running", "pruned", "failed", "repeated")
    table = open_table("blocks", "trials", *kinds[:-1], "repeated after a crash")
    for account in summary.accounts:
        seconds = asdict(account)
        table.add_row(account.blocks, str(account.trials), *(duration(seconds[f"{kind}_s"]) for kind in kinds))
    console.print(table)


def _choices(record: TrialRecord) -> str:
    if record.reason is not None:
        last = (record.detail or "").strip().splitlines()
        return f"{record.reason}: {last[-1] if last else ''}"
    blocks = [stage.block for stage in record.config.network.stages]
    others = [
        f"{name.rsplit('.', 1)[-1]} {_shown(value)}"
        for name, value in record.params.items()
        if not name.endswith(".block")
    ]
    return "; ".join(filter(None, (" / ".join(blocks), ", ".join(others))))


def _shown(value: Scalar) -> str:
    if value is None:
        return "none"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _summary_dict(summary: StudySummary) -> dict[str, Any]:
    return {
        "name": summary.name,
        "problem": summary.problem,
        "objective": asdict(summary.objectives[0]) if summary.objectives else None,
        "objectives": [asdict(objective) for objective in summary.objectives],
        "trials": summary.budget.trials,
        "budget": asdict(summary.budget),
        "spent": {"epochs": summary.epochs, "seconds": summary.wall_s, "gpu_seconds": summary.gpu_s},
        "accounts": [asdict(account) for account in summary.accounts],
        "counts": dict(summary.counts),
        "failures": dict(summary.failures),
        "infeasible": summary.infeasible,
        "best": summary.best.to_dict() if summary.best else None,
        "seconds": summary.seconds,
        "drivers": list(summary.drivers),
        "created": {"at": summary.created, "from": summary.source, **summary.environment},
        "sampler": summary.sampler,
        "pruner": summary.pruner,
    }
