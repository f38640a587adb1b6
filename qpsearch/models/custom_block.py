"""Making a custom block, which ``architecture.plugins`` finds in a module or package and registers."""

from collections.abc import Callable, Mapping
from functools import lru_cache, partial

from torch import nn

from qpsearch.architecture.blocks import Block
from qpsearch.architecture.config import Stage
from qpsearch.architecture.layout import Custom
from qpsearch.errors import UserError
from qpsearch.models.summary import block_cost
from qpsearch.space.schema.fields import LeafField


def custom_block(
    name: str,
    build: Callable[[Stage, int, int], nn.Module],
    *,
    rules: Mapping[str, LeafField] | None = None,
    formula: str = "",
    cost: Callable[[Stage, int, int, int], tuple[int, int, int]] | None = None,
) -> Block:
    """Make a block that space files can name.

    Define the block at the top level of a module that ``--import`` names, or in an entry point of the group
    ``qpsearch.blocks``. ``build`` gets a stage, the number of input channels and the stride, and returns a module
    that maps (N, C, H, W) to (N, stage.width, H / stride, W / stride). The module's convolutions start as the stage's
    ``init`` says; its ``branch``, if it is an ``nn.Sequential``, starts at zero where that rule says so.

    Args:
        name: The word in space files.
        build: Makes the module; ``build_branch`` and ``build_shortcut`` of ``qpsearch.models.blocks`` make the usual
            parts.
        rules: Settings that space files may fix or search, in a section of the block's name.
        formula: The function that the block computes, in one line.
        cost: Returns parameters, multiply-accumulates and activation bytes, given stage, input width, image side and
            stride. By default they are counted on the meta device, for which the driver loads torch.

    Raises:
        UserError: ``build`` or ``cost`` is not callable, or ``rules`` is not a mapping.

    Example:
        >>> import qpsearch
        >>> from torch import nn
        >>> plain = qpsearch.custom_block(
        ...     "plain",
        ...     lambda stage, width_in, stride: nn.Conv2d(width_in, stage.width, 3, stride, padding=1),
        ...     formula="conv(x)",
        ... )
        >>> plain.name
        'plain'
    """
    given: object = build
    if not callable(given):
        said = f"block {name!r}: {given!r} is not callable."
        raise UserError(f"{said} Expected a function of a stage, the number of input channels, and the stride.")
    if cost is not None and not callable(cost):
        raise UserError(f"block {name!r}: cost {cost!r} is not callable. Expected a function, or None to count.")
    if not isinstance(rules, Mapping | None):
        raise UserError(f"block {name!r}: rules {rules!r} is not a dict. Expected {{'reduction': Rule(...)}}.")
    counted = lru_cache(maxsize=10_000)(partial(block_cost, build))  # a space draws the same blocks again

    def layout(stage: Stage, width_in: int, stride: int) -> Custom:
        return Custom(
            stage=stage, width_in=width_in, stride=stride, build=build, count=cost or counted, attempt=counted
        )

    return Block(name=name, layout=layout, formula=formula, source=build.__module__, rules=dict(rules or {}))
