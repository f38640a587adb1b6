"""Metrics: each against an outside reference, its range and its direction; words, targets, and metrics of one's own."""

import math
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import balanced_accuracy_score, f1_score, top_k_accuracy_score

from qpsearch.architecture.plugins import register_metric
from qpsearch.errors import SpaceError, UserError
from qpsearch.registry.metrics import BUILT_IN, METRICS, Metric, in_order, words
from qpsearch.registry.metrics.base import MetricKind, ValuesFrom, predicted
from qpsearch.registry.metrics.epochs_to import after
from qpsearch.registry.metrics.own import custom_metric
from qpsearch.space import edited, load_space, parse_space
from qpsearch.vocabulary import Direction

CLASSES = 7
ON_LOGITS = [kind for kind in METRICS.values() if kind.source is ValuesFrom.LOGITS]


def calibration(logits: np.ndarray, labels: np.ndarray) -> float:
    """Guo et al. 2017, equation 3, image by image, with their 15 bins."""
    total = 0.0
    chances = [np.exp(row - row.max()) / np.exp(row - row.max()).sum() for row in logits]
    for low, high in zip(np.arange(15) / 15, np.arange(1, 16) / 15, strict=True):
        inside = [at for at, chance in enumerate(chances) if low < chance.max() <= high]
        if inside:
            right = np.mean([chances[at].argmax() == labels[at] for at in inside])
            total += len(inside) / len(labels) * abs(right - np.mean([chances[at].max() for at in inside]))
    return total


def f1(logits: np.ndarray, labels: np.ndarray) -> float:
    return float(f1_score(labels, logits.argmax(1), average="macro"))


# A new metric of logits needs a line here: its value by other code.
REFERENCE: dict[str, Callable[[Any, Any], float]] = {
    "val_balanced_accuracy": lambda logits, labels: balanced_accuracy_score(labels, logits.argmax(1)),
    "val_calibration_error": calibration,
    "val_macro_f1": f1,
    "val_top5_accuracy": lambda logits, labels: top_k_accuracy_score(labels, logits, k=5, labels=range(CLASSES)),
}


def test_every_metric_of_logits_has_a_reference() -> None:
    assert set(REFERENCE) == {kind.name for kind in ON_LOGITS}


@pytest.mark.parametrize("kind", ON_LOGITS, ids=lambda kind: kind.name)
def test_a_metric_agrees_with_its_reference(kind: MetricKind) -> None:
    assert kind.compute is not None
    for seed, images, sharpness in ((0, 200, 0.1), (1, 57, 3.0), (2, 11, 30.0), (3, 1, 1.0)):
        generator = np.random.default_rng(seed)
        labels = generator.choice(
            CLASSES - 1, images, p=[0.5, 0.2, 0.1, 0.1, 0.05, 0.05]
        )  # the last class is not there
        logits = generator.normal(size=(images, CLASSES)) * sharpness
        logits[np.arange(images), labels] += sharpness
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that a class is predicted but not there
            expected = REFERENCE[kind.name](logits, labels)
        assert kind.compute(logits, labels) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("kind", ON_LOGITS, ids=lambda kind: kind.name)
def test_the_ends_of_its_range_and_what_is_not_finite(kind: MetricKind) -> None:
    assert kind.compute is not None
    labels = np.arange(CLASSES)
    sure = np.where(labels[:, None] == labels, 1e3, 0.0)
    best, worst = kind.high, kind.low
    if kind.direction is Direction.MINIMIZE:
        best, worst = worst, best
    assert kind.compute(sure, labels) == best
    assert kind.compute(-sure + np.roll(sure, 1, axis=1), labels) == worst
    assert kind.low <= kind.compute(np.zeros_like(sure), labels) <= kind.high
    if not kind.needs_finite:
        broken = sure.copy()
        broken[0, 3] = np.nan
        broken[1, 1] = np.inf
        assert worst < kind.compute(broken, labels) < best  # two of seven images count as wrong
        assert kind.compute(broken, labels) <= 5 / 7 + 1e-12


@pytest.mark.parametrize("word", words())
def test_facts_of_a_metric(word: str) -> None:
    metric = Metric(word)
    kind = metric.kind
    assert kind.doc.endswith(".")
    assert kind.low < kind.high
    assert math.isinf(metric.worst)
    assert (metric.worst < 0) == (kind.direction is Direction.MAXIMIZE)
    assert metric.may_be(kind.low)
    assert metric.may_be(metric.worst)
    assert not metric.may_be(kind.low - 1)
    assert metric.is_extra == (kind.source in (ValuesFrom.LOGITS, ValuesFrom.TARGET, ValuesFrom.CLOCK))
    assert metric.is_cost == (metric.measured_on == "the network")
    assert bool(metric.on_test) == (kind.compute is not None)
    sense = "maximize" if kind.direction is Direction.MAXIMIZE else "minimize"
    lead = {sense: [word]} if not metric.is_cost else {"maximize": "val_accuracy", "minimize": [word]}
    space = parse_space(edited(load_space("smoke").source, {"search.objective": lead}))
    assert space.search.objectives[-1].metric == metric
    assert space.search.extra == ((word,) if metric.is_extra else ())


def test_an_image_that_is_not_finite_is_of_no_class() -> None:
    assert predicted(np.array([[0.0, 1.0], [np.nan, 0.0], [np.inf, 0.0], [2.0, -1.0]])).tolist() == [1, -1, -1, 0]


def test_all_outputs_equal_is_not_among_the_first_five() -> None:
    assert METRICS["val_top5_accuracy"].compute(np.zeros((3, 6)), np.arange(3)) == 0.0  # type: ignore[misc]


def test_epochs_to_a_target() -> None:
    values: list[float] = []
    for epoch, accuracy in enumerate([0.2, 0.5, 0.4, 0.91, 0.8, 0.95], 1):
        values.append(after(epoch, accuracy, 0.9, 10, values[-1] if values else None))
    assert values == pytest.approx([11.7, 11.4, 11.4, 4.0, 4.0, 4.0])
    assert after(1, None, 0.9, 10, None) == pytest.approx(11.9)  # worse than any run that gets there in time
    assert Metric("epochs_to_0.9").target == 0.9
    assert Metric("epochs_to_0.90") == "epochs_to_0.9"  # one metric, however it is spelled
    assert Metric("epochs_to_.75").target == 0.75


@pytest.mark.parametrize("word", ["epochs_to_", "epochs_to_0", "epochs_to_90", "epochs_to_1.2", "epochs_to_x"])
def test_a_target_that_cannot_be_is_refused(word: str) -> None:
    with pytest.raises(ValueError, match=r"expected a target above 0 and at most 1, such as epochs_to_0\.9"):
        Metric(word)


def test_lists_of_metrics_have_one_order() -> None:
    given = [Metric(word) for word in ("macs", "latency_ms", "val_macro_f1", "parameters", "val_loss")]
    assert in_order(given) == ("val_loss", "val_macro_f1", "latency_ms", "parameters", "macs")
    stored = ("val_accuracy", "val_loss", "train_loss", "parameters", "macs", "activation_bytes")
    assert [word for word in BUILT_IN if word in stored] == list(stored)  # as the objectives of stored studies stand


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"search.objective": {"maximize": "latency_ms"}}, r"cannot maximize latency_ms: write \{minimize: latency_ms"),
        ({"search.metrics": ["macs"]}, r"search\.metrics: 'macs' is a cost, which every trial has"),
        ({"search.metrics": ["val_f1"]}, r"unknown metric 'val_f1'. Did you mean 'val_macro_f1'.* own with --import"),
        ({"search.metrics": ["val_macro_f1", "val_macro_f1"]}, r"lists a value more than once"),
        (
            {"search.metrics": "epochs_to_0.9", "search.objective": {"minimize": "train_loss"}, "data.validation": 0},
            r"data\.validation: 0 holds out no images, but epochs_to_0\.9 of search\.metrics needs some",
        ),
        (
            {"search.objective": {"minimize": ["train_loss", "val_calibration_error"]}, "data.validation": 0},
            r"but the objective, val_calibration_error, needs some",
        ),
        (
            {"search.objective": {"maximize": ["val_accuracy", "val_macro_f1"]}, "search.pruner": "median"},
            r"median needs a single objective",
        ),
    ],
)
def test_a_space_that_asks_for_what_cannot_be_is_answered(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(SpaceError, match=message):
        parse_space(edited(load_space("smoke").source, changes))


def test_a_space_says_what_it_records() -> None:
    plain = load_space("smoke")
    space = parse_space(edited(plain.source, {"search.metrics": ["val_macro_f1", "epoch_seconds", "val_loss"]}))
    assert space.search.metrics == ("val_loss", "epoch_seconds", "val_macro_f1")
    assert space.search.extra == ("val_macro_f1",)  # the others are in every report
    assert space.fingerprint != plain.fingerprint
    assert parse_space(edited(plain.source, {"search.metrics": "none"})).fingerprint == plain.fingerprint


@pytest.fixture
def _alone() -> Iterator[None]:
    kept = dict(METRICS)
    yield
    METRICS.clear()
    METRICS.update(kept)


def error_rate(logits: Any, labels: Any) -> float:
    """Share of the images that are classified wrongly.

    And more.
    """
    return float((logits.argmax(1) != labels).mean())


@pytest.mark.usefixtures("_alone")
def test_a_metric_of_ones_own_is_one_like_ours() -> None:
    own = custom_metric("error_rate", error_rate, direction="minimize", low=0, high=1)
    assert own.doc == "Share of the images that are classified wrongly."
    register_metric(own)
    register_metric(own)
    register_metric(custom_metric("an_own", error_rate, direction="minimize"))
    assert (Metric("val_error_rate").direction, Metric("val_error_rate").worst) == (Direction.MINIMIZE, math.inf)
    changes = {"search.objective": {"minimize": "val_error_rate"}, "search.metrics": ["val_error_rate", "val_an_own"]}
    search = parse_space(edited(load_space("smoke").source, changes)).search
    assert search.metrics == ("val_an_own", "val_error_rate")  # by their words, whichever was imported first
    for taken in ("error_rate", "macro_f1", "nonfinite"):
        with pytest.raises(UserError, match=f"metric 'val_{taken}': there is already a metric of that name"):
            register_metric(custom_metric(taken, error_rate, direction="minimize"))


def test_what_cannot_be_a_metric_is_refused() -> None:
    def silent(logits: Any, labels: Any) -> float:
        return 0.0

    for arguments, message in (
        (("a b", error_rate), "cannot be named 'a b'"),
        (("own", 3), "3 is not callable"),
        (("own", silent), "needs a docstring"),
    ):
        with pytest.raises(UserError, match=message):
            custom_metric(*arguments, direction="minimize")  # type: ignore[arg-type]
    with pytest.raises(UserError, match=r"direction 'up'. Expected 'maximize' or 'minimize'"):
        custom_metric("own", error_rate, direction="up")
    with pytest.raises(UserError, match="low must be below high"):
        custom_metric("own", error_rate, direction="minimize", low=1, high=1)
