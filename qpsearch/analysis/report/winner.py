"""The best configuration: its numbers, its settings, its network."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from statistics import fmean, stdev
from typing import Any

from optuna.trial import FrozenTrial

from qpsearch.analysis.page import Markup, Section, tag
from qpsearch.analysis.page.parts import Heading, TableCell, facts, table
from qpsearch.analysis.report.drawing import drawn, total
from qpsearch.analysis.report.front import front_of, pareto, shown_cost
from qpsearch.analysis.report.material import Material, Own
from qpsearch.analysis.report.volume import volume
from qpsearch.analysis.report.words import domain, moment, scalar, short, value
from qpsearch.errors import counted
from qpsearch.registry.metrics import ON_TEST
from qpsearch.study.records import ConfigurationRecord, Confirmation
from qpsearch.vocabulary import Scalar


def best_section(material: Material) -> Section:
    """Return the section about the best configuration; where there is none, it says so."""
    subject, own = material.subject, material.own
    if not subject.complete:
        return Section(name="best", title="The best configuration", body=(tag("p", "No trial is complete yet."),))
    if own is None or not own.front:
        best = material.ranked[0]
        rows: list[tuple[str, object]] = [
            ("trial", str(best.number)),
            *((goal.metric, value(each)) for goal, each in zip(subject.objectives, best.values, strict=True)),
            ("how sure", "optimistic: the best of many, not trained again"),
        ]
        return Section(
            name="best", title="The best configuration", body=(facts(rows), _settings(material, best.params))
        )
    best_one = own.front[0]
    body = [facts(_numbers(material, best_one)), _settings(material, best_one.params), *_tested(material, own)]
    if len(own.top) > 1 and len(subject.objectives) == 1:
        body += [tag("h3", f"The best {len(own.top)} configurations"), _top(own.top, subject.objective.metric)]
    return Section(name="best", title="The best configuration", body=tuple(body))


def network_section(material: Material) -> Section | None:
    """Return the section that draws the best network; None for a study of another program, or without a result."""
    own = material.own
    if own is None or not own.front:
        return None
    network = own.front[0].config.network
    costs = total(network)
    size = f"{counted(network.layers, 'layer')} with weights" + (
        f", {costs[0]:,} parameters, {short(costs[1])} multiply-accumulates (MACs) for an image" if costs else ""
    )
    legend = (
        "A box is a branch (F: convolutions, \u03a0: product units), the arc its shortcut; the circle says whether "
        "they are added or multiplied. Squares stand for images, larger ones for more pixels, stacked by channels."
    )
    body = (tag("p", f"Trial {own.front[0].number}: {size}."), drawn(network), tag("p", legend, class_="quiet"))
    return Section(name="network", title="The winning network", body=body)


def pareto_section(material: Material) -> Section | None:
    """Return the section about several objectives; None for one."""
    subject, own = material.subject, material.own
    if len(subject.objectives) < 2:
        return None
    chart = pareto(material)
    if chart is None:
        return Section(name="pareto", title="Pareto front", body=(tag("p", "No trial is complete yet."),))
    headings = [Heading(title="trial", is_number=True)]
    headings += [Heading(title=goal.metric, is_number=True) for goal in subject.objectives]
    front = own.front if own else ()
    fresh = {each.number: each.confirmed for each in front if each.confirmed is not None}
    headings += [Heading(title=f"{subject.objective.metric} on fresh seeds", is_number=True)] if fresh else []
    headings.append(Heading(title="blocks" if own else "parameters"))
    rows = [
        [
            trial.number,
            *(
                TableCell(shown=shown_cost(goal.metric, each), value=each)
                for goal, each in zip(subject.objectives, values, strict=True)
            ),
            *([_on_fresh_seeds(fresh.get(trial.number))] if fresh else []),
            about,
        ]
        for trial, values, about in _front(material)
    ]
    said = f"{counted(len(rows), 'configuration')} that no other surpasses in all objectives. "
    if front and all(each.is_fresh for each in front):
        said += "They were trained on fresh seeds: another study had chosen them."
    else:
        said += "Their values are of one search: optimistic, other than those on fresh seeds."
    covered = volume(material)
    body = [tag("p", said), chart.markup(), table(headings, rows, caption="Configurations on the Pareto front")]
    if covered is not None:
        body += [tag("h3", "Hypervolume"), covered.markup()]
    charts = tuple(filter(None, (chart, covered)))
    return Section(name="pareto", title="Pareto front", body=tuple(body), charts=charts)


def _on_fresh_seeds(found: Confirmation | None) -> str:
    return "-" if found is None or found.mean is None else f"{value(found.mean)} (n = {found.n})"


def _front(material: Material) -> list[tuple[FrozenTrial, Sequence[float], str]]:
    if material.own is not None:
        by_number = {trial.number: trial for trial in material.subject.trials}
        return [(by_number[each.number], each.values, ", ".join(each.stages)) for each in material.own.front]
    return [
        (
            trial,
            trial.values,
            ", ".join(f"{material.names.get(name, name)} {scalar(each)}" for name, each in trial.params.items()),
        )
        for trial in front_of(material)
    ]


def _numbers(material: Material, best: ConfigurationRecord) -> list[tuple[str, object]]:
    subject = material.subject
    spread = "" if best.sd is None else f", sd {value(best.sd)}"
    rows: list[tuple[str, object]] = [
        (
            "trial" if len(best.trials) == 1 else "trials",
            ", ".join(map(str, best.trials[:10]))
            + (f" and {len(best.trials) - 10} more" if len(best.trials) > 10 else ""),
        ),
        (subject.objective.metric, f"{value(best.value)} (n = {best.n}{spread})"),
        *(
            (goal.metric, shown_cost(goal.metric, each))
            for goal, each in zip(subject.objectives[1:], best.values[1:], strict=False)
        ),
        *([("seed" if len(best.seeds) == 1 else "seeds", ", ".join(map(str, best.seeds[:10])))] if best.seeds else []),
    ]
    confirmed = best.confirmed
    if best.is_fresh:
        rows.append(("how sure", "trained on fresh seeds: another study had chosen it"))
    elif confirmed is None or confirmed.mean is None:
        rows.append(("how sure", f"optimistic: the best of {material.compared}, not trained again on fresh seeds"))
    else:
        sd = "" if confirmed.sd is None else f", sd {value(confirmed.sd)}"
        more = "".join(
            f", {number} {word}" for number, word in ((confirmed.failed, "failed"), (confirmed.open, "open")) if number
        )
        rows.append(("on fresh seeds", f"{value(confirmed.mean)} (n = {confirmed.n}{sd}{more})"))
        interval = (
            ""
            if confirmed.interval is None
            else f", 95% interval {value(confirmed.interval[0])} to {value(confirmed.interval[1])}"
        )
        rows.append(("drop from the search", f"{value(confirmed.drop)}{interval}"))
    return rows


def _settings(material: Material, params: Mapping[str, Scalar]) -> Markup:
    chosen = dict(params)
    if not chosen:
        return tag("p", "It does not have searched parameters.")
    domains = (
        material.subject.space.searched
        if material.subject.space
        else {name: domain(each) for name, each in material.subject.distributions.items()}
    )
    rows = [[name, scalar(each), tag("code", domains.get(name, ""))] for name, each in chosen.items()]
    headings = [Heading(title="parameter"), Heading(title="value"), Heading(title="searched in")]
    return table(headings, rows, caption="Parameters of the best configuration")


def _tested(material: Material, own: Own) -> list[Markup]:
    """Return what the test images said of the configuration, as ``evaluate`` does: of all its runs."""
    rows = own.tested
    if not rows:
        return [tag("p", "It has not been evaluated on the test images.", class_="quiet")]
    newest = {(row["noise"], row["seed"]): row for row in rows}  # of trials that repeat it, each seed once
    by_noise: dict[float, list[Mapping[str, Any]]] = defaultdict(list)
    for (noise, _), row in newest.items():
        by_noise[noise].append(row)
    looks = sorted({row["evaluated"] for row in rows})
    metrics = _metrics(material, rows)
    headings = [Heading(title="Poisson noise", is_number=True)]
    headings += [Heading(title=title, is_number=True) for metric in metrics for title in (metric, "sd")]
    headings.append(Heading(title="n", is_number=True))
    cells = [
        [noise, *(cell for metric in metrics for cell in _mean_and_sd([row.get(metric) for row in each])), len(each)]
        for noise, each in sorted(by_noise.items())
    ]
    said = (
        "Means over the runs of this configuration that were evaluated, each by its last look at each noise. "
        f"For it, the test images were looked at {counted(len(looks), 'time')}, the last on {moment(looks[-1])}."
    )
    return [tag("h3", "Test images"), tag("p", said), table(headings, cells, caption="Metrics of the test images")]


def _metrics(material: Material, rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the metrics of the test images: those of the objectives, the accuracy, the others that were asked for."""
    space = material.subject.space
    objectives = [each.metric.on_test for each in space.search.objectives] if space else []
    known = [name for row in rows for name in row if name.startswith(ON_TEST)]
    return list(dict.fromkeys([*(name for name in objectives if name in known), "accuracy", *known]))


def _mean_and_sd(values: Sequence[float | None]) -> list[TableCell | None]:
    """Return the mean and the standard deviation over runs; nothing where a run does not have a value."""
    known = [each for each in values if each is not None]
    if len(known) < len(values):
        return [None, None]
    sd = TableCell(shown=value(stdev(known)), value=stdev(known)) if len(known) > 1 else None
    return [TableCell(shown=value(fmean(known)), value=fmean(known)), sd]


def _top(top: Sequence[ConfigurationRecord], metric: str) -> Markup:
    is_confirmed = any(each.confirmed and each.confirmed.n for each in top)
    headings = [
        Heading(title="trial", is_number=True),
        Heading(title=metric, is_number=True),
        Heading(title="n", is_number=True),
        Heading(title="blocks, stage by stage"),
        *(
            [
                Heading(title="fresh seeds", is_number=True),
                Heading(title="n fresh", is_number=True),
                Heading(title="drop", is_number=True),
            ]
            if is_confirmed
            else []
        ),
    ]
    rows = []
    for each in top:
        again = each.confirmed
        fresh = (
            [
                TableCell(shown=value(again.mean), value=again.mean),
                again.n,
                TableCell(shown=value(again.drop), value=again.drop),
            ]
            if again
            else [None, None, None]
        )
        rows.append(
            [
                each.number,
                TableCell(shown=value(each.value), value=each.value),
                each.n,
                ", ".join(each.stages),
                *(fresh if is_confirmed else []),
            ]
        )
    return table(headings, rows, caption="The best configurations")
