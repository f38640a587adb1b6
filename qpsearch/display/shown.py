"""How a trial's values look in a line: short, and the same in every command."""

from collections.abc import Collection, Sequence
from datetime import datetime
from itertools import groupby
from pathlib import Path
from typing import Final

from qpsearch.space.schema.value_types import text_in_file
from qpsearch.space.search import Objective
from qpsearch.study.records import ConfigurationRecord
from qpsearch.vocabulary import Scalar

UNITS: Final = ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"))
NAMED: Final = 10  # trials of one configuration, or seeds, that a line names
# A state with its word and colour; a trial that is open without a driver waits for the next, or is paused at a rung.
WORDS: Final = {
    "COMPLETE": ("complete", "green"),
    "PRUNED": ("pruned", "yellow"),
    "FAIL": ("failed", "red"),
    "RUNNING": ("running", "cyan"),
    "WAITING": ("waiting", "magenta"),
    "PAUSED": ("paused", "blue"),
}


def took(seconds: float) -> str:
    """Return a duration as text: ``4.2 s``, ``12.5 min``, ``3.1 h``."""
    if seconds < 100:
        return f"{seconds:.1f} s"
    return f"{seconds / 60:.1f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"


def moment(seconds: float) -> str:
    """Return a time in Unix seconds as local date and time: ``2026-11-26 14:05``."""
    return datetime.fromtimestamp(seconds).strftime("%Y-%m-%d %H:%M")


def short_number(value: float) -> str:
    """Return a count in three or four digits: ``292k``, ``1.21M``."""
    for size, unit in UNITS:
        if abs(value) >= 0.9995 * size:  # 999,999 is 1M, not 1e+03k
            return f"{value / size:.3g}{unit}"
    return f"{value:.4g}"


def score(value: float | None) -> str:
    """Return a metric of training in four decimals; a dash if there is no value."""
    if value is None:
        return "-"
    return f"{value:.4f}" if abs(value) < 10_000 else f"{value:.3g}"


def standing(found: ConfigurationRecord) -> str:
    """Say who is level with a configuration, and how far its value can be trusted: what fresh seeds gave, if any."""
    level = f"level with {found.level} other configuration{'s' * (found.level > 1)}, " if found.level else ""
    return f"{level}{_trust(found)}"


def _trust(found: ConfigurationRecord) -> str:
    confirmed = found.confirmed
    if found.is_fresh:
        return "trained on fresh seeds"
    if confirmed is None or confirmed.mean is None:
        return "optimistic until it is trained again on fresh seeds"
    spread = "" if confirmed.sd is None else f"sd {score(confirmed.sd)}, "
    failed = f", and {confirmed.failed} failed" if confirmed.failed else ""
    return f"confirmed at {score(confirmed.mean)} ({spread}n = {confirmed.n}{failed})"


def from_here(path: str) -> str:
    """Return a path relative to the working directory if it lies in it; a URI as it is."""
    return path.removeprefix(f"{Path.cwd()}/")


def numbers_of(numbers: Sequence[int]) -> str:
    """Name some trials or seeds: ``3, 7``; of many the first ones: ``3, 7, 9, ... and 4 more``."""
    named = ", ".join(map(str, numbers[:NAMED]))
    return f"{named} and {len(numbers) - NAMED} more" if len(numbers) > NAMED else named


def scalar(value: Scalar) -> str:
    """Return a parameter's value, as a space file spells it."""
    return f"{value:.4g}" if isinstance(value, float) else text_in_file(value)


def cost_title(metric: str) -> str:
    """Return a heading for a cost, or another objective."""
    return {"parameters": "params", "macs": "MACs", "activation_bytes": "bytes"}.get(metric, metric)


def further_cells(objectives: Sequence[Objective], values: Sequence[float], *, is_whole: bool = False) -> list[str]:
    """Return the values of all objectives but the first: costs as counts, metrics of training as scores.

    Args:
        objectives: The study's.
        values: A value for each; empty for a trial without values.
        is_whole: Whether costs are written out.
    """
    return [
        score(value) if not each.metric.is_cost else f"{value:,.0f}" if is_whole else short_number(value)
        for each, value in zip(objectives[1:], values[1:], strict=False)
    ]


def in_words(stages: Sequence[str], between: str = "/") -> str:
    """Return the kinds of block of some stages: one word if they are all the same, else ``additive/quotient``."""
    return stages[0] if len(set(stages)) == 1 else between.join(stages)


class BlockNames:
    """Names the blocks of many networks in a column: in words if all names fit, else mixed networks by initials.

    Args:
        networks: The kinds of block of the stages of each network.
        room: Width of the column.
        between: The separator of the blocks of one network.

    Attributes:
        initials: What stands for each kind of block; empty where names are in words.
    """

    def __init__(self, networks: Collection[Sequence[str]], room: int, between: str = "/") -> None:
        self._between = between
        mixed = [stages for stages in networks if len(set(stages)) > 1]
        self.initials: dict[str, str] = {}
        if any(len(in_words(stages, between)) > room for stages in mixed):
            self.initials = _initials(sorted({kind for stages in mixed for kind in stages}))

    def of(self, stages: Sequence[str]) -> str:
        """Return the name of a network's blocks; equal neighbours beyond two are counted: ``Ax4/Q``."""
        if not self.initials or len(set(stages)) == 1:
            return in_words(stages, self._between)
        if len(stages) <= 4:
            return self._between.join(self.initials[kind] for kind in stages)
        runs = [(self.initials[kind], len(list(same))) for kind, same in groupby(stages)]
        return self._between.join(f"{initial}x{count}" if count > 1 else initial for initial, count in runs)

    @property
    def legend(self) -> str:
        """Say what the initials mean; empty if initials are not used."""
        return ", ".join(f"{initial} {kind}" for kind, initial in self.initials.items())


def _initials(kinds: Sequence[str]) -> dict[str, str]:
    """Return the initials of each kind, ``PU`` for ``product_unit``; the words if two kinds share their initials."""
    found = {kind: "".join(part[:1].upper() for part in kind.split("_")) for kind in kinds}
    return found if len(set(found.values())) == len(kinds) else {kind: kind for kind in kinds}


def duration(seconds: float) -> str:
    """Return ``45 s``, ``3 min``, ``2.5 h`` or ``3.1 days``."""
    if 0.05 <= seconds < 1:
        return f"{seconds:.1f} s"
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h" if seconds < 172_800 else f"{seconds / 86_400:.1f} days"
