"""Strings are not kept silently: a word in place of a member becomes the member or is refused, in every record."""

import dataclasses
import importlib
import inspect
import pkgutil
import typing
from enum import StrEnum
from types import NoneType, UnionType
from typing import Any

import pytest
import torch

import qpsearch
from qpsearch.analysis.importance import importance
from qpsearch.analysis.subject import Goal, Subject
from qpsearch.architecture.named import named_network
from qpsearch.models.ops import product_unit2d
from qpsearch.registry.metrics import Metric
from qpsearch.space.schema.rules import ProductUnitRules, QuotientRules
from qpsearch.space.search import Objective
from qpsearch.vocabulary import Direction, NormPlacement, ShortcutKind, WithWords, words_of


def modules() -> list[Any]:
    """Every module but those that Alembic runs."""
    names = [found.name for found in pkgutil.walk_packages(qpsearch.__path__, "qpsearch.")]
    return [importlib.import_module(name) for name in names if ".migrations." not in name]


def holds_words(hint: object) -> bool:
    """Whether an annotation is an enum of words, such a word or nothing, or several of them."""
    if isinstance(hint, UnionType) or typing.get_origin(hint) is tuple:
        parts = [part for part in typing.get_args(hint) if part not in (NoneType, ...)]
        return len(parts) == 1 and holds_words(parts[0])
    return isinstance(hint, type) and issubclass(hint, StrEnum)


def records() -> list[type]:
    """Every dataclass of the package that holds a word, told from its annotations by other means than the package's."""
    found = set()
    for module in modules():
        for kind in vars(module).values():
            if inspect.isclass(kind) and dataclasses.is_dataclass(kind) and kind.__module__ == module.__name__:
                hints = [
                    module.__dict__.get(hint, hint) if isinstance(hint, str) else hint for hint in annotations(kind)
                ]
                if any(map(holds_words, hints)):
                    found.add(kind)
    return sorted(found, key=lambda kind: kind.__qualname__)


def annotations(kind: type) -> list[object]:
    return [field.type for field in dataclasses.fields(kind)]  # type: ignore[arg-type]  # a dataclass


def bare(kind: type, name: str, value: object) -> Any:
    """A record of which all words but one are right, made without its own checks."""
    record = object.__new__(kind)
    for field, (words, _, is_several) in words_of(kind).items():
        object.__setattr__(record, field, tuple(words) if is_several else next(iter(words)))
    object.__setattr__(record, name, value)
    return record


FIELDS = [(kind, name) for kind in records() for name in words_of(kind)]


def test_the_records_that_hold_words_are_found() -> None:
    assert len(FIELDS) > 30
    assert {"Stage", "Network", "Recipe", "QuotientRules", "ProductUnitRules", "Data", "Objective", "Failed"} <= {
        kind.__name__ for kind, _ in FIELDS
    }


@pytest.mark.parametrize(("kind", "name"), FIELDS, ids=lambda part: part if isinstance(part, str) else part.__name__)
def test_every_word_of_every_record_becomes_a_member_or_is_refused(kind: type, name: str) -> None:
    words, is_optional, is_several = words_of(kind)[name]
    assert issubclass(kind, WithWords), "a dataclass that holds words is a WithWords"
    if "__post_init__" in vars(kind):
        assert "coerce_words(self)" in inspect.getsource(kind.__post_init__)
    for word in words:
        record = bare(kind, name, [str(word.value)] if is_several else str(word.value))
        WithWords.__post_init__(record)
        found = getattr(record, name)
        assert (found[0] if is_several else found) is word
    for wrong in ("no_such_word", 3, None):
        if wrong is None and is_optional:
            continue
        with pytest.raises(ValueError, match=f"{kind.__name__}.{name}: ") as error:
            WithWords.__post_init__(bare(kind, name, (wrong,) if is_several else wrong))
        if wrong == "no_such_word":
            assert "'no_such_word'" in str(error.value)
            assert all(str(word.value) in str(error.value) for word in words)


def test_a_stage_of_strings_is_the_stage_of_members() -> None:
    """The case that was reported: the stage of strings built another network."""
    (stage, *_) = named_network("quotient20").stages
    spelled = dataclasses.replace(stage, shortcut="conv3x3", norm_placement="post")
    assert spelled.shortcut is ShortcutKind.CONV3X3
    assert spelled.norm_placement is NormPlacement.POST
    assert spelled == stage
    with pytest.raises(ValueError, match=r"Stage\.norm_placement: unknown value 'behind'. Choices: post, pre"):
        dataclasses.replace(stage, norm_placement="behind")
    assert QuotientRules(alpha=2.0, activation="linear") == QuotientRules(alpha=2.0, activation="linear")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"ProductUnitRules\.positivity: unknown value 'soft'. Choices: max, smooth"):
        ProductUnitRules(exponent_init="small", exponent_clip=None, positivity="soft")


def test_functions_that_take_words_take_their_values_too() -> None:
    x, exponents, theta = torch.randn(1, 2, 4, 4), torch.randn(2, 2, 3, 3), torch.zeros(())
    words = {"positivity": "smooth", "padding": "before_log", "numbers": "complex"}
    plain = product_unit2d(x, exponents, theta)
    for name, word in words.items():
        assert not torch.equal(product_unit2d(x, exponents, theta, **{name: word}), plain)  # type: ignore[arg-type]
        with pytest.raises(ValueError, match=f"{name}: unknown value 'x'"):
            product_unit2d(x, exponents, theta, **{name: "x"})  # type: ignore[arg-type]
    objective = Objective(metric="val_accuracy", direction="maximize")  # type: ignore[arg-type]
    assert (objective.metric, objective.direction) == (Metric.VAL_ACCURACY, Direction.MAXIMIZE)
    with pytest.raises(ValueError, match="evaluator: unknown value 'forest'"):
        importance(
            Subject(study="s", objectives=(Goal(metric="x", direction=Direction.MAXIMIZE),), trials=[]),
            evaluator="forest",
        )
