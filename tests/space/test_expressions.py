"""The small language: what it computes, what it refuses, and that it never runs anything."""

import contextlib
import math
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from qpsearch.space.expressions.nodes import Absent, ExpressionError, compute, names, unparse
from qpsearch.space.expressions.parser import parse_expression
from tests.space.enough import enough

FACTS: dict[str, Any] = {"a.b": 7, "a.c": 2.5, "a.word": "quotient", "a.none": None, "a.yes": True}


def look_up(path: str) -> Any:
    if path not in FACTS:
        raise Absent(path)
    return FACTS[path]


def value(text: str) -> Any:
    return compute(parse_expression(text), look_up)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1 + 2 * 3", 7),
        ("(1 + 2) * 3", 9),
        ("2 ** 3 ** 2", 512),
        ("-2 ** 2", -4),
        ("2 ** -1", 0.5),
        ("(-2) ** 2", 4),
        ("-2 + 5", 3),
        ("7 // 2", 3),
        ("7 % 4", 3),
        ("7 / 2", 3.5),
        ("0.1 + 0.2 <= 0.3", True),
        ("0.1 + 0.2 > 0.3", False),
        ("0.3 - 0.1 >= 0.2", True),
        ("0.3 - 0.1 < 0.2", False),
        ("3 * 0.1 == 0.3", True),
        ("3 * 0.1 != 0.3", False),
        ("3 * 0.1 in [0.2, 0.3]", True),
        ("0.3 - 0.2 - 0.1 == 0", True),
        ("0.3001 <= 0.3", False),
        ("4503599627370496 == 4503599627370497", False),
        ("2 * a.b", 14),
        ("max(8, a.b) + min(1, 2)", 9),
        ("round(2.6) + floor(2.6) + ceil(2.1)", 8),
        ("log2(8) + sqrt(9)", 6),
        ("2K + 1KiB", 3024),
        ("1.5M", 1_500_000),
        ("1e-3 * 1000", 1),
        ("a.b == 7", True),
        ("a.b != 7", False),
        ("a.word == 'quotient'", True),
        ("a.b < 8 and a.c >= 2.5", True),
        ("a.b > 8 or a.c <= 2.5", True),
        ("not a.b > 8", True),
        ("a.b in [1, 7]", True),
        ("a.b in [1, 2]", False),
        ("a.yes == true", True),
    ],
)
def test_values(text: str, expected: object) -> None:
    assert value(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("x.y == 1", None),
        ("x.y + 1 < 3", None),
        ("x.y == 1 or a.b == 7", True),
        ("a.b == 7 or x.y == 1", True),
        ("x.y == 1 and a.b == 7", None),
        ("x.y == 1 and a.b == 8", False),
        ("not x.y == 1", None),
        ("not (x.y == 1 and a.b == 8)", True),
        ("a.none < 3", None),
        ("a.word != 'quotient' and a.word < 3", False),
        ("a.word == 'quotient' or a.word < 3", True),
    ],
)
def test_what_is_absent_leaves_a_condition_open(text: str, expected: object) -> None:
    assert value(text) is expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "1 +",
        "(1",
        "1)",
        "1 2",
        "a..b",
        "a.b = 1",
        "1 < 2 < 3",
        "a in 3",
        "f(1)",
        "max()",
        "floor(1, 2)",
        "$",
        "[1]",
        "2kg",
        "and",
        "1 if 2 else 3",
        "lambda: 1",
        "a.b.__class__()",
        "'open",
        "(" * 50 + "1" + ")" * 50,
        "1+" * 300 + "1",
    ],
)
def test_what_is_no_expression_is_refused(text: str) -> None:
    with pytest.raises(ExpressionError):
        parse_expression(text)


@pytest.mark.parametrize(
    "text",
    [
        "1 / 0",
        "1 % 0",
        "9 ** 9 ** 9",
        "2 ** 60",
        "(-8) ** 0.5",
        "log2(0)",
        "sqrt(0 - 1)",
        "a.word + 1",
        "a.word < 3",
        "a.yes + 1",
        "a.none * 2",
        "max(a.word, 1)",
        "-a.word",
        "0 ** -1",
    ],
)
def test_what_has_no_value_is_refused_at_once(text: str) -> None:
    with pytest.raises(ExpressionError):
        value(text)


NUMBERS = st.integers(0, 99).map(str) | st.floats(0.01, 99, allow_nan=False).map(lambda number: f"{number:.3f}")
SUMS = st.recursive(
    NUMBERS | st.just("a.b"),
    lambda inner: st.builds(
        lambda left, sign, right: f"({left} {sign} {right})", inner, st.sampled_from("+-*/"), inner
    ),
    max_leaves=6,
)


@enough(300)
@given(text=SUMS)
@settings(max_examples=300, deadline=None)
def test_arithmetic_is_that_of_python(text: str) -> None:
    try:
        expected = eval(text.replace("a.b", "7"), {"__builtins__": {}})  # the reference, on digits and signs alone
    except ZeroDivisionError:
        with pytest.raises(ExpressionError, match="divides by zero"):
            value(text)
        return
    assume(abs(expected) <= 2**53)
    assert math.isclose(value(text), expected, rel_tol=1e-12)


CONDITIONS = st.recursive(
    st.builds(
        lambda left, sign, right: f"{left} {sign} {right}",
        SUMS,
        st.sampled_from(["<", "<=", "==", "!=", ">", ">="]),
        SUMS,
    )
    | st.just("a.b in [1, 7]"),
    lambda inner: (
        st.builds(lambda left, sign, right: f"({left}) {sign} ({right})", inner, st.sampled_from(["and", "or"]), inner)
        | inner.map(lambda c: f"not ({c})")
    ),
    max_leaves=4,
)


@enough(300)
@given(text=CONDITIONS)
@settings(max_examples=300, deadline=None)
def test_a_spelling_means_what_the_text_means(text: str) -> None:
    assume(len(text) <= 400)
    expression = parse_expression(text)
    again = parse_expression(unparse(expression))
    assert unparse(again) == unparse(expression)
    assert [name.path for name in names(again)] == [name.path for name in names(expression)]
    try:
        expected = compute(expression, look_up)
    except ExpressionError:
        with pytest.raises(ExpressionError):
            compute(again, look_up)
        return
    assert compute(again, look_up) == expected


@given(text=st.text(alphabet="ab.0123456789+-*/%<>=()[],' andortinK", max_size=60))
@settings(max_examples=1000, deadline=None)
def test_no_text_ends_in_anything_but_an_expression_error(text: str) -> None:
    with contextlib.suppress(ExpressionError):
        value(text)
