"""A study as one page for a colleague who was not there."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from qpsearch.analysis.page import HtmlPage, Section, write
from qpsearch.analysis.report.answers import effects_section, importance_section
from qpsearch.analysis.report.comparison import comparison_section
from qpsearch.analysis.report.course import (
    cost_section,
    curves_section,
    failures_section,
    history_section,
    landscape_section,
)
from qpsearch.analysis.report.headline import lead
from qpsearch.analysis.report.material import Material, state_of
from qpsearch.analysis.report.origin import provenance_section, space_section
from qpsearch.analysis.report.winner import best_section, network_section, pareto_section
from qpsearch.analysis.report.words import moment

__all__ = ["Material", "default_path", "report_of", "state_of", "write_report"]

FOOT: Final = "Intervals of importances and effects are 5th to 95th percentiles of the posterior."


def report_of(material: Material, comparisons: Sequence[Section] = ()) -> HtmlPage:
    """Return the report of a study.

    Args:
        material: The study.
        comparisons: Further sections that compare arms; they stand after the study's own comparison.
    """
    own, space = material.own, material.subject.space
    arms = [comparison_section(own.comparison)] if own is not None and own.comparison is not None else []
    is_comparison = space is not None and space.compare is not None  # then it is what the study is about
    sections = [
        *(arms if is_comparison else []),
        best_section(material),
        network_section(material),
        pareto_section(material),
        history_section(material),
        importance_section(material),
        effects_section(material),
        *([] if is_comparison else arms),
        *comparisons,
        curves_section(material),
        landscape_section(material),
        cost_section(material),
        failures_section(material),
        space_section(material),
        provenance_section(material),
    ]
    return HtmlPage(
        title=material.subject.study,
        kicker="Report of a study",
        lead=lead(material),
        sections=tuple(each for each in sections if each is not None),
        foot=f"Made by qpsearch, {moment(material.made)}. {FOOT}",
    )


def write_report(storage: str, name: str, path: Path, comparisons: Sequence[Section] = ()) -> None:
    """Write the report of a study, of qpsearch or a plain one of Optuna, into a file.

    Args:
        storage: URL of the database, or the path of an SQLite file or of an Optuna journal.
        name: The study.
        path: The page.
        comparisons: As in ``report_of``.

    Raises:
        StudyNotFound: There is no such study.
        StorageError: The storage cannot be read.
        UserError: The file cannot be written.
    """
    write(report_of(Material.at(storage, name), comparisons), path)


def default_path(name: str) -> Path:
    """Return where a study's report is written: ``studies/STUDY.html``, in which no name leads elsewhere."""
    return Path("studies") / f"{re.sub(r'[^A-Za-z0-9._-]', '-', name).lstrip('.')[:100] or 'study'}.html"
