"""The arms of a comparison: which trials of a study belong to each, and which of their runs differ by chance alone."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import cached_property
from types import MappingProxyType
from typing import Final

from qpsearch.analysis.compare.basis import Basis
from qpsearch.analysis.compare.naming import (
    NOT_DRAWN,
    SettingRow,
    names_of_points,
    names_of_values,
    of_trial,
    settings_of,
    telling,
)
from qpsearch.architecture.config import TrialConfig
from qpsearch.errors import UserError, command, nearest
from qpsearch.space import Space
from qpsearch.space.space import TunedArms
from qpsearch.study import queries
from qpsearch.study.queries import RunResult
from qpsearch.study.records import TrialRecord
from qpsearch.study.storage.database import Database
from qpsearch.vocabulary import FailReason, Scalar, WithWords

MOST_ARMS: Final = 12  # that are compared without being asked for: 66 pairs
NUMBERED: Final = "Arms have the numbers of their trials in study {}, which chose them."

Point = tuple[tuple[str, Scalar], ...]
LARGER: Final = MappingProxyType(  # options that give a larger budget, by the bound that is spent
    {
        "trials": ("--trials", "N"),
        "epochs": ("--epochs", "N"),
        "seconds": ("--time", "TIME"),
        "gpu_seconds": ("--gpu-hours", "HOURS"),
    }
)


@dataclass(frozen=True, kw_only=True)
class Arm:
    """One side of a comparison.

    Attributes:
        name: Its name.
        trials: Its trials, also those that failed.
        points: Its trials by what tells them apart within the arm: the other parameters of a grid, or of a tuned arm
            the search that chose them, of a single search the configuration.
        tuning: The trials of its own searches; empty where it does not have one.
    """

    name: str
    trials: tuple[TrialRecord, ...]
    points: Mapping[Point, tuple[TrialRecord, ...]]
    tuning: tuple[TrialRecord, ...] = ()

    @property
    def complete(self) -> list[TrialRecord]:
        """Its complete trials."""
        return [trial for trial in self.trials if trial.state == "COMPLETE"]

    @property
    def every(self) -> tuple[TrialRecord, ...]:
        """All trials that were trained for it."""
        return (*self.tuning, *self.trials)

    @cached_property
    def configs(self) -> list[TrialConfig]:
        """Its configurations, each once."""
        return [TrialConfig.from_json(text) for text in dict.fromkeys(trial.config_json for trial in self.trials)]

    @property
    def cost_s(self) -> float:
        """Seconds that its trials held their slots, those of its searches included."""
        return sum(trial.seconds for trial in self.every)

    @property
    def epoch_s(self) -> float | None:
        """Seconds of training an epoch."""
        epochs = sum(trial.epochs for trial in self.trials)
        return sum(trial.duration_s for trial in self.trials) / epochs if epochs else None

    @property
    def diverged(self) -> float | None:
        """Share of its ended trials that diverged."""
        ended = [trial for trial in self.every if trial.state != "RUNNING"]
        return sum(trial.reason == FailReason.DIVERGED for trial in ended) / len(ended) if ended else None


@dataclass(frozen=True, kw_only=True)
class Arms(WithWords):
    """All sides of a comparison.

    Attributes:
        study: The study that has their trials.
        space: Its space.
        arms: The arms, in the order of the table.
        basis: How they came about.
        chosen: The settings that are compared: differences in them are not confounds.
        settings: What tells configurations apart that are called by the numbers of trials; empty where names say it.
        notes: What the reader must know about how the arms were made, a sentence each.
        results: What each run of their complete trials gave.
    """

    study: str
    space: Space
    arms: tuple[Arm, ...]
    basis: Basis
    chosen: tuple[str, ...] = ()
    settings: tuple[SettingRow, ...] = ()
    notes: tuple[str, ...] = ()
    results: Sequence[RunResult] = field(repr=False)

    @property
    def numbers(self) -> list[int]:
        """The numbers of the complete trials that are compared."""
        return [trial.number for arm in self.arms for trial in arm.complete]

    @property
    def runs(self) -> dict[int, list[RunResult]]:
        """The runs by the number of their trial."""
        found: dict[int, list[RunResult]] = defaultdict(list)
        for run in self.results:
            found[run.trial].append(run)
        return found


def arms_of(database: Database, study: str, *, by: Sequence[str] = (), trials: Sequence[int] = ()) -> Arms:
    """Return the arms of a comparison.

    Args:
        database: The study database.
        study: A grid, a study of fresh seeds, or a comparison of tuned arms; of a search, only what can be said.
        by: Parameters, or patterns such as ``network.stages.*.block``, whose values are the arms.
        trials: Numbers of trials whose configurations are the arms; of a search, they must have been confirmed.

    Raises:
        StudyNotFound: There is no such study.
        UserError: The study cannot be compared so, with what would help.
    """
    if by and trials:
        raise UserError("compare: give trial numbers or --by, not both.")
    space = queries.space_of(database, study)
    if trials:
        return _of_trials(database, study, space, trials)
    if space.compare is not None and not by:
        return _tuned(database, study, space, space.compare)
    records = queries.trial_records(database, study)
    if not any(record.state == "COMPLETE" for record in records):
        raise UserError(
            f"study {study!r} does not have a complete trial yet. Show its progress: {command('status', study)}."
        )
    if by:
        return _by(database, study, space, records, by)
    if not (space.search.is_grid or queries.confirms(database, study)):
        raise UserError(
            f"study {study!r} searches: name what to compare, --by network.stages.*.block, or two trials "
            f"after training them on fresh seeds: {command('confirm', study)}."
        )
    return _configurations(database, study, space, records)


def _tuned(database: Database, study: str, space: Space, compare: TunedArms) -> Arms:
    """Return the arms of a comparison that were tuned alike, each with its searches as points."""
    records, of_trial = queries.trial_records(database, study), queries.trials_of_arms(database, study)
    tuning = {each: queries.trial_records(database, own.study) for each, own in compare.searches.items()}
    arms = []
    for name in compare.arms:
        points: dict[Point, list[TrialRecord]] = defaultdict(list)
        for record in records:
            arm, number = of_trial.get(record.number, ("", 0))
            if arm == name:
                own = ("configuration", record.config_json) if compare.count == 1 else ("search", number)
                points[own,].append(record)
        arms.append(
            Arm(
                name=name,
                trials=tuple(record for group in points.values() for record in group),
                points={key: tuple(group) for key, group in points.items()},
                tuning=tuple(record for (arm, _), own in tuning.items() if arm == name for record in own),
            )
        )
    if not any(arm.complete for arm in arms):
        ended = all(arm.tuning and all(trial.state != "RUNNING" for trial in arm.tuning) for arm in arms)
        states = {trial.state for arm in arms for trial in arm.tuning}
        if ended and "COMPLETE" not in states:
            first = next(iter(compare.arms.values())).study
            hint = (
                f"Try the failed ones again: {command('resume', study, '--retry-failed', 'all')}."
                if "FAIL" in states
                else f"All were pruned. Go on with more trials: {command('resume', study, '--trials', 'N')}."
            )
            raise UserError(
                f"study {study!r} cannot be compared: no trial of its arms is complete. Show why: "
                f"{command('trials', first)}. {hint}"
            )
        reached = [queries.summary(database, own.study).reached for own in compare.searches.values()]
        if all(reached) and reached[0] is not None:
            raise UserError(
                f"study {study!r} cannot be compared: no trial of its arms was complete when their budget was spent. "
                f"Go on with a larger one: {command('resume', study, *LARGER[reached[0].name])}."
            )
        raise UserError(
            f"study {study!r} has not trained the best configurations of its arms yet. Go on with it: "
            f"{command('resume', study)}."
        )
    return Arms(
        study=study,
        space=space,
        arms=tuple(arms),
        basis=Basis.TUNED,
        chosen=_changed([own.meaning() for own in compare.arms.values()]),
        results=queries.run_results(database, study),
    )


def _changed(meanings: Sequence[Mapping[str, str]]) -> tuple[str, ...]:
    """Return the paths whose settings the arms change."""
    paths = dict.fromkeys(path for meaning in meanings for path in meaning)
    return tuple(path for path in paths if len({meaning.get(path) for meaning in meanings}) > 1)


def _of_trials(database: Database, study: str, space: Space, numbers: Sequence[int]) -> Arms:
    """Return an arm for each named configuration, with runs that did not choose it."""
    known = {record.number: record for record in queries.trial_records(database, study)}
    missing = [number for number in numbers if number not in known]
    if missing:
        there = f"It has trials 0 to {max(known)}." if known else "It does not have trials yet."
        raise UserError(f"study {study!r} does not have trial {missing[0]}. {there}")
    wanted = {known[number].config_json: number for number in numbers}
    if len(wanted) < 2:
        raise UserError("compare: name at least two trials with different configurations.")
    source, records = study, list(known.values())
    if not (space.search.is_grid or queries.confirms(database, study)):
        source = queries.confirmation_name(database, study) or ""
        records = queries.trial_records(database, source) if source else []
        fresh = {record.config_json for record in records}
        bare = [number for text, number in wanted.items() if text not in fresh]
        if undone := [known[number] for number in bare if known[number].state != "COMPLETE"]:
            raise UserError(
                f"trial {undone[0].number} is {undone[0].state}. Only complete trials can be compared, since they are "
                "trained on fresh seeds for that."
            )
        if bare:
            named = [word for number in wanted.values() for word in ("--trial", number)]
            raise UserError(
                f"trial {bare[0]} was chosen by the score that it has, so that score cannot be compared. Train it on "
                f"fresh seeds first: {command('confirm', study, *named, '--seeds', 5)}."
            )
    each = {(record.config_json, record.seeds or record.number, record.state): record for record in reversed(records)}
    records = list(reversed(each.values()))  # two arms that chose one configuration trained the very same runs
    firsts, names = [known[number] for number in wanted.values()], list(map(of_trial, wanted.values()))
    apart = telling(space, firsts)
    return Arms(
        study=source,
        space=space,
        arms=tuple(
            _arm(name, [record for record in records if record.config_json == text])
            for name, text in zip(names, wanted, strict=True)
        ),
        basis=Basis.CONFIGURATIONS,
        chosen=tuple(apart),
        settings=tuple(settings_of(names, firsts, apart)),
        results=queries.run_results(database, source),
    )


def _configurations(database: Database, study: str, space: Space, records: Sequence[TrialRecord]) -> Arms:
    """Return an arm for each configuration; those that a search has chosen have the numbers of its trials."""
    alike: dict[str, list[TrialRecord]] = defaultdict(list)
    for record in records:
        alike[record.config_json].append(record)
    if len(alike) > MOST_ARMS:
        known, pairs = ", ".join(list(space.searched)[:3]), len(alike) * (len(alike) - 1) // 2
        raise UserError(
            f"study {study!r} has {len(alike)} configurations, which make {pairs:,} pairs. "
            f"Name what to compare: --by PARAMETER, such as {known}; or some trials: "
            f"{command('compare', study, 0, 1)}."
        )
    firsts = [each[0] for each in alike.values()]
    chosen = queries.numbers_in_search(database, study)
    here = names_of_points(space, firsts)
    names = [_of_search(text, own[0], chosen, study) for text, own in alike.items()] if chosen else here
    apart = telling(space, firsts)
    is_numbered = bool(chosen) or here == [of_trial(first.number) for first in firsts]
    note = NUMBERED.format(queries.chosen_by(database, study))
    return Arms(
        study=study,
        space=space,
        arms=tuple(_arm(name, group) for name, group in zip(names, alike.values(), strict=True)),
        basis=Basis.CONFIGURATIONS,
        chosen=tuple(apart),
        settings=tuple(settings_of(names, firsts, apart)) if is_numbered else (),
        notes=(note,) if chosen else (),
        results=queries.run_results(database, study),
    )


def _of_search(text: str, first: TrialRecord, chosen: Mapping[str, int], study: str) -> str:
    """Return the name of a configuration that a search has chosen; one that it does not have is called by its study."""
    return of_trial(chosen[text]) if text in chosen else f"{of_trial(first.number)} of {study}"


def _by(database: Database, study: str, space: Space, records: Sequence[TrialRecord], by: Sequence[str]) -> Arms:
    """Return an arm for each value of some parameters, whose points are the values of all others."""
    if queries.confirms(database, study):
        raise UserError(
            f"study {study!r} trains configurations that a search has chosen, which differ in more than --by names. "
            f"Compare them as they are: {command('compare', study)}."
        )
    patterns = _named(space, by)
    chosen = list(dict.fromkeys(name for names in patterns for name in names))
    others = [name for name in space.searched if name not in chosen]
    drawn = [record for record in records if any(name in record.params for name in chosen)]
    groups: dict[tuple[Scalar, ...], list[TrialRecord]] = defaultdict(list)
    for record in sorted(drawn, key=lambda record: _place(record, space, chosen)):
        groups[tuple(_value(record, name) for name in chosen)].append(record)
    if len(groups) > MOST_ARMS:
        raise UserError(
            f"--by {' --by '.join(by)} makes {len(groups)} arms. Expected at most {MOST_ARMS}: name a parameter of "
            f"fewer values, or some trials: {command('compare', study, 0, 1)}."
        )
    if len(groups) < 2:
        raise UserError(f"all trials of study {study!r} have the same {' and '.join(chosen)}: nothing can be compared.")
    firsts = [group[0] for group in groups.values()]
    names = names_of_values(space, firsts, patterns)
    arms = []
    for arm, group in zip(names, groups.values(), strict=True):
        points: dict[Point, list[TrialRecord]] = defaultdict(list)
        for record in group:
            points[tuple((other, record.params[other]) for other in others if other in record.params)].append(record)
        arms.append(Arm(name=arm, trials=tuple(group), points={key: tuple(each) for key, each in points.items()}))
    is_grid = space.search.is_grid
    without = len(records) - len(drawn)
    note = f"Trials without {' or '.join(chosen)}, which belong to no arm: {without}."
    return Arms(
        study=study,
        space=space,
        arms=tuple(arms),
        basis=Basis.CONFIGURATIONS if is_grid else Basis.SEARCHED,
        chosen=tuple(chosen),
        notes=(note,) if without else (),
        results=queries.run_results(database, study),
    )


def _arm(name: str, trials: Iterable[TrialRecord]) -> Arm:
    own = tuple(trials)
    return Arm(name=name, trials=own, points={(): own})


def _named(space: Space, by: Sequence[str]) -> list[list[str]]:
    """Return the parameters that each name or pattern means; a path means the tie to which its leaf belongs."""
    searched = list(space.searched)
    paths = {site.path: site.parameter for site in space.sites if site.parameter in searched} | {
        name: name for name in searched
    }
    found: list[list[str]] = []
    for pattern in by:
        fitting = [parameter for path, parameter in paths.items() if fnmatchcase(path, pattern)]
        fitting = fitting or [parameter for path, parameter in paths.items() if fnmatchcase(path, f"*.{pattern}")]
        if not fitting:
            known = nearest(pattern, searched) if searched else "It does not search anything."
            raise UserError(f"--by {pattern}: refers to no parameter of study {space.study!r}. {known}")
        found.append(list(dict.fromkeys(fitting)))
    return found


def _place(record: TrialRecord, space: Space, chosen: Sequence[str]) -> list[tuple[int, str]]:
    """Return where a trial stands in the order of the space's values."""
    domains = {site.parameter: site.domain for site in space.sites if site.domain is not None}
    place = []
    for name in chosen:
        values, value = list(domains[name].values or ()), _value(record, name)
        place.append((values.index(value) if value in values else len(values), str(value)))
    return place


def _value(record: TrialRecord, name: str) -> Scalar:
    """Return the value of a parameter, which is None where a trial chose ``none``; a dash where it was not drawn."""
    return record.params.get(name, NOT_DRAWN)
