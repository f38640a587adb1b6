"""Where a study comes from: its space file, and what is needed to make it again."""

import platform

import optuna

import qpsearch
from qpsearch.analysis.page import Section, tag
from qpsearch.analysis.page.parts import Heading, facts, table
from qpsearch.analysis.report.material import Material
from qpsearch.analysis.report.words import domain, listed, moment
from qpsearch.analysis.subject import Subject


def space_section(material: Material) -> Section:
    """Return the section with the space file, or with the parameters that a foreign study searched."""
    own, subject = material.own, material.subject
    if own is not None:
        said = f"The file {own.summary.source} as it was given."
        if subject.chosen_by is not None and subject.space is not None and subject.space.compare is None:
            said = f"The space of the search, {own.summary.source}, without what prunes or ends trials."
        return Section(
            name="space",
            title="The space",
            body=(tag("p", said), tag("pre", tag("code", own.origin.space_text), tabindex="0")),
        )
    if not subject.distributions:
        return Section(name="space", title="The space", body=(tag("p", "No trial has drawn a parameter yet."),))
    rows = [[name, tag("code", domain(each))] for name, each in subject.distributions.items()]
    body = table(
        [Heading(title="parameter"), Heading(title="drawn from")], rows, caption="Parameters that the study searched"
    )
    return Section(name="space", title="The space", body=(body,))


def _seeds_of(subject: Subject) -> str:
    """Return what the seeds of runs follow from."""
    if subject.chosen_by is not None:
        return "the search's seed and the place in a list of fresh ones, the same for all configurations"
    if subject.space is not None and subject.space.search.is_grid:
        return "the search's seed and the replicate, the same at all points of the grid"
    return "the search's seed, the trial's number and the replicate"


def provenance_section(material: Material) -> Section:
    """Return the section about versions, hardware, seeds and times."""
    own, subject = material.own, material.subject
    here = f"qpsearch {qpsearch.__version__}, Python {platform.python_version()}, {moment(material.made)}"
    if own is None or subject.space is None:
        rows: list[tuple[str, object]] = [
            ("made by", f"another program, with Optuna; read by Optuna {optuna.__version__}"),
            ("report", here),
        ]
        return Section(name="provenance", title="Provenance", body=(facts(rows),))
    summary, environment = own.summary, own.summary.environment
    versions = environment.get("versions", {})
    machine = environment.get("machine", {})
    places = sorted({f"{span.host} {span.device}" for span in own.spans if span.host})
    resources = ", ".join(f"{name} {each}" for name, each in own.origin.resources.items() if each is not None)
    rows = [
        ("study", subject.study),
        ("unique id", tag("code", own.origin.uid)),
        ("fingerprint of the space", tag("code", subject.space.fingerprint)),
        ("made", moment(summary.created)),
        ("seed of the search", str(own.origin.seed)),
        (
            "seeds of runs",
            f"a function of {_seeds_of(subject)}; trials STUDY --json has each",
        ),
        ("sampler, pruner", f"{summary.sampler}, {summary.pruner}"),
        ("versions", listed([f"{name} {version}" for name, version in versions.items()])),
        ("made on", ", ".join(f"{name} {each}" for name, each in machine.items())),
        (
            "trials ran on",
            "; ".join(places[:12]) + (f" and {len(places) - 12} more" if len(places) > 12 else "") or "-",
        ),
        ("a trial gets", resources or "-"),
        ("own modules", ", ".join(map(str, environment.get("imports") or ())) or "none"),
        ("report", here),
    ]
    return Section(name="provenance", title="Provenance", body=(facts(rows),))
