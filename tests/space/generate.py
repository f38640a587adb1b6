"""Valid space documents with every feature of the language."""

from typing import Any

from hypothesis import strategies as st

from qpsearch.registry.optimisers import OPTIMISERS
from qpsearch.vocabulary import MULTIPLYING, WITH_PRODUCT_UNITS, BlockKind

BLOCKS = st.lists(st.sampled_from([kind.value for kind in BlockKind]), min_size=1, max_size=3, unique=True)
AUGMENT: list[dict[str, Any]] = [
    {},
    {"augment": ["crop"]},
    {"augment": ["flip", "crop"], "padding": "black"},
    {"augment": ["trivialaugment", "flip", {"mixup": {"alpha": 0.2}}, {"erase": {"probability": 0.25}}]},
    {"augment": ["crop", {"cutout": {"used": {"choice": [True, False]}, "side": {"float": [0.3, 0.6], "step": 0.1}}}]},
    {
        "augment": {
            "choice": {"none": [], "some": ["flip", {"mixup": {"alpha": {"choice": [0.2, 1.0]}}}]},
            "prior": "some",
        }
    },
]
MODERN: list[dict[str, Any]] = [
    {},
    {"warmup": {"choice": [0, 0.1, 1]}, "decay": "weights", "ema": {"choice": ["none", 0.9]}},
    {"schedule": "one_cycle", "grad_clip": {"log": [0.1, 10.0]}, "label_smoothing": {"float": [0.0, 0.2]}},
    {"gradient_accumulation": {"int": [1, 4]}, "dropout": 0.1, "drop_path": {"float": [0.0, 0.2]}},
]
CONFIDENCE = st.sampled_from([{}, {"confidence": "low"}, {"confidence": "high"}])


@st.composite
def documents(draw: st.DrawFn, *, is_modern: bool = True) -> dict[str, Any]:
    """A space: any mix of stages, choices of stages, ties, priors, arithmetic, limits and conditions.

    Without ``is_modern``, the settings of a recipe that multiply the number of its points are left out.
    """
    tied = draw(st.booleans())
    count = draw(st.integers(2 if tied else 1, 3))
    used: set[str] = set()
    stages = [draw(items(index, tied, used)) for index in range(count)]
    network: dict[str, Any] = {"stem": {"width": draw(widths(first=True))}, "stages": stages}
    if draw(st.booleans()) and not tied:
        other = [draw(stage(0, False, used))]
        network["stages"] = {
            "choice": {"long": stages, "short": other},
            **draw(st.sampled_from([{}, {"prior": "long"}])),
        }
    shared = draw(rules(used))
    if shared:
        network["rules"] = shared
    training: dict[str, Any] = {"epochs": draw(st.sampled_from([3, {"choice": [2, 4]}]))}
    training |= draw(st.sampled_from([{}, {"schedule": {"choice": ["step", "cosine"]}}]))
    training |= draw(st.sampled_from(MODERN if is_modern else MODERN[:1]))
    training["optimizer"] = draw(optimizers(is_modern=is_modern))
    document = {
        "study": "s",
        "data": {"dataset": "digits", "validation": draw(st.sampled_from([300, 0.2]))} | draw(st.sampled_from(AUGMENT)),
        "network": network,
        "training": training,
    }
    search = draw(searches(isinstance(network["stages"], list)))
    return document | ({"search": search} if search else {})


@st.composite
def items(draw: st.DrawFn, index: int, tied: bool, used: set[str]) -> dict[str, Any]:
    """A stage, or a choice of a stage and a list of stages."""
    own = draw(stage(index, tied, used))
    if tied or index == 0 or draw(st.integers(0, 3)):
        return own
    several = [draw(stage(index, False, used)) for _ in range(draw(st.integers(0, 2)))]
    return {"choice": {"one": own, "several": several}}


@st.composite
def stage(draw: st.DrawFn, index: int, tied: bool, used: set[str]) -> dict[str, Any]:
    """A stage; the blocks whose shared rules it needs are added to ``used``."""
    blocks = draw(BLOCKS)
    block: Any = {"choice": blocks} if len(blocks) > 1 or draw(st.booleans()) else blocks[0]
    if isinstance(block, dict) and draw(st.booleans()):
        block |= {"prior": blocks[0]} | draw(CONFIDENCE)
    whole: list[Any] = [{"int": [1, 3]}, {"int": [1, 5], "step": 2, "prior": 3}, {"log_int": [1, 3], "prior": 2}]
    free = st.sampled_from([1, {"choice": [1, 4]}, *whole])
    depth = {"int": [1, 3], "tie": "depth"} if tied else draw(free)
    made = {"width": draw(widths(first=False)), "stride": 1 + (index == 1), "depth": depth, "block": block}
    made |= draw(st.sampled_from([{}, {"norm": "group"}, {"norm": {"choice": ["batch", "group"]}}]))
    if MULTIPLYING & set(blocks) and draw(st.booleans()):
        alpha = draw(st.sampled_from([{"float": [1.2, 3.0]}, {"float": [1.2, 3.0], "step": 0.9, "prior": 2.1}]))
        made["quotient"] = {"alpha": alpha, "activation": "sigmoid"}
    else:
        used |= {"quotient"} if MULTIPLYING & set(blocks) else set()
    used |= {"product_unit"} if WITH_PRODUCT_UNITS & set(blocks) else set()
    return made if "norm" in made else made | {"norm": "batch"} if draw(st.booleans()) else made


@st.composite
def widths(draw: st.DrawFn, first: bool) -> Any:
    computed = ["2 * network.stem.width", "max(8, network.stem.width)"]
    ranges = [8, {"choice": [4, 8]}, {"int": [8, 16], "step": 8, "prior": 16}, {"log_int": [7, 8], "prior": 8}]
    return draw(st.sampled_from(ranges if first else ranges + computed))


@st.composite
def rules(draw: st.DrawFn, used: set[str]) -> dict[str, Any]:
    """Shared rules that some stage uses."""
    made: dict[str, Any] = draw(
        st.sampled_from(
            [{}, {"norm_placement": {"choice": ["post", "pre"]}}, {"shortcut": {"choice": ["pad", "conv1x1"]}}]
        )
    )
    if "quotient" in used:
        by_depth = {"alpha": {"choice": ["by_depth", 2.0]}, "through_one": {"choice": [True, False], "prior": True}}
        alpha = {"alpha": {"float": [1.5, 2.0], "prior": 1.8}}
        made = made | draw(st.sampled_from([{}, {"quotient": alpha}, {"quotient": by_depth}]))
    if "product_unit" in used:
        clip = {"exponent_clip": {"choice": ["none", 8]}}
        several = {"threshold_init": {"float": [-2, 2]}, "bias": True, "numbers": {"choice": ["real", "complex"]}}
        made = made | draw(st.sampled_from([{}, {"product_unit": clip}, {"product_unit": several}]))
    return made


@st.composite
def optimizers(draw: st.DrawFn, *, is_modern: bool = True) -> Any:
    sgd = {"lr": {"log": [0.01, 1.0], "prior": 0.1}}
    stepped = {"momentum": {"float": [0.3, 0.9], "step": 0.3}}
    return draw(
        st.sampled_from(
            [
                "sgd",
                {"sgd": sgd},
                {"sgd": stepped},
                {"choice": ["sgd", "adamw"]},
                {"choice": list(OPTIMISERS) if is_modern else ["adam", "muon"]},
                {"muon": {"adamw_lr": {"log": [1e-4, 1e-2]}}},
                {"sgd": {"nesterov": {"choice": [False, True]}}},
                {"choice": {"sgd": sgd, "adamw": {"lr": {"log": [1e-4, 1e-2]}}}, "prior": "sgd"},
            ]
        )
    )


@st.composite
def searches(draw: st.DrawFn, listed: bool) -> dict[str, Any]:
    """Limits and conditions that leave something, most of the time."""
    made: dict[str, Any] = draw(st.sampled_from([{}, {"score": "best"}, {"score": {"best": {"from_epoch": 2}}}])).copy()
    if draw(st.booleans()):
        made["limits"] = {"parameters": draw(st.sampled_from(["<= 60K", ">= 1K and <= 0.2M"])), "macs": "<= 20M"}
    if draw(st.booleans()):
        made["require"] = draw(st.sampled_from([["parameters < 100K or macs <= 2M"], ["training.epochs <= 4"]]))
    if listed and draw(st.booleans()):
        made["forbid"] = [
            draw(st.sampled_from(["network.stages.0.width > 16", "network.stem.width == 8 and macs > 1M"]))
        ]
    return made
