"""The kinds of residual block, built-in and custom: one record for each, in one table.

A record lists the layers of a block; ``cost`` counts them and ``models`` builds them. A new kind needs only a record:
no other code asks whether a kind is built in.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from qpsearch.architecture.config import Network, Stage
from qpsearch.architecture.layout import BlockLayout, product_layout, sum_layout
from qpsearch.errors import UserError, nearest, own_hint
from qpsearch.space.schema.fields import LeafField
from qpsearch.vocabulary import BlockKind


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """A kind of residual block.

    Attributes:
        name: The word in space files.
        layout: Its layers, from its stage, its input width and its stride.
        formula: What it computes, in one line.
        source: Where it comes from: a paper and the rules, or a user's module.
        rules: Settings of a custom block, by name, in a section of the block's name; it finds them in ``stage.rules``.
            The rules of built-in kinds are in the schema, since two kinds share some.
        slowness: How late the kind begins to learn; pruners compare only networks with the same slowest kind.
    """

    name: str
    layout: Callable[[Stage, int, int], BlockLayout]
    formula: str
    source: str
    rules: Mapping[str, LeafField] = field(default_factory=dict)
    slowness: int = 9  # for a block whose speed of learning is not known


BLOCKS: Final[dict[str, Block]] = {
    BlockKind.ADDITIVE: Block(
        name=BlockKind.ADDITIVE,
        layout=sum_layout,
        formula="relu(x + F(x))",
        source="He et al. 2015; Q1",
        slowness=0,
    ),
    BlockKind.QUOTIENT: Block(
        name=BlockKind.QUOTIENT,
        layout=product_layout,
        formula="x * alpha sigmoid(F(x) - ln(alpha - 1))",
        source="arXiv 2506.00992; Q1-Q16",
        slowness=1,
    ),
    BlockKind.PRODUCT_UNIT: Block(
        name=BlockKind.PRODUCT_UNIT,
        layout=sum_layout,
        formula="relu(x + norm(exp(W ln max(norm(conv(x)), floor))))",
        source="arXiv 2505.04397; P1-P16",
        slowness=2,
    ),
    BlockKind.QUOTIENT_PRODUCT_UNIT: Block(
        name=BlockKind.QUOTIENT_PRODUCT_UNIT,
        layout=product_layout,
        formula="x * alpha sigmoid(norm(exp(W ln max(norm(conv(x)), floor))) - ln(alpha - 1))",
        source="both; Q1-Q16, P1-P16",
        slowness=3,
    ),
}


def custom_blocks(network: Network | None = None) -> list[str]:
    """Return the custom kinds; given a network, only the kinds that it contains."""
    named = BLOCKS if network is None else {stage.block for stage in network.stages}
    return sorted(set(named) - set(BlockKind))


def block_of(name: str) -> Block:
    """Return a kind of block by its name.

    Raises:
        UserError: No block of that name is registered.
    """
    if name not in BLOCKS:
        raise UserError(f"no block {name!r}. {nearest(name, list(BLOCKS))} {own_hint('block')}")
    return BLOCKS[name]


def layout_of(stage: Stage, width_in: int, stride: int) -> BlockLayout:
    """Return the layers of one of a stage's blocks; raises UserError where its kind is not registered."""
    return block_of(stage.block).layout(stage, width_in, stride)


def slowest(network: Network) -> str:
    """Return the kind of block that begins to learn last; of equally slow ones the first in the alphabet.

    A pruner compares a trial only with trials of the same slowest kind. Networks with product units learn late;
    compared with additive networks, all of them would be stopped.
    """
    kinds = {stage.block for stage in network.stages}
    return str(min(kinds, key=lambda kind: (-block_of(kind).slowness, kind)))
