"""The small language inside a space file: arithmetic for derived constants, conditions for constraints.

``2 * network.stem.width`` is arithmetic; ``network.stages.0.block == quotient and parameters < 2M`` is a condition.
Text becomes a tree of a few frozen nodes that ``evaluate`` walks: no Python is ever run. A name that a draw does
not have makes what stands on it unknown (None), by Kleene's logic: unknown or true is true, unknown and false false.
"""

import math
import operator
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from qpsearch.records import Scalar
from qpsearch.space.kinds import UNITS

MAX_LENGTH: Final = 400
MAX_DEPTH: Final = 40
MAX_WHOLE: Final = 2**53  # beyond it a float cannot tell neighbours apart

Value = Scalar | tuple[Scalar, ...]
Lookup = Callable[[str], Value]

TOKEN = re.compile(
    r"\s*(?:(?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)(?P<unit>[A-Za-z]*)"
    r"|(?P<name>[A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z0-9_-]+)*)"
    r"|'(?P<single>[^']*)'|\"(?P<double>[^\"]*)\""
    r"|(?P<sign>==|!=|<=|>=|//|\*\*|[-+*/%<>()\[\],]))"
)
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
RESERVED: Final = ("and", "or", "not", "in")


class ExpressionError(ValueError):
    """Text that is not an expression, or one that has no value; ``column`` is where, from 0."""

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
    """What stands to the right of ``in``."""

    items: tuple["Expression", ...]


@dataclass(frozen=True, slots=True)
class Call:
    """A function such as ``max(8, network.stem.width)``."""

    function: str
    arguments: tuple["Expression", ...]


@dataclass(frozen=True, slots=True)
class Binary:
    """Two sides and what joins them."""

    sign: str
    left: "Expression"
    right: "Expression"


@dataclass(frozen=True, slots=True)
class Unary:
    """``-`` or ``not``."""

    sign: str
    operand: "Expression"


Expression = Literal | Name | Listed | Call | Binary | Unary


def parse_expression(text: str) -> Expression:
    """Read an expression.

    Raises:
        ExpressionError: It is not one; the column tells where it goes wrong.
    """
    if len(text) > MAX_LENGTH:
        raise ExpressionError(f"longer than {MAX_LENGTH} characters")
    return _Parser(text).whole()


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


def spelled(expression: Expression) -> str:
    """Return an expression in one spelling, whatever spaces, quotes and units its text had."""
    match expression:
        case Literal(value):
            return "none" if value is None else _number_text(value)
        case Name(path):
            return path
        case Listed(items):
            return f"[{', '.join(sorted(map(spelled, items)))}]"  # their order means nothing
        case Call(function, arguments):
            return f"{function}({', '.join(map(spelled, arguments))})"
        case Unary("-", operand):
            return f"-{_inner(operand, _RANK['**'])}"
        case Unary(sign, operand):
            return f"{sign} {_inner(operand, _RANK[sign])}"
        case Binary("**", left, right):
            return f"{_inner(left, len(_LEVELS))} ** {_inner(right, _RANK['**'])}"
        case Binary(sign, left, right):
            rank = _RANK[sign]
            return f"{_inner(left, rank)} {sign} {_inner(right, rank + 1)}"


def evaluate(expression: Expression, lookup: Lookup) -> Value:
    """Return the value of an expression; None where it stands on a name that the lookup says is absent.

    Raises:
        ExpressionError: It has no value: a division by zero, a word in a sum, a result beyond 2**53.
    """
    try:
        return _evaluate(expression, lookup)
    except Absent:
        return None
    except ZeroDivisionError:
        raise ExpressionError(f"{spelled(expression)} divides by zero") from None
    except (OverflowError, ValueError, TypeError) as error:
        if isinstance(error, ExpressionError):
            raise
        raise ExpressionError(f"{spelled(expression)} has no value") from None


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
            truth = evaluate(operand, lookup)
            return None if truth is None else not truth
        case Unary(_, operand):
            return -_number(_evaluate(operand, lookup), "-")
        case Binary("and" | "or" as sign, left, right):
            first = evaluate(left, lookup)
            if first is (sign == "or"):
                return first  # decided, whatever the other side says
            return _joined(sign, first, evaluate(right, lookup))
        case Binary(sign, left, right):
            return _combined(sign, _evaluate(left, lookup), _evaluate(right, lookup))


def _joined(sign: str, left: Value, right: Value) -> bool | None:
    """Kleene's and, or."""
    decisive = sign == "or"
    if decisive in (left, right):
        return decisive
    return None if left is None or right is None else not decisive


def _combined(sign: str, left: Value, right: Value) -> Value:
    if sign == "==":
        return left == right
    if sign == "!=":
        return left != right
    if sign == "in":
        return left in (right if isinstance(right, tuple) else (right,))
    if sign in COMPARISONS and None in (left, right):
        return None  # none is neither less nor more
    first, second = _number(left, sign), _number(right, sign)
    if sign in COMPARISONS:
        return COMPARISONS[sign](first, second)
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


def _number(value: Value, sign: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        shown = "none" if value is None else repr(value) if isinstance(value, str) else str(value).lower()
        raise ExpressionError(f"{sign} takes numbers, got {shown}")
    return value


def _scalar(value: Value) -> Scalar:
    if isinstance(value, tuple):
        raise ExpressionError("a list cannot hold a list")
    return value


def _bounded(value: float) -> float:
    if isinstance(value, complex) or not -MAX_WHOLE <= value <= MAX_WHOLE:
        raise ExpressionError("a result is beyond 2**53")
    return value


def _whole(value: float) -> float:
    return int(value) if value.is_integer() else value


def _number_text(value: Scalar) -> str:
    if isinstance(value, float) and value.is_integer() and abs(value) < MAX_WHOLE:
        return str(int(value))
    if isinstance(value, str):
        return value if re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", value) and value not in RESERVED else repr(value)
    return str(value).lower() if isinstance(value, bool) else repr(value)


_LEVELS: Final[tuple[tuple[str, ...], ...]] = (
    ("or",),
    ("and",),
    ("not",),
    ("==", "!=", "<", "<=", ">", ">=", "in"),
    ("+", "-"),
    ("*", "/", "//", "%"),
    ("**",),
)
_RANK: Final = {sign: rank for rank, signs in enumerate(_LEVELS) for sign in signs}


def _inner(expression: Expression, rank: int) -> str:
    """Spell a part of an expression, in brackets where it binds less than its place asks for."""
    text = spelled(expression)
    match expression:
        case Unary("-"):
            binds = _RANK["*"]
        case Binary(sign) | Unary(sign):
            binds = _RANK[sign]
        case Literal(int() | float() as value) if value < 0:
            binds = _RANK["*"]
        case _:
            binds = len(_LEVELS)
    return f"({text})" if binds < rank else text


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    column: int

    def __str__(self) -> str:
        return "the end" if self.kind == "end" else repr(self.text)


class _Parser:
    """Recursive descent, a method a level, from the loosest binding to the tightest."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = list(self._split())
        self._place = 0
        self._depth = 0

    def whole(self) -> Expression:
        expression = self._level(0)
        token = self._tokens[self._place]
        if token.kind != "end":
            raise ExpressionError(f"{token} is one too many", token.column)
        return expression

    def _split(self) -> Iterator[_Token]:
        place, text = 0, self._text.rstrip()
        while place < len(text):
            found = TOKEN.match(text, place)
            if found is None:
                column = place + len(text[place:]) - len(text[place:].lstrip())
                hint = ". Write == to compare" if text[column] == "=" else ""
                raise ExpressionError(f"{text[column]!r} is not part of the language{hint}", column)
            kind = found.lastgroup or ""
            column = found.start("number") if kind == "unit" else found.start(kind)
            if kind == "unit":
                yield _Token("number", self._amount(found["number"], found["unit"], column), column)
            elif kind in ("single", "double"):
                yield _Token("word", found[kind], column)
            else:
                yield _Token(kind, found[kind], column)
            place = found.end()
        yield _Token("end", "", len(text))

    @staticmethod
    def _amount(digits: str, unit: str, column: int) -> str:
        if unit and unit not in UNITS:
            raise ExpressionError(f"unknown unit {unit!r}. Known: {', '.join(UNITS)}", column)
        value = float(digits) * UNITS.get(unit, 1)
        is_whole = value.is_integer() and abs(value) <= MAX_WHOLE and not set(digits) & set(".eE" if not unit else "")
        return str(int(value)) if is_whole else repr(value)

    def _level(self, rank: int) -> Expression:
        if _LEVELS[rank] == ("**",):
            return self._signed()
        if _LEVELS[rank] == ("not",):
            return self._not()
        left = self._level(rank + 1)
        while self._next_is(*_LEVELS[rank]):
            sign = self._take().text
            left = Binary(sign, left, self._list() if sign == "in" else self._level(rank + 1))
            if rank == 3 and self._next_is(*_LEVELS[3]):
                raise ExpressionError("join comparisons with 'and'", self._tokens[self._place].column)
        return left

    def _not(self) -> Expression:
        if self._next_is("not"):
            self._take()
            return Unary("not", self._deeper(self._not))
        return self._level(3)

    def _signed(self) -> Expression:
        """Read a sign and a power: -2 ** 2 is -4, and 2 ** 3 ** 2 is 2 ** 9."""
        if self._next_is("-"):
            self._take()
            return Unary("-", self._deeper(self._signed))
        base = self._atom()
        if not self._next_is("**"):
            return base
        self._take()
        return Binary("**", base, self._deeper(self._signed))

    def _atom(self) -> Expression:
        token = self._take()
        match token.kind, token.text:
            case "number", text:
                return Literal(float(text) if set(text) & set(".einf") else int(text))
            case "word", text:
                return Literal(text)
            case "sign", "(":
                inner = self._deeper(lambda: self._level(0))
                self._expect(")")
                return inner
            case "name", text if text in FUNCTIONS and self._next_is("("):
                return self._call(text, token.column)
            case "name", "true" | "false":
                return Literal(token.text == "true")
            case "name", text if text not in RESERVED:
                return Name(text, token.column)
        raise ExpressionError(f"expected a number or a name, got {token}", token.column)

    def _call(self, function: str, column: int) -> Expression:
        arguments = self._items("(", ")")
        if len(arguments) != 1 and function not in ("min", "max"):
            raise ExpressionError(f"{function} takes one number", column)
        return Call(function, arguments)

    def _list(self) -> Expression:
        if not self._next_is("["):
            raise ExpressionError("'in' takes a list: in [a, b]", self._tokens[self._place].column)
        return Listed(self._items("[", "]"))

    def _items(self, opening: str, closing: str) -> tuple[Expression, ...]:
        self._expect(opening)
        items = [self._deeper(lambda: self._level(0))]
        while self._next_is(","):
            self._take()
            items.append(self._deeper(lambda: self._level(0)))
        self._expect(closing)
        return tuple(items)

    def _deeper(self, read: Callable[[], Expression]) -> Expression:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise ExpressionError(f"nested deeper than {MAX_DEPTH} levels", self._tokens[self._place].column)
        inner = read()
        self._depth -= 1
        return inner

    def _next_is(self, *texts: str) -> bool:
        token = self._tokens[self._place]
        return token.kind in ("sign", "name") and token.text in texts

    def _take(self) -> _Token:
        token = self._tokens[self._place]
        if token.kind != "end":
            self._place += 1
        return token

    def _expect(self, text: str) -> None:
        token = self._take()
        if token.text != text or token.kind != "sign":
            raise ExpressionError(f"expected {text!r}, got {token}", token.column)
