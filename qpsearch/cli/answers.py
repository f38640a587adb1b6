"""Commands that analyse a study, one of qpsearch or a plain one of Optuna: ``importance``, ``effects``, ``plot``."""

from collections.abc import Collection, Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer
from rich.console import Console

from qpsearch.analysis.anova.ahead import checked_meanwhile
from qpsearch.cli.options import Json, Storage, StudyArgument, print_json
from qpsearch.display.console import Cell, Column, open_console, print_rows, print_sentence
from qpsearch.display.plain import say
from qpsearch.display.shown import scalar
from qpsearch.runner.machine import DEFAULT_STORAGE
from qpsearch.space.leaves import short_paths
from qpsearch.vocabulary import Evaluator

if TYPE_CHECKING:
    import plotly.graph_objects as go

    from qpsearch.analysis.effects import EffectTable, Interaction
    from qpsearch.analysis.importance import ImportanceTable

PAIRS: Final = 3  # pairs of parameters that are shown
BESIDE_EFFECT, BESIDE_IMPORTANCE = 72, 36  # width of the other columns, gaps included

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


def _print_importances(console: Console, table: "ImportanceTable", names: Mapping[str, str]) -> None:
    is_share = table.unexplained is not None
    columns = [Column(title="parameter"), Column(title="in total" if is_share else "importance", is_number=True)]
    if is_share:
        columns += [Column(title="5-95%", is_number=True), Column(title="alone", is_number=True, spare=1)]
    rows: list[list[Cell]] = [
        [
            names[each.parameter],
            f"{each.importance:.3f}",
            *([f"{each.low:.3f}-{each.high:.3f}", f"{each.first:.3f}"] if is_share else []),
        ]
        for each in table.importances
    ]
    rows += [
        [
            " x ".join(names[parameter] for parameter in each.parameters),
            f"{each.share:.3f}",
            f"{each.low:.3f}-{each.high:.3f}",
            "",
        ]
        for each in table.pairs[:PAIRS]
    ]
    if table.unexplained is not None:
        rest = table.unexplained
        rows.append(["(what no pair explains)", f"{rest.mean:.3f}", f"{rest.low:.3f}-{rest.high:.3f}", ""])
    _print_rows(console, columns, rows)


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
    print_sentence(console, table.title)
    if isinstance(table, ImportanceTable):
        own = {each.parameter for each in table.importances}
        longest = max((len(" x ".join(pair.parameters)) for pair in table.pairs[:PAIRS]), default=0)
        names = _names(console, own, BESIDE_IMPORTANCE + max(longest - max(map(len, own), default=0), 0))
        _print_importances(console, table, names)
    else:
        own = {each.parameter for each in table.effects}
        own |= {name for pair in (*table.across, *table.interactions) for name in (pair.parameter, pair.given)}
        _print_effects(console, table, _names(console, own, BESIDE_EFFECT))
    for note in table.notes:
        print_sentence(console, note)
    console.print(f"page: {path}", soft_wrap=True)


def _names(console: Console, names: Collection[str], beside: int) -> dict[str, str]:
    """Return what parameters are called in a table: by their last words where the whole path leaves too little room."""
    is_wide = max(map(len, names), default=0) + beside <= console.width
    return {name: name for name in names} if is_wide else short_paths(names)


def _print_rows(console: Console, columns: Sequence[Column], rows: Sequence[Sequence[Cell]]) -> None:
    """Print a table, and beneath it what the terminal has no room for."""
    if left_out := print_rows(console, columns, rows):
        print_sentence(console, f"not shown here, for lack of room: {', '.join(left_out)}; all of it: --json")


def _print_effects(console: Console, table: "EffectTable", names: Mapping[str, str]) -> None:
    columns = [
        Column(title="parameter"),
        Column(title="choice"),
        Column(title="against", spare=2),
        Column(title="effect", is_number=True),
        Column(title="5-95%", is_number=True, spare=1),
        Column(title="trials", is_number=True, spare=3),
    ]
    rows: list[list[Cell]] = [
        [
            names[each.parameter],
            scalar(each.level),
            scalar(each.reference),
            *_interval(each.effect, each.low, each.high),
            str(each.trials),
        ]
        for each in table.effects
    ]
    _print_rows(console, columns, rows)
    _print_interactions(console, "the same block at two stages, difference of its effects:", table.across, names)
    _print_interactions(
        console, "effects by another parameter, where both together explain something:", table.interactions, names
    )


def _print_interactions(console: Console, title: str, found: "Sequence[Interaction]", names: Mapping[str, str]) -> None:
    if not found:
        return
    print_sentence(console, title)
    columns = [
        Column(title="parameter"),
        Column(title="choice", spare=3 if all(each.level == each.value for each in found) else 1),
        Column(title="where"),
        Column(title="effect", is_number=True),
        Column(title="5-95%", is_number=True, spare=2),
    ]
    rows: list[list[Cell]] = [
        [
            names.get(each.parameter, each.parameter),
            scalar(each.level),
            f"{names.get(each.given, each.given)} {scalar(each.value)}",
            *_interval(each.effect, each.low, each.high),
        ]
        for each in found
    ]
    _print_rows(console, columns, rows)


def _interval(mean: float, low: float, high: float) -> tuple[str, str]:
    return f"{mean:+.4f}", f"{low:+.4f} to {high:+.4f}"
