"""The schema table as JSON Schema, for editors: completion, hover text, and mistakes underlined while typing.

It says what one key may hold. Checks that need the whole file (ties, arithmetic, conditions, ranges with low above
high) are left to ``qpsearch space check``.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from qpsearch.space.expressions.nodes import MAX_LENGTH
from qpsearch.space.file.arms import ARM
from qpsearch.space.file.extends import KEY
from qpsearch.space.file.points import FROM_PAPERS
from qpsearch.space.schema.fields import (
    REQUIRED,
    ArmsField,
    AugmentField,
    ConditionsField,
    Field,
    LeafField,
    ListField,
    PointsField,
    RecipeField,
    SectionField,
    SeedsField,
    StagesField,
    VariantField,
)
from qpsearch.space.schema.network import STAGE
from qpsearch.space.schema.settings import SPACE
from qpsearch.space.schema.value_types import Integer, Number, Optional, ValueType
from qpsearch.vocabulary import Confidence

Schema = dict[str, Any]

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
ARITHMETIC: Final = {"type": "string", "pattern": r"[A-Za-z]\.|[-+*/%(]", "maxLength": MAX_LENGTH}
SCALAR: Final = {"type": ["string", "number", "boolean", "null"]}
TIE: Final = {
    "type": "string",
    "pattern": "^[A-Za-z_][A-Za-z0-9_]*$",
    "description": "Leaves with the same tie share one parameter.",
}
ARM_NAME: Final = f"^{ARM.pattern}$"
BRANCH: Final = "^[A-Za-z_][A-Za-z0-9_]*$"


def json_schema() -> Schema:
    """Return a JSON Schema (draft 2020-12) of space files."""
    whole = _section(SPACE, partial=True)
    name = {"type": "string"}
    extends = {
        "description": "Space files, or names of shipped spaces, that this file starts from and overrides.",
        "anyOf": [name, {"type": "array", "items": name}],
    }
    whole["properties"] = {KEY: extends} | whole["properties"]
    demanded = _demanded(SPACE)
    demanded["properties"]["training"] = {"anyOf": [demanded["properties"]["training"], {"required": ["recipe"]}]}
    return {
        "$schema": DIALECT,
        "title": "qpsearch space",
        **whole,
        "anyOf": [{"required": [KEY]}, demanded],  # a file that extends another need not repeat anything
        "$defs": {"stage": _stage()},
    }


def _demanded(field: SectionField) -> Schema:
    """Return the schema of the required keys alone, those of a section and of the sections in it."""
    needed = {name: inner for name, inner in field.fields.items() if _is_required(inner)}
    inside = {name: _demanded(inner) for name, inner in needed.items() if isinstance(inner, SectionField)}
    return {"required": list(needed), "properties": inside, **_one_of(field)}


def _one_of(field: SectionField) -> Schema:
    return {"oneOf": [{"required": [key]} for key in field.one_of]} if field.one_of else {}


def _schema(field: Field, *, partial: bool = False) -> Schema:
    match field:
        case LeafField():
            return _leaf(field)
        case ListField():
            return _list(field)
        case AugmentField():
            return _augment(field)
        case SeedsField():
            return _seeds(field)
        case ConditionsField():
            return _conditions(field)
        case PointsField():
            return _points(field)
        case ArmsField():
            return _arms(field)
        case RecipeField(names=names, doc=doc):
            return {"description": doc, "enum": list(names)}
        case SectionField():
            return _section(field, partial=partial)
        case StagesField():
            return _stages(field)
        case VariantField():
            return _variant(field)


def _section(field: SectionField, *, partial: bool = False) -> Schema:
    schema: Schema = {
        "type": "object",
        "properties": {name: _schema(inner, partial=partial) for name, inner in field.fields.items()},
        "additionalProperties": False,
    }
    if field.doc:
        schema["description"] = field.doc
    required = [name for name, inner in field.fields.items() if _is_required(inner)]
    if required and not partial:
        schema["required"] = required
    if not partial:
        schema |= _one_of(field)
    return schema


def _is_required(field: Field) -> bool:
    match field:
        case LeafField(default=default):
            return default is REQUIRED
        case SectionField(fields=fields):
            return bool(field.one_of) or any(map(_is_required, fields.values()))
        case _:
            return isinstance(field, StagesField)


def _leaf(field: LeafField) -> Schema:
    rule = f" Rules {field.rule}." if field.rule else ""
    schema: Schema = {"description": f"{field.doc}{rule} Expected {field.type.expected}."}
    if field.default not in (REQUIRED, None):
        schema["default"] = field.default
    if field.fixed:
        return schema | field.type.schema
    forms = [field.type.schema, *_domains(field.type)]
    if isinstance(_numeric(field.type), Integer | Number):
        forms.append(ARITHMETIC)
    return schema | {"anyOf": forms}


def _domains(type_: ValueType) -> list[Schema]:
    """Return the domains that a leaf may have; the ends of a range are numbers that the leaf allows."""
    numeric = _numeric(type_)
    forms = [
        _domain("choice", {"type": "array", "items": type_.schema, "minItems": 1, "uniqueItems": True}, type_.schema)
    ]
    if isinstance(numeric, Integer | Number):
        ends = {"type": "array", "items": numeric.schema, "minItems": 2, "maxItems": 2}
        forms.append(_domain("int", ends, numeric.schema, step={"type": "integer", "minimum": 1}))
        forms.append(_domain("log_int", ends, numeric.schema))
    if isinstance(numeric, Number):
        forms.append(_domain("float", ends, numeric.schema, step={"type": "number", "exclusiveMinimum": 0}))
        forms.append(_domain("log", ends, numeric.schema))
    forms.append({"type": "object", "properties": {"tie": TIE}, "required": ["tie"], "additionalProperties": False})
    return forms


def _domain(word: str, values: Schema, prior: Schema, **more: Schema) -> Schema:
    return {
        "type": "object",
        "properties": {word: values, **more, **_beside(prior)},
        "required": [word],
        "additionalProperties": False,
        "dependentRequired": {"confidence": ["prior"]},
    }


def _beside(prior: Schema) -> Schema:
    return {
        "prior": {"description": "The expert's best guess; the first trial uses it.", **prior},
        "confidence": {"description": "How sure the expert is.", "enum": [word.value for word in Confidence]},
        "tie": TIE,
    }


def _list(field: ListField) -> Schema:
    listed = {"type": "array", "items": field.type.schema, "uniqueItems": True}
    one = [field.type.schema, {"enum": [None, "none"]}] if field.single else []
    return {"description": field.doc, **({"anyOf": [listed, *one]} if one else listed)}


def _augment(field: AugmentField) -> Schema:
    listed = {"type": "array", "items": {"anyOf": _one_of_sections(field.branches)}, "uniqueItems": True}
    return {"description": field.doc, "anyOf": [listed, _named_choice(listed, field.branches)]}


def _seeds(field: SeedsField) -> Schema:
    number = field.type.schema
    ends = {"type": "array", "items": number, "minItems": 2, "maxItems": 2}
    race = {"type": "object", "properties": {"race": ends}, "required": ["race"], "additionalProperties": False}
    return {"description": field.doc, "default": field.default, "anyOf": [number, race]}


def _conditions(field: ConditionsField) -> Schema:
    text = {"type": "string", "minLength": 1, "maxLength": MAX_LENGTH}
    value = {"anyOf": [SCALAR, {"type": "array", "items": SCALAR, "minItems": 1}]}
    mapping = {"type": "object", "additionalProperties": value, "minProperties": 1}
    return {
        "description": field.doc,
        "anyOf": [{"type": "array", "items": {"anyOf": [text, mapping]}}, {"enum": [None, "none"]}],
    }


def _points(field: PointsField) -> Schema:
    point = {"type": "object", "additionalProperties": SCALAR, "minProperties": 1}
    item = {"anyOf": [point, {"const": FROM_PAPERS}]}
    return {
        "description": field.doc,
        "anyOf": [{"type": "array", "items": item}, {"enum": [None, "none", FROM_PAPERS]}],
    }


def _arms(field: ArmsField) -> Schema:
    arm = {"type": ["object", "null"]}  # sections, or paths to any of their values; nothing for the file as it is
    named = {"propertyNames": {"pattern": ARM_NAME}, "additionalProperties": arm, "minProperties": 2}
    return {"description": field.doc, "type": "object", **named}


def _stages(field: StagesField) -> Schema:
    stages = {"type": "array", "items": {"$ref": "#/$defs/stage"}, "maxItems": field.most}
    several = {**stages, "minItems": 1}
    return {"description": field.doc, "anyOf": [several, _named_choice(several, STAGE.fields)]}


def _stage() -> Schema:
    """A stage, or a choice of stages and lists of stages."""
    stage = {"$ref": "#/$defs/stage"}
    one_or_more = {"anyOf": [stage, {"type": "array", "items": stage}]}
    return {"anyOf": [_section(STAGE), _named_choice(one_or_more, STAGE.fields)]}


def _named_choice(branch: Schema, taken: Iterable[str]) -> Schema:
    branches = {
        "type": "object",
        "propertyNames": {"pattern": BRANCH, "not": {"enum": list(taken)}},
        "additionalProperties": branch,
        "minProperties": 1,
    }
    return _domain("choice", branches, {"type": "string"})


def _variant(field: VariantField) -> Schema:
    branches, one = _branches(field.branches), _one_of_sections(field.branches)
    chosen = {"anyOf": [branches, {"type": "array", "items": {"anyOf": one}, "minItems": 1}]}
    searched = [] if field.fixed else [_domain("choice", chosen, {"enum": list(field.branches)})]
    return {"description": field.doc, "default": field.default, "anyOf": [*one, *searched]}


def _branches(known: Mapping[str, SectionField]) -> Schema:
    """Named sections, each with its settings or nothing."""
    sections = {name: {"anyOf": [_section(inner), {"type": "null"}]} for name, inner in known.items()}
    return {"type": "object", "properties": sections, "additionalProperties": False, "minProperties": 1}


def _one_of_sections(known: Mapping[str, SectionField]) -> list[Schema]:
    """One of some sections, by its name alone or with its settings."""
    return [{"enum": list(known)}, {**_branches(known), "maxProperties": 1}]


def _numeric(type_: ValueType) -> ValueType:
    return type_.type if isinstance(type_, Optional) else type_
