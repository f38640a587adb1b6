"""What decides, and what each choice does: the tables of ``importance`` and ``effects``, with their figures."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from qpsearch.analysis.effects import EffectTable, Interaction
from qpsearch.analysis.figures import block_map, effect_points, importance_bars
from qpsearch.analysis.importance import ImportanceTable
from qpsearch.analysis.page import Chart, Markup, Section, for_plotly, tag
from qpsearch.analysis.page.parts import Heading, TableCell, notes, table
from qpsearch.analysis.report.material import Material
from qpsearch.analysis.report.thinning import thinned_note
from qpsearch.analysis.report.words import scalar, signed

EFFECTS_DRAWN: Final = 60  # choices that the figure of effects shows; the table has all


def importance_section(material: Material) -> Section:
    """Return the section about what decides; where there are too few trials, it says so."""
    found = material.importances
    title = "What decides"
    if found is None:
        return Section(name="importance", title=title, body=(tag("p", material.refusal, class_="warning"),))
    figure = importance_bars(found, material.names)
    figure.update_layout(
        title=None,
        margin={"t": 10, "r": 16},
        height=90 + 28 * max(len(found.importances), 3),
        xaxis_title="share of variance",
    )
    chart = Chart(
        name="importance",
        figure=figure,
        label=f"the share of the variance of {found.objective.metric} that each parameter explains, with intervals",
        columns=(("parameter", "customdata.3"), ("share", "x"), ("low", "customdata.0"), ("high", "customdata.1")),
        series="share of",
    )
    said = (
        f"How much of the variance of {found.of}, over even draws of the space, each parameter explains. "
        "In total, a parameter counts with the pairs of which it is one; the whiskers are a 90% interval."
    )
    body = (tag("p", said), chart.markup(), _shares(found), notes(found.notes))
    return Section(name="importance", title=title, body=body, charts=(chart,))


def effects_section(material: Material) -> Section:
    """Return the section about what each choice does."""
    found, refusal = material.effects, material.refusal.replace("importance needs", "effects needs")
    if found is None:
        return _effects(tag("p", refusal, class_="warning"))
    if not found.effects:
        return _effects(tag("p", "Each searched parameter is a number: there are no choices to compare."))
    said = (
        f"Differences in {found.of} to the reference, over even draws of everything else, each with its 90% interval."
    )
    forest, blocks = _forest(found, material.names), _blocks(found)
    map_of_blocks = [tag("h3", "Blocks by stages"), blocks.markup()] if blocks else []
    return _effects(
        tag("p", said),
        forest.markup(),
        *map_of_blocks,
        _rows(found),
        *_pairs("The same block at two stages, difference of its effects", found.across),
        *_pairs("Effects by another parameter, where both together explain something", found.interactions),
        notes(found.notes),
        charts=(forest, blocks) if blocks else (forest,),
    )


def _effects(*body: Markup, charts: tuple[Chart, ...] = ()) -> Section:
    return Section(name="effects", title="What each choice does", body=body, charts=charts)


def _forest(found: EffectTable, names: Mapping[str, str]) -> Chart:
    metric = found.objective.metric
    figure = effect_points(replace(found, effects=found.effects[:EFFECTS_DRAWN]), names)
    figure.update_layout(xaxis_title=f"difference in {for_plotly(metric)}")
    columns = ("choice", "against", "low", "high", "trials")
    return Chart(
        name="effects",
        figure=figure,
        label=f"the difference in {metric} that each choice makes, with its interval",
        columns=(*((name, f"customdata.{at}") for at, name in enumerate(columns)), ("effect", "x")),
        note=thinned_note(min(EFFECTS_DRAWN, len(found.effects)), len(found.effects), "choices"),
    )


def _blocks(found: EffectTable) -> Chart | None:
    figure = block_map(found)
    if figure is None:
        return None
    return Chart(
        name="blocks",
        figure=figure,
        label=f"the effect of each block at each stage on {found.objective.metric}; blue is better, red is worse",
        columns=(("block", "y"), ("stage", "x"), ("effect", "z")),
        note="Blue is better and red worse than the reference. The scale ends at the widest interval, so that an "
        "effect that may be nothing is pale.",
    )


def _shares(found: ImportanceTable) -> Markup:
    headings = [
        Heading(title="parameter"),
        Heading(title="in total", is_number=True),
        Heading(title="5-95%", is_number=True),
        Heading(title="alone", is_number=True),
        Heading(title="trials", is_number=True),
    ]
    rows: list[list[object]] = [
        [
            each.parameter,
            _share(each.importance),
            TableCell(shown=_interval(each.low, each.high), value=each.low),
            _share(each.first),
            each.trials,
        ]
        for each in found.importances
    ]
    rows += [
        [
            " x ".join(each.parameters),
            _share(each.share),
            TableCell(shown=_interval(each.low, each.high), value=each.low),
            None,
            None,
        ]
        for each in found.pairs
    ]
    if (rest := found.unexplained) is not None:
        rows.append(
            [
                "(what no pair explains)",
                _share(rest.mean),
                TableCell(shown=_interval(rest.low, rest.high), value=rest.low),
                None,
                None,
            ]
        )
    return table(headings, rows, caption="Importances of the parameters, and of pairs")


def _rows(found: EffectTable) -> Markup:
    headings = [
        Heading(title="parameter"),
        Heading(title="choice"),
        Heading(title="against"),
        Heading(title="effect", is_number=True),
        Heading(title="5-95%", is_number=True),
        Heading(title="trials", is_number=True),
    ]
    rows = [
        [
            each.parameter,
            scalar(each.level),
            scalar(each.reference),
            TableCell(shown=signed(each.effect), value=each.effect),
            TableCell(shown=f"{signed(each.low)} to {signed(each.high)}", value=each.low),
            each.trials,
        ]
        for each in found.effects
    ]
    return table(headings, rows, caption="Effects of the choices")


def _pairs(title: str, found: tuple[Interaction, ...]) -> list[Markup]:
    if not found:
        return []
    headings = [
        Heading(title="parameter"),
        Heading(title="choice"),
        Heading(title="against"),
        Heading(title="where"),
        Heading(title="effect", is_number=True),
        Heading(title="5-95%", is_number=True),
    ]
    rows = [
        [
            each.parameter,
            scalar(each.level),
            scalar(each.reference),
            f"{each.given} {scalar(each.value)}",
            TableCell(shown=signed(each.effect), value=each.effect),
            TableCell(shown=f"{signed(each.low)} to {signed(each.high)}", value=each.low),
        ]
        for each in found
    ]
    return [tag("h3", title), table(headings, rows, caption=title)]


def _share(number: float | None) -> TableCell | None:
    return None if number is None else TableCell(shown=f"{number:.3f}", value=number)


def _interval(low: float | None, high: float | None) -> str:
    return "" if low is None or high is None else f"{low:.3f}-{high:.3f}"
