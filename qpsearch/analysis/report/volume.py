"""How much of the space of objectives a search has covered: the hypervolume over its trials."""

import math

import numpy as np
import plotly.graph_objects as go
from optuna._hypervolume import compute_hypervolume

from qpsearch.analysis.page import Chart
from qpsearch.analysis.page.colours import INK
from qpsearch.analysis.report.material import Material
from qpsearch.study.search.rung import Losses
from qpsearch.vocabulary import Direction


def volume(material: Material) -> Chart | None:
    """Draw the hypervolume after each complete trial; None for one objective, or fewer than three trials.

    The box runs from the worst to the best value of each objective among the complete trials, so that the volume is a
    share of it: 0 for a study with nothing better than the worst, 1 for one network that is best in all objectives.
    """
    goals = material.subject.objectives
    points = [trial for trial in material.subject.complete if all(map(math.isfinite, trial.values))]
    if len(goals) < 2 or len(points) < 3:
        return None
    points.sort(key=lambda trial: (trial.datetime_complete is None, trial.datetime_complete, trial.number))
    signs = np.array([-1.0 if goal.direction is Direction.MAXIMIZE else 1.0 for goal in goals])
    shares = volumes(np.array([trial.values for trial in points]) * signs)
    figure = go.Figure(
        go.Scatter(
            mode="lines",
            line={"color": INK, "shape": "hv"},
            x=list(range(1, len(points) + 1)),
            y=shares,
            customdata=[trial.number for trial in points],
            hovertemplate="%{x} complete (trial %{customdata}): %{y:.3f}",
        )
    )
    figure.update_layout(
        height=300,
        xaxis={"title": {"text": "complete trials, in the order of their ends"}},
        yaxis={"title": {"text": "hypervolume"}, "range": [0, 1.02]},
    )
    return Chart(
        name="volume",
        figure=figure,
        label="share of the box of all objectives that the Pareto front dominates, after each complete trial",
        columns=(("complete", "x"), ("trial", "customdata"), ("hypervolume", "y")),
        note="The box runs from the worst to the best value of each objective; a curve that still climbs says that "
        "more trials would find better compromises.",
    )


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
