"""What a study changes in Ray Tune while it runs; afterwards Tune is as it was."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any, Final

from ray.tune import registry as tune_registry
from ray.tune.execution import class_cache
from ray.tune.execution.tune_controller import TuneController
from ray.tune.experiment import Trial

IDLE_S: Final = 5  # whole seconds, since Tune counts them so: how long a driver without a trial keeps a worker
# Tune would pass these on to workers, and Ray would write them into its logs; nodes have their own credentials.
SECRETS: Final = frozenset({"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SECURITY_TOKEN", "AWS_SESSION_TOKEN"})


@contextmanager
def variables_left_out() -> Iterator[None]:
    """Give workers neither credentials nor variables of their own, with any of which Ray starts a worker twice."""
    passed_on, own = class_cache.ENV_VARS_TO_PROPAGATE, class_cache.DEFAULT_ENV_VARS
    secrets, before = passed_on & SECRETS, dict(own)
    passed_on -= secrets
    own.clear()
    try:
        yield
    finally:
        passed_on |= secrets
        own.update(before)


@contextmanager
def registry_asked_once() -> Iterator[None]:
    """Cache the answers of Tune's registry, which asks Ray's control store five times a trial for the same class."""
    registry: Any = tune_registry._global_registry
    asked, register = lru_cache(registry.get), registry.register

    def contains(category: str, key: str) -> bool:
        try:
            asked(category, key)
        except ValueError:  # lru_cache does not keep exceptions
            return False
        return True

    def forget_and_register(category: str, key: str, value: object) -> None:
        asked.cache_clear()
        register(category, key, value)

    own = {"get": asked, "contains": contains, "register": forget_and_register}
    vars(registry).update(own)
    try:
        yield
    finally:
        for name in own:
            del vars(registry)[name]


@contextmanager
def starting_workers_kept() -> Iterator[None]:
    """Let each trial keep the worker that is being started for it.

    Tune gives it the worker of a trial that has just ended, kills the one that is loading, and starts another.
    """
    reuse = TuneController._maybe_reuse_cached_actor

    def reuse_if_none_starts(controller: Any, trial: Trial) -> bool:
        worker = controller._trial_to_actor.get(trial)
        if worker is not None and controller._actor_manager.is_actor_started(worker):
            return False
        return bool(reuse(controller, trial))

    TuneController._maybe_reuse_cached_actor = reuse_if_none_starts
    try:
        yield
    finally:
        TuneController._maybe_reuse_cached_actor = reuse


@contextmanager
def idle_workers_let_go() -> Iterator[None]:
    """Give back the workers that a driver keeps and has no trial for: the trials of others may wait for their cores.

    Tune waits for a next trial for ten minutes at a time, and keeps a worker for as long as the search may go on.
    """
    ask = TuneController._update_trial_queue

    def ask_and_let_go(controller: Any, blocking: bool = False, timeout: float = IDLE_S) -> bool:
        found = bool(ask(controller, blocking=blocking, timeout=min(timeout, IDLE_S)))
        if blocking and not found:  # it is asked so where no trial of this driver runs
            controller._cleanup_cached_actors(force_all=True)
        return found

    TuneController._update_trial_queue = ask_and_let_go
    try:
        yield
    finally:
        TuneController._update_trial_queue = ask


@contextmanager
def errors_kept(found: dict[str, BaseException]) -> Iterator[None]:
    """Keep the error that ends a Tune trial, by its id: Tune itself keeps some kinds of errors as text alone."""
    handle = Trial.handle_error

    def keep_and_handle(trial: Trial, error: Any = None) -> None:
        if error is not None:
            found[trial.trial_id] = error
        handle(trial, error)

    Trial.handle_error = keep_and_handle
    try:
        yield
    finally:
        Trial.handle_error = handle
