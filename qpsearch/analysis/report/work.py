"""What a study cost: when its trials ran and where, and what the time went into."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import plotly.graph_objects as go

from qpsearch.analysis.page import Chart, for_plotly
from qpsearch.analysis.page.colours import COMPLETE, FAILED, PAUSED, PRUNED, REPEATED, RETRIED, RUNNING
from qpsearch.analysis.report.clock import PAUSES_SHORTENED, WorkedTime, add_clock, clock_of, ended_of, unit_of
from qpsearch.analysis.report.material import Material
from qpsearch.analysis.report.thinning import thinned, thinned_note
from qpsearch.analysis.report.words import joined, lasted, moment
from qpsearch.study.queries import Span
from qpsearch.study.records import Account
from qpsearch.vocabulary import Ending

MOST_BARS: Final = 1500
NAMED_ROWS: Final = 40  # above that, rows do not have names
ENDINGS: Final[dict[str | None, tuple[str, str]]] = {
    Ending.FINISHED: ("complete", COMPLETE),
    Ending.PRUNED: ("pruned", PRUNED),
    Ending.FAILED: ("failed", FAILED),
    Ending.PAUSED: ("paused", PAUSED),
    Ending.INTERRUPTED: ("interrupted", REPEATED),
    Ending.RETRIED: ("lacked memory, begun again", RETRIED),
    Ending.LOST: ("lost with its worker or driver", "#8c510a"),
    None: ("running", RUNNING),
}
COLUMNS: Final = tuple((name, f"customdata.{at}") for at, name in enumerate(("trials", "place", "began", "lasted")))
SPENT: Final = (
    ("complete", "complete_s", COMPLETE),
    ("running", "running_s", RUNNING),
    ("pruned", "pruned_s", PRUNED),
    ("failed", "failed_s", FAILED),
    ("lacked memory, begun again", "retried_s", RETRIED),
    ("repeated after a crash", "repeated_s", REPEATED),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """A bar of the timeline: attempts on one slot that ended alike.

    Attributes:
        row: Which slot, from the top.
        place: Its name.
        ending: ``vocabulary.Ending``; None while it runs.
        began: When the first attempt began, in Unix seconds.
        ended: When the last one ended.
        trials: The numbers of the trials.
    """

    row: int
    place: str
    ending: str | None
    began: float
    ended: float
    trials: tuple[int, ...]


def timeline(material: Material) -> Chart | None:
    """Draw each attempt as a bar on the slot that it held; None where no attempt began."""
    all_of_them = material.spans
    clock = clock_of(all_of_them, material.made)
    if clock is None:
        return None
    rows = slots(all_of_them, material.made)
    labels = list(rows)
    bars = bars_of(rows, clock, material.made)
    shown = thinned(bars, MOST_BARS)
    size, _ = unit_of(clock.total)
    thickness = max(2, min(14, 520 // max(len(labels), 1)))
    figure = go.Figure()
    for ending, (word, colour) in ENDINGS.items():
        if own := [bar for bar in shown if bar.ending == ending]:
            figure.add_trace(_drawn(own, word, {"color": colour, "width": thickness}, clock, size))
    add_clock(figure, clock)
    _add_rows(figure, labels, thickness)
    notes = (
        "Attempts too short to be seen, one after the other, are one bar." if len(bars) < len(all_of_them) else None,
        thinned_note(len(shown), len(bars), "bars"),
        PAUSES_SHORTENED if clock.pauses else None,
        None if len(labels) <= NAMED_ROWS else f"{len(labels)} slots, too many to name; hovering names them.",
    )
    return Chart(
        name="timeline",
        figure=figure,
        label="when each attempt at a trial ran, on which machine, device and slot, and how it ended",
        columns=COLUMNS,
        series="ending",
        note=joined(*notes),
    )


def _add_rows(figure: go.Figure, labels: Sequence[str], thickness: int) -> None:
    are_named = len(labels) <= NAMED_ROWS
    figure.update_layout(
        height=130 + min(620, max(60, (thickness + 8) * len(labels))),
        yaxis={
            "tickvals": list(range(len(labels))) if are_named else [],
            "ticktext": [for_plotly(_cut(label)) for label in labels] if are_named else [],
            "range": [len(labels) - 0.3, -0.7],
            "showgrid": are_named,
            "zeroline": False,
        },
    )


def spending(accounts: Sequence[Account]) -> Chart | None:
    """Draw what the time went into, by kinds of block; None where none was spent."""
    total = sum(getattr(account, field) for account in accounts for _, field, _ in SPENT)
    if not total:
        return None
    size, unit = unit_of(total)
    figure = go.Figure()
    names = [for_plotly(account.blocks) for account in accounts]
    for word, field, colour in SPENT:
        spent = [getattr(account, field) / size for account in accounts]
        if any(spent):
            figure.add_trace(
                go.Bar(
                    orientation="h",
                    name=word,
                    x=spent,
                    y=names,
                    marker_color=colour,
                    hovertemplate=f"%{{y}}: %{{x:.3g}} {unit}",
                )
            )
    figure.update_layout(
        barmode="stack",
        height=110 + 30 * max(len(names), 2),
        xaxis={"title": {"text": unit}},
        yaxis={"type": "category", "autorange": "reversed"},
        bargap=0.35,
    )
    return Chart(
        name="spending",
        figure=figure,
        label="time in which trials held their slots, by the kinds of block of their networks and by how they ended",
        columns=(("blocks", "y"), (unit, "x")),
        series="ending",
    )


def slots(spans: Sequence[Span], now: float) -> dict[str, list[Span]]:
    """Put attempts that overlap onto slots of their own, by machine and device."""
    places: dict[str, list[Span]] = defaultdict(list)
    for span in sorted(spans, key=lambda each: each.began):
        places[f"{span.host or 'place not recorded'} {span.device or ''}".strip()].append(span)
    found: dict[str, list[Span]] = {}
    for place, own in sorted(places.items()):
        free: list[float] = []
        held: list[list[Span]] = []
        for span in own:
            slot = next((index for index, until in enumerate(free) if until <= span.began + 0.05), len(free))
            if slot == len(free):
                free.append(0.0)
                held.append([])
            free[slot] = ended_of(span, now)
            held[slot].append(span)
        found |= {f"{place}, slot {slot}" if len(held) > 1 else place: each for slot, each in enumerate(held)}
    return found


def bars_of(rows: Mapping[str, Sequence[Span]], clock: WorkedTime, now: float) -> list[Bar]:
    """Return the bars of a timeline: an attempt each, or several that could not be told apart."""
    smallest = clock.total / MOST_BARS
    found: list[Bar] = []
    for row, (label, spans) in enumerate(rows.items()):
        own: list[Bar] = []
        for span in spans:
            bar = Bar(
                row=row,
                place=label,
                ending=span.ending,
                began=span.began,
                ended=ended_of(span, now),
                trials=(span.trial,),
            )
            last = own[-1] if own else None
            if last and last.ending == bar.ending and bar.ended - last.began < smallest:
                own[-1] = replace(last, ended=bar.ended, trials=(*last.trials, span.trial))
            else:
                own.append(bar)
        found += own
    return found


def _drawn(bars: Sequence[Bar], word: str, line: dict[str, object], clock: WorkedTime, size: float) -> go.Scatter:
    x: list[float | None] = []
    y: list[int | None] = []
    told: list[list[object] | None] = []
    for bar in bars:
        x += [clock.at(bar.began) / size, clock.at(bar.ended) / size, None]
        y += [bar.row, bar.row, None]
        trials = str(bar.trials[0]) if len(bar.trials) == 1 else f"{bar.trials[0]} to {bar.trials[-1]}"
        about: list[object] = [trials, for_plotly(_cut(bar.place)), moment(bar.began), lasted(bar.ended - bar.began)]
        told += [about, about, None]
    return go.Scatter(
        mode="lines",
        name=word,
        x=x,
        y=y,
        customdata=told,
        line=line,
        hovertemplate="trial %{customdata[0]} on %{customdata[1]}<br>%{customdata[2]}, %{customdata[3]}",
    )


def _cut(label: str) -> str:
    return label if len(label) <= 28 else f"{label[:12]}...{label[-13:]}"
