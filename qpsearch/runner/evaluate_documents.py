"""What ``evaluate`` prints with ``--json``: what networks gave on the test images."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from qpsearch.runner.documents import Document, FreshSeeds
from qpsearch.vocabulary import Scalar

if TYPE_CHECKING:
    from qpsearch.runner.evaluating import StudyEvaluation


@dataclass(frozen=True, slots=True, kw_only=True)
class Accuracies:
    """The accuracies of runs on the test images at one level of noise.

    Attributes:
        noise: ``poisson:LEVEL``; None for clean images.
        mean: Their mean.
        sd: Their standard deviation; None for one run.
        runs: The accuracy of each run.
        nonfinite: Of each run, on how many images the network's output was not finite.
    """

    noise: str | None
    mean: float
    sd: float | None
    runs: tuple[float, ...]
    nonfinite: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class OnTest:
    """The values of a further metric of runs on the test images at one level of noise.

    Attributes:
        metric: Its name there, such as ``test_macro_f1``.
        noise: ``poisson:LEVEL``; None for clean images.
        mean: Their mean; None where a run does not have a value.
        sd: Their standard deviation; None for one run, too.
        runs: The value of each run.
    """

    metric: str
    noise: str | None
    mean: float | None
    sd: float | None
    runs: tuple[float | None, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class TestedConfiguration:
    """What a trial, or several trials of one configuration, gave on the test images.

    Attributes:
        trial: The trial, or the first of them.
        trials: All of them.
        blocks: The kind of block of each stage.
        params: What the sampler chose, by parameter.
        value: The score by which it was chosen: the mean over the runs of the search.
        seeds: The seed of each run.
        accuracies: The accuracies at each level of noise.
        epochs_to_target: Epochs that each run took to the target on validation images; None for never.
        metrics: The values of the metrics that the study asks for beyond accuracy and loss.
    """

    trial: int
    trials: tuple[int, ...]
    blocks: str
    params: Mapping[str, Scalar]
    value: float | None
    seeds: tuple[int, ...]
    accuracies: tuple[Accuracies, ...]
    epochs_to_target: tuple[int | None, ...]
    metrics: tuple[OnTest, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class NotTested:
    """A trial of a grid that does not have a network to test: how it ended, and why."""

    trial: int
    state: str
    reason: str | None
    params: Mapping[str, Scalar]


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluateDocument(Document):
    """``qpsearch evaluate --json``.

    Attributes:
        study: The study.
        dataset: Its data set.
        target: The accuracy to which epochs were counted; None for none.
        looks_before: When the test images were looked at before, in Unix seconds.
        recorded: Whether this look was recorded.
        problem: Why it was not; None where it was.
        trials: What was tested, in the order that was asked for; of a grid, in the order of the space.
        not_tested: Of a grid, the points that could not be tested.
        not_trained: Of a grid, how many points have not been trained yet.
        confirmed: What fresh seeds gave the configuration that was tested because it is the best; None without.
    """

    study: str
    dataset: str
    target: float | None
    looks_before: Sequence[float]
    recorded: bool
    problem: str | None
    trials: tuple[TestedConfiguration, ...]
    not_tested: tuple[NotTested, ...]
    not_trained: int
    confirmed: FreshSeeds | None

    @classmethod
    def of(cls, found: "StudyEvaluation") -> Self:
        """Return what is printed after evaluating."""
        return cls(
            study=found.study,
            dataset=found.dataset,
            target=found.target,
            looks_before=found.looks_before,
            recorded=found.problem is None,
            problem=found.problem,
            trials=found.trials,
            not_tested=found.not_tested,
            not_trained=found.not_trained,
            confirmed=None if found.best is None else FreshSeeds.of(found.best.confirmed),
        )
