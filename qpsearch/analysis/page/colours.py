"""The colours of figures, the same in all of them, each with its counterpart on a dark ground.

Kinds of block have the colours of Okabe and Ito (https://jfly.uni-koeln.de/color/), which readers of all kinds of
colour vision tell apart; networks of several kinds have further ones and, beside the colour, another mark and dashes.
"""

from typing import Final

from qpsearch.vocabulary import BlockKind

INK, QUIET, GROUND, GRID = "#1f2328", "#6b7280", "#ffffff", "#e3e6ea"
TOTAL, ALONE, LINE = "#9fb8d8", "#3566a8", "#444444"

KINDS: Final[dict[tuple[str, ...], str]] = {
    (BlockKind.ADDITIVE,): "#0072b2",
    (BlockKind.QUOTIENT,): "#d55e00",
    (BlockKind.PRODUCT_UNIT,): "#009e73",
    (BlockKind.QUOTIENT_PRODUCT_UNIT,): "#7b3fa0",
    (BlockKind.ADDITIVE, BlockKind.QUOTIENT): "#cc79a7",
    (BlockKind.ADDITIVE, BlockKind.PRODUCT_UNIT): "#56b4e9",
    (BlockKind.PRODUCT_UNIT, BlockKind.QUOTIENT): "#b8860b",
    (BlockKind.ADDITIVE, BlockKind.PRODUCT_UNIT, BlockKind.QUOTIENT): "#7a7a7a",
}
MORE: Final = ("#8c510a", "#4d7c0f", "#be185d", "#0f766e", "#4338ca", "#a16207")  # for blocks of a user's own, in order
OTHERS: Final = "#9aa0a6"
ONLY: Final = ALONE  # of a study whose trials are not told apart

COMPLETE, PRUNED, FAILED, RUNNING, REPEATED = "#5b7083", "#b4bfc9", "#c1121f", "#2a9d8f", "#e0a100"
PAUSED, RETRIED = "#8fa7bd", "#e76f51"

# Red for worse, blue for better, told apart by all kinds of colour vision (ColorBrewer's RdBu).
WORSE_BETTER: Final = ((0.0, "#b2182b"), (0.25, "#ef8a62"), (0.5, "#f7f7f7"), (0.75, "#67a9cf"), (1.0, "#2166ac"))

IN_THE_DARK: Final[dict[str, str]] = {
    INK: "#e6e8eb",
    QUIET: "#9aa4b0",
    GROUND: "#15181d",
    GRID: "#2c323a",
    TOTAL: "#35507a",
    ALONE: "#7fb0f0",
    LINE: "#c3c9d0",
    "#0072b2": "#4a9fe0",
    "#d55e00": "#ff8b45",
    "#009e73": "#2fcf9d",
    "#7b3fa0": "#b98ae0",
    "#cc79a7": "#eba0c8",
    "#56b4e9": "#a5dcff",
    "#b8860b": "#e3b94a",
    "#7a7a7a": "#b5b5b5",
    "#8c510a": "#cf9350",
    "#4d7c0f": "#9fce5a",
    "#be185d": "#f472b6",
    "#0f766e": "#5eead4",
    "#4338ca": "#a5a0ff",
    "#a16207": "#facc15",
    OTHERS: "#7d858d",
    COMPLETE: "#93a8bb",
    PRUNED: "#6c7986",
    FAILED: "#ff5f66",
    RUNNING: "#45c9b8",
    REPEATED: "#ffc533",
    RETRIED: "#ff9b82",
    "#b2182b": "#d6454f",
    "#ef8a62": "#8a4a3a",
    "#f7f7f7": "#262b32",
    "#67a9cf": "#3a6685",
    "#2166ac": "#4a93dd",
}


def css() -> str:
    """Return the colours as custom properties of a style sheet, for what is not drawn by plotly."""
    light = "".join(f"--c{name[1:]}:{name};" for name in IN_THE_DARK)
    dark = "".join(f"--c{name[1:]}:{there};" for name, there in IN_THE_DARK.items())
    return f":root{{{light}}}@media screen and (prefers-color-scheme:dark){{:root{{{dark}}}}}"


def var(colour: str) -> str:
    """Return how a style names a colour, so that it changes with the ground."""
    return f"var(--c{colour[1:]})"
