"""Networks: arithmetic, blocks, initialisation, assembly. Needs torch; knows nothing of studies."""

from qpsearch.models.blocks import BLOCKS
from qpsearch.models.network import ResidualNetwork, build_model
from qpsearch.models.reference import reference_network

__all__ = ["ResidualNetwork", "build_model", "reference_network", "BLOCKS"]
