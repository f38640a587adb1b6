"""The design rules of both papers, numbered Q1 to Q18 and P1 to P21, with the settings that implement them."""

from dataclasses import dataclass
from typing import Final

from qpsearch.space.schema.fields import LeafField
from qpsearch.space.schema.settings import field_at


@dataclass(frozen=True, slots=True, kw_only=True)
class PaperRule:
    """One choice that a paper makes.

    Attributes:
        id: Q1 to Q18 of the quotient paper, P1 to P21 of PURe.
        choice: What is chosen.
        settings: Paths in a space file; empty where the choice is not a setting.
        paper: The paper's choice.
        source: Where the paper's choice is known from.
        open: What is not known about the paper's choice; empty where all is known.
        note: How qpsearch makes the choice, where it is not a setting of a space file.
    """

    id: str
    choice: str
    settings: tuple[str, ...] = ()
    paper: str
    source: str
    open: str = ""
    note: str = ""

    def fields(self) -> list[tuple[str, LeafField]]:
        """Return the rule's settings with their fields in the schema."""
        found = [(path, field_at(path)) for path in self.settings]
        return [(path, field) for path, field in found if isinstance(field, LeafField)]


def _rules(names: str) -> tuple[str, ...]:
    """Spell settings of ``network.rules`` in full."""
    return tuple(f"network.rules.{name}" for name in names.split())


_SGD = tuple(f"training.optimizer.sgd.{name}" for name in ("lr", "momentum", "weight_decay"))
_RECIPE = ("training.epochs", "training.batch_size", *_SGD, "training.schedule")
_UNIT = "network.rules.product_unit"

PAPER_RULES: Final = (
    PaperRule(
        id="Q1",
        choice="how branch and shortcut meet",
        settings=("network.stages.0.block",),
        paper="quotient, compared with additive",
        source="authors' results",
    ),
    PaperRule(
        id="Q2",
        choice="function on the branch",
        settings=_rules("quotient.activation"),
        paper="sigmoid",
        source="Table A1",
        open="the best sigmoid's accuracy; whether the ReLU row is max(0, z) or max(0, z + 1): relu and unbounded",
    ),
    PaperRule(
        id="Q3",
        choice="upper bound, linear",
        settings=_rules("quotient.alpha"),
        paper="4 at 20 layers",
        source="Table A1",
        open="accuracies below 4",
    ),
    PaperRule(
        id="Q4",
        choice="upper bound, sigmoid",
        settings=_rules("quotient.alpha"),
        paper="2.0 at 20 layers",
        source="Table A1",
        open="accuracies at 2.0 and below",
    ),
    PaperRule(
        id="Q5",
        choice="upper bound by depth",
        settings=_rules("quotient.alpha"),
        paper="1.8 at 44, 1.7 at 56, 1.5 at 110 layers",
        source="authors' code",
        open="other bounds at these depths",
    ),
    PaperRule(
        id="Q6",
        choice="through (0, 1)",
        settings=_rules("quotient.through_one"),
        paper="true",
        source="appendix A",
        open="figures for this choice",
    ),
    PaperRule(
        id="Q7",
        choice="negative quotients",
        settings=_rules("quotient.floor"),
        paper="0",
        source="appendix A",
        open="figures for this choice",
    ),
    PaperRule(
        id="Q8",
        choice="differentiable everywhere",
        settings=_rules("quotient.activation"),
        paper="sigmoid",
        source="appendix A",
        open="the table of its accuracies",
    ),
    PaperRule(
        id="Q9",
        choice="function after the stem",
        settings=("network.stem.activation",),
        paper="quotient",
        source="authors' code",
        open="figures for this choice",
    ),
    PaperRule(
        id="Q10",
        choice="function on widening shortcuts",
        settings=_rules("quotient.shortcut_activation"),
        paper="quotient",
        source="authors' code",
        open="figures for this choice",
    ),
    PaperRule(
        id="Q11",
        choice="inner activation",
        settings=_rules("quotient.inner_activation"),
        paper="relu",
        source="authors' code",
    ),
    PaperRule(
        id="Q12",
        choice="activation after the product",
        settings=_rules("quotient.output_activation"),
        paper="none",
        source="authors' code",
    ),
    PaperRule(
        id="Q13",
        choice="normalisation and its placement",
        settings=_rules("norm norm_placement"),
        paper="batch, post",
        source="authors' code",
    ),
    PaperRule(
        id="Q14",
        choice="projection shortcut",
        settings=_rules("shortcut"),
        paper="conv3x3",
        source="authors' code",
        open="the paper's own wording",
    ),
    PaperRule(
        id="Q15",
        choice="initialisation",
        settings=_rules("init"),
        paper="framework",
        source="authors' code",
        open="the paper's own wording",
    ),
    PaperRule(
        id="Q16",
        choice="learned upper bound",
        settings=_rules("quotient.learned_alpha"),
        paper="none",
        source="authors' code",
    ),
    PaperRule(
        id="Q17",
        choice="width",
        settings=("network.stem.width", "network.stages.0.width"),
        paper="16, 32, 64; doubled on CIFAR-100",
        source="authors' code",
    ),
    PaperRule(
        id="Q18",
        choice="recipe",
        settings=_RECIPE,
        paper="182 epochs of 128, SGD 0.1, 0.9, 1e-4; a tenth after 92 and 136; the best validated epoch from 92 on",
        source="authors' code",
        open="number of runs behind its spreads",
        note="space quotient-table: schedule step_92_136, the best epoch from the 93rd on, ImageNet's mean",
    ),
    PaperRule(
        id="P1",
        choice="second layer of a branch",
        settings=("network.stages.0.block",),
        paper="product_unit",
        source="abstract",
        open="all tables with baselines",
    ),
    PaperRule(
        id="P2",
        choice="which layer is a product unit",
        settings=(f"{_UNIT}.position",),
        paper="second",
        source="abstract",
        open="whether other layers were tried; the place in a bottleneck",
    ),
    PaperRule(
        id="P3",
        choice="inner activation",
        settings=(f"{_UNIT}.inner_activation",),
        paper="none",
        source="abstract, both reimplementations",
        open="figures for this choice",
    ),
    PaperRule(
        id="P4",
        choice="ReLU after the addition",
        settings=(f"{_UNIT}.output_activation",),
        paper="relu (v3) or none (v1)",
        source="two reimplementations",
        open="which of the two is the paper's",
    ),
    PaperRule(
        id="P5",
        choice="ReLU after the stem",
        settings=("network.stem.activation",),
        paper="relu (v3) or none (v1)",
        source="two reimplementations",
        open="which of the two is the paper's",
    ),
    PaperRule(
        id="P6",
        choice="normalisation around the unit",
        settings=(f"{_UNIT}.norms", *_rules("norm norm_placement")),
        paper="both, batch, post",
        source="two reimplementations",
    ),
    PaperRule(
        id="P7",
        choice="positivity of inputs",
        settings=(f"{_UNIT}.positivity",),
        paper="max(x, softplus(theta) + 1e-7)",
        source="two reimplementations",
        open="the smooth map of PU-UNet (2606.20035); ours is ln(exp(x) + exp(floor))",
    ),
    PaperRule(
        id="P8",
        choice="threshold",
        settings=(f"{_UNIT}.threshold", f"{_UNIT}.threshold_init"),
        paper="one for each layer, starting at 0",
        source="two reimplementations",
        open="the paper's own choice",
    ),
    PaperRule(
        id="P9",
        choice="initial exponents",
        settings=(f"{_UNIT}.exponent_init",),
        paper="kaiming_fan_out (v3) or small (v1)",
        source="two reimplementations",
        open="the paper's own choice",
    ),
    PaperRule(
        id="P10",
        choice="clip before exp",
        settings=(f"{_UNIT}.exponent_clip",),
        paper="none; PU-UNet clips",
        source="reimplementation; 2606.20035",
        open="PU-UNet's bound",
    ),
    PaperRule(
        id="P11",
        choice="padding",
        settings=(f"{_UNIT}.padding",),
        paper="after_log",
        source="two reimplementations",
        open="the paper's own choice",
    ),
    PaperRule(
        id="P12",
        choice="bias in the unit",
        settings=(f"{_UNIT}.bias",),
        paper="false",
        source="two reimplementations",
    ),
    PaperRule(
        id="P13",
        choice="mixing of channels",
        settings=(f"{_UNIT}.mixing",),
        paper="dense",
        source="two reimplementations",
        open="the paper's own choice",
    ),
    PaperRule(
        id="P14",
        choice="shortcut",
        settings=_rules("shortcut"),
        paper="that of the host network: identity or conv1x1",
        source="two reimplementations",
        open="the shortcut of the CIFAR networks: conv1x1 or pad",
    ),
    PaperRule(
        id="P15",
        choice="stages with product units",
        settings=("network.stages.0.block",),
        paper="all; in PU-UNet only the last stages",
        source="abstract; 2606.20035",
        open="PU-UNet's figures",
        note="space placement",
    ),
    PaperRule(
        id="P16",
        choice="real or complex powers",
        settings=(f"{_UNIT}.numbers",),
        paper="real",
        source="abstract of v2",
        open="figures for either",
    ),
    PaperRule(
        id="P17",
        choice="momentum",
        settings=("training.optimizer.sgd.momentum",),
        paper="0.9",
        source="reimplementation: 94.22 against 87.08 without",
    ),
    PaperRule(
        id="P18",
        choice="recipe",
        settings=_RECIPE,
        paper="160 epochs of 128, SGD 0.01, 0.9, 1e-3; a tenth after 80 and 120",
        source="reimplementation of v3",
        open="the paper's own recipe; the recipes for Galaxy10 and ImageNet",
        note="space pure-cifar10",
    ),
    PaperRule(
        id="P19",
        choice="precision",
        settings=("training.precision",),
        paper="float32",
        source="reimplementation",
        open="the paper's own choice",
        note="product units compute in float32 in any network",
    ),
    PaperRule(
        id="P20",
        choice="noise and speed",
        paper="Poisson noise; nearly five times fewer epochs",
        source="abstract",
        open="noise levels, epochs, how speed was measured",
        note="qpsearch evaluate --noise poisson:LEVEL --target ACCURACY",
    ),
    PaperRule(
        id="P21",
        choice="segmentation",
        paper="encoder-decoder on AMOS slices",
        source="abstract of v2",
        open="figures",
        note="out of scope: qpsearch classifies images",
    ),
)


def yaml_text(value: object) -> str:
    """Return a default as a space file spells it."""
    return str(value).lower() if isinstance(value, bool) else str(value)
