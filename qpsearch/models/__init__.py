"""Networks: arithmetic, blocks, initialisation, assembly. Needs torch; does not depend on studies."""

from qpsearch.architecture.blocks import BLOCKS
from qpsearch.architecture.named import named_network
from qpsearch.models.blocks import build_branch, build_shortcut
from qpsearch.models.custom_block import custom_block
from qpsearch.models.network import ResidualNetwork, build_model
from qpsearch.space.schema.fields import LeafField as Rule
from qpsearch.space.schema.value_types import Flag, Integer, Number, OneOf

__all__ = [
    "ResidualNetwork",
    "build_model",
    "named_network",
    "BLOCKS",
    "custom_block",
    "build_branch",
    "build_shortcut",
    "Rule",
    "Flag",
    "Number",
    "OneOf",
    "Integer",
]
