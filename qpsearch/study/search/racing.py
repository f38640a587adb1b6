"""Racing: a configuration trains another seed only while its rank is in doubt.

A trial whose runs are complete is compared with the best of the complete trials. It is not in doubt if its mean is
worse by more than chance explains: by t * s * sqrt(1 / n + 1 / n'), where n and n' are the runs of both, s is the
standard deviation over seeds, pooled over all trials that have several, and t is a quantile of Student's distribution
of as many degrees of freedom. One that may be the best trains as many seeds as the best needs: one more for each
doubling of the trials behind it, since the best of many is lucky more often than the best of few. So early trials,
which later ones beat anyway, cost little.
"""

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Final

LEVEL: Final = 0.7  # of the quantile; of 0.5 to 0.975, the best over noise of 0.1 to 1 sd of the true values


@dataclass(frozen=True, slots=True, kw_only=True)
class Rival:
    """The runs of a trial that are complete.

    Attributes:
        is_complete: Whether the trial has ended as complete.
        scores: The score of each run.
    """

    is_complete: bool
    scores: Sequence[float]

    @property
    def mean(self) -> float:
        """The mean score."""
        return fmean(self.scores)


def seeds_of_the_best(complete: int, most: int) -> int:
    """Return on how many seeds a trial must be trained to become the best after some complete trials."""
    return min(most, 1 + int(math.log2(1 + complete)))


def needs_seed(own: Sequence[float], others: Iterable[Rival], sign: float, most: int) -> bool:
    """Whether a trial should train another seed.

    Args:
        own: The scores of its runs, all complete.
        others: The other trials of the study with complete runs.
        sign: +1 where larger scores are better, -1 where smaller are.
        most: Seeds of a trial at most.
    """
    known = [each for each in others if each.scores]
    complete = [each for each in known if each.is_complete and math.isfinite(each.mean)]
    if len(own) >= seeds_of_the_best(len(complete), most) or not math.isfinite(fmean(own)):
        return False
    best = max(complete, key=lambda each: sign * each.mean)
    margin = _margin([own, *(each.scores for each in known)], len(own), len(best.scores))
    return sign * fmean(own) >= sign * best.mean - margin


def _margin(groups: Iterable[Sequence[float]], own: int, best: int) -> float:
    """Return by how much a mean of ``own`` runs may be behind one of ``best`` runs by chance."""
    from scipy.special import stdtrit

    squares, degrees = 0.0, 0
    for scores in groups:
        if len(scores) > 1 and all(map(math.isfinite, scores)):
            mean = fmean(scores)
            squares += sum((score - mean) ** 2 for score in scores)
            degrees += len(scores) - 1
    if not degrees:
        return math.inf  # before any trial has two seeds, every rank is in doubt
    return float(stdtrit(degrees, LEVEL)) * math.sqrt(squares / degrees) * math.sqrt(1 / own + 1 / best)


def grouped(rows: Iterable[tuple[int, bool, float]]) -> list[Rival]:
    """Return trials, given for each run the trial's id, whether the trial is complete, and the run's score."""
    scores: dict[tuple[int, bool], list[float]] = defaultdict(list)
    for trial, is_complete, score in rows:
        scores[trial, is_complete].append(score)
    return [Rival(is_complete=is_complete, scores=own) for (_, is_complete), own in scores.items()]
