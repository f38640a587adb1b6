"""The table of a comparison as cells, as Markdown and as LaTeX."""

from collections.abc import Callable, Sequence
from typing import Final

from qpsearch.analysis.compare.comparison import Comparison, PairRow
from qpsearch.analysis.compare.sentences import difference, p_value
from qpsearch.space.domains import as_written

NONE: Final = "-"
UNITS: Final = ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"))
LATEX: Final = {
    "\\": r"\textbackslash{}",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "{": r"\{",
    "}": r"\}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"$<$",
    ">": r"$>$",
    "|": r"$|$",
}

Cells = list[list[str]]


def arm_cells(found: Comparison) -> tuple[list[str], Cells]:
    """Return the headings and the rows of the arms."""
    has_points = any(row.points > 1 for row in found.arms)
    head = [
        "arm",
        "mean",
        "sd",
        "n",
        *(["points"] if has_points else []),
        "params",
        "MACs",
        "s/epoch",
        "diverged",
        "cost",
    ]
    rows = [
        [
            row.name,
            _score(row.mean),
            _score(row.sd),
            str(row.n),
            *([str(row.points)] if has_points else []),
            _short(row.parameters),
            _short(row.macs),
            NONE if row.epoch_s is None else f"{row.epoch_s:.3g}",
            NONE if row.diverged is None else f"{100 * row.diverged:.0f}%",
            _took(row.cost_s),
        ]
        for row in found.arms
    ]
    return head, rows


def pair_cells(found: Comparison) -> tuple[list[str], Cells]:
    """Return the headings and the rows of the pairs; differences of accuracies are in points.

    Where arms cannot be tested, there are differences alone.
    """
    unit = " (points)" if found.is_accuracy else ""
    head = ["pair", f"difference{unit}"]
    if not found.has_test:
        return head, [_pair(found, pair)[:2] for pair in found.pairs]
    head += ["95% interval", "p", "p (Holm)", "effect size"]
    if found.is_accuracy:
        head += ["power 0.3/0.6", "n for 0.3/0.6"]
    return head, [_pair(found, pair) for pair in found.pairs]


def setting_cells(found: Comparison) -> tuple[list[str], Cells]:
    """Return the headings and the rows of the settings in which the arms differ; no rows where the names say it."""
    arms = [row.name for row in found.arms]
    rows = [
        [row.parameter, *(as_written(row.values[arm]) if arm in row.values else NONE for arm in arms)]
        for row in found.settings
    ]
    return ["setting", *arms], rows


def tables(found: Comparison) -> list[tuple[str, list[str], Cells]]:
    """Return the tables of a comparison that have rows: a caption, the headings, the rows."""
    every = (
        ("Arms", *arm_cells(found)),
        ("Searched settings", *setting_cells(found)),
        ("Pairs of arms", *pair_cells(found)),
    )
    return [each for each in every if each[2]]


def _pair(found: Comparison, pair: PairRow) -> list[str]:
    names = f"{pair.b} - {pair.a}"
    told = difference(found, pair.difference, signed=True)
    if pair.low is None or pair.high is None or pair.p is None or pair.p_adjusted is None:
        return [names, told, *[NONE] * (6 if found.is_accuracy else 4)]
    interval = " to ".join(difference(found, end, signed=True) for end in (pair.low, pair.high))
    cells = [
        names,
        told,
        interval,
        p_value(pair.p).removeprefix("p = ").removeprefix("p "),
        p_value(pair.p_adjusted).removeprefix("p = ").removeprefix("p "),
        NONE if pair.effect_size is None else f"{pair.effect_size:+.1f}",
    ]
    if pair.power is not None and pair.runs_needed is not None:
        cells.append("/".join(f"{each:.2f}" for each in pair.power.values()))
        cells.append("/".join(">1000" if each is None else str(each) for each in pair.runs_needed.values()))
    return cells


def markdown(found: Comparison) -> str:
    """Return the comparison as Markdown: its tables and the sentences."""
    parts = [f"**{_escaped(found.title)}**"]
    for _, head, rows in tables(found):
        lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
        parts.append("\n".join(f"| {' | '.join(map(_escaped, line))} |" for line in lines))
    return "\n\n".join([*parts, "\n".join(f"- {_escaped(each)}" for each in found.sentences)]) + "\n"


def latex(found: Comparison) -> str:
    """Return the tables for a document that loads ``booktabs``; the sentences are comments below them."""
    parts = [_tabular(head, rows) for _, head, rows in tables(found)]
    said = "\n".join(f"% {each}" for each in found.sentences)
    return "\n".join([f"% {found.title}", *parts, said]) + "\n"


def _tabular(head: Sequence[str], rows: Cells) -> str:
    def line(cells: Sequence[str]) -> str:
        return f"{' & '.join(_for_latex(cell) for cell in cells)} \\\\"

    body = [line(row) for row in rows]
    columns = "l" + "r" * (len(head) - 1)
    return "\n".join(
        [
            rf"\begin{{tabular}}{{{columns}}}",
            r"\toprule",
            line(head),
            r"\midrule",
            *body,
            r"\bottomrule",
            r"\end{tabular}",
        ]
    )


def _for_latex(text: str) -> str:
    return "".join(LATEX.get(letter, letter) for letter in text)


def _escaped(text: str) -> str:
    for mark in ("\\", "|", "<", "*", "_", "`"):
        text = text.replace(mark, f"\\{mark}")
    return text


def _score(value: float | None) -> str:
    return NONE if value is None else f"{value:.4f}"


def _short(value: float | None) -> str:
    if value is None:
        return NONE
    return next((f"{value / size:.3g}{unit}" for size, unit in UNITS if value >= 0.9995 * size), f"{value:.4g}")


def _took(seconds: float) -> str:
    if seconds < 100:
        return f"{seconds:.1f} s"
    return f"{seconds / 60:.1f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"


FORMATS: Final[dict[str, Callable[[Comparison], str]]] = {"markdown": markdown, "latex": latex}
