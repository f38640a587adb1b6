"""What a space file may say about the network: stem, stages, and the papers' design rules.

The order of keys here is the order in which parameters are drawn. A custom block adds its rules to the table.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import reduce
from typing import Any, Final

from qpsearch.space.schema.fields import LeafField, SectionField, StagesField
from qpsearch.space.schema.rules import (
    BLOCK,
    BY_DEPTH,
    ProductUnitRules,
    QuotientRules,
    StageRules,
    StageShape,
    fields_of,
    section_of,
)
from qpsearch.space.schema.value_types import AUTO, Integer, OneOf, Optional
from qpsearch.vocabulary import MULTIPLYING, WITH_PRODUCT_UNITS, StemActivation, StemPool

RULES: Final = SectionField(
    doc="Design rules, drawn once and shared by all stages; a stage that sets a rule itself draws its own value.",
    fields={
        **fields_of(StageRules),
        "quotient": section_of(QuotientRules, "Rules of blocks that multiply.", MULTIPLYING),
        "product_unit": section_of(ProductUnitRules, "Rules of blocks with product units.", WITH_PRODUCT_UNITS),
    },
)

SHAPE: Final = fields_of(StageShape)

STAGE: Final = SectionField(doc="Blocks of one width and resolution.", fields={**SHAPE, **RULES.fields})

NETWORK: Final = SectionField(
    doc="The network.",
    fields={
        "stem": SectionField(
            doc="The first convolution, on the image.",
            fields={
                "width": LeafField(type=Integer(1, 8192), doc="Channels of the first convolution."),
                "kernel": LeafField(
                    type=Integer(1, 15), default=3, doc="Side of the stem's kernel, odd; 7 on ImageNet."
                ),
                "stride": LeafField(type=Integer(1, 8), default=1, doc="Stride of the stem; 2 on ImageNet."),
                "pool": LeafField(
                    type=OneOf(StemPool),
                    default="none",
                    doc="Pooling after the stem; max is 3x3 with stride 2, as on ImageNet.",
                ),
                "activation": LeafField(
                    type=OneOf(StemActivation),
                    default="auto",
                    doc="Activation after the stem's convolution; auto fits the block of the first stage.",
                    rule="Q9, P5",
                ),
            },
        ),
        "stages": StagesField(section=STAGE, most=16, doc="The stages, from the image to the head."),
        "rules": RULES,
    },
)


@dataclass(frozen=True, slots=True)
class RulePath:
    """A leaf of the rules with the kinds of block it belongs to; an empty set stands for all."""

    path: tuple[str, ...]
    blocks: frozenset[str]
    field: LeafField = field(repr=False)

    def belongs_to(self, block: object) -> bool:
        """Whether blocks of a kind have this setting."""
        return not self.blocks or block in self.blocks

    def value_in(self, stage: object) -> Any:
        """Return the value of this rule in a configured stage."""
        return reduce(getattr, self.path, stage)

    def taken(self, value: Any) -> Any:
        """Return a Python value as a configured stage holds it; None stands for ``none`` where that is a value.

        Raises:
            ValueError: The rule does not allow the value, or the value needs the whole network to be known.
        """
        name = self.path[-1]
        try:
            parsed = self.field.type.parse(value, name)
        except ValueError as error:
            raise ValueError(f"{name}: {error}") from None
        if parsed in (AUTO, BY_DEPTH) and isinstance(self.field.type, Optional):
            raise ValueError(f"{name}: {value!r} needs the whole network, so only a space file can use it.")
        return parsed

    @property
    def owners(self) -> str:
        """The kinds of block as text: ``quotient or quotient_product_unit``."""
        return " or ".join(sorted(self.blocks))


def rule_paths() -> list[RulePath]:
    """Return every leaf of the rules, in the order in which they are drawn."""
    found: list[RulePath] = []
    for name, entry in RULES.fields.items():
        match entry:
            case LeafField():
                found.append(RulePath((name,), frozenset(), entry))
            case SectionField(fields=fields, blocks=blocks):
                found.extend(
                    RulePath((name, inner), leaf.blocks or blocks, leaf)
                    for inner, leaf in fields.items()
                    if isinstance(leaf, LeafField)
                )
    return found


def add_block(name: str, rules: Mapping[str, LeafField]) -> None:
    """Let space files use a custom block, and set its rules in a section of its name."""
    BLOCK.words.append(name)
    if rules:
        section = SectionField(doc=f"Rules of {name} blocks.", blocks=frozenset({name}), fields=dict(rules))
        RULES.fields[name] = STAGE.fields[name] = section
