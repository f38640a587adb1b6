"""Commands that analyse a study, one of qpsearch or a plain one of Optuna: ``importance``, ``effects``, ``plot``."""

from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer
from rich.console import Console

from qpsearch.analysis.anova.ahead import checked_meanwhile
from qpsearch.cli.options import Json, Storage, StudyArgument, print_json
from qpsearch.display.console import Cell, Column, open_console, print_rows
from qpsearch.display.plain import say
from qpsearch.display.shown import scalar
from qpsearch.runner.machine import DEFAULT_STORAGE
from qpsearch.vocabulary import Evaluator

if TYPE_CHECKING:
    import plotly.graph_objects as go

    from qpsearch.analysis.effects import EffectTable, Interaction
    from qpsearch.analysis.importance import ImportanceTable

PAIRS: Final = 3  # pairs of parameters that are shown

Page = Annotated[
    Path | None, typer.Option("--output", help="The HTML page; default studies/STUDY-COMMAND.html.", metavar="FILE")
]


def importance(
    study: StudyArgument,
    evaluator: Annotated[
        Evaluator,
        typer.Option(help="anova: a Bayesian ANOVA with intervals, pruned trials included. The others are Optuna's."),
    ] = Evaluator.ANOVA,
    output: Page = None,
    storage: Storage = DEFAULT_STORAGE,
    as_json: Json = False,
) -> None:
    """Say which parameters decide, how surely, and draw it; also of a plain Optuna study.

    Examples:
        qpsearch importance digits
        qpsearch importance digits --evaluator ped-anova --output page.html
    """
    with checked_meanwhile() if evaluator is Evaluator.ANOVA else nullcontext():
        from qpsearch.analysis.figures import importance_bars
        from qpsearch.analysis.importance import importance as judge
        from qpsearch.analysis.subject import Subject

        table = judge(Subject.at(storage, study), evaluator=evaluator)
    word = "" if evaluator is Evaluator.ANOVA else f"-{evaluator.value}"
    path = output or Path("studies") / f"{study}-importance{word}.html"
    _show(table, importance_bars(table), path, as_json=as_json)


def _print_importances(console: Console, table: "ImportanceTable") -> None:
    is_share = table.unexplained is not None
    columns = [Column(title="parameter"), Column(title="in total" if is_share else "importance", is_number=True)]
    if is_share:
        columns += [Column(title="5-95%", is_number=True), Column(title="alone", is_number=True, spare=1)]
    rows: list[list[Cell]] = [
        [
            each.parameter,
            f"{each.importance:.3f}",
            *([f"{each.low:.3f}-{each.high:.3f}", f"{each.first:.3f}"] if is_share else []),
        ]
        for each in table.importances
    ]
    rows += [
        [" x ".join(each.parameters), f"{each.share:.3f}", f"{each.low:.3f}-{each.high:.3f}", ""]
        for each in table.pairs[:PAIRS]
    ]
    if table.unexplained is not None:
        rest = table.unexplained
        rows.append(["(what no pair explains)", f"{rest.mean:.3f}", f"{rest.low:.3f}-{rest.high:.3f}", ""])
    print_rows(console, columns, rows)


def effects(
    study: StudyArgument, output: Page = None, storage: Storage = DEFAULT_STORAGE, as_json: Json = False
) -> None:
    """Say what each block at each stage and each rule does to the objective, how surely, and draw it.

    Examples:
        qpsearch effects digits
        qpsearch effects digits --json
    """
    with checked_meanwhile():
        from qpsearch.analysis.effects import effects as judge
        from qpsearch.analysis.figures import effect_forest
        from qpsearch.analysis.subject import Subject

        table = judge(Subject.at(storage, study))
    _show(table, effect_forest(table), output or Path("studies") / f"{study}-effects.html", as_json=as_json)


def plot(
    kind: Annotated[str, typer.Argument(help="The figure; without a right one, all are listed.", metavar="KIND")],
    study: StudyArgument,
    params: Annotated[
        str | None, typer.Option(help="Parameters to draw, with commas between them; without it all.", metavar="NAMES")
    ] = None,
    objective: Annotated[
        str | None, typer.Option(help="The objective to draw; without it the first.", metavar="METRIC")
    ] = None,
    output: Page = None,
    storage: Storage = DEFAULT_STORAGE,
) -> None:
    """Draw one of Optuna's own figures into an HTML page.

    Kinds: history, curves, slice, parallel, contour, rank, importances, edf, timeline, pareto, hypervolume.

    Examples:
        qpsearch plot history digits
        qpsearch plot slice digits --params network.rules.norm
    """
    from qpsearch.analysis.page import write_page
    from qpsearch.analysis.plots import plot as draw
    from qpsearch.analysis.subject import Subject

    names = [name.strip() for name in params.split(",") if name.strip()] if params else []
    figure = draw(Subject.at(storage, study), kind, params=names, objective=objective)
    path = output or Path("studies") / f"{study}-{kind}.html"
    write_page(figure, (), path)
    say(f"page: {path}")


def _show(table: "ImportanceTable | EffectTable", figure: "go.Figure", path: Path, *, as_json: bool) -> None:
    """Write the page, and print the table."""
    from qpsearch.analysis.importance import ImportanceTable
    from qpsearch.analysis.page import write_page

    write_page(figure, table.notes, path)
    if as_json:
        print_json(table.to_dict() | {"page": str(path)})
        return
    console = open_console()
    console.print(table.title, soft_wrap=True)
    if isinstance(table, ImportanceTable):
        _print_importances(console, table)
    else:
        _print_effects(console, table)
    for note in table.notes:
        console.print(note, soft_wrap=True)
    console.print(f"page: {path}", soft_wrap=True)


def _print_effects(console: Console, table: "EffectTable") -> None:
    columns = [
        Column(title="parameter"),
        Column(title="choice"),
        Column(title="against", spare=1),
        Column(title="effect", is_number=True),
        Column(title="5-95%", is_number=True),
        Column(title="trials", is_number=True, spare=2),
    ]
    rows: list[list[Cell]] = [
        [
            each.parameter,
            scalar(each.level),
            scalar(each.reference),
            *_interval(each.effect, each.low, each.high),
            str(each.trials),
        ]
        for each in table.effects
    ]
    print_rows(console, columns, rows)
    _print_interactions(console, "the same block at two stages, difference of its effects:", table.across)
    _print_interactions(
        console, "effects by another parameter, where both together explain something:", table.interactions
    )


def _print_interactions(console: Console, title: str, found: "Sequence[Interaction]") -> None:
    if not found:
        return
    console.print(title, soft_wrap=True)
    columns = [
        Column(title="parameter"),
        Column(title="choice"),
        Column(title="where"),
        Column(title="effect", is_number=True),
        Column(title="5-95%", is_number=True),
    ]
    rows: list[list[Cell]] = [
        [
            each.parameter,
            scalar(each.level),
            f"{each.given} {scalar(each.value)}",
            *_interval(each.effect, each.low, each.high),
        ]
        for each in found
    ]
    print_rows(console, columns, rows)


def _interval(mean: float, low: float, high: float) -> tuple[str, str]:
    return f"{mean:+.4f}", f"{low:+.4f} to {high:+.4f}"
