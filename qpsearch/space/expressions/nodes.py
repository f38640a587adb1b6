"""The small language inside a space file: arithmetic for derived constants, conditions for constraints.

``2 * network.stem.width`` is arithmetic; ``network.stages.0.block == quotient and parameters < 2M`` is a condition.
Text becomes a tree of a few frozen nodes that ``compute`` walks: Python code is never run. An expression with a name
that the draw does not have is unknown (None), by Kleene's logic: "unknown or true" is true, "unknown and false" is
false.
"""

import math
import operator
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from qpsearch.vocabulary import Scalar

MAX_LENGTH: Final = 400
MAX_DEPTH: Final = 40
MAX_WHOLE: Final = 2**53  # above 2**53, a float cannot represent every integer

Value = Scalar | tuple[Scalar, ...]
Lookup = Callable[[str], Value]

FUNCTIONS: Final[dict[str, Callable[..., float]]] = {
    "min": min,
    "max": max,
    "round": round,
    "floor": math.floor,
    "ceil": math.ceil,
    "sqrt": math.sqrt,
    "log2": math.log2,
}
COMPARISONS: Final[dict[str, Callable[[float, float], bool]]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
CLOSE: Final = 1e-12  # relative difference of floats below which they are equal
TINY: Final = 1e-15  # absolute one, for what should be 0
RESERVED: Final = ("and", "or", "not", "in")


class ExpressionError(ValueError):
    """Text that is not an expression, or an expression without a value; ``column`` is the place, from 0."""

    def __init__(self, message: str, column: int = 0) -> None:
        self.column = column
        super().__init__(message)


class Absent(LookupError):
    """Raised by a lookup for a name that this draw does not have."""


@dataclass(frozen=True, slots=True)
class Literal:
    """A number, a word or null."""

    value: Scalar


@dataclass(frozen=True, slots=True)
class Name:
    """A dotted path such as ``network.stem.width``, or a name that the reader of the expression knows."""

    path: str
    column: int = 0


@dataclass(frozen=True, slots=True)
class Listed:
    """A list, the right operand of ``in``."""

    items: tuple["Expression", ...]


@dataclass(frozen=True, slots=True)
class Call:
    """A function such as ``max(8, network.stem.width)``."""

    function: str
    arguments: tuple["Expression", ...]


@dataclass(frozen=True, slots=True)
class Binary:
    """A binary operator with its two operands."""

    sign: str
    left: "Expression"
    right: "Expression"


@dataclass(frozen=True, slots=True)
class Unary:
    """A unary operator, ``-`` or ``not``, with its operand."""

    sign: str
    operand: "Expression"


Expression = Literal | Name | Listed | Call | Binary | Unary


def names(expression: Expression) -> Iterator[Name]:
    """Yield the names of an expression, from left to right."""
    match expression:
        case Name():
            yield expression
        case Binary(_, left, right):
            yield from names(left)
            yield from names(right)
        case Unary(_, operand):
            yield from names(operand)
        case Listed(items) | Call(_, items):
            for item in items:
                yield from names(item)
        case Literal():
            return


def unparse(expression: Expression) -> str:
    """Return an expression in one spelling, whatever spaces, quotes and units its text had."""
    match expression:
        case Literal(value):
            return "none" if value is None else _number_text(value)
        case Name(path):
            return path
        case Listed(items):
            return f"[{', '.join(sorted(map(unparse, items)))}]"  # the order of the items does not matter
        case Call(function, arguments):
            return f"{function}({', '.join(map(unparse, arguments))})"
        case Unary("-", operand):
            return f"-{_inner(operand, _RANK['**'])}"
        case Unary(sign, operand):
            return f"{sign} {_inner(operand, _RANK[sign])}"
        case Binary("**", left, right):
            return f"{_inner(left, len(LEVELS))} ** {_inner(right, _RANK['**'])}"
        case Binary(sign, left, right):
            rank = _RANK[sign]
            return f"{_inner(left, rank)} {sign} {_inner(right, rank + 1)}"


def compute(expression: Expression, lookup: Lookup) -> Value:
    """Return the value of an expression; None where it needs a name that the lookup does not have.

    Raises:
        ExpressionError: The value cannot be computed: a division by zero, a word in a sum, a result beyond 2**53.
    """
    try:
        return _evaluate(expression, lookup)
    except Absent:
        return None
    except ZeroDivisionError:
        raise ExpressionError(f"{unparse(expression)} divides by zero") from None
    except (OverflowError, ValueError, TypeError) as error:
        if isinstance(error, ExpressionError):
            raise
        raise ExpressionError(f"{unparse(expression)} cannot be computed") from None


def _evaluate(expression: Expression, lookup: Lookup) -> Value:
    match expression:
        case Literal(value):
            return value
        case Name(path):
            return lookup(path)
        case Listed(items):
            return tuple(_scalar(_evaluate(item, lookup)) for item in items)
        case Call(function, arguments):
            return _bounded(FUNCTIONS[function](*(_number(_evaluate(item, lookup), function) for item in arguments)))
        case Unary("not", operand):
            truth = compute(operand, lookup)
            return None if truth is None else not truth
        case Unary(_, operand):
            return -_number(_evaluate(operand, lookup), "-")
        case Binary("and" | "or" as sign, left, right):
            first = compute(left, lookup)
            if first is (sign == "or"):
                return first  # decided, whatever the other side says
            return _joined(sign, first, compute(right, lookup))
        case Binary(sign, left, right):
            return _combined(sign, _evaluate(left, lookup), _evaluate(right, lookup))


def _joined(sign: str, left: Value, right: Value) -> bool | None:
    """Return ``and`` or ``or`` of two values by Kleene's logic."""
    decisive = sign == "or"
    if decisive in (left, right):
        return decisive
    return None if left is None or right is None else not decisive


def _combined(sign: str, left: Value, right: Value) -> Value:
    if sign == "==":
        return _equal(left, right)
    if sign == "!=":
        return not _equal(left, right)
    if sign == "in":
        return any(_equal(left, each) for each in (right if isinstance(right, tuple) else (right,)))
    if sign in COMPARISONS and None in (left, right):
        return None  # None cannot be ordered
    first, second = _number(left, sign), _number(right, sign)
    if sign in COMPARISONS:
        return sign in ("<=", ">=") if _equal(first, second) else COMPARISONS[sign](first, second)
    match sign:
        case "+":
            return _bounded(first + second)
        case "-":
            return _bounded(first - second)
        case "*":
            return _bounded(first * second)
        case "/":
            return _bounded(first / second)
        case "//":
            return _bounded(first // second)
        case "%":
            return _bounded(first % second)
        case _:
            power = float(first) ** float(second)  # floats overflow at once where whole numbers would fill the memory
            return _bounded(_whole(power) if isinstance(first, int) and isinstance(second, int) else power)


def _equal(left: Value, right: Value) -> bool:
    """Whether two values are equal; floats that differ by the rounding of arithmetic alone are: 0.1 + 0.2 and 0.3."""
    if (isinstance(left, float) and isinstance(right, float | int)) or (
        isinstance(left, int) and isinstance(right, float)
    ):
        return math.isclose(left, right, rel_tol=CLOSE, abs_tol=TINY)
    return left == right


def _number(value: Value, sign: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        shown = "none" if value is None else repr(str(value)) if isinstance(value, str) else str(value).lower()
        raise ExpressionError(f"{sign} takes numbers, got {shown}")
    return value


def _scalar(value: Value) -> Scalar:
    if isinstance(value, tuple):
        raise ExpressionError("a list cannot hold a list")
    return value


def _bounded(value: float) -> float:
    if isinstance(value, complex) or not -MAX_WHOLE <= value <= MAX_WHOLE:
        raise ExpressionError("the result is larger than 2**53")
    return value


def _whole(value: float) -> float:
    return int(value) if value.is_integer() else value


def _number_text(value: Scalar) -> str:
    if isinstance(value, float) and value.is_integer() and abs(value) < MAX_WHOLE:
        return str(int(value))
    if isinstance(value, str):
        return (
            str(value) if re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", value) and value not in RESERVED else repr(str(value))
        )
    return str(value).lower() if isinstance(value, bool) else repr(value)


LEVELS: Final[tuple[tuple[str, ...], ...]] = (
    ("or",),
    ("and",),
    ("not",),
    ("==", "!=", "<", "<=", ">", ">=", "in"),
    ("+", "-"),
    ("*", "/", "//", "%"),
    ("**",),
)
_RANK: Final = {sign: rank for rank, signs in enumerate(LEVELS) for sign in signs}


def _inner(expression: Expression, rank: int) -> str:
    """Spell a part of an expression, in brackets where its operator binds less tightly than its place needs."""
    text = unparse(expression)
    match expression:
        case Unary("-"):
            binds = _RANK["*"]
        case Binary(sign) | Unary(sign):
            binds = _RANK[sign]
        case Literal(int() | float() as value) if value < 0:
            binds = _RANK["*"]
        case _:
            binds = len(LEVELS)
    return f"({text})" if binds < rank else text
