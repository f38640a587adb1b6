"""A network with one of its rules changed at a time (ablations), for an audit of settings."""

from collections.abc import Iterator
from dataclasses import fields, replace
from typing import Any

from qpsearch.architecture.config import Network, Stage
from qpsearch.architecture.paper_rules import yaml_text
from qpsearch.architecture.resolve import check_shapes
from qpsearch.errors import Infeasible
from qpsearch.space.schema.network import rule_paths
from qpsearch.space.schema.value_types import Flag, Integer, Number, OneOf, Optional, ValueType
from qpsearch.vocabulary import Scalar, StemActivation


def one_at_a_time(network: Network) -> Iterator[tuple[str, Network]]:
    """Yield a network with one setting changed at a time, in all its stages; contradictory networks are left out.

    A setting of words takes each of its other words; a setting of numbers takes the numbers in its ``tried``.
    """
    for kind in StemActivation:
        if kind is not network.stem_activation:
            yield from _feasible(f"stem.activation: {kind}", replace(network, stem_activation=kind))
    for rule in rule_paths():
        if not all(rule.belongs_to(stage.block) for stage in network.stages):
            continue
        for value in rule.field.tried or _values(rule.field.type):
            stages = tuple(_changed(stage, rule.path, value) for stage in network.stages)
            if stages != network.stages:
                label = f"{'.'.join(rule.path)}: {'none' if value is None else yaml_text(value)}"
                yield from _feasible(label, replace(network, stages=stages))


def _values(kind: ValueType) -> tuple[Scalar, ...]:
    match kind:
        case Number(high=high, above=True):
            return (high,)
        case Integer(low=low, high=high) | Number(low=low, high=high):
            return (low, high)
        case OneOf(words=words):
            return tuple(words)
        case Flag():
            return (True, False)
        case Optional(type=inner, is_value=is_value):
            return _values(inner) if is_value else (None, *_values(inner))  # ``auto`` stands for one of the others
        case _:
            return ()


def _changed(stage: Stage, path: tuple[str, ...], value: Scalar) -> Stage:
    first, *rest = path
    inner: Any = value
    if rest and first not in {field.name for field in fields(Stage)}:  # the rules of a custom block
        return replace(stage, own=tuple((stage.rules | {rest[0]: value}).items()))
    if rest:
        inner = replace(getattr(stage, first), **{rest[0]: value})
    return replace(stage, **{first: inner})


def _feasible(label: str, network: Network) -> Iterator[tuple[str, Network]]:
    try:
        check_shapes(network)
    except Infeasible:
        return
    yield label, network
