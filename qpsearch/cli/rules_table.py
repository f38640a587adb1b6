"""The papers' rules as a table, for ``qpsearch model rules`` and the README."""

from qpsearch.architecture.paper_rules import PAPER_RULES, PaperRule, yaml_text
from qpsearch.space.schema.fields import REQUIRED
from qpsearch.space.schema.value_types import Bounds, Duration, Flag, OneOf, Optional, ValueType, Words


def short(path: str) -> str:
    """Return a setting's path without what all rules have in common."""
    return path.removeprefix("network.rules.").replace("network.stages.0.", "stages.N.").removeprefix("network.")


def values_of(kind: ValueType) -> str:
    """Return what a setting may be, in a few words."""
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
    """Return a rule's settings with their values, and our default where there is one."""
    fields = rule.fields()
    if len(fields) > 3:  # a recipe
        return "; ".join(filter(None, (", ".join(f"`{short(path)}`" for path, _ in fields), rule.note)))
    parts = []
    for path, field in fields:
        default = "" if field.default is REQUIRED else f" (default {yaml_text(field.default)})"
        parts.append(f"`{short(path)}`: {values_of(field.type)}{default}")
    return "; ".join(filter(None, (*parts, rule.note)))


def markdown() -> str:
    """Return the rules as a table, as the README has it."""
    lines = ["| rule | choice | setting: values | the paper has | known from | not recovered |", f"|{'---|' * 6}"]
    for rule in PAPER_RULES:
        cells = (rule.id, rule.choice, described(rule), rule.paper, rule.source, rule.open or "-")
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)
