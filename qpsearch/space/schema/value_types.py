"""The types of single values in a space file, and the messages for values that do not fit.

Each kind turns a scalar of the file into the value that the rest of the program uses, or raises
``ValueError`` with one or two sentences that complete "FILE:LINE:COLUMN: PATH: ...". ``schema`` says the same to an
editor, as far as JSON Schema can.
"""

import math
import re
from dataclasses import dataclass
from enum import StrEnum
from numbers import Integral
from typing import Any, Final, Protocol

from qpsearch.errors import nearest
from qpsearch.registry.metrics import Metric, words
from qpsearch.vocabulary import Scalar

NONE = "none"
AUTO = "auto"
_UNITS_S = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
UNITS: Final = {"K": 10**3, "M": 10**6, "G": 10**9, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30}
_BOUND = re.compile(r"(<=|>=)\s*(\d+(?:\.\d+)?(?:[eE]\+?\d+)?)\s*([A-Za-z]*)")


def shown(value: Scalar) -> str:
    """Return a value as a file spells it."""
    if isinstance(value, bool):
        return str(value).lower()
    return repr(str(value)) if isinstance(value, str) else repr(value)  # a member of an enum, as its word


def text_in_file(value: Scalar) -> str:
    """Return a value for a table, as a file spells it: words without quotes, ``true``, ``false`` and ``none``."""
    if value is None:
        return NONE
    return str(value).lower() if isinstance(value, bool) else str(value)


class ValueType(Protocol):
    """What a leaf may hold."""

    @property
    def expected(self) -> str:
        """A noun phrase for messages: 'a whole number from 1 to 64'."""

    @property
    def schema(self) -> dict[str, Any]:
        """A JSON Schema of the constants."""

    def parse(self, value: Scalar, name: str) -> Scalar:
        """Return the value to use; ``name`` is the leaf's own name, for the message."""


@dataclass(frozen=True, slots=True)
class Integer:
    """A whole number in [low, high]."""

    low: int
    high: int

    @property
    def expected(self) -> str:
        """Noun phrase for messages."""
        return f"a whole number from {self.low} to {self.high}"

    @property
    def schema(self) -> dict[str, Any]:
        """JSON Schema of the constants."""
        return {"type": "integer", "minimum": self.low, "maximum": self.high}

    def parse(self, value: Scalar, name: str) -> Scalar:
        """Check an int; ``3.0`` is taken as 3, an integer of NumPy as one of Python, ``true`` is not taken as 1."""
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        given: object = value
        if type(given) is not bool and isinstance(given, Integral):
            value = int(given)
        if isinstance(value, bool) or not isinstance(value, int) or not self.low <= value <= self.high:
            raise ValueError(f"{shown(value)} is not {self.expected}.")
        return value


@dataclass(frozen=True, slots=True)
class Number:
    """A number in [low, high], or in (low, high] where ``above`` is set."""

    low: float
    high: float
    above: bool = False

    @property
    def expected(self) -> str:
        """Noun phrase for messages."""
        if math.isinf(self.high):
            return f"a number {'above' if self.above else 'of at least'} {self.low:g}"
        if self.above:
            return f"a number above {self.low:g} and at most {self.high:g}"
        return f"a number from {self.low:g} to {self.high:g}"

    @property
    def schema(self) -> dict[str, Any]:
        """JSON Schema of the constants."""
        least = "exclusiveMinimum" if self.above else "minimum"
        return {"type": "number", least: self.low, "maximum": self.high}

    def parse(self, value: Scalar, name: str) -> Scalar:
        """Check a finite number and return it as a float."""
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise ValueError(f"{shown(value)} is not {self.expected}.")
        if not self.low <= value <= self.high or (self.above and value == self.low):
            raise ValueError(f"{shown(value)} is not {self.expected}.")
        return float(value)


@dataclass(frozen=True, slots=True)
class CountOrShare:
    """A whole number from 0, or a share above 0 and below 1, or a word."""

    word: str

    @property
    def expected(self) -> str:
        """Noun phrase for messages."""
        return f"a whole number from 0, a share above 0 and below 1, or {self.word!r}"

    @property
    def schema(self) -> dict[str, Any]:
        """JSON Schema of the constants."""
        share = {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1}
        return {"anyOf": [{"type": "integer", "minimum": 0}, share, {"enum": [self.word]}]}

    def parse(self, value: Scalar, name: str) -> Scalar:
        """Return an int, a float in (0, 1), or the word; ``3.0`` is taken as 3."""
        if value == self.word:
            return self.word
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise ValueError(f"{shown(value)} is not {self.expected}.")
        if value >= 0 and float(value).is_integer():
            return int(value)
        if not 0 < value < 1:
            raise ValueError(f"{shown(value)} is not {self.expected}.")
        return float(value)


@dataclass(frozen=True, slots=True)
class OneOf:
    """A member of an enum, by its value."""

    words: type[StrEnum]
    noun: str = ""

    @property
    def expected(self) -> str:
        """Noun phrase for messages."""
        return f"one of {', '.join(sorted(self.words))}"

    @property
    def schema(self) -> dict[str, Any]:
        """JSON Schema of the constants."""
        return {"enum": [str(word) for word in self.words]}

    def parse(self, value: Scalar, name: str) -> Scalar:
        """Return the member of a word; answers an unknown one with the nearest known."""
        known = [str(word) for word in self.words]
        if value not in known:
            noun = self.noun or name.replace("_", " ")
            raise ValueError(f"unknown {noun} {str(value)!r}. {nearest(str(value), known)}")
        return self.words(value)


@dataclass(frozen=True, slots=True)
class Words:
    """One of a list of words, which may grow while a program starts; ``hint`` says how."""

    noun: str
    words: list[str]
    hint: str = ""

    @property
    def expected(self) -> str:
        """Noun phrase for messages."""
        return f"one of {', '.join(sorted(self.words))}"

    @property
    def schema(self) -> dict[str, Any]:
        """JSON Schema of the constants."""
        return {"enum": list(self.words)}

    def parse(self, value: Scalar, name: str) -> Scalar:
        """Check a word; answers an unknown one with the nearest known."""
        if value not in self.words:
            hint = f" {self.hint}" if self.hint else ""  # beside a guess too: a word of one's own may be like another
            raise ValueError(f"unknown {self.noun} {str(value)!r}. {nearest(str(value), self.words)}{hint}")
        return str(value)


@dataclass(frozen=True, slots=True)
class MetricWord:
    """A metric, by its word; metrics of the user's own may join while a program starts."""

    costs: bool = True

    @property
    def words(self) -> list[str]:
        """The words, that of a target with an example."""
        return [word for word in words() if self.costs or not Metric(word).is_cost]

    @property
    def expected(self) -> str:
        """Noun phrase for messages."""
        return f"one of {', '.join(sorted(self.words))}"

    @property
    def schema(self) -> dict[str, Any]:
        """JSON Schema of the constants."""
        return {"anyOf": [{"enum": self.words}, {"type": "string", "pattern": r"^(val|epochs_to)_[A-Za-z0-9_.]+$"}]}

    def parse(self, value: Scalar, name: str) -> Scalar:
        """Return the metric of a word; answers an unknown one with the nearest known."""
        metric = Metric(str(value))
        if metric.is_cost and not self.costs:
            raise ValueError(f"{str(value)!r} is a cost, which every trial has. Leave it out here.")
        return metric


@dataclass(frozen=True, slots=True)
class Flag:
    """True or false."""

    @property
    def expected(self) -> str:
        """Noun phrase for messages."""
        return "true or false"

    @property
    def schema(self) -> dict[str, Any]:
        """JSON Schema of the constants."""
        return {"type": "boolean"}

    def parse(self, value: Scalar, name: str) -> Scalar:
        """Check a truth value; YAML 1.2 knows only these two words."""
        if not isinstance(value, bool):
            raise ValueError(f"{shown(value)} is not {self.expected}.")
        return value


@dataclass(frozen=True, slots=True)
class Optional:
    """A value of another type, or one word (``none``) that stands for null, or for itself where ``is_value``."""

    word: str
    type: ValueType
    is_value: bool = False

    @property
    def expected(self) -> str:
        """Noun phrase for messages."""
        return f"{self.word!r} or {self.type.expected}"

    @property
    def schema(self) -> dict[str, Any]:
        """JSON Schema of the constants."""
        return {"anyOf": [{"enum": [self.word] if self.is_value else [self.word, None]}, self.type.schema]}

    def parse(self, value: Scalar, name: str) -> Scalar:
        """Return None for the word (the word itself where ``is_value``), else the other type's value."""
        if value == self.word or (value is None and not self.is_value):
            return self.word if self.is_value else None
        if isinstance(value, str) and not isinstance(self.type, OneOf | Duration | Bounds):
            raise ValueError(f"{shown(value)} is not {self.expected}.")
        return self.type.parse(value, name)


@dataclass(frozen=True, slots=True)
class OrLeftOut:
    """A value of another type; None stands for a key that is left out, which a file cannot say in another way."""

    type: ValueType

    @property
    def expected(self) -> str:
        """Noun phrase for messages."""
        return self.type.expected

    @property
    def schema(self) -> dict[str, Any]:
        """JSON Schema of the constants."""
        return self.type.schema

    def parse(self, value: Scalar, name: str) -> Scalar:
        """Return the other type's value, or None."""
        return None if value is None else self.type.parse(value, name)


@dataclass(frozen=True, slots=True)
class FilePath:
    """The path of a file or folder."""

    noun: str

    @property
    def expected(self) -> str:
        """Noun phrase for messages."""
        return f"the path of {self.noun}"

    @property
    def schema(self) -> dict[str, Any]:
        """JSON Schema of the constants."""
        return {"type": ["string", "number", "boolean", "null"]}  # as YAML takes 2024 and null, which may be names

    def parse(self, value: Scalar, name: str) -> Scalar:
        """Check that it is text."""
        if not isinstance(value, str) or not value or "\0" in value:
            raise ValueError(f"{shown(value)} is not {self.expected}.")
        return value


@dataclass(frozen=True, slots=True)
class StudyName:
    """A name that can be a folder: letters, digits, dot, dash, underscore."""

    @property
    def expected(self) -> str:
        """Noun phrase for messages."""
        return "a name of letters, digits, '.', '_' and '-' (at most 100, beginning with a letter or digit)"

    @property
    def schema(self) -> dict[str, Any]:
        """JSON Schema of the constants."""
        words = ["string", "number", "boolean", "null"]  # as YAML takes 1.10, true and null, whose spelling is the name
        return {"type": words, "pattern": "^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$"}

    def parse(self, value: Scalar, name: str) -> Scalar:
        """Check a name, which is used in file names and on the command line."""
        if not isinstance(value, str) or not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}", value):
            raise ValueError(f"{value!r} cannot name a study. Expected {self.expected}.")
        return value


@dataclass(frozen=True, slots=True)
class Duration:
    """A time such as ``90s``, ``15m``, ``12h`` or ``2d``; becomes seconds."""

    @property
    def expected(self) -> str:
        """Noun phrase for messages."""
        return "a time such as 90s, 15m, 12h or 2d"

    @property
    def schema(self) -> dict[str, Any]:
        """JSON Schema of the constants."""
        return {"type": "string", "pattern": r"^\d+(\.\d+)?\s*[smhd]$"}

    def parse(self, value: Scalar, name: str) -> Scalar:
        """Return seconds."""
        match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([smhd])", str(value))
        if match is None or float(match[1]) <= 0:
            raise ValueError(f"{shown(value)} is not {self.expected}.")
        return float(match[1]) * _UNITS_S[match[2]]


@dataclass(frozen=True, slots=True)
class Bounds:
    """Bounds on a cost: ``<= 2M``, or ``>= 100K and <= 2M``; K, M, G are thousands, KiB, MiB, GiB of 1024."""

    @property
    def expected(self) -> str:
        """Noun phrase for messages."""
        return "bounds such as '<= 2M' or '>= 100K and <= 2M' (units K, M, G, KiB, MiB, GiB)"

    @property
    def schema(self) -> dict[str, Any]:
        """JSON Schema of the constants."""
        one = r"(<=|>=)\s*\d+(\.\d+)?([eE]\+?\d+)?\s*(K|M|G|KiB|MiB|GiB)?"
        return {"type": "string", "pattern": rf"^\s*{one}(\s+and\s+{one})?\s*$"}

    def parse(self, value: Scalar, name: str) -> Scalar:
        """Return the bounds in one spelling, plain numbers, the lower one first."""
        found: dict[str, float] = {}
        for part in str(value).split(" and ") if isinstance(value, str) else ():
            match = _BOUND.fullmatch(part.strip())
            if match is None or match[1] in found:
                fix = f" Write '<= {value}'." if re.fullmatch(r"[\d.]+\s*\w*", str(value)) else ""
                raise ValueError(f"{shown(value)}: expected {self.expected}.{fix}")
            if match[3] and match[3] not in UNITS:
                meant = [unit for unit in UNITS if unit.lower() == match[3].lower()]
                hint = f"Did you mean {meant[0]!r}?" if meant else nearest(match[3], list(UNITS))
                raise ValueError(f"unknown unit {match[3]!r}. {hint}")
            found[match[1]] = float(match[2]) * UNITS.get(match[3], 1)
        if not found:
            raise ValueError(f"{shown(value)}: expected {self.expected}. Write '<= {value}'.")
        if found.get(">=", 0) > found.get("<=", math.inf):
            raise ValueError(f"{shown(value)} allows nothing: the lower bound is above the upper bound.")
        return " and ".join(f"{sign} {_plain_number(found[sign])}" for sign in (">=", "<=") if sign in found)


NAMES: Final = (
    StudyName,
    OneOf,
    Words,
    MetricWord,
    FilePath,
)  # what these take is a name, which is its spelling in a file


def _plain_number(value: float) -> str:
    return str(int(value)) if value.is_integer() else repr(value)
