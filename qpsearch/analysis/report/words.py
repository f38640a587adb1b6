"""How numbers and times look in a report."""

import math
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution

from qpsearch.space.schema.value_types import text_in_file
from qpsearch.vocabulary import Scalar

UNITS: Final = ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"))


def value(number: float | None) -> str:
    """Return a value of an objective: four decimals, or three digits where that says nothing."""
    if number is None or not math.isfinite(number):
        return "-" if number is None else str(number)
    if number == 0 or 0.001 <= abs(number) < 10_000:
        return f"{number:.4f}"
    return f"{number:.2e}" if abs(number) < 0.001 else short(number)


def short(number: float) -> str:
    """Return a count in three digits: ``292k``, ``1.21M``."""
    for size, unit in UNITS:
        if abs(number) >= 0.9995 * size:
            return f"{number / size:.3g}{unit}"
    return f"{number:.4g}"


def scalar(given: Scalar) -> str:
    """Return a parameter's value, as a space file spells it."""
    return f"{given:.4g}" if isinstance(given, float) else text_in_file(given)


def lasted(seconds: float) -> str:
    """Return ``45 s``, ``3.2 min``, ``2.5 h`` or ``3.1 days``."""
    if seconds < 1:
        return f"{seconds:.1f} s"
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 5400:
        return f"{seconds / 60:.1f} min"
    return f"{seconds / 3600:.1f} h" if seconds < 172_800 else f"{seconds / 86_400:.1f} days"


def moment(seconds: float) -> str:
    """Return a time in Unix seconds as date and time of UTC."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M UTC")


def domain(distribution: BaseDistribution) -> str:
    """Return what a parameter is drawn from, in the words of a space file."""
    match distribution:
        case CategoricalDistribution(choices=choices):
            return f"{{choice: [{', '.join(map(scalar, choices))}]}}"
        case IntDistribution(low=low, high=high, log=log):
            return f"{{{'log_int' if log else 'int'}: [{low}, {high}]}}"
        case FloatDistribution(low=low, high=high, log=log):
            return f"{{{'log' if log else 'float'}: [{low:.6g}, {high:.6g}]}}"
    return str(distribution)


def listed(parts: Sequence[str]) -> str:
    """Return ``a``, ``a and b``, ``a, b and c``."""
    return " and ".join((", ".join(parts[:-1]), parts[-1])) if len(parts) > 1 else "".join(parts)


def joined(*sentences: str | None) -> str | None:
    """Return sentences as one text, without those that are None; None if all are."""
    return " ".join(each for each in sentences if each) or None


def signed(number: float) -> str:
    """Return a difference with its sign."""
    return f"{number:+.4f}" if abs(number) >= 0.0001 or number == 0 else f"{number:+.2e}"
