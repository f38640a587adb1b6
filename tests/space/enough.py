"""How many examples came to the end of a property's test: those that ``assume`` turned away do not count."""

import functools
from collections.abc import Callable
from typing import Any

Test = Callable[..., None]


def enough(least: int) -> Callable[[Any], Test]:
    """Let a test of ``@given`` fail where fewer than so many examples came to its end."""

    def decorate(test: Any) -> Test:
        inner, ended = test.hypothesis.inner_test, 0

        @functools.wraps(inner)
        def counted(*arguments: Any, **named: Any) -> None:
            nonlocal ended
            inner(*arguments, **named)
            ended += 1

        test.hypothesis.inner_test = counted

        @functools.wraps(test)
        def run(*arguments: Any, **named: Any) -> None:
            nonlocal ended
            ended = 0
            test(*arguments, **named)
            assert ended >= least, f"{ended} examples came to the end, {least} are needed"

        return run

    return decorate
