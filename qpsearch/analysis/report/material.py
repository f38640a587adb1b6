"""What a report is made of, read once."""

import time
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

from optuna.trial import FrozenTrial, TrialState

from qpsearch.analysis.anova.model import Analysis
from qpsearch.analysis.compare.comparison import Comparison
from qpsearch.analysis.effects import EffectTable, effects_of
from qpsearch.analysis.importance import ImportanceTable, analysis_of, importance_of
from qpsearch.analysis.names import short_names
from qpsearch.analysis.report.comparison import comparison_of
from qpsearch.analysis.report.groups import Groups, groups_of, kinds_of
from qpsearch.analysis.subject import Subject
from qpsearch.errors import StorageError, StudyNotFound, UserError, counted
from qpsearch.space import Space
from qpsearch.study import queries
from qpsearch.study.queries import Origin, Span
from qpsearch.study.records import ConfigurationRecord, StudySummary, TrialRecord
from qpsearch.study.storage.database import Database
from qpsearch.vocabulary import Direction, Ending

ENDINGS: Final = {
    TrialState.COMPLETE: Ending.FINISHED,
    TrialState.PRUNED: Ending.PRUNED,
    TrialState.FAIL: Ending.FAILED,
}
TOP: Final = 10  # configurations that a report lists


@dataclass(frozen=True, kw_only=True)
class Own:
    """What only a study of qpsearch has.

    Attributes:
        summary: The study at a glance.
        records: Its trials.
        spans: The attempts at them.
        origin: Where it comes from.
        front: The best configuration; of several objectives the Pareto front.
        top: The best configurations, or the front, with what fresh seeds gave.
        tested: Rows about the test images of the best configuration, of all its trials, in the order of the looks.
        comparison: The comparison of its arms; None where it does not have arms.
        is_confirmation: Whether it trains configurations of another study again.
    """

    summary: StudySummary
    records: Sequence[TrialRecord]
    spans: Sequence[Span]
    origin: Origin
    front: Sequence[ConfigurationRecord]
    top: Sequence[ConfigurationRecord]
    tested: Sequence[Mapping[str, Any]]
    comparison: Comparison | None
    is_confirmation: bool


@dataclass(frozen=True, kw_only=True)
class Material:
    """A study as a report needs it.

    Attributes:
        subject: Its trials, objectives and space.
        own: What only a study of qpsearch has; None for a study that another program made.
        made: When it was read, in Unix seconds.
    """

    subject: Subject
    own: Own | None
    made: float

    @classmethod
    def at(cls, storage: str, name: str) -> "Material":
        """Read a study of qpsearch, or one that another program made with Optuna.

        Raises:
            StudyNotFound: There is no such study.
            StorageError: The storage cannot be read.
        """
        subject = Subject.at(storage, name)
        return cls(
            subject=subject, own=None if subject.space is None else _own(storage, name, subject.space), made=time.time()
        )

    @cached_property
    def spans(self) -> Sequence[Span]:
        """When each attempt at a trial ran; of another program's study, each trial, where its times are known."""
        return (
            self.own.spans
            if self.own is not None
            else [_span(each) for each in self.subject.trials if each.datetime_start]
        )

    @cached_property
    def groups(self) -> Groups:
        """The trials by the kinds of block of their networks."""
        if self.own is None:
            return groups_of({trial.number: kinds_of(trial) for trial in self.subject.trials})
        return groups_of({record.number: record.blocks for record in self.own.records})

    @cached_property
    def names(self) -> Mapping[str, str]:
        """A short name for each parameter."""
        return short_names(list(self.subject.distributions))

    @cached_property
    def analysis(self) -> Analysis | str:
        """The fitted ANOVA, or the sentence that says why there is none."""
        try:
            return analysis_of(self.subject, "importance")
        except UserError as refusal:
            return str(refusal)

    @property
    def refusal(self) -> str:
        """Why there is no ANOVA, as a sentence."""
        said = str(self.analysis)
        return said[:1].upper() + said[1:]

    @cached_property
    def ranking(self) -> tuple[str, ...]:
        """The searched parameters, those first that explain most; in their own order where that is not known."""
        names = [name for name, each in self.subject.distributions.items() if not each.single()]
        if isinstance(self.analysis, str):
            return tuple(names)
        total = self.analysis.shares.total
        return tuple(sorted(names, key=lambda name: -total[name].mean if name in total else 0.0))

    @cached_property
    def importances(self) -> ImportanceTable | None:
        """Importances; None where there is no ANOVA."""
        return None if isinstance(self.analysis, str) else importance_of(self.subject, self.analysis)

    @cached_property
    def effects(self) -> EffectTable | None:
        """Effects; None where there is no ANOVA."""
        return None if isinstance(self.analysis, str) else effects_of(self.subject, self.analysis)

    @property
    def is_more_better(self) -> bool:
        """Whether more of the first objective is better."""
        return self.subject.objective.direction is Direction.MAXIMIZE

    @cached_property
    def ranked(self) -> Sequence[FrozenTrial]:
        """The complete trials, the best by the first objective first."""
        sign = -1 if self.is_more_better else 1
        return sorted(self.subject.complete, key=lambda trial: sign * trial.values[0])

    @property
    def compared(self) -> str:
        """Among what the best is the best: ``24 complete trials``, or fewer configurations where some have several."""
        complete = len(self.subject.complete)
        if self.own is None:
            return counted(complete, "complete trial")
        different = len({record.config_json for record in self.own.records if record.state == TrialState.COMPLETE.name})
        level = self.own.front[0].level if self.own.front else 0
        others = f", level with {counted(level, 'other configuration')}" if level else ""
        if different < complete:
            return f"{counted(different, 'configuration')} in {counted(complete, 'complete trial')}{others}"
        return f"{counted(complete, 'complete trial')}{others}"

    @property
    def is_running(self) -> bool:
        """Whether a driver works on the study now; of another program's study, whether trials are open."""
        if self.own is not None:
            return bool(self.own.summary.drivers)
        return any(not trial.state.is_finished() for trial in self.subject.trials)


def state_of(storage: str, name: str) -> tuple[str, bool]:
    """Return a word that changes with everything that a report shows, and whether the study runs.

    Raises:
        StudyNotFound: There is no such study.
        StorageError: The storage cannot be read.
    """
    try:
        with closing(Database.open(storage)) as database:
            return queries.state_of_study(database, name)
    except (StorageError, StudyNotFound):
        trials = Subject.at(storage, name).trials
        values = hash(tuple((trial.state, len(trial.intermediate_values)) for trial in trials))
        return f"{len(trials)}-{values}", any(not trial.state.is_finished() for trial in trials)


def _span(trial: FrozenTrial) -> Span:
    """Return a trial of another program as one attempt, at a place that is not known."""
    assert trial.datetime_start is not None
    is_over = trial.state.is_finished()
    return Span(
        trial=trial.number,
        attempt=1,
        host=None,
        device=None,
        began=trial.datetime_start.timestamp(),
        ended=trial.datetime_complete.timestamp() if trial.datetime_complete else None,
        ending=ENDINGS.get(trial.state) if is_over else None,
        is_held=not is_over,
    )


def _own(storage: str, name: str, space: Space) -> Own:
    with closing(Database.open(storage)) as database:
        front = queries.best_configurations(database, name)
        return Own(
            summary=queries.summary(database, name),
            records=queries.trial_records(database, name),
            spans=queries.attempt_spans(database, name),
            origin=queries.origin(database, name),
            front=front,
            top=queries.top_configurations(database, name, TOP),
            tested=queries.evaluation_rows(database, name, front[0].trials) if front else (),
            comparison=comparison_of(database, name, space),
            is_confirmation=queries.confirms(database, name),
        )
