"""Reading the small language of ``expressions``: text to nodes, by recursive descent."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from qpsearch.space.expressions.nodes import (
    FUNCTIONS,
    LEVELS,
    MAX_DEPTH,
    MAX_LENGTH,
    MAX_WHOLE,
    RESERVED,
    Binary,
    Call,
    Expression,
    ExpressionError,
    Listed,
    Literal,
    Name,
    Unary,
)
from qpsearch.space.schema.value_types import UNITS

TOKEN = re.compile(
    r"\s*(?:(?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)(?P<unit>[A-Za-z]*)"
    r"|(?P<name>[A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z0-9_-]+)*)"
    r"|'(?P<single>[^']*)'|\"(?P<double>[^\"]*)\""
    r"|(?P<sign>==|!=|<=|>=|//|\*\*|[-+*/%<>()\[\],]))"
)
# Operators of other languages, with what to write; none of them can begin what is allowed.
FOREIGN: Final = re.compile(r"\s*(?P<sign>\|\|?|&&?|\^|===|!==|=>|=<|<>|=(?!=)|!(?!=)|[≤≥≠])")
MEANT: Final = {
    "||": "or",
    "|": "or",
    "&&": "and",
    "&": "and",
    "^": "** for a power",
    "=": "== to compare",
    "===": "==",
    "!==": "!=",
    "=>": ">=",
    "=<": "<=",
    "<>": "!=",
    "!": "not",
    "≤": "<=",
    "≥": ">=",
    "≠": "!=",
}


def parse_expression(text: str) -> Expression:
    """Read an expression.

    Raises:
        ExpressionError: The text is not an expression; ``column`` is the place of the mistake.
    """
    if len(text) > MAX_LENGTH:
        raise ExpressionError(f"longer than {MAX_LENGTH} characters")
    return _Parser(text).whole()


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    column: int

    def __str__(self) -> str:
        return "the end" if self.kind == "end" else repr(self.text)


class _Parser:
    """Recursive descent, one method for each level, from the loosest binding to the tightest."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = list(self._split())
        self._place = 0
        self._depth = 0

    def whole(self) -> Expression:
        expression = self._level(0)
        token = self._tokens[self._place]
        if token.kind != "end":
            hint = f". Write {token.text.lower()}" if token.text.lower() in RESERVED else ""  # AND, OR
            raise ExpressionError(f"expected the end, got {token}{hint}", token.column)
        return expression

    def _split(self) -> Iterator[_Token]:
        place, text = 0, self._text.rstrip()
        while place < len(text):
            if foreign := FOREIGN.match(text, place):
                sign, column = foreign["sign"], foreign.start("sign")
                raise ExpressionError(f"{sign!r} is not allowed in an expression. Write {MEANT[sign]}", column)
            found = TOKEN.match(text, place)
            if found is None:
                column = place + len(text[place:]) - len(text[place:].lstrip())
                raise ExpressionError(f"{text[column]!r} is not allowed in an expression", column)
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
        if LEVELS[rank] == ("**",):
            return self._signed()
        if LEVELS[rank] == ("not",):
            return self._not()
        left = self._level(rank + 1)
        while self._next_is(*LEVELS[rank]):
            sign = self._take().text
            left = Binary(sign, left, self._list() if sign == "in" else self._level(rank + 1))
            if rank == 3 and self._next_is(*LEVELS[3]):
                raise ExpressionError(
                    "comparisons cannot be chained; join them with 'and'", self._tokens[self._place].column
                )
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
