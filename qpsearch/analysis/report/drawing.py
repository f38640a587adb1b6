"""A network drawn stage by stage: its shapes, its blocks with their shortcuts, what each part costs."""

import math
from collections.abc import Iterator
from typing import Final

from qpsearch.analysis.page import Markup, tag
from qpsearch.analysis.page.colours import var
from qpsearch.analysis.page.markup import text
from qpsearch.analysis.report.groups import colours_of
from qpsearch.analysis.report.words import short
from qpsearch.architecture.blocks import BLOCKS
from qpsearch.architecture.config import Network, Stage
from qpsearch.architecture.cost import Part, parts
from qpsearch.architecture.layout import stem_size
from qpsearch.errors import UserError, counted
from qpsearch.vocabulary import MULTIPLYING, WITH_PRODUCT_UNITS, StemPool

MOST_BLOCKS: Final = 6  # of a stage, that are drawn one by one
STEP, ROW, TOP = 78, 62, 34  # pixels between blocks, height of the drawing, middle of the wire
LARGEST, SMALLEST = 54, 12  # side of the squares that stand for images


def drawn(network: Network) -> Markup:
    """Return a network as a list of its parts, each with a drawing and its facts."""
    try:
        found: list[Part] | None = parts(network)
    except UserError:  # a custom block that is not loaded here
        found = None
    colours = colours_of([str(stage.block) for stage in network.stages])
    rows = [
        _row(_image(network.channels, network.size, network.size), "Input", [_shape(network.channels, network.size)])
    ]
    pool = ", max pooling" if network.stem_pool is StemPool.MAX else ""
    size, costs = stem_size(network), iter(found or [])
    stem = f"{network.stem_kernel}x{network.stem_kernel} convolution, stride {network.stem_stride}{pool}"
    rows.append(
        _row(
            _image(network.stem_width, size, network.size),
            "Stem",
            [_shape(network.stem_width, size), stem, _cost(costs)],
        )
    )
    for index, stage in enumerate(network.stages):
        size = (size - 1) // stage.stride + 1
        about = [_shape(stage.width, size), _rules(stage), _cost(costs)]
        image = _image(stage.width, size, network.size)
        rows.append(_row(image, _title(index, stage), about, _chain(stage, colours[str(stage.block)])))
    head = ["mean over the image, linear layer", _cost(costs)]
    rows.append(_row(_classes(), f"Head: {counted(network.classes, 'class', 'classes')}", head))
    missing = None if found else tag("p", "What it costs is not shown: a custom block is not loaded here (--import).")
    return Markup.joined([tag("ol", *rows, class_="network"), text("") if missing is None else missing])


def total(network: Network) -> tuple[int, int] | None:
    """Return parameters and multiply-accumulates of a network; None where a custom block is not loaded."""
    try:
        own = [part.cost for part in parts(network)]
    except UserError:
        return None
    return sum(each.parameters for each in own), sum(each.macs for each in own)


def _row(image: Markup, title: object, about: list[str | None], chain: Markup | None = None) -> Markup:
    lines = [tag("p", each) for each in about if each]
    return tag("li", tag("div", image, class_="map"), tag("div", tag("h4", title), *lines), chain)


def _title(index: int, stage: Stage) -> Markup:
    return Markup.joined([text(f"Stage {index}: {stage.block}"), text(f" x {stage.depth}" if stage.depth > 1 else "")])


def _shape(width: int, size: int) -> str:
    return f"{counted(width, 'channel')} of {size} x {size} pixels"


def _rules(stage: Stage) -> str:
    rules = [f"stride {stage.stride}", f"{stage.norm} norm, {stage.norm_placement}", f"init {stage.init}"]
    if stage.branch.layers != 2:
        rules.append(f"{stage.branch} branch")
    if stage.quotient is not None:
        alpha = stage.quotient.alpha
        rules.append("no upper bound" if alpha is None else f"alpha {alpha:.4g}")
    if stage.product_unit is not None:
        clip = stage.product_unit.exponent_clip
        rules.append("exponents not clipped" if clip is None else f"exponents clipped at {clip:.4g}")
    rules += [f"{name} {each}" for name, each in stage.own]
    return ", ".join(rules)


def _cost(costs: Iterator[Part]) -> str | None:
    part = next(costs, None)
    if part is None:
        return None
    return f"{short(part.cost.parameters)} parameters, {short(part.cost.macs)} MACs"


def _image(width: int, size: int, largest: int) -> Markup:
    """Draw images as a stack of squares: the side by their size, how many by the number of channels."""
    side = SMALLEST + (LARGEST - SMALLEST) * (size / largest) ** 0.5
    planes = max(1, min(6, round(math.log2(max(width, 1)))))
    shift = 3.5
    extent = side + shift * (planes - 1) + 2
    squares = [
        tag(
            "rect",
            x=f"{1 + shift * at:.1f}",
            y=f"{1 + shift * (planes - 1 - at):.1f}",
            width=f"{side:.1f}",
            height=f"{side:.1f}",
            class_="plane",
        )
        for at in reversed(range(planes))
    ]
    return _svg(extent, extent, squares, f"{width} images of {size} x {size} pixels")


def _classes() -> Markup:
    bars = [
        tag("rect", x=str(4 + 9 * at), y=str(34 - height), width="6", height=str(height), class_="plane")
        for at, height in enumerate((8, 30, 12, 6, 10))
    ]
    return _svg(52, 36, bars, "a probability for each class")


def _chain(stage: Stage, colour: str) -> Markup:
    """Draw the blocks of a stage on a wire: the branch as a box, the shortcut as an arc, and what joins the two."""
    shown = min(stage.depth, MOST_BLOCKS)
    inside: list[Markup] = []
    for at in range(shown):
        inside += _block(12 + at * STEP, stage, colour)
    width = 24 + shown * STEP
    inside.append(tag("path", d=f"M{width - 12} {TOP} h10", class_="wire"))
    if stage.depth > shown:
        width += 62
        inside.append(tag("text", f"{stage.depth - shown} more", x=str(width - 56), y=str(TOP + 4)))
    known = BLOCKS.get(str(stage.block))
    formula = tag("p", tag("code", known.formula)) if known else None
    words = f"{counted(stage.depth, 'block')} of kind {stage.block}"
    return tag("div", _svg(width, ROW, inside, words), formula, class_="chain")


def _block(x: int, stage: Stage, colour: str) -> list[Markup]:
    join = "\u00d7" if stage.block in MULTIPLYING else "+" if stage.block in BLOCKS else "?"
    name = "\u03a0" if stage.block in WITH_PRODUCT_UNITS else "F"
    middle = x + 56
    return [
        tag("path", d=f"M{x - 10} {TOP} h20", class_="wire"),
        tag("path", d=f"M{x} {TOP} C{x} {TOP - 38} {middle} {TOP - 38} {middle} {TOP - 9}", class_="wire"),
        tag("rect", x=str(x + 10), y=str(TOP - 12), width="28", height="24", rx="4", style=f"fill:{var(colour)}"),
        tag(
            "text",
            name,
            x=str(x + 24),
            y=str(TOP + 5),
            text_anchor="middle",
            style="fill:var(--ground);font-size:13px;font-weight:700",
        ),
        tag("path", d=f"M{x + 38} {TOP} h9", class_="wire"),
        tag("circle", cx=str(middle), cy=str(TOP), r="9", class_="plane"),
        tag("text", join, x=str(middle), y=str(TOP + 5), text_anchor="middle", style="font-size:15px"),
    ]


def _svg(width: float, height: float, inside: list[Markup], words: str) -> Markup:
    return tag(
        "svg",
        *inside,
        viewBox=f"0 0 {width:.0f} {height:.0f}",
        width=f"{width:.0f}",
        height=f"{height:.0f}",
        role="img",
        aria_label=words,
    )
