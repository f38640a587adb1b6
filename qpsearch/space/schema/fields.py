"""What the table of a space file is made of: values, lists, sections, variants."""

from dataclasses import dataclass
from typing import Final

from qpsearch.registry.options import Option, Switch
from qpsearch.space.schema.value_types import AUTO, Flag, Integer, Number, Optional, ValueType
from qpsearch.vocabulary import Scalar

REQUIRED: Final = object()


@dataclass(frozen=True, slots=True, kw_only=True)
class LeafField:
    """One value: a constant or, unless ``fixed``, a domain.

    Attributes:
        type: What the value may be.
        default: The file's spelling of the value used where the key is absent; ``REQUIRED`` where it must be given.
        doc: One sentence for the user.
        fixed: True where a domain does not make sense (the data set, the budget).
        rule: The rule that this setting implements (docs/background/papers.md, "The table of rules").
        blocks: The kinds of block that have the setting, where not all kinds of its section do.
        tried: The numbers that an audit of settings tries; of words, all are tried.
    """

    type: ValueType
    default: object = REQUIRED
    doc: str
    fixed: bool = False
    rule: str = ""
    blocks: frozenset[str] = frozenset()
    tried: tuple[Scalar, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ListField:
    """A list of constants, in any order, each at most once; with ``single``, one value needs no brackets."""

    type: ValueType
    default: tuple[Scalar, ...] = ()
    doc: str
    single: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SeedsField:
    """How many seeds a trial trains: a number, or ``{race: [LEAST, MOST]}``."""

    type: Integer
    default: int
    doc: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ConditionsField:
    """A list of conditions: a text such as ``parameters < 2M``, or a mapping of paths to values that must all match."""

    doc: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PointsField:
    """A list of configurations: mappings of parameters, by their paths or ties, to values."""

    doc: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ArmsField:
    """A mapping of names to what each arm of a comparison changes: sections of the file, or dotted paths."""

    doc: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RecipeField:
    """The name of settings that fill the sections of a file; it is not a setting itself."""

    names: tuple[str, ...]
    doc: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SectionField:
    """A mapping with known keys.

    ``blocks`` names the kinds of block that the section's rules belong to; an empty set stands for all kinds. The rules
    are drawn only where some stage has a block of such a kind. Of the keys in ``one_of``, exactly one must be given.
    """

    fields: dict[str, "Field"]
    doc: str = ""
    blocks: frozenset[str] = frozenset()
    one_of: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class AugmentField:
    """A list of named sections, ``[flip, {mixup: {alpha: 0.2}}]``, or ``{choice: {NAME: [...]}}`` of such lists.

    A section has a switch, ``used``, and only keeps what a file sets.
    """

    branches: dict[str, SectionField]
    doc: str
    hint: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class StagesField:
    """A list of sections; the list, or any item, may be ``{choice: {NAME: ...}}`` of lists or of sections."""

    section: SectionField
    most: int
    doc: str


@dataclass(frozen=True, slots=True, kw_only=True)
class VariantField:
    """One of several named sections: ``sgd``, ``{sgd: {lr: 0.1}}`` or ``{choice: {sgd: ..., adamw: ...}}``.

    ``fixed`` is True where a choice does not make sense, as in ``LeafField``. ``hint`` is said of an unknown name.
    """

    branches: dict[str, SectionField]
    default: str
    doc: str
    fixed: bool = False
    hint: str = ""


def field_of(option: Option | Switch, *, fixed: bool = False) -> LeafField:
    """Return what a file may say of an option: a constant or, unless ``fixed``, a domain."""
    if isinstance(option, Switch):
        return LeafField(type=Flag(), default=option.default, doc=option.doc, fixed=fixed)
    whole = Integer(int(option.low), int(option.high))
    number = whole if option.is_whole else Number(option.low, option.high, option.is_above)
    if option.default is None:
        return LeafField(type=Optional(AUTO, number), default=AUTO, doc=option.doc, fixed=fixed, rule=option.rule)
    return LeafField(type=number, default=option.default, doc=option.doc, fixed=fixed, rule=option.rule)


Field = (
    LeafField
    | ListField
    | AugmentField
    | SeedsField
    | ConditionsField
    | PointsField
    | ArmsField
    | RecipeField
    | SectionField
    | StagesField
    | VariantField
)
