"""What a comparison comes to: each arm, each pair of arms, and what they mean."""

from dataclasses import asdict, dataclass
from typing import Any, Final

from qpsearch.analysis.compare.basis import Basis
from qpsearch.analysis.compare.naming import SettingRow
from qpsearch.registry.metrics import Metric
from qpsearch.vocabulary import Direction, SplitName, WithWords

TEST_ACCURACY: Final = "test_accuracy"


@dataclass(frozen=True, slots=True, kw_only=True)
class ArmRow:
    """One arm.

    Attributes:
        name: Its name.
        mean: The mean score; None, here and below, where no run gave one.
        sd: The standard deviation of its runs: of the seeds of a configuration (of several points, pooled over them),
            or of what a tuned arm's searches, or the configurations of its single search, came to; None for a single
            run.
        n: How many runs; of a tuned arm how many searches, or configurations of its single search.
        points: Over how many points of a grid the mean is taken.
        cost_s: Seconds that all its trials held their slots, a search included.
        parameters: Learned parameters of the networks that the mean score is over, the mean over configurations.
        macs: Multiply-accumulates of an image, likewise.
        epoch_s: Seconds of training an epoch, likewise.
        diverged: Share of its ended trials that diverged.
        failed: How many of the compared trials failed, for whatever reason.
        pruned: How many were pruned.
        open: How many have not ended.
        unscored: How many runs of its complete trials do not have a finite score.
        tuned: Trials of its own searches that have ended; 0 without one.
        barren: How many of several searches did not give a configuration with a score.
    """

    name: str
    mean: float | None
    sd: float | None
    n: int
    points: int
    cost_s: float
    parameters: float | None
    macs: float | None
    epoch_s: float | None
    diverged: float | None
    failed: int
    pruned: int
    open: int
    unscored: int
    tuned: int
    barren: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class PairRow:
    """Two arms.

    Attributes:
        a: The one.
        b: The other.
        difference: The mean of b minus the mean of a.
        low: Lower end of its 95% interval; None, here and below, where no test can be made.
        high: Upper end.
        p: The two-sided p value of no difference.
        p_adjusted: It, adjusted by Holm's method for all pairs of the table.
        effect_size: The difference in standard deviations between runs.
        power: The chance that such a comparison finds a true difference of 0.3 and of 0.6 points, after adjustment.
        runs_needed: How many runs of each arm would find it in 80 of 100 comparisons; None where not even 1,000 would.
        is_same: Whether both are the same configurations, trained on the same seeds.
    """

    a: str
    b: str
    difference: float
    low: float | None = None
    high: float | None = None
    p: float | None = None
    p_adjusted: float | None = None
    effect_size: float | None = None
    power: dict[str, float] | None = None
    runs_needed: dict[str, int | None] | None = None
    is_same: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison(WithWords):
    """A comparison with everything needed to read it.

    Attributes:
        study: The study.
        basis: ``configurations``, ``tuned`` or ``searched``; see ``arms.Basis``.
        split: The images on which runs are compared.
        metric: What is compared.
        direction: Whether more or less of it is better.
        images: How many images there are; None where that is not known.
        has_images: Whether the chance in the images is part of intervals and p values.
        searches: Searches of each arm that was tuned, of which a test needs two; 0 where arms were not tuned.
        arms: The arms.
        pairs: Each pair of arms with a score.
        settings: The searched settings in which arms differ that are called by the numbers of trials; empty where
            the names of arms say what they are.
        sentences: What it means, for a reader.
    """

    study: str
    basis: Basis
    split: SplitName
    metric: str
    direction: Direction
    images: int | None
    has_images: bool
    searches: int = 0
    arms: tuple[ArmRow, ...]
    pairs: tuple[PairRow, ...]
    settings: tuple[SettingRow, ...] = ()
    sentences: tuple[str, ...] = ()

    @property
    def has_test(self) -> bool:
        """Whether pairs of arms can be tested: what differs by chance alone is there several times."""
        return self.basis is Basis.CONFIGURATIONS or self.searches > 1

    @property
    def is_accuracy(self) -> bool:
        """Whether scores are accuracies, of which a point is 0.01."""
        return self.metric in (Metric.VAL_ACCURACY, TEST_ACCURACY)

    @property
    def is_timed(self) -> bool:
        """Whether scores are times, which do not depend on images."""
        return self.split is SplitName.VALIDATION and Metric(self.metric).is_timed

    @property
    def title(self) -> str:
        """One line that says what is compared."""
        images = f", {self.images:,} images" if self.images else ""
        count = len(self.arms)
        return f"{self.study}: {self.metric} of {count} arm{'s' * (count != 1)}{images}"

    def to_dict(self) -> dict[str, Any]:
        """Return the table as ``--json`` prints it."""
        return asdict(self)
