"""Layers for any network: product units, bounded quotients, and the blocks that are made of them.

They follow torch's conventions: channels come first, every design rule is a keyword with the paper's value as default,
and each layer can be copied, saved, exported, compiled and converted to another dtype. The networks that qpsearch
searches are made of the same layers.
"""

from qpsearch.models.blocks import ProductUnitBlock, QuotientBlock, QuotientProductUnitBlock, ResidualBlock
from qpsearch.models.layers import BoundedQuotient, ProductUnit2d

__all__ = [
    "ProductUnit2d",
    "BoundedQuotient",
    "ResidualBlock",
    "QuotientBlock",
    "ProductUnitBlock",
    "QuotientProductUnitBlock",
]
