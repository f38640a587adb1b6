"""What an analysis reads: a study's trials, its objective and its space, whoever made the study."""

from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from optuna.distributions import BaseDistribution
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState

from qpsearch.analysis.anova.observations import is_complete, stopped_at
from qpsearch.analysis.anova.parameters import Searched, searched_of
from qpsearch.analysis.anova.rules import learned_rules, stated_rules
from qpsearch.errors import StorageError, StudyNotFound, UserError, command
from qpsearch.space import Space
from qpsearch.study import queries
from qpsearch.study.optuna_import.foreign import read_foreign
from qpsearch.study.storage.database import Database
from qpsearch.vocabulary import Direction, WithWords

FEWEST: Final = 8  # trials that an analysis needs
FEWEST_COMPLETE: Final = 3  # of them


@dataclass(frozen=True, slots=True, kw_only=True)
class Goal(WithWords):
    """What a study optimises, whoever made it.

    Attributes:
        metric: The name of the objective.
        direction: Whether more or less is better.
    """

    metric: str
    direction: Direction


@dataclass(frozen=True, kw_only=True)
class Subject:
    """A study to be analysed.

    Attributes:
        study: Its name.
        objectives: What it optimises; importances and effects are of the first.
        trials: All its trials.
        space: The space that it searches; None for a study that another program made.
        chosen_by: The study whose search chose its configurations, which it trains on fresh seeds, or ``STUDY``
            where that one is not in the database; None for a search.
    """

    study: str
    objectives: tuple[Goal, ...]
    trials: Sequence[FrozenTrial]
    space: Space | None = None
    chosen_by: str | None = None

    @classmethod
    def of(cls, database: Database, name: str) -> "Subject":
        """Return a study that qpsearch made; raises StudyNotFound."""
        space = queries.space_of(database, name)
        return cls(
            study=name,
            objectives=tuple(
                Goal(metric=each.metric.value, direction=each.direction) for each in space.search.objectives
            ),
            trials=queries.frozen_trials(database, name),
            space=space,
            chosen_by=queries.chosen_by(database, name),
        )

    @classmethod
    def at(cls, storage: str, name: str) -> "Subject":
        """Return a study of a database, or one that another program made with Optuna, also in a journal.

        Raises:
            StudyNotFound: There is no such study.
            StorageError: The storage cannot be read.
        """
        try:
            database = Database.open(storage)
        except StorageError as error:
            return cls._of_another(storage, name, error)
        with closing(database):
            try:
                return cls.of(database, name)  # a study of ours that is damaged is no study of another program
            except StudyNotFound as error:
                return cls._of_another(storage, name, error)

    @classmethod
    def _of_another(cls, storage: str, name: str, ours: StorageError | StudyNotFound) -> "Subject":
        """Return a study that another program made, or raise why it is not one of ours where it is none at all."""
        try:
            foreign = read_foreign(storage, name)
        except StudyNotFound as theirs:  # who made the database says which studies there are
            raise (ours if isinstance(ours, StudyNotFound) else theirs) from None
        except StorageError:
            raise ours from None
        names = [f"value {index}" for index in range(len(foreign.directions))] if foreign.directions[1:] else ["value"]
        goals = [
            Goal(metric=each, direction=Direction.MAXIMIZE if way is StudyDirection.MAXIMIZE else Direction.MINIMIZE)
            for each, way in zip(names, foreign.directions, strict=True)
        ]
        return cls(study=name, objectives=tuple(goals), trials=foreign.trials)

    @property
    def objective(self) -> Goal:
        """The first objective."""
        return self.objectives[0]

    @property
    def distributions(self) -> dict[str, BaseDistribution]:
        """The distribution of each parameter; of a study that another program made, as its newest trial has it."""
        if self.space is None:
            return {name: each for trial in self.trials for name, each in trial.distributions.items()}
        return {name: site.domain.distribution() for name, site in self.space.drawn.items() if site.domain}

    @property
    def design(self) -> str:
        """How the points were chosen, a sentence."""
        if self.space is None:
            return "How the points were chosen is not known; the answer is the model's, not means of trials."
        sampler = self.space.search.sampler
        if sampler.is_blind:
            earlier = self.space.search.warm_start
            but = f" Of them, the first were the best of {', '.join(earlier)}." if earlier else ""
            return f"The study has {sampler.design}, chosen without looking at results.{but}"
        return (
            f"The study has {sampler.design}: points were chosen by earlier results, so the answer is the model's, "
            "not means of trials."
        )

    @cached_property
    def searched(self) -> Searched:
        """What has more than one value.

        Raises:
            UserError: Nothing has.
        """
        distributions = self.distributions
        if self.space is None:
            rules = learned_rules(distributions, [trial.params for trial in self.trials])
        else:
            rules = stated_rules(self.space, distributions)
        found = searched_of(distributions, rules)
        if not found.parameters:
            raise UserError(
                f"study {self.study!r} does not search anything: each parameter of its space has only one value."
            )
        return found

    @property
    def complete(self) -> list[FrozenTrial]:
        """The complete trials with a finite value."""
        return [trial for trial in self.trials if is_complete(trial)]

    @property
    def usable(self) -> int:
        """How many trials have a value: complete ones, and pruned ones that reported."""
        return sum(is_complete(trial) or stopped_at(trial) is not None for trial in self.trials)

    def refuse_few(self, used: int, what: str) -> None:
        """Raise ``UserError`` where too few trials can be used, or were chosen by a search, with what would help.

        Args:
            used: How many trials ``what`` can use.
            what: The command.
        """
        if self.chosen_by is not None:
            raise UserError(
                f"study {self.study!r} trains again what a search has chosen, so its trials do not show what matters. "
                f"Ask about the search: {command(what, self.chosen_by)}."
            )
        complete = len(self.complete)
        if used >= FEWEST and complete >= FEWEST_COMPLETE:
            return
        needs = f"{what} needs at least {FEWEST} trials with a value, {FEWEST_COMPLETE} of them complete"
        has = (
            f"study {self.study!r} has {used} trial{'s' * (used != 1)} with a value, {complete} of them complete"
            if used
            else f"study {self.study!r} has none"
        )
        raise UserError(f"{has}; {needs}. {self._way_out()}")

    def _way_out(self) -> str:
        if self.space is None:
            return "Run more trials."
        counts = {state: sum(trial.state is state for trial in self.trials) for state in TrialState}
        if counts[TrialState.FAIL] and counts[TrialState.FAIL] == len(self.trials):
            return f"All its trials failed; why: {command('status', self.study)}."
        if counts[TrialState.RUNNING]:
            return f"Trials are still open: {command('status', self.study)}."
        if self.space.search.is_grid:
            return f"Its grid has no more points; compare them: {command('compare', self.study)}."
        more = max(2 * FEWEST, 2 * len(self.trials))
        return f"Run more trials: {command('resume', self.study, '--trials', more)}."
