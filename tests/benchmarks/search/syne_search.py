"""Syne Tune's searches, with its defaults but for how often a model is fitted anew.

Syne Tune is not a dependency of the project: pip install syne-tune huggingface_hub (which its CQR imports). A divergence is
told as a loss that is far worse than the task's median. Its spaces do not have conditions: it draws every parameter, and
those that do not apply do not have an effect.
"""

import datetime
import importlib.util
import logging
from typing import Any, Final

import numpy as np

from qpsearch.errors import UserError
from tests.benchmarks.search.parameters import BLOCK, Config, Kind, Parameter
from tests.benchmarks.search.task import Task

# By word: the class, and after how many more trials its model is fitted anew. By default that is after each, which takes
# up to 1.7 s a trial.
SCHEDULERS: Final = {"asha": ("ASHA", 1), "bohb": ("BOHB", 10), "cqr": ("ASHACQR", 20)}
PACKAGES: Final = ("syne_tune", "huggingface_hub")
FAR: Final = 10.0  # times the distance from the best to the median


class SyneSearch:
    """One of Syne Tune's asynchronous schedulers that stop trials; ``cqr`` is CQR with ASHA.

    Args:
        task: What is searched.
        seed: Of all draws.
        word: One of ``SCHEDULERS``.

    Raises:
        UserError: Syne Tune is not installed.
    """

    def __init__(self, task: Task, seed: int, word: str) -> None:
        baselines, space, self._trial = _library()
        self._task = task
        name, every = SCHEDULERS[word]
        np.random.seed(seed)  # some of its searchers draw from NumPy's global generator
        self._scheduler = getattr(baselines, name)(
            config_space={each.key: _domain(space, each) for each in task.parameters},
            metric="loss",
            time_attr="epoch",
            max_t=task.epochs,
            do_minimize=True,
            random_seed=seed,
        )
        if every > 1:
            self._scheduler.searcher.update_frequency = every
        self._trials: dict[int, Any] = {}

    def ask(self) -> tuple[int, Config] | None:
        """Take the scheduler's suggestion."""
        given, number = self._scheduler.suggest().config, len(self._trials)
        trial = self._trial(trial_id=number, config=given, creation_time=datetime.datetime.now())
        self._trials[number] = trial
        self._scheduler.on_trial_add(trial)
        block = given.get(BLOCK)
        return number, {each.key: given[each.key] for each in self._task.parameters if each.block in ("", block)}

    def report(self, trial: int, epoch: int, loss: float) -> bool:
        """Report, and tell the end of a trial."""
        result = {"loss": loss, "epoch": epoch}
        if epoch == self._task.epochs:
            self._scheduler.on_trial_complete(self._trials[trial], result)
            return False
        if self._scheduler.on_trial_result(self._trials[trial], result) == "STOP":
            self._scheduler.on_trial_remove(self._trials[trial])
            return False
        return True

    def fail(self, trial: int, epoch: int) -> None:
        """Tell a very large loss."""
        scale = self._task.scale
        loss = scale.median + FAR * (scale.median - scale.best)
        self._scheduler.on_trial_result(self._trials[trial], {"loss": loss, "epoch": epoch})
        self._scheduler.on_trial_remove(self._trials[trial])

    def close(self) -> None:
        """Nothing is open."""


def is_installed() -> bool:
    """Whether Syne Tune, and what its CQR imports, can be found."""
    return all(importlib.util.find_spec(name) for name in PACKAGES)


def _library() -> tuple[Any, Any, Any]:
    """Return Syne Tune's schedulers, its module of domains, and its record of a trial."""
    if not is_installed():
        raise UserError(
            "--methods: Syne Tune is not installed. Install it: pip install syne-tune huggingface_hub. Or leave out the "
            "methods that begin with syne."
        )
    import syne_tune.config_space as space
    import syne_tune.optimizer.baselines as baselines
    from syne_tune.backend.trial_status import Trial

    logging.getLogger("syne_tune").setLevel(logging.ERROR)
    return baselines, space, Trial


def _domain(space: Any, parameter: Parameter) -> Any:
    if parameter.kind is Kind.CHOICE:
        return space.choice(list(parameter.options))
    if parameter.is_whole:
        low, high = int(parameter.low), int(parameter.high)
        return space.lograndint(low, high) if parameter.is_log else space.randint(low, high)
    return (space.loguniform if parameter.is_log else space.uniform)(parameter.low, parameter.high)
