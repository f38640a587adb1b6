"""Which parameters affect the objective most, and how surely that is known."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

from qpsearch.analysis import optuna_evaluators
from qpsearch.analysis.anova.forecast import ALARM
from qpsearch.analysis.anova.model import Analysis, analyse
from qpsearch.analysis.anova.observations import Beyond
from qpsearch.analysis.anova.shares import Estimate
from qpsearch.analysis.subject import Goal, Subject
from qpsearch.errors import counted
from qpsearch.space.domains.base import as_written
from qpsearch.vocabulary import Evaluator, WithWords, as_member

STRONG: Final = 0.02  # a pair of a smaller share is not listed

TITLES: Final[dict[Evaluator, str]] = {
    Evaluator.ANOVA: "Bayesian ANOVA",
    Evaluator.FANOVA: "Optuna's fANOVA",
    Evaluator.PED_ANOVA: "Optuna's PED-ANOVA",
    Evaluator.MDI: "Optuna's mean decrease in impurity",
}
QUESTIONS: Final[dict[Evaluator, str]] = {
    Evaluator.ANOVA: "shares of the variance over even draws of the space; in total, a pair counts for both",
    Evaluator.FANOVA: "shares of the variance of a forest's predictions, for each parameter alone",
    Evaluator.PED_ANOVA: "what tells the best tenth of the trials from all that the sampler tried, as shares of 1: "
    "a block that decides can rank low where the sampler tried little else",
    Evaluator.MDI: "how much a forest's splits on a parameter lower its error on these trials, as shares of 1",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Importance:
    """One parameter's share.

    Attributes:
        parameter: The parameter's name.
        importance: ``anova``: its total share, alone, in pairs and by what exists only for some of its values; of
            Optuna's evaluators, their number.
        first: Its share alone; None, here and below, with Optuna's evaluators, which do not have such a number.
        low: 5th percentile of the posterior of the total share.
        high: 95th percentile.
        trials: Number of used trials that have the parameter.
    """

    parameter: str
    importance: float
    first: float | None
    low: float | None
    high: float | None
    trials: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """What two parameters explain together, beyond what each explains alone, with its 5th and 95th percentile."""

    parameters: tuple[str, str]
    share: float
    low: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Nothing:
    """Whether anything is there at all.

    Attributes:
        p: The p value of the hypothesis that no parameter matters, from forecasts of each trial by those before it.
        sentence: What it means.
    """

    p: float
    sentence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportanceTable(WithWords):
    """Importances with everything needed to read them.

    Attributes:
        study: The study's name.
        objective: The objective that was analysed, the first.
        evaluator: The evaluator.
        n: Trials with a finite value: complete ones, or those that reached ``at``.
        pruned: Pruned trials without such a value that were used; none with Optuna's evaluators.
        at: Where values were compared: ``epoch 3``; None for final values.
        why: Why they were not compared later, a clause; None for final values.
        total: All trials of the study.
        importances: The parameters, the most important first.
        pairs: The strongest pairs; empty with Optuna's evaluators.
        unexplained: Share that no pair explains, the noise of seeds included; None with Optuna's evaluators.
        nothing: Whether anything is there at all; None with Optuna's evaluators.
        left_out: Why other parameters are not in ``importances``, a sentence each.
        doubts: What speaks against reading the shares as they stand, a sentence each.
        design: How the points were chosen, a sentence.
    """

    study: str
    objective: Goal
    evaluator: Evaluator
    n: int
    pruned: int
    total: int
    design: str
    importances: tuple[Importance, ...]
    pairs: tuple[Pair, ...] = ()
    unexplained: Estimate | None = None
    nothing: Nothing | None = None
    left_out: tuple[str, ...] = ()
    doubts: tuple[str, ...] = ()
    at: str | None = None
    why: str | None = None

    @property
    def of(self) -> str:
        """What is analysed: ``val_accuracy after epoch 3``, or final values, ``val_accuracy``."""
        return self.objective.metric if self.at is None else f"{self.objective.metric} after {self.at}"

    @property
    def title(self) -> str:
        """One line that says how the table was computed."""
        basis = f"{TITLES[self.evaluator]}; {trials_text(self.n, self.pruned, self.at)}"
        return f"{self.study}: what decides {self.objective.metric} ({basis})"

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader must know, a sentence each."""
        unused = self.total - self.n - self.pruned
        kinds = "failed or still running" if self.evaluator is Evaluator.ANOVA else "pruned, failed or still running"
        kinds = kinds if self.at is None else f"failed, still running, or without a value after {self.at}"
        return (
            *((at_sentence(self.objective.metric, self.n, self.at, self.why),) if self.at else ()),
            *((self.nothing.sentence,) if self.nothing else ()),
            *self.doubts,
            f"Importances are {QUESTIONS[self.evaluator]}.",
            *((f"Not used: {unused} of {self.total} trials ({kinds}).",) if unused else ()),
            *(f"Left out: {reason}." for reason in self.left_out),
            self.design,
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the table as ``--json`` prints it."""
        return asdict(self)


def importance(subject: Subject, *, evaluator: str = Evaluator.ANOVA, seed: int = 0) -> ImportanceTable:
    """Judge the parameters of a study.

    Args:
        subject: The study.
        evaluator: The evaluator.
        seed: Seed of the sampler or the forest.

    Raises:
        UserError: Too few trials can be used, or the study does not search any parameter.
        ValueError: There is no such evaluator.
    """
    chosen = as_member(Evaluator, evaluator, "evaluator")
    if chosen is Evaluator.ANOVA:
        return importance_of(subject, analysis_of(subject, "importance", seed=seed))
    complete = subject.complete
    subject.refuse_few(len(complete), f"importance --evaluator {chosen}")
    names = [each.name for each in subject.searched.parameters]
    found, left_out = optuna_evaluators.evaluate(chosen, complete, names, subject.objective.direction, seed)
    rows = [
        Importance(
            parameter=name,
            importance=value,
            first=None,
            low=None,
            high=None,
            trials=sum(name in trial.params for trial in complete),
        )
        for name, value in found.items()
    ]
    return ImportanceTable(
        **_facts(subject),
        evaluator=chosen,
        n=len(complete),
        pruned=0,
        importances=_ranked(rows),
        left_out=(*_fixed(subject), *(f"{name}: {reason}" for name, reason in left_out.items())),
    )


def analysis_of(subject: Subject, what: str, *, seed: int = 0) -> Analysis:
    """Fit the ANOVA to a study.

    Args:
        subject: The study.
        what: The command that asks, for the message where there are too few trials.
        seed: Seed of the sampler.

    Raises:
        UserError: Too few trials can be used, or the study does not search any parameter.
    """
    searched = subject.searched
    subject.refuse_few(subject.usable, what)
    return analyse(searched, subject.trials, seed=seed)


def importance_of(subject: Subject, analysis: Analysis) -> ImportanceTable:
    """Return the table of a fitted ANOVA."""
    shares, complete = analysis.shares, analysis.observations.complete
    rows = [
        Importance(
            parameter=each.name,
            importance=shares.total[each.name].mean,
            first=shares.first[each.name].mean,
            low=shares.total[each.name].low,
            high=shares.total[each.name].high,
            trials=analysis.observations.count(each.name),
        )
        for each in analysis.parameters
    ]
    pairs = sorted(shares.pairs.items(), key=lambda item: -item[1].mean)
    return ImportanceTable(
        **_facts(subject),
        evaluator=Evaluator.ANOVA,
        n=int(complete.sum()),
        pruned=int((~complete).sum()),
        importances=_ranked(rows),
        pairs=tuple(
            Pair(parameters=names, share=each.mean, low=each.low, high=each.high)
            for names, each in pairs
            if each.mean >= STRONG
        ),
        unexplained=shares.rest,
        nothing=nothing_of(analysis.nothing),
        left_out=tuple(_fixed(subject)),
        doubts=analysis.doubts,
        at=place_of(subject, analysis.observations.at),
        why=why_there(subject, analysis.observations.beyond),
    )


def place_of(subject: Subject, at: int | None) -> str | None:
    """Return where values were reported: ``epoch 3``, with levels ``epoch 3 (images 0.1)``; None for final values."""
    if at is None or subject.space is None:
        return None if at is None else f"step {at}"
    fidelity = subject.space.search.fidelity
    return f"epoch {at}" if fidelity is None else f"epoch {at} ({fidelity.value_of(at)})"


def trials_text(n: int, pruned: int, at: str | None) -> str:
    """Say which trials an analysis used; arguments as the attributes of ``ImportanceTable``."""
    if at is not None:
        return f"{counted(n, 'trial')} at {at}{f', {pruned} that stopped before' * bool(pruned)}"
    return f"{n} complete{f' and {pruned} pruned' * bool(pruned)} trials"


def why_there(subject: Subject, beyond: Beyond | None) -> str | None:
    """Say in a clause why later values are not analysed; None where these are the final ones."""
    if beyond is None:
        return None
    to = place_of(subject, beyond.step) or "the end"
    if beyond.choice is not None:
        name, level, seen, of = beyond.choice
        who = f"Only {seen}" if seen else "None"
        return f"{who} of the {of} trials with {name} {as_written(level)} went on to {to}"
    if beyond.order is not None:
        return f"The {beyond.trials} trials that went on to {to} are ordered otherwise there than before"
    return "Few trials are complete" if beyond.step is None else f"Few trials reached {to}"


def at_sentence(metric: str, n: int, at: str | None, why: str | None) -> str:
    """Say why an analysis is not about final values."""
    return f"{why}, so this is about {metric} after {at}, which {counted(n, 'trial')} reached."


def nothing_of(p: float) -> Nothing:
    """Say what the p value of the hypothesis that no parameter matters means."""
    shown = f"p = {p:.3f}" if p >= 0.001 else "p < 0.001"
    if p < ALARM:
        sentence = f"Some parameter matters: trials forecast those after them ({shown})."
    else:
        sentence = (
            f"It is not shown that any parameter matters: trials do not forecast those after them ({shown}). "
            "The shares can be noise."
        )
    return Nothing(p=p, sentence=sentence)


def _facts(subject: Subject) -> dict[str, Any]:
    return {
        "study": subject.study,
        "objective": subject.objective,
        "total": len(subject.trials),
        "design": subject.design,
    }


def _fixed(subject: Subject) -> list[str]:
    return [f"{name}: only one value is possible" for name, each in subject.distributions.items() if each.single()]


def _ranked(rows: Sequence[Importance]) -> tuple[Importance, ...]:
    return tuple(sorted(rows, key=lambda row: (-row.importance, row.parameter)))
