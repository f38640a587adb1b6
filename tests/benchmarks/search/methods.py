"""The names of the searches that are compared."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Final

from qpsearch.dispatch.simulated import Timeline
from qpsearch.errors import UserError, nearest
from tests.benchmarks.search import ours, syne_search
from tests.benchmarks.search.baselines import PromotingHalving, RandomSearch, StoppingHalving
from tests.benchmarks.search.optuna_search import HYPERBAND, MEDIAN, OptunaSearch
from tests.benchmarks.search.simulation import Search
from tests.benchmarks.search.syne_search import SCHEDULERS, SyneSearch
from tests.benchmarks.search.task import Task

RANDOM: Final = "random"
REFERENCE: Final = "optuna-tpe+hyperband"  # whose final regret is the goal of the others
OURS: Final = "ours"
OTHERS: Final[dict[str, Callable[[Task, int], Search]]] = {
    RANDOM: RandomSearch,
    "random+asha": PromotingHalving,
    "random+asha-stop": StoppingHalving,
    REFERENCE: partial(OptunaSearch, pruner=HYPERBAND),
    "optuna-tpe+median": partial(OptunaSearch, pruner=MEDIAN),
    **{f"syne-{word}": partial(SyneSearch, word=word) for word in SCHEDULERS},
}
QUICK: Final = (RANDOM, "random+asha", REFERENCE, OURS)


def chosen(words: list[str]) -> tuple[str, ...]:
    """Return methods by their names; random search and the reference always take part.

    Raises:
        UserError: A name is unknown.
    """
    for word in words:
        if word not in OTHERS and word != OURS and not _is_ours(word):
            raise UserError(
                f"--methods: there is no method {word!r}. {nearest(word, [*OTHERS, OURS])} Ours with other words of a "
                "space file: ours:SAMPLER+PRUNER, such as ours:gp+none; a word that is left out is the default. With "
                "priors: ours:++near, ours:++good, ours:++bad; after a study of another task: ours:++warm, or ours:++warm-changed; with trials of "
                "all blocks compared with each other: ours:++pooled. Samplers of others in our search: optuna_gp, botorch."
            )
    return tuple(dict.fromkeys([RANDOM, REFERENCE, *words]))


def default() -> tuple[str, ...]:
    """Return what is compared when nothing is said: everything, without Syne Tune where it is not installed."""
    has_syne = syne_search.is_installed()
    return (*(name for name in OTHERS if has_syne or not name.startswith("syne-")), OURS)


def starts_from(method: str, neighbour: Callable[[], Task]) -> Task | None:
    """Return the task from whose study a method starts; None for a method that starts cold.

    Args:
        method: Its name.
        neighbour: Returns another task with the same parameters.
    """
    start = "" if method in OTHERS else _parts(method)[2]
    if start not in (ours.WARM, ours.WARM_CHANGED):
        return None
    return neighbour() if start == ours.WARM else ours.narrowed(neighbour())


def build(
    method: str, task: Task, seed: int, timeline: Timeline, folder: Path, *, earlier: Task | None = None
) -> Search:
    """Begin a search.

    Args:
        method: Its name.
        task: What is searched.
        seed: Of its draws.
        timeline: The simulated time.
        folder: For databases.
        earlier: The task that was searched before, where the method starts warm.
    """
    if method in OTHERS:
        return OTHERS[method](task, seed)
    sampler, pruner, prior = _parts(method)
    if earlier is not None:
        return ours.started_warm(task, seed, timeline, folder, earlier, sampler=sampler, pruner=pruner)
    search = partial(ours.OurSearch, task, seed, timeline, folder, sampler=sampler, pruner=pruner)
    return search(is_pooled=True) if prior == ours.POOLED else search(prior=prior)


def resolved(method: str, task: Task) -> str:
    """Return a method's name with its defaults filled in, by which its runs are kept: ``ours:tpe+hyperband``."""
    return method if method in OTHERS else _resolved(*_parts(method), task)


def _resolved(sampler: str, pruner: str, prior: str, task: Task) -> str:
    return f"{OURS}:{ours.words(sampler, pruner, task)}{f'+{prior}' * bool(prior)}"


def _is_ours(word: str) -> bool:
    return word.startswith(f"{OURS}:") and "+" in word


def _parts(method: str) -> tuple[str, str, str]:
    """Return the words of sampler, pruner and prior; empty ones are defaults."""
    given = method.removeprefix(OURS).removeprefix(":")
    prior = next(
        (word for word in (*ours.GUESSED, ours.WARM, ours.WARM_CHANGED, ours.POOLED) if given.endswith(f"+{word}")), ""
    )
    sampler, _, pruner = given.removesuffix(f"+{prior}" if prior else "").rpartition("+")
    return sampler, pruner, prior
