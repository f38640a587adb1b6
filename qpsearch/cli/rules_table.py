"""The papers' rules as a table, for ``qpsearch model rules`` and the README."""

from qpsearch.architecture.paper_rules import PAPER_RULES, PaperRule, yaml_text
from qpsearch.space.schema.fields import REQUIRED
from qpsearch.space.schema.value_types import Bounds, Duration, Flag, OneOf, Optional, ValueType, Words


def short(path: str) -> str:
    """Return a setting's path without the part that all rules share."""
    return path.removeprefix("network.rules.").replace("network.stages.0.", "stages.N.").removeprefix("network.")


def values_of(kind: ValueType) -> str:
    """Return a setting's possible values, in a few words."""
    match kind:
        case OneOf(words=words):
            return ", ".join(map(str, words))
        case Words(words=named):
            return ", ".join(named)
        case Flag():
            return "true, false"
        case Optional(word=word, type=inner):
            return f"{word}, {values_of(inner)}"
        case Duration() | Bounds():
            return kind.expected
        case _:
            return kind.expected.removeprefix("a ")


def described(rule: PaperRule) -> str:
    """Return a rule's settings with their values, and qpsearch's default if there is one."""
    fields = rule.fields()
    if len(fields) > 3:  # a recipe
        return "; ".join(filter(None, (", ".join(f"`{short(path)}`" for path, _ in fields), rule.note)))
    parts = []
    for path, field in fields:
        default = "" if field.default is REQUIRED else f" (default {yaml_text(field.default)})"
        parts.append(f"`{short(path)}`: {values_of(field.type)}{default}")
    return "; ".join(filter(None, (*parts, rule.note)))


def markdown() -> str:
    """Return the rules as a table, as in the README."""
    lines = ["| rule | choice | setting: values | the paper has | known from | not recovered |", f"|{'---|' * 6}"]
    for rule in PAPER_RULES:
        cells = (rule.id, rule.choice, described(rule), rule.paper, rule.source, rule.open or "-")
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)
