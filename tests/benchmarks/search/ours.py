"""qpsearch itself, driven as a driver drives it: a space file, a study in a real database, and the ledger.

The hyper-parameters of a task are the rules of a custom block: a space file sets them by its own domains, ties and
conditions, and draws them as it draws any rule. Only the training is not real. The ledger's clock is the simulated time.
Checkpoints are not written: a trial that is handed out again goes on after its last epoch.
"""

import contextlib
import shutil
import sqlite3
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final
from unittest import mock

import numpy as np
import optuna
from optuna.samplers import BaseSampler, GPSampler

from qpsearch.architecture.blocks import BLOCKS, Block
from qpsearch.architecture.layout import sum_layout
from qpsearch.architecture.plugins import register, register_sampler
from qpsearch.dispatch.simulated import Timeline
from qpsearch.errors import UserError
from qpsearch.protocol import Assignment, EpochReport, Failed, Place, Progress
from qpsearch.registry.own.sampler import custom_sampler
from qpsearch.registry.samplers import OWN
from qpsearch.registry.samplers.base import STARTUP
from qpsearch.space import Space, parse_space
from qpsearch.space.schema.fields import LeafField
from qpsearch.space.schema.network import RULES, STAGE
from qpsearch.space.schema.rules import BLOCK as BLOCK_WORDS
from qpsearch.space.schema.value_types import Integer, Number, ValueType, Words
from qpsearch.study import opening
from qpsearch.study.drivers.clock import Clock
from qpsearch.study.ledger import Ledger
from qpsearch.study.storage.database import Database
from qpsearch.vocabulary import FailReason, Scalar
from tests.benchmarks.search.parameters import BLOCK, Config, Kind, Parameter, draw
from tests.benchmarks.search.simulation import simulate
from tests.benchmarks.search.task import Task

GUESSED: Final = {
    "near": 1000,
    "good": 25,
    "bad": 25,
}  # random configurations of which a guess is the best, or the worst
POOLED: Final = "pooled"  # trials of all blocks are compared with each other, as no study of qpsearch does
WARM: Final = "warm"  # the study of another task is in the database, and the search starts from it
WARM_CHANGED: Final = "warm-changed"  # that study had another space: see narrowed
EARLIER_SEED: Final = 1000  # added to the seed of the search from which another one starts
NO_GUESS: Final[Mapping[str, Scalar]] = {}
TRIALS: Final = 100_000  # more than any budget allows: the simulated time ends the search
BEGINNING_S: Final = 1_700_000_000.0  # what the simulated clock says at its start, in Unix seconds
HERE: Final = Place(host="simulated", device="cpu", threads=1, memory_format="contiguous")
MEMORY: Final = Path("/dev/shm")  # an SQLite file there is real, and a commit does not wait for a disk


class OurSearch:
    """A study of qpsearch.

    Args:
        task: What is searched.
        seed: Of the study.
        timeline: The simulated time.
        folder: For databases; studies of other runs may be there too.
        sampler: As a space file spells it; empty for the default.
        pruner: Likewise.
        prior: ``near``, ``good`` or ``bad`` guesses of every parameter; empty for none.
        is_pooled: Whether trials of all blocks are compared with each other at a rung.
        database: A file to begin with; None for an empty database.
        warm_start: The study in it from which the search starts; empty for none.
        second: Returns a configuration's second objective, which each epoch reports as its seconds; None for one
            objective.

    Attributes:
        ledger: The study's ledger.
        file: The database.
    """

    def __init__(
        self,
        task: Task,
        seed: int,
        timeline: Timeline,
        folder: Path,
        *,
        sampler: str = "",
        pruner: str = "",
        prior: str = "",
        is_pooled: bool = False,
        database: Path | None = None,
        warm_start: str = "",
        second: Callable[[Config], float] | None = None,
    ) -> None:
        self._task, self._second, self._open = task, second, contextlib.ExitStack()
        self._attempts: dict[int, int] = {}
        self._seconds: dict[int, float] = {}
        add_others()
        with contextlib.ExitStack() as stack:
            stack.enter_context(blocks_of(task))
            if is_pooled:
                stack.enter_context(mock.patch("qpsearch.study.search.pruning.slowest", return_value=POOLED))
            guess = _guess(task, seed, prior)
            given = {"sampler": sampler, "pruner": pruner, "warm_start": warm_start}
            space = space_of(task, seed, **given, guess=guess, has_second=second is not None)
            own = stack.enter_context(tempfile.TemporaryDirectory(dir=folder, ignore_cleanup_errors=True))
            self.file = Path(own) / "q.db"
            shutil.copyfile(database or _empty(folder), self.file)
            opened_database = Database.open(f"sqlite:///{self.file}", is_scratch=True)
            clock = Clock(lambda: BEGINNING_S + timeline.now, lambda: timeline.now, _never)
            opened = opening.create(opened_database, space, source="tests.benchmarks.search", clock=clock)
            self.ledger = stack.enter_context(Ledger(opened))
            self._open = stack.pop_all()

    def ask(self) -> tuple[int, Config] | None:
        """Ask the ledger."""
        assignment = self.ledger.ask()
        if assignment is None:
            return None
        self._attempts[assignment.trial] = assignment.attempt
        config = self._config(assignment)
        self._seconds[assignment.trial] = 0.0 if self._second is None else self._second(config)
        return assignment.trial, config

    def report(self, trial: int, epoch: int, loss: float) -> bool:
        """Report an epoch as a worker does."""
        report = EpochReport(
            epoch=epoch, train_loss=loss, val_loss=loss, val_accuracy=None, seconds=self._seconds[trial]
        )
        return self.ledger.report(trial, self._attempts[trial], Progress(replicate=0, report=report, place=HERE))

    def fail(self, trial: int, epoch: int) -> None:
        """Tell a divergence as a worker does."""
        failed = Failed(reason=FailReason.DIVERGED, detail=f"the loss is not finite in epoch {epoch}")
        self.ledger.fail(trial, self._attempts[trial], failed)

    def close(self) -> None:
        """Leave the ledger, and remove the study."""
        self._open.close()

    def _config(self, assignment: Assignment) -> Config:
        """Return a trial's hyper-parameters, which are the rules of its block."""
        (stage,) = assignment.config.network.stages
        by_name = {each.name: each for each in _rules(self._task, stage.block)}
        found: Config = {by_name[name].key: value for name, value in stage.own}
        return {BLOCK: stage.block, **found} if _choice(self._task) else found


def narrowed(task: Task) -> Task:
    """Return a task with another space: without its last number, which has its middle value, and with half of its first's range."""
    first, *_, last = (each for each in task.parameters if each.kind is not Kind.CHOICE)
    fixed = {last.key: last.at(0.5)}
    half = replace(first, low=float(str(first.at(0.25))), high=float(str(first.at(0.75))))
    parameters = tuple(half if each is first else each for each in task.parameters if each is not last)
    return replace(task, parameters=parameters, curve=lambda config, seed: task.curve(config | fixed, seed))


def started_warm(
    task: Task, seed: int, timeline: Timeline, folder: Path, earlier: Task, *, sampler: str, pruner: str
) -> OurSearch:
    """Search another task to the end of its budget, and return a search that starts from that study."""
    before = Timeline()
    first = OurSearch(earlier, seed + EARLIER_SEED, before, folder, sampler=sampler, pruner=pruner)
    simulate(earlier, first, before, seed=seed + EARLIER_SEED)
    name = first.ledger.name
    try:
        with sqlite3.connect(first.file) as source, sqlite3.connect(folder / f"{name}.db") as copy:
            source.backup(copy)
    finally:
        first.close()
    return OurSearch(
        task, seed, timeline, folder, sampler=sampler, pruner=pruner, database=folder / f"{name}.db", warm_start=name
    )


def add_others() -> None:
    """Let space files name Gaussian processes of others, which begin as ours: with random draws, and as many."""
    for name, make in OTHERS.items():
        if name not in OWN:
            register_sampler(custom_sampler(name, make, version=optuna.__version__))


def _optuna_gp(seed: int) -> BaseSampler:
    return GPSampler(seed=seed, n_startup_trials=STARTUP)


def _botorch(seed: int) -> BaseSampler:
    from optuna_integration import BoTorchSampler  # installed for the benchmark only

    return BoTorchSampler(seed=seed, n_startup_trials=STARTUP, consider_running_trials=True)


OTHERS: Final = {"optuna_gp": _optuna_gp, "botorch": _botorch}  # Optuna's own, and BoTorch's by its integration


def words(sampler: str, pruner: str, task: Task) -> str:
    """Return the names of sampler and pruner that a search of a task has, defaults resolved."""
    add_others()
    with blocks_of(task):
        search = space_of(task, 0, sampler=sampler, pruner=pruner).search
    return f"{search.sampler}+{search.pruner}"


def space_of(
    task: Task,
    seed: int,
    *,
    sampler: str = "",
    pruner: str = "",
    guess: Mapping[str, Scalar] = NO_GUESS,
    warm_start: str = "",
    has_second: bool = False,
) -> Space:
    """Read the task's space; its blocks must be registered.

    Args:
        task: The task.
        seed: Of the study.
        sampler: As a space file spells it; empty for the default.
        pruner: Likewise.
        guess: Priors, by parameter.
        warm_start: The study from which the search starts; empty for none.
        has_second: Whether the seconds of an epoch are minimised, too.

    Raises:
        SpaceError: A word is unknown, or does not suit the space.
    """
    given = {"sampler": sampler, "pruner": pruner, "warm_start": warm_start}
    search = "".join(f"{key}: {word}, " for key, word in given.items() if word)
    objectives = "[val_loss, epoch_seconds]" if has_second else "val_loss"
    return parse_space(
        f"study: search-{seed}\n"
        "data: {dataset: digits, validation: 300}\n"
        "network:\n"
        "  stem: {width: 1}\n"
        f"  stages: [{{width: 1, depth: 1, block: {_blocks_text(task)}}}]\n"
        f"  rules: {{{', '.join(f'{block}: {_rules_text(task, block, guess)}' for block in _names(task))}}}\n"
        f"training: {{epochs: {task.epochs}}}\n"
        f"search: {{objective: {{minimize: {objectives}}}, {search}trials: {TRIALS}, seed: {seed}}}\n",
        f"space of {task.name}",
    )


@contextlib.contextmanager
def blocks_of(task: Task) -> Iterator[None]:
    """Register a task's blocks, and forget them again."""
    names = _names(task)
    for slowness, name in enumerate(names):
        fields = {
            each.name: LeafField(type=_type(each), default=_default(each), doc=".") for each in _rules(task, name)
        }
        register(Block(name=name, layout=sum_layout, formula="", source="a task", rules=fields, slowness=slowness))
    try:
        yield
    finally:
        for name in names:
            del BLOCKS[name], RULES.fields[name], STAGE.fields[name]
            BLOCK_WORDS.words.remove(name)


@contextlib.contextmanager
def scratch() -> Iterator[Path]:
    """Make a folder for databases, in memory where that is possible."""
    where = MEMORY if MEMORY.is_dir() else None
    with tempfile.TemporaryDirectory(prefix="qpsearch-benchmark-", dir=where) as folder:
        yield Path(folder)


def _choice(task: Task) -> Parameter | None:
    return next((each for each in task.parameters if each.key == BLOCK), None)


def _names(task: Task) -> Sequence[str]:
    choice = _choice(task)
    return (task.family,) if choice is None else choice.options


def _rules(task: Task, block: str) -> list[Parameter]:
    """Return the parameters of configurations with a block, without the choice of the block."""
    return [each for each in task.parameters if each.block in ("", block) and each.key != BLOCK]


def _blocks_text(task: Task) -> str:
    names = _names(task)
    return names[0] if len(names) == 1 else f"{{choice: [{', '.join(names)}]}}"


def _rules_text(task: Task, block: str, guess: Mapping[str, Scalar]) -> str:
    return f"{{{', '.join(f'{each.name}: {_domain_text(task, each, guess)}' for each in _rules(task, block))}}}"


def _guess(task: Task, seed: int, prior: str) -> Mapping[str, Scalar]:
    """Return the best or the worst of some random configurations, as an expert's guess."""
    if not prior:
        return NO_GUESS
    generator = np.random.default_rng(seed)
    drawn = [draw(task.parameters, generator) for _ in range(GUESSED[prior])]
    ranked = sorted(drawn, key=lambda config: task.curve(config, seed).best)
    return ranked[-1 if prior == "bad" else 0]


def _domain_text(task: Task, parameter: Parameter, guess: Mapping[str, Scalar]) -> str:
    """Spell a domain; several blocks have a common parameter by a tie."""
    tie = f", tie: {parameter.name}" if _choice(task) is not None and not parameter.block else ""
    if parameter.key in guess:
        value = guess[parameter.key]
        tie += f", prior: {_number(value) if isinstance(value, float) else value}"
    if parameter.kind is Kind.CHOICE:
        return f"{{choice: [{', '.join(parameter.options)}]{tie}}}"
    ends = (int(parameter.low), int(parameter.high)) if parameter.is_whole else (parameter.low, parameter.high)
    return f"{{{parameter.kind}: [{', '.join(map(_number, ends))}]{tie}}}"


def _number(value: float) -> str:
    """Spell a number so that YAML 1.2 reads a float: 1.0e-08."""
    text = repr(value)
    return text if "e" not in text or "." in text else text.replace("e", ".0e")


def _type(parameter: Parameter) -> ValueType:
    if parameter.kind is Kind.CHOICE:
        return Words(parameter.name, list(parameter.options), "")
    if parameter.is_whole:
        return Integer(int(parameter.low), int(parameter.high))
    return Number(parameter.low, parameter.high)


def _default(parameter: Parameter) -> object:
    return parameter.options[0] if parameter.kind is Kind.CHOICE else parameter.at(0)


def _empty(folder: Path) -> Path:
    """Return a database without a study; its tables are made once, since that takes longer than to copy it."""
    path = folder / "empty.db"
    if not path.exists():
        Database.create(f"sqlite:///{path}").close()
    return path


def _never(seconds: float) -> None:
    raise UserError(f"the database does not answer, and the simulated time cannot wait {seconds} s for it")
