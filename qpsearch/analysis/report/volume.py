"""How much of the space of objectives a search has covered: the hypervolume over the time that was worked."""

import math

import numpy as np
import plotly.graph_objects as go
from optuna._hypervolume import compute_hypervolume
from optuna.trial import FrozenTrial

from qpsearch.analysis.page import Chart
from qpsearch.analysis.page.colours import INK
from qpsearch.analysis.report.clock import PAUSES_SHORTENED, add_clock, clock_of, ended_of, unit_of
from qpsearch.analysis.report.material import Material
from qpsearch.analysis.report.words import joined
from qpsearch.errors import counted
from qpsearch.study.search.rung import Losses
from qpsearch.vocabulary import Direction


def volume(material: Material) -> Chart | None:
    """Draw the hypervolume over the time that was worked; None for one objective, or fewer than three trials.

    The box runs from the worst to the best value of each objective among the complete trials, so that the volume is a
    share of it: 0 for a study with nothing better than the worst, 1 for one network that is best in all objectives.
    Where no times are known, the axis counts complete trials.
    """
    goals = material.subject.objectives
    points = [trial for trial in material.subject.complete if all(map(math.isfinite, trial.values))]
    if len(goals) < 2 or len(points) < 3:
        return None
    ends = _ends(material)
    points.sort(key=lambda trial: (ends.get(trial.number, 0.0), *_own_end(trial)))
    signs = np.array([-1.0 if goal.direction is Direction.MAXIMIZE else 1.0 for goal in goals])
    shares = volumes(np.array([trial.values for trial in points]) * signs)
    clock = clock_of(material.spans, material.made)
    orders = list(range(1, len(points) + 1))
    x: list[float] = [*orders]
    if clock is not None:
        size, _ = unit_of(clock.total)
        x = [clock.at(ends[trial.number]) / size if trial.number in ends else 0.0 for trial in points]
    figure = go.Figure(
        go.Scatter(
            mode="lines",
            line={"color": INK, "shape": "hv"},
            x=x,
            y=shares,
            customdata=[[order, trial.number] for order, trial in zip(orders, points, strict=True)],
            hovertemplate="%{customdata[0]} complete (trial %{customdata[1]}): %{y:.3f}",
        )
    )
    figure.update_layout(height=300, yaxis={"title": {"text": "hypervolume"}, "range": [0, 1.02]})
    if clock is None:
        figure.update_layout(xaxis={"title": {"text": "complete trials, in the order of their ends"}})
    else:
        add_clock(figure, clock)
    copied = sum(trial.number not in ends for trial in points)
    return Chart(
        name="volume",
        figure=figure,
        label="share of the box of all objectives that the Pareto front dominates, after each complete trial",
        columns=(
            ("complete", "customdata.0"),
            ("trial", "customdata.1"),
            *((("time", "x"),) if clock else ()),
            ("hypervolume", "y"),
        ),
        note=joined(
            "The box runs from the worst to the best value of each objective; a curve that still climbs says that "
            "more trials would find better compromises.",
            PAUSES_SHORTENED if clock and clock.pauses else None,
            f"{counted(copied, 'trial')} that ran elsewhere counted from the start." if clock and copied else None,
        ),
    )


def _ends(material: Material) -> dict[int, float]:
    """Return when the last attempt at each trial ended, in Unix seconds; without trials that ran elsewhere."""
    found: dict[int, float] = {}
    for span in material.spans:
        found[span.trial] = max(found.get(span.trial, 0.0), ended_of(span, material.made))
    return found


def _own_end(trial: FrozenTrial) -> tuple[float, int]:
    """Return what orders trials that ran elsewhere: when they ended there, and their number."""
    ended = trial.datetime_complete
    return ended.timestamp() if ended else math.inf, trial.number


def volumes(losses: Losses) -> list[float]:
    """Return the share of the box that is dominated after each point.

    Args:
        losses: (points, objectives), smaller is better, in order.
    """
    low, high = losses.min(axis=0), losses.max(axis=0)
    width = np.where(high > low, high - low, 1.0)
    scaled = np.where(high > low, (losses - low) / width, 0.0)  # an objective that never differs does not count
    found: list[float] = []
    front: Losses = scaled[:0]
    for point in scaled:
        if found and (front <= point).all(axis=1).any():
            found.append(found[-1])
            continue
        front = np.vstack([front[~(point <= front).all(axis=1)], point])
        found.append(float(compute_hypervolume(front, np.ones(scaled.shape[1]))))
    return found
