"""Searches in simulated time: which sampler and pruner would have found the best of known curves soonest.

Each search is a real study: a database in memory-backed storage, a ledger, the sampler and the pruner. Only training
is replaced, by curves that are known.
"""

import contextlib
import math
import shutil
import tempfile
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from statistics import quantiles
from typing import Any, Final

from qpsearch.architecture.candidates import on_the_grid
from qpsearch.dispatch.environment import own_cores
from qpsearch.dispatch.meanwhile import Later, helped
from qpsearch.dispatch.simulated import SimulatedRun, Timeline, simulate
from qpsearch.errors import SpaceError, UserError
from qpsearch.protocol import Assignment, EpochReport, Failed, Place, Progress
from qpsearch.registry.options import Option, Options
from qpsearch.registry.pruners import PRUNER_OPTIONS, PrunerKind
from qpsearch.registry.samplers import SAMPLERS
from qpsearch.runner.curve_tables import CurveTable
from qpsearch.space import Space, parse_space
from qpsearch.space.file.document import dump, parse_document, plain, spelled
from qpsearch.space.leaves import Constant
from qpsearch.space.schema.value_types import AUTO
from qpsearch.study import opening
from qpsearch.study.drivers.clock import Clock
from qpsearch.study.ledger import Ledger
from qpsearch.study.storage.database import Database
from qpsearch.vocabulary import FailReason, Scalar

BASELINE: Final = "random+none"
TRIALS: Final = 10_000_000  # the simulated time ends a search, not a number of trials
BEGAN_S: Final = 1_700_000_000.0  # what the clock of a simulation says at its start, in Unix seconds
MEMORY: Final = Path("/dev/shm")  # a commit to a file there does not wait for a disk
HERE: Final = Place(host="simulated", device="cpu", threads=1, memory_format="contiguous")
POINTS: Final = 40  # of the budget, at which the best value is recorded
AT: Final = (0.25, 0.5, 1.0)  # shares of the budget that are shown
STUDY: Final = "simulated"
METHOD: Final = "method"
LOADED: Final = "qpsearch.architecture.plugins:load_everything"  # the user's own blocks and samplers
ALONE: Final = 2  # searches for which another process is not worth its start

OneSearch = tuple[SimulatedRun, list[tuple[float, float]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcomes:
    """What a method came to on one table.

    Attributes:
        method: Sampler and pruner, as a space file spells them.
        best: For each seed the best value so far at each of 40 points of the budget; None before the first epoch.
        trials: Trials of a run, on average.
        epochs: Epochs of a run, on average.
        complete: Trials that were trained to the end, on average.
        idle: Share of the workers' time without work, on average.
    """

    method: str
    best: tuple[tuple[float | None, ...], ...]
    trials: float
    epochs: float
    complete: float
    idle: float

    def at(self, share: float) -> tuple[float, float, float] | None:
        """Return median and quartiles over seeds of the best value at a share of the budget."""
        index = max(round(share * POINTS) - 1, 0)
        values = [run[index] for run in self.best]
        found = [value for value in values if value is not None]
        if len(found) < len(values):
            return None
        if len(found) == 1:
            return found[0], found[0], found[0]
        low, middle, high = quantiles(found, n=4, method="inclusive")
        return middle, low, high

    def share_to(self, target: float, sign: float) -> float | None:
        """Return the share of the budget at which the median over seeds reaches a value; None if it does not."""
        for index in range(POINTS):
            found = self.at((index + 1) / POINTS)
            if found is not None and sign * found[0] >= sign * target:
                return (index + 1) / POINTS
        return None


@dataclass(frozen=True, kw_only=True)
class Simulation:
    """Methods side by side on one table.

    Attributes:
        table: The table's name.
        curves: How many curves it has.
        whole: How many of them were known to the end.
        space: The space.
        full_s: Mean seconds of a whole training.
        trainings: The budget, in such trainings.
        workers: How many train at once.
        outcomes: Of each method, random search first.
    """

    table: str
    curves: int
    whole: int
    space: Space
    full_s: float
    trainings: float
    workers: int
    outcomes: tuple[Outcomes, ...]

    @cached_property
    def hours(self) -> float:
        """Simulated hours of a search."""
        return self.trainings * self.full_s / self.workers / 3600

    def share(self, outcomes: Outcomes) -> float | None:
        """Return the share of the budget at which a method reaches what random search has at the end."""
        target = self.outcomes[0].at(1.0)
        return None if target is None else outcomes.share_to(target[0], self.space.search.objective.sign)


def simulate_searches(
    table: CurveTable,
    space: Space,
    methods: Sequence[str],
    *,
    seeds: int,
    workers: int,
    trainings: float,
    tell: Callable[[str], None] = lambda text: None,
) -> Simulation:
    """Search a table with some methods.

    Args:
        table: The curves.
        space: The space, whose own sampler and pruner ``methods`` replace.
        methods: Each ``SAMPLER+PRUNER`` in words of a space file, options included; random search is always there.
        seeds: Searches of each method.
        workers: How many train at once.
        trainings: The budget, in whole trainings of mean length.
        tell: Called with the name of each search before its end is waited for.

    Raises:
        UserError: A method does not suit the space.
    """
    until_s = trainings * table.full_s / workers
    spaces = {method: _space_of(space, method, table.epochs) for method in dict.fromkeys([BASELINE, *methods])}
    helpers = min(own_cores() - 1, len(spaces) * seeds // ALONE - 1)
    with helped(LOADED, __name__, helpers=max(helpers, 0), shares=True), _empty_database() as empty:
        begun = {
            (method, seed): Later(_search, table, own.source, seed, empty, workers, until_s)
            for method, own in spaces.items()
            for seed in range(seeds)
        }
        done: dict[tuple[str, int], OneSearch] = {}
        for (method, seed), later in sorted(begun.items(), key=lambda item: not item[1].is_here):  # those here first
            tell(f"{method}, seed {seed}")
            done[method, seed] = later.result()
    found = [_outcomes(method, [done[method, seed] for seed in range(seeds)], until_s, workers) for method in spaces]
    return Simulation(
        table=table.name,
        curves=len(table),
        whole=table.whole,
        space=space,
        full_s=table.full_s,
        trainings=trainings,
        workers=workers,
        outcomes=tuple(found),
    )


def default_method(space: Space) -> str:
    """Return the space's own sampler and pruner with their options, as ``simulate_searches`` takes them.

    A trial of a simulation has one seed, so a pruner that compares seeds does not stop any.
    """
    search = space.search
    sampler = _spelling(str(search.sampler), search.sampler_options, search.sampler.options)
    if search.pruner is PrunerKind.WILCOXON:
        return f"{sampler}+{PrunerKind.NONE}"
    return f"{sampler}+{_spelling(str(search.pruner), search.pruner_options, PRUNER_OPTIONS[search.pruner])}"


def _spelling(word: str, given: Options, known: Mapping[str, Option]) -> str:
    """Return a sampler or pruner as a space file spells it, with the options that differ from their defaults."""
    own = {name: value for name, value in given.items() if value != known[name].default}
    told = ", ".join(f"{name}: {AUTO if value is None else format(value, '.12g')}" for name, value in own.items())
    return f"{{{word}: {{{told}}}}}" if own else word


def _space_of(space: Space, method: str, epochs: int) -> Space:
    """Return the space with another sampler and pruner, and without what would end or begin a search otherwise."""
    sampler, plus, pruner = method.partition("+")
    if not plus:
        raise UserError(f"{method}: is not SAMPLER+PRUNER, such as gp+asha.")
    document = spelled(parse_document(space.source, space.study))
    kept = ("objective", "score", "limits", "forbid", "require")
    document["search"] = {key: value for key, value in document.get("search", {}).items() if key in kept}
    document["search"] |= {"sampler": _word(sampler, method), "pruner": _word(pruner, method), "trials": TRIALS}
    if pruner.strip(" {").partition(":")[0] == PrunerKind.WILCOXON:
        raise UserError(f"{method}: wilcoxon compares the seeds of a trial, of which a simulation has only one.")
    epochs_leaf = space.training.get("epochs")
    if not isinstance(epochs_leaf, Constant):
        raise UserError("training.epochs is searched. A simulation needs trainings of one length.")
    document["training"] = {**document["training"], "epochs": epochs}
    document.pop("compare", None)
    if (kind := sampler.strip(" {}").partition(":")[0]) in SAMPLERS and SAMPLERS[kind].is_designed:
        document = _without_priors(document)
    try:
        found = parse_space(dump(document | {"study": STUDY}), METHOD, strict=False)
        trials = on_the_grid(found, found.search.budget).trials
        if trials == TRIALS:
            return found
        document["search"]["trials"] = max(trials, 1)
        return parse_space(dump(document | {"study": STUDY}), METHOD, strict=False)
    except SpaceError as error:  # without line and column, which are of a text that nobody sees
        shorter = f" with training.epochs: {epochs}, the length of the longest curve" * (epochs_leaf.value != epochs)
        said = (problem.removeprefix(f"{METHOD}:").split(": ", 1)[-1] for problem in error.problems)
        raise UserError("\n".join(f"{method}{shorter}: {problem}" for problem in said)) from None


def _without_priors(part: Any) -> Any:
    """Return a part of a space file without guesses, which a design, that sets all points itself, does not take."""
    if isinstance(part, Mapping):
        return {key: _without_priors(value) for key, value in part.items() if key not in ("prior", "confidence")}
    return [_without_priors(each) for each in part] if isinstance(part, list) else part


def _word(text: str, method: str) -> Any:
    return plain(parse_document(text, f"method {method}"))


@contextlib.contextmanager
def _empty_database() -> Iterator[Path]:
    """Make a database without studies; its tables are made once, since that takes longer than a copy."""
    where = MEMORY if MEMORY.is_dir() else None
    with tempfile.TemporaryDirectory(prefix="qpsearch-simulate-", dir=where) as made:
        path = Path(made) / "empty.db"
        Database.create(f"sqlite:///{path}").close()
        yield path


def _search(table: CurveTable, text: str, seed: int, empty: Path, workers: int, until_s: float) -> OneSearch:
    """Run one search; return what it came to, and the best values with the times from which they stood.

    Args:
        table: The curves.
        text: The space as a file, since a sampler of the user's own cannot be handed to another process.
        seed: Of the search.
        empty: A database without studies.
        workers: How many train at once.
        until_s: Simulated seconds.
    """
    space, timeline = parse_space(text, STUDY, strict=False).with_search(seed=seed), Timeline()
    own = empty.with_name(f"{uuid.uuid4().hex}.db")
    shutil.copyfile(empty, own)
    clock = Clock(lambda: BEGAN_S + timeline.now, lambda: timeline.now, _never)
    try:
        with (
            contextlib.closing(Database.open(f"sqlite:///{own}", is_scratch=True)) as database,
            Ledger(opening.create(database, space, source="simulate", clock=clock)) as ledger,
        ):
            trials = _Trials(ledger, space)
            run = simulate(trials, table.curve, timeline, epochs=table.epochs, until_s=until_s, workers=workers)
        return run, [(since, trials.values[number, epoch]) for since, number, epoch in run.incumbents]
    finally:
        for file in own.parent.glob(f"{own.name}*"):
            file.unlink(missing_ok=True)


class _Trials:
    """A ledger as a search that is simulated."""

    def __init__(self, ledger: Ledger, space: Space) -> None:
        self._ledger, self._objective = ledger, space.search.objective
        self._attempts: dict[int, int] = {}
        self.values: dict[tuple[int, int], float] = {}

    def ask(self) -> tuple[int, dict[str, Scalar]] | None:
        assignment: Assignment | None = self._ledger.ask()
        if assignment is None:
            return None
        self._attempts[assignment.trial] = assignment.attempt
        return assignment.trial, self._ledger.params(assignment.trial)

    def report(self, trial: int, epoch: int, loss: float) -> bool:
        value = -self._objective.sign * loss
        self.values[trial, epoch] = value
        metric = self._objective.metric
        reported: dict[str, Any] = {"train_loss": 0.0, "val_loss": None, "val_accuracy": None}
        given = value if math.isfinite(value) else None
        own = {metric.kind.field: given} if metric.kind.field else {"metrics": {metric.value: given}}
        report = EpochReport(epoch=epoch, **reported | own)
        return self._ledger.report(trial, self._attempts[trial], Progress(replicate=0, report=report, place=HERE))

    def fail(self, trial: int, epoch: int) -> None:
        failed = Failed(reason=FailReason.DIVERGED, detail=f"in epoch {epoch}")
        self._ledger.fail(trial, self._attempts[trial], failed)


def _outcomes(method: str, runs: Sequence[OneSearch], until_s: float, workers: int) -> Outcomes:
    count = len(runs)
    return Outcomes(
        method=method,
        best=tuple(_sampled(incumbents, until_s) for _, incumbents in runs),
        trials=sum(run.trials for run, _ in runs) / count,
        epochs=sum(run.epochs for run, _ in runs) / count,
        complete=sum(run.complete for run, _ in runs) / count,
        idle=sum(run.idle_s for run, _ in runs) / count / (workers * until_s),
    )


def _sampled(incumbents: Sequence[tuple[float, float]], until_s: float) -> tuple[float | None, ...]:
    """Return the best value at each point of the budget."""
    found: list[float | None] = []
    for index in range(1, POINTS + 1):
        known = [value for since, value in incumbents if since <= until_s * index / POINTS]
        found.append(known[-1] if known else None)
    return tuple(found)


def _never(seconds: float) -> None:
    raise UserError(f"the database does not answer, and the simulated time cannot wait {seconds} s for it")
