"""How the search went: its course, the landscape, what it cost, what failed."""

from collections import Counter, defaultdict
from collections.abc import Mapping

from optuna.trial import TrialState

from qpsearch.analysis.page import Markup, Section, tag
from qpsearch.analysis.page.colours import var
from qpsearch.analysis.page.parts import Heading, TableCell, facts, table
from qpsearch.analysis.report.landscape import parallel
from qpsearch.analysis.report.material import Material, Own
from qpsearch.analysis.report.progress import curves, history
from qpsearch.analysis.report.slices import MOST_IN_SLICE, MOST_SLICES, slices
from qpsearch.analysis.report.thinning import thinned_note
from qpsearch.analysis.report.words import lasted
from qpsearch.analysis.report.work import spending, timeline
from qpsearch.errors import counted, gist
from qpsearch.study.records import AUDIT_MEANS, RETRIED_MEANS, TrialRecord

MOST_OF_LINE = 300  # characters of a failure's message
WITHOUT_TABLES = "Another program made this study: on what its trials ran is not recorded, nor what they spent."


def history_section(material: Material) -> Section:
    """Return the section about the values of trials in their order."""
    chart = history(material)
    if chart is None:
        return Section(name="history", title="History", body=(tag("p", "No trial has a value yet."),))
    return Section(name="history", title="History", body=(chart.markup(),), charts=(chart,))


def curves_section(material: Material) -> Section:
    """Return the section with learning curves."""
    chart = curves(material)
    if chart is None:
        return Section(
            name="curves", title="Learning curves", body=(tag("p", "No trial has reported two epochs yet."),)
        )
    search = material.subject.space.search if material.subject.space else None
    said = []
    if search and search.most_replicates > 1:
        said.append("Of trials with several seeds, the curve is of the first.")
    if search and search.fidelity:
        said.append(f"Training begins anew at each level of fidelity: {search.fidelity.spans}.")
    lead = [tag("p", " ".join(said))] if said else []
    return Section(name="curves", title="Learning curves", body=(*lead, chart.markup()), charts=(chart,))


def landscape_section(material: Material) -> Section:
    """Return the section with parallel coordinates and slices."""
    title = "Where the good trials lie"
    chart = parallel(material)
    if chart is None:
        why = "No trial is complete yet." if not material.subject.complete else "The study does not search a parameter."
        return Section(name="landscape", title=title, body=(tag("p", why),))
    small = slices(material)
    metric = material.subject.objective.metric
    left_out = len(material.ranking) - MOST_SLICES
    said = (
        "The value of complete trials by each parameter, those first that explain most. These are the sampler's "
        "trials, not even draws: what a parameter does is said above."
    )
    more = [tag("p", f"{counted(left_out, 'further parameter')} left out.", class_="quiet")] if left_out > 0 else []
    thinner = thinned_note(MOST_IN_SLICE, len(material.ranked), "trials")
    if thinner:
        more.append(tag("p", f"At most {thinner}", class_="quiet"))
    legend = _legend(material)
    body = (
        tag(
            "p",
            f"Each line is a complete trial: its parameters from left to right, then its {metric}.",
        ),
        chart.markup(),
        tag("h3", "Parameter by parameter"),
        tag("p", said),
        *legend,
        tag("div", *(each.markup() for each in small), class_="small"),
        *more,
    )
    return Section(name="landscape", title=title, body=body, charts=(chart, *small))


def cost_section(material: Material) -> Section:
    """Return the section about what was spent on what, and when and where."""
    own, title = material.own, "What it cost"
    if own is None:
        when = timeline(material)
        body = [tag("p", WITHOUT_TABLES), *([when.markup()] if when else [])]
        return Section(name="cost", title=title, body=tuple(body), charts=(when,) if when else ())
    if not own.spans:
        return Section(name="cost", title=title, body=(tag("p", "No trial has begun yet."),))
    summary, devices = own.summary, {(span.host, span.device) for span in own.spans if span.host}
    rows: list[tuple[str, object]] = [
        ("wall time with a driver", lasted(summary.wall_s)),
        ("training recorded", f"{lasted(summary.seconds)}, {counted(summary.epochs, 'epoch')}"),
        ("attempts", f"{len(own.spans):,}" + (f", on {counted(len(devices), 'device')}" if devices else "")),
    ]
    if summary.gpu_s:
        rows.append(("GPU time", lasted(summary.gpu_s)))
    spent, when = spending(summary.accounts), timeline(material)
    body = [facts(rows)]
    if spent is not None:
        said = "Time in which trials held their slots, by the kinds of block of their networks."
        body += [tag("h3", "By kinds of block"), tag("p", said), spent.markup(), _accounts(own)]
    if summary.audit:
        body += [tag("h3", "Audit of the pruner"), tag("p", f"Counted are {AUDIT_MEANS}.")]
        body += [tag("p", f"{kind}.") for kind in summary.audit]
    if when is not None:
        body += [tag("h3", "Trials over time"), when.markup()]
    return Section(name="cost", title=title, body=tuple(body), charts=tuple(filter(None, (spent, when))))


def failures_section(material: Material) -> Section | None:
    """Return the section about failures; None where nothing failed."""
    own, subject = material.own, material.subject
    failed = [trial for trial in subject.trials if trial.state is TrialState.FAIL]
    infeasible, retried = (own.summary.infeasible, own.summary.retried) if own else (0, ())
    if not failed and not infeasible and not retried:
        return None
    body: list[Markup] = []
    if retried:
        body.append(tag("p", f"{counted(len(retried), 'trial')} not as drawn: {RETRIED_MEANS}."))
    if infeasible:
        body.append(tag("p", f"{counted(infeasible, 'draw')} could not be built, and did not become trials."))
    if own is None:
        body.append(tag("p", f"{len(failed):,} of {len(subject.trials):,} trials failed; why is not recorded."))
    elif failed:
        body += [_failed(own, material.groups.of), _examples(own)]
    return Section(name="failures", title="Failures", body=tuple(body))


def _legend(material: Material) -> list[Markup]:
    if not material.groups.are_told_apart:
        return []
    chips = []
    for group, look in material.groups.looks.items():
        chip = tag("span", class_="chip", style=f"background:{var(look.colour)}", aria_hidden="true")
        chips.append(tag("span", chip, f"{group}\u2003"))
    return [tag("p", *chips, class_="quiet")]


def _accounts(own: Own) -> Markup:
    words = ("complete", "running", "pruned", "failed", "retried", "repeated")
    headings = [
        Heading(title="blocks"),
        Heading(title="trials", is_number=True),
        *(Heading(title=word, is_number=True) for word in words),
    ]
    rows = [
        [
            each.blocks,
            each.trials,
            *(
                TableCell(shown=lasted(spent) if spent else "-", value=spent)
                for spent in (getattr(each, f"{word}_s") for word in words)
            ),
        ]
        for each in own.summary.accounts
    ]
    return table(headings, rows, caption="Time by kinds of block and by how trials ended")


def _failed(own: Own, groups: Mapping[int, str]) -> Markup:
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for record in own.records:
        group = groups[record.number]
        counts[group]["trials"] += 1
        if record.state == TrialState.FAIL.name:
            counts[group][record.reason or "not known"] += 1
    reasons = sorted({reason for each in counts.values() for reason in each} - {"trials"})
    headings = [
        Heading(title="blocks"),
        Heading(title="trials", is_number=True),
        *(Heading(title=reason.replace("_", " "), is_number=True) for reason in reasons),
        Heading(title="share failed", is_number=True),
    ]
    rows = [
        [
            group,
            each["trials"],
            *(each[reason] for reason in reasons),
            _rate(sum(each[reason] for reason in reasons), each["trials"]),
        ]
        for group, each in sorted(counts.items())
    ]
    return table(headings, rows, caption="Failed trials by kinds of block and by reason")


def _rate(failed: int, trials: int) -> TableCell:
    return TableCell(shown=f"{failed / trials:.0%}", value=failed / trials)


def _examples(own: Own) -> Markup:
    """Return the first message of each reason."""
    first: dict[str, TrialRecord] = {}
    for record in own.records:
        if record.state == TrialState.FAIL.name:
            first.setdefault(record.reason or "not known", record)
    rows = [
        [record.number, reason.replace("_", " "), tag("code", gist(record.detail or "")[:MOST_OF_LINE])]
        for reason, record in sorted(first.items())
    ]
    headings = [Heading(title="trial", is_number=True), Heading(title="reason"), Heading(title="message")]
    return table(headings, rows, caption="The first failure of each kind")
