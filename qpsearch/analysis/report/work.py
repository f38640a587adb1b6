"""What a study cost: when its trials ran and where, and what the time went into."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Final

import plotly.graph_objects as go

from qpsearch.analysis.page import Chart, for_plotly
from qpsearch.analysis.page.colours import COMPLETE, FAILED, PAUSED, PRUNED, QUIET, REPEATED, RUNNING
from qpsearch.analysis.report.material import Material
from qpsearch.analysis.report.thinning import thinned, thinned_note
from qpsearch.analysis.report.words import joined, lasted, moment
from qpsearch.study.queries import Span
from qpsearch.study.records import Account
from qpsearch.vocabulary import Ending

MOST_BARS: Final = 1500
NAMED_ROWS: Final = 40  # above that, rows do not have names
PAUSE: Final = 0.06  # share of the time that was worked, above which a pause is shortened
SHORTENED: Final = 0.015  # of the time that was worked
UNITS: Final = ((172_800, 86_400, "days"), (5400, 3600, "hours"), (90, 60, "minutes"), (0, 1, "seconds"))
ENDINGS: Final[dict[str | None, tuple[str, str]]] = {
    Ending.FINISHED: ("complete", COMPLETE),
    Ending.PRUNED: ("pruned", PRUNED),
    Ending.FAILED: ("failed", FAILED),
    Ending.PAUSED: ("paused", PAUSED),
    Ending.INTERRUPTED: ("interrupted", REPEATED),
    Ending.RETRIED: ("lacked memory, begun again", FAILED),
    Ending.LOST: ("lost with its worker or driver", "#8c510a"),
    None: ("running", RUNNING),
}
COLUMNS: Final = tuple((name, f"customdata.{at}") for at, name in enumerate(("trials", "place", "began", "lasted")))
SPENT: Final = (
    ("complete", "complete_s", COMPLETE),
    ("running", "running_s", RUNNING),
    ("pruned", "pruned_s", PRUNED),
    ("failed", "failed_s", FAILED),
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
    if all(ended_of(span, material.made) == span.began for span in all_of_them):
        return None  # trials that were copied, not run
    rows = slots(all_of_them, material.made)
    clock = WorkedTime([(span.began, ended_of(span, material.made)) for span in all_of_them])
    labels = list(rows)
    bars = bars_of(rows, clock, material.made)
    shown = thinned(bars, MOST_BARS)
    size, unit = next((size, unit) for least, size, unit in UNITS if clock.total >= least)
    thickness = max(2, min(14, 520 // max(len(labels), 1)))
    figure = go.Figure()
    for ending, (word, colour) in ENDINGS.items():
        if own := [bar for bar in shown if bar.ending == ending]:
            figure.add_trace(_drawn(own, word, {"color": colour, "width": thickness}, clock, size))
    _add_pauses(figure, clock, size)
    _add_rows(figure, labels, thickness)
    figure.update_layout(xaxis={"title": {"text": f"{unit} since {moment(clock.start)}"}, "zeroline": False})
    notes = (
        "Attempts too short to be seen, one after the other, are one bar." if len(bars) < len(all_of_them) else None,
        thinned_note(len(shown), len(bars), "bars"),
        "Pauses, in which nothing ran, are shortened." if clock.pauses else None,
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


def _add_pauses(figure: go.Figure, clock: "WorkedTime", size: float) -> None:
    for at, length in clock.pauses:
        figure.add_vline(x=at / size, line={"color": QUIET, "width": 1, "dash": "dot"})
        figure.add_annotation(
            x=at / size,
            y=1,
            yref="paper",
            text=f"pause {lasted(length)}",
            showarrow=False,
            textangle=-90,
            xanchor="right",
            yanchor="top",
            font={"size": 10, "color": QUIET},
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
    size, unit = next((size, unit) for least, size, unit in UNITS if total >= least)
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


class WorkedTime:
    """Time since the first attempt, without the long pauses in which nothing ran.

    Args:
        spans: Begin and end of each attempt, in Unix seconds; at least one.
    """

    def __init__(self, spans: Sequence[tuple[float, float]]) -> None:
        busy: list[list[float]] = []
        for began, ended in sorted(spans):
            if busy and began <= busy[-1][1]:
                busy[-1][1] = max(busy[-1][1], ended)
            else:
                busy.append([began, ended])
        self.start = busy[0][0]
        worked = sum(ended - began for began, ended in busy) or 1.0
        self._cuts: list[tuple[float, float]] = []  # where a pause ends, and by how much it was shortened
        self.pauses: list[tuple[float, float]] = []
        shortened = SHORTENED * worked
        for (_, ended), (began, _) in pairwise(busy):
            length = began - ended
            if length > max(PAUSE * worked, 60.0):
                self.pauses.append((self.at(ended) + shortened / 2, length))
                self._cuts.append((began, length - shortened))
        self.total = self.at(busy[-1][1])

    def at(self, moment: float) -> float:
        """Return a moment in seconds of this clock."""
        return moment - self.start - sum(cut for behind, cut in self._cuts if moment >= behind)


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


def ended_of(span: Span, now: float) -> float:
    """Return when an attempt ended, or now while it runs."""
    return max(span.ended if span.ended is not None else now, span.began)


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
