"""The time in which a study was worked, as figures draw it."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Final

import plotly.graph_objects as go

from qpsearch.analysis.page.colours import QUIET
from qpsearch.analysis.report.words import lasted, moment
from qpsearch.study.queries import Span

PAUSE: Final = 0.06  # share of the time that was worked, above which a pause is shortened
SHORTENED: Final = 0.015  # of the time that was worked
UNITS: Final = ((172_800, 86_400, "days"), (5400, 3600, "hours"), (90, 60, "minutes"), (0, 1, "seconds"))
PAUSES_SHORTENED: Final = "Pauses, in which nothing ran, are shortened."


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


def clock_of(spans: Sequence[Span], now: float) -> WorkedTime | None:
    """Return the clock of a study's attempts; None where none took time: its trials were copied, not run."""
    lasting = [(span.began, ended_of(span, now)) for span in spans]
    return WorkedTime(lasting) if any(ended > began for began, ended in lasting) else None


def ended_of(span: Span, now: float) -> float:
    """Return when an attempt ended, or now while it runs."""
    return max(span.ended if span.ended is not None else now, span.began)


def unit_of(seconds: float) -> tuple[float, str]:
    """Return the seconds and the name of the unit that suits a time: ``(3600, "hours")``."""
    return next((size, unit) for least, size, unit in UNITS if seconds >= least)


def add_clock(figure: go.Figure, clock: WorkedTime) -> None:
    """Give a figure, drawn in the clock's unit, its axis of time, with a line at each pause that was shortened."""
    size, unit = unit_of(clock.total)
    figure.update_layout(xaxis={"title": {"text": f"{unit} since {moment(clock.start)}"}, "zeroline": False})
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
