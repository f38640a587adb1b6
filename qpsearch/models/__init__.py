"""Networks: arithmetic, blocks, initialisation, assembly. Needs torch; knows nothing of studies."""

from qpsearch.architecture.named import reference_network
from qpsearch.models.blocks import BLOCKS, build_branch, build_shortcut
from qpsearch.models.custom_block import own_block
from qpsearch.models.network import ResidualNetwork, build_model
from qpsearch.space.schema.fields import LeafField as Rule
from qpsearch.space.schema.value_types import Flag, Number, OneOf, Whole

__all__ = [
    "ResidualNetwork",
    "build_model",
    "reference_network",
    "BLOCKS",
    "own_block",
    "build_branch",
    "build_shortcut",
    "Rule",
    "Flag",
    "Number",
    "OneOf",
    "Whole",
]
