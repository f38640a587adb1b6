"""What every benchmark prints: ratios against a named alternative, with their conditions.

Knows nothing of what is measured. Seconds say little about another machine, so a row is a ratio of two
things measured in turn in one run, and stands beside its n, its spread and the hardware.
"""

import json
import os
import platform
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final, TypeVar

T = TypeVar("T")

PACKAGES: Final = ("torch", "optuna", "ray", "sqlalchemy")
SYNCS: Final = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One comparison; below a ratio of 1 ours takes less, or, of rates, does less.

    Attributes:
        name: Starts with the library that ours is measured against, and a colon.
        alternative: What exactly that library did.
        ours: Median over the repetitions.
        against: The alternative's.
        unit: Of both.
        ratio: Median of ours / against over the repetitions.
        n: Repetitions, each of ours beside one of the alternative.
        spread: Lower and upper quartile of the ratio.
        target: The ratio that we want at most, or, where more is better, at least; None where there is none.
        note: What one repetition is, and what else must be known.
        more_is_better: Whether both are rates.
    """

    name: str
    alternative: str
    ours: float
    against: float
    unit: str
    ratio: float
    n: int
    spread: tuple[float, float]
    target: float | None
    note: str
    more_is_better: bool = False


def alternate(repetitions: int, *sides: Callable[[], T]) -> list[tuple[T, ...]]:
    """Run ours and its alternatives in turn, so that a machine that slows down slows all of them.

    Each repetition begins with another side: what comes after a heavy one finds its data out of the cache.
    """
    found = []
    for repetition in range(repetitions):
        order = [(repetition + place) % len(sides) for place in range(len(sides))]
        results = {index: sides[index]() for index in order}
        found.append(tuple(results[index] for index in range(len(sides))))
    return found


def timed(action: Callable[[], object]) -> float:
    """Return the seconds that an action takes."""
    began = time.perf_counter()
    action()
    return time.perf_counter() - began


def row(
    name: str,
    pairs: Sequence[tuple[float, ...]],
    *,
    alternative: str,
    unit: str,
    note: str,
    target: float | None = None,
    more_is_better: bool = False,
) -> Row:
    """Sum up the repetitions of one comparison.

    Args:
        name: See ``Row``, likewise the others.
        pairs: Ours and the alternative's, for each repetition.
        alternative: See ``Row``.
        unit: See ``Row``.
        note: See ``Row``.
        target: See ``Row``.
        more_is_better: See ``Row``.
    """
    ratios = [ours / against for ours, against in pairs]
    return Row(
        name=name,
        alternative=alternative,
        ours=statistics.median(ours for ours, _ in pairs),
        against=statistics.median(against for _, against in pairs),
        unit=unit,
        ratio=statistics.median(ratios),
        n=len(pairs),
        spread=_quartiles(ratios),
        target=target,
        note=note,
        more_is_better=more_is_better,
    )


def hardware() -> str:
    """Return machine and versions in one line, with what a commit to its disk costs."""
    versions = ", ".join(filter(None, map(_version, PACKAGES)))
    memory_gib = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return (
        f"{os.cpu_count()} cores {_processor()}, {memory_gib:.0f} GiB, {platform.system()} {platform.machine()}, "
        f"fsync {_sync_ms():.2f} ms; Python {platform.python_version()}, {versions}"
    )


def as_json(benchmark: str, rows: Sequence[Row], where: str, missing: Sequence[str] = ()) -> str:
    """Return one document with an entry for each row, and the names of the rows that this machine cannot measure."""
    entries = [asdict(row) | {"hardware": where} for row in rows]
    named = {"not measured": list(missing)} if missing else {}
    return json.dumps({"benchmark": benchmark, "rows": entries, **named}, indent=2)


def as_table(rows: Sequence[Row], where: str, missing: Sequence[str] = ()) -> str:
    """Return a table for people; rows that this machine cannot measure say so."""
    width = max(len(name) for name in (*(row.name for row in rows), *missing))
    head = f"{'':<{width}}  {'ours':>10} {'against':>10} {'unit':<12} {'ratio':>7}  {'quartiles':<17} {'n':>3}  target"
    lines = [head]
    for row in rows:
        low, high = row.spread
        target = "" if row.target is None else f"{'>=' if row.more_is_better else '<='} {row.target:g}"
        lines.append(
            f"{row.name:<{width}}  {row.ours:>10.4g} {row.against:>10.4g} {row.unit:<12} {row.ratio:>7.3f}  "
            f"{f'{low:.3f} to {high:.3f}':<17} {row.n:>3}  {target}".rstrip()
        )
    lines += [f"{name:<{width}}  not measured" for name in missing]
    lines += ["", *_notes(rows), "", where]
    return "\n".join(lines)


def _notes(rows: Sequence[Row]) -> list[str]:
    """Say what each row is, once for rows that are the same but for their size."""
    named: dict[str, list[str]] = {}
    for row in rows:
        named.setdefault(f"against {row.alternative}; {row.note}", []).append(row.name)
    return [f"{names[0] if len(names) == 1 else names[0].partition(':')[0]}: {text}" for text, names in named.items()]


def _quartiles(ratios: Sequence[float]) -> tuple[float, float]:
    if len(ratios) == 1:
        return ratios[0], ratios[0]
    low, _, high = statistics.quantiles(ratios, n=4, method="inclusive")
    return low, high


def _version(package: str) -> str:
    try:
        return f"{package} {version(package)}"
    except PackageNotFoundError:  # a machine for one benchmark has not everything
        return ""


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()


def _sync_ms() -> float:
    with tempfile.TemporaryFile() as file:
        seconds = []
        for _ in range(SYNCS):
            file.write(bytes(4096))
            file.flush()
            seconds.append(timed(lambda: os.fsync(file.fileno())))
    return 1000 * statistics.median(seconds)
