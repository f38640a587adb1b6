"""The space language: from a YAML file to draws."""

from qpsearch.space.domains import Choice, FloatRange, IntRange, LogIntRange, LogRange, Prior
from qpsearch.space.file.editing import build_space, edited
from qpsearch.space.file.json_schema import json_schema
from qpsearch.space.file.loader import load_space, parse_space
from qpsearch.space.file.shipped import find_space, shipped
from qpsearch.space.leaves import Tied
from qpsearch.space.sampling import Chooser, Draw, RandomChooser, StoredChooser, draw
from qpsearch.space.space import Space, diff

__all__ = [
    "Space",
    "load_space",
    "parse_space",
    "build_space",
    "edited",
    "diff",
    "shipped",
    "find_space",
    "json_schema",
    "Choice",
    "IntRange",
    "LogIntRange",
    "FloatRange",
    "LogRange",
    "Prior",
    "Tied",
    "draw",
    "Draw",
    "Chooser",
    "RandomChooser",
    "StoredChooser",
]
