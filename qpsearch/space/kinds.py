"""What a single value of a space file may be, and how to say so when it is not.

Each kind turns a scalar of the file into the value that the rest of the program uses, or raises
``ValueError`` with one or two sentences that complete "FILE:LINE: PATH: ...".
"""

import math
import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from qpsearch.errors import nearest
from qpsearch.records import Scalar

NONE = "none"
AUTO = "auto"
_UNITS_S = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


def shown(value: Scalar) -> str:
    """Return a value as a file spells it."""
    return str(value).lower() if isinstance(value, bool) else repr(value)


class Kind(Protocol):
    """What a leaf may hold."""

    @property
    def expected(self) -> str:
        """A noun phrase for messages: 'a whole number from 1 to 64'."""

    def parse(self, value: Scalar, name: str) -> Scalar:
        """Return the value to use; ``name`` is the leaf's own name, for the message."""


@dataclass(frozen=True, slots=True)
class Whole:
    """A whole number in [low, high]."""

    low: int
    high: int

    @property
    def expected(self) -> str:
        """Noun phrase for messages."""
        return f"a whole number from {self.low} to {self.high}"

    def parse(self, value: Scalar, name: str) -> Scalar:
        """Check an int; ``3.0`` is taken as 3, ``true`` is not taken as 1."""
        if isinstance(value, float) and value.is_integer():
            value = int(value)
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

    def parse(self, value: Scalar, name: str) -> Scalar:
        """Check a finite number and return it as a float."""
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            raise ValueError(f"{shown(value)} is not {self.expected}.")
        if not self.low <= value <= self.high or (self.above and value == self.low):
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

    def parse(self, value: Scalar, name: str) -> Scalar:
        """Check a word; answers an unknown one with the nearest known."""
        known = [str(word) for word in self.words]
        if value not in known:
            noun = self.noun or name.replace("_", " ")
            raise ValueError(f"unknown {noun} {str(value)!r}. {nearest(str(value), known)}")
        return str(value)


@dataclass(frozen=True, slots=True)
class OrWord:
    """What another kind takes, or one word (``none``, ``auto``) that stands for null."""

    word: str
    kind: Kind

    @property
    def expected(self) -> str:
        """Noun phrase for messages."""
        return f"{self.word!r} or {self.kind.expected}"

    def parse(self, value: Scalar, name: str) -> Scalar:
        """Return None for the word, else what the other kind makes of the value."""
        if value is None or value == self.word:
            return None
        if isinstance(value, str) and not isinstance(self.kind, OneOf | Duration):
            raise ValueError(f"{shown(value)} is not {self.expected}.")
        return self.kind.parse(value, name)


@dataclass(frozen=True, slots=True)
class StudyName:
    """A name that can be a folder: letters, digits, dot, dash, underscore."""

    @property
    def expected(self) -> str:
        """Noun phrase for messages."""
        return "a name of letters, digits, '.', '_' and '-' (at most 100, beginning with a letter or digit)"

    def parse(self, value: Scalar, name: str) -> Scalar:
        """Check a name, which ends up in file names and in the command line."""
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}", str(value)):
            raise ValueError(f"{value!r} cannot name a study. Expected {self.expected}.")
        return str(value)


@dataclass(frozen=True, slots=True)
class Duration:
    """A time such as ``90s``, ``15m``, ``12h`` or ``2d``; becomes seconds."""

    @property
    def expected(self) -> str:
        """Noun phrase for messages."""
        return "a time such as 90s, 15m, 12h or 2d"

    def parse(self, value: Scalar, name: str) -> Scalar:
        """Return seconds."""
        match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([smhd])", str(value))
        if match is None or float(match[1]) <= 0:
            raise ValueError(f"{shown(value)} is not {self.expected}.")
        return float(match[1]) * _UNITS_S[match[2]]
