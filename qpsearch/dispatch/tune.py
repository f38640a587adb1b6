"""Many trials at once on Ray Tune, which places and stops trials but does not make decisions.

A ``Searcher`` asks the ledger, a ``TrialScheduler`` hands it each message, a class ``Trainable`` trains. Ray's own
snapshots are never restored and do not contain the study: neither the ledger nor the storage URL. The reasons for the
settings below are in docs/background/optuna-and-ray.md, "Ray Tune"; tests/dispatch checks them.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

import ray
from ray import tune
from ray.exceptions import RayActorError, RayTaskError
from ray.tune.experiment import Trial
from ray.tune.progress_reporter import ProgressReporter
from ray.tune.schedulers import FIFOScheduler, TrialScheduler
from ray.tune.search import Searcher
from ray.tune.stopper import Stopper

from qpsearch.dispatch import private_folder, tune_patches
from qpsearch.dispatch.deaths import why_lost
from qpsearch.dispatch.environment import TUNE_SWITCHES, held
from qpsearch.dispatch.handlers import handle_lost_worker, handle_message
from qpsearch.dispatch.interrupt import Interrupt
from qpsearch.dispatch.watchdog import FROZEN, SLACK_S, cause_of_death
from qpsearch.dispatch.worker import WorkerMustRestart, WorkerSetup, messages
from qpsearch.errors import DispatchError
from qpsearch.protocol import Assignment, Message

if TYPE_CHECKING:  # a worker imports this file and does not need the database
    from qpsearch.study.ledger import Ledger

LISTEN_S: Final = 5.0  # the most that counts from one look for silent workers to the next


def run(ledger: Ledger, setup: WorkerSetup, interrupt: Interrupt, *, cpus: float, gpus: float, slots: int) -> None:
    """Run a study on the Ray that this process is connected to.

    Args:
        ledger: The study.
        setup: The settings of each worker.
        interrupt: Whether the user wants to stop.
        cpus: Cores of a trial.
        gpus: GPUs of a trial, fractions allowed.
        slots: Trials at once.
    """
    interrupt.reinstall()  # ray.init took SIGTERM
    bridge = _Bridge(ledger, interrupt, setup, is_ahead=slots > 1)
    worker = tune.with_resources(tune.with_parameters(_Worker, setup=setup), {"cpu": cpus, "gpu": gpus})
    with (
        open(os.devnull, "w") as nowhere,
        contextlib.redirect_stdout(nowhere),  # the ledger reports what Ray would print
        held(TUNE_SWITCHES),
        tune_patches.registry_asked_once(),
        tune_patches.starting_workers_kept(),
        tune_patches.idle_workers_let_go(),
        tune_patches.errors_kept(bridge.errors),
        tune_patches.variables_left_out(),
        private_folder.held(setup.key),
    ):
        tune.Tuner(
            worker,
            tune_config=tune.TuneConfig(
                search_alg=_Searcher(bridge),
                scheduler=_Scheduler(bridge),
                num_samples=-1,
                max_concurrent_trials=slots,
                reuse_actors=True,
                trial_dirname_creator=_folder_name,
            ),
            run_config=tune.RunConfig(
                name=ledger.name,
                storage_path=_scratch(setup.key),
                verbose=0,
                progress_reporter=_Silent(),
                callbacks=[_Placed(bridge)],
                stop=_Stop(bridge),
                failure_config=tune.FailureConfig(max_failures=0),
                checkpoint_config=tune.CheckpointConfig(checkpoint_frequency=0, checkpoint_at_end=False),
            ),
        ).fit()
    if bridge.fatal is not None:
        raise bridge.fatal


class _Bridge:
    """What searcher, scheduler and stopper share.

    Tune copies and pickles all three into its snapshots; only the originals hold the ledger.
    """

    def __init__(self, ledger: Ledger, interrupt: Interrupt, setup: WorkerSetup, *, is_ahead: bool) -> None:
        self.ledger, self.interrupt, self.setup, self.is_ahead = ledger, interrupt, setup, is_ahead
        self.assignments: dict[str, Assignment] = {}
        self.trials: dict[str, Trial] = {}
        self.errors: dict[str, BaseException] = {}
        self.silent: dict[str, float] = {}  # for how many seconds of listening each running trial has not reported
        self._listened = time.monotonic()
        self.frozen: set[str] = set()
        self.fatal: BaseException | None = None

    def __getstate__(self) -> dict[str, Any]:
        return {}

    def __deepcopy__(self, memo: dict[int, Any]) -> _Bridge:
        return self

    @property
    def trains(self) -> bool:
        """Whether a trial has its worker."""
        return any(trial.status == Trial.RUNNING for trial in self.trials.values())

    def let_go(self) -> None:
        """End all attempts as interrupted and kill their workers, since Tune would wait for their next report."""

        def step() -> str:
            self.ledger.interrupt_all()
            return ""

        self.guarded(step)
        for trial in self.trials.values():
            if (actor := trial.temporary_state.ray_actor) is not None:
                ray.kill(actor)
        self.trials.clear()

    def forget(self, trial: Trial) -> None:
        """Forget a Tune trial that has ended."""
        for known in (self.trials, self.assignments, self.silent, self.errors):
            known.pop(trial.trial_id, None)
        self.frozen.discard(trial.trial_id)

    def end_frozen(self) -> None:
        """Kill the workers that neither report nor are ended by their own watchdogs.

        A driver that waits for its database, or was stopped itself, does not hear them: that time does not count.
        """
        timeout_s, now = self.setup.report_timeout_s, time.monotonic()
        passed_s, self._listened = min(now - self._listened, LISTEN_S), now
        if timeout_s is None:
            return
        for trial in self.trials.values():
            if trial.status != Trial.RUNNING or trial.trial_id in self.frozen:
                continue
            silent_s = self.silent[trial.trial_id] = self.silent.get(trial.trial_id, 0.0) + passed_s
            if silent_s > timeout_s + SLACK_S and (actor := trial.temporary_state.ray_actor) is not None:
                self.frozen.add(trial.trial_id)
                ray.kill(actor)

    def guarded(self, action: Callable[[], str]) -> str:
        """Run a Tune callback.

        Tune would blame an exception on the trial, so it is kept for the end, and the study stops.
        """
        try:
            return action()
        except Exception as error:
            self.fatal = self.fatal or error
            return str(TrialScheduler.STOP)


class _Searcher(Searcher):
    """Asks the ledger for each next attempt."""

    def __init__(self, bridge: _Bridge) -> None:
        super().__init__()
        self._bridge = bridge

    def set_search_properties(self, metric: str | None, mode: str | None, config: dict[str, Any], **spec: Any) -> bool:
        return True

    def suggest(self, trial_id: str) -> dict[str, Any] | str | None:
        """Return the next attempt, None while no attempt can be handed out, FINISHED at the end."""
        bridge, found, over = self._bridge, [], [False]

        def ask() -> str:
            assignment = None if bridge.interrupt.requested else self._ask()
            if assignment is None:
                over[0] = bridge.interrupt.requested or bridge.ledger.finished
            else:
                found.append(assignment)
            return ""

        if bridge.fatal is None:
            bridge.guarded(ask)
        if found:
            bridge.assignments[trial_id] = found[0]
            return {"assignment": found[0]}
        return str(Searcher.FINISHED) if over[0] or bridge.fatal is not None else None

    def _ask(self) -> Assignment | None:
        """Ask the ledger, but do not wait for the sampler while trials run: their reports come first.

        With one slot, no other trial runs, and a draw that sees the last trial's result is better.
        """
        ledger = self._bridge.ledger
        if not self._bridge.is_ahead:
            return ledger.ask(is_placed=False)
        if ledger.running and not ledger.ready:
            ledger.prepare()
            return None
        assignment = ledger.ask(is_placed=False)
        ledger.prepare()
        return assignment

    def on_trial_complete(self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False) -> None:
        """Do nothing: the scheduler has told the ledger."""

    def save(self, checkpoint_path: str) -> None:
        """Do nothing: only the study database keeps state."""

    def restore(self, checkpoint_path: str) -> None:
        """Never called: Tune's snapshots are not restored."""


class _Placed(tune.Callback):
    """Tells the ledger that a worker for an attempt is there."""

    def __init__(self, bridge: _Bridge) -> None:
        self._bridge = bridge

    def on_trial_start(self, iteration: int, trials: list[Trial], trial: Trial, **info: Any) -> None:
        if (assignment := self._bridge.assignments.get(trial.trial_id)) is not None:
            self._bridge.ledger.placed(assignment.trial, assignment.attempt)


class _Scheduler(FIFOScheduler):
    """Hands each message of a worker to the ledger, and the ledger's answer back to Tune."""

    def __init__(self, bridge: _Bridge) -> None:
        super().__init__()
        self._bridge = bridge

    def on_trial_add(self, tune_controller: Any, trial: Trial) -> None:
        self._bridge.trials[trial.trial_id] = trial

    def on_trial_complete(self, tune_controller: Any, trial: Trial, result: dict[str, Any]) -> None:
        """Forget the trial."""
        self._bridge.forget(trial)

    def on_trial_remove(self, tune_controller: Any, trial: Trial) -> None:
        """Forget the trial."""
        self._bridge.forget(trial)

    def on_trial_result(self, tune_controller: Any, trial: Trial, result: dict[str, Any]) -> str:
        """Handle a message; return whether to continue or stop."""
        bridge = self._bridge
        bridge.silent.pop(trial.trial_id, None)
        assignment, message = bridge.assignments[trial.trial_id], result["message"]

        def step() -> str:
            go_on = handle_message(bridge.ledger, assignment, message, bridge.interrupt)
            return str(TrialScheduler.CONTINUE if go_on else TrialScheduler.STOP)

        return bridge.guarded(step)

    def on_trial_error(self, tune_controller: Any, trial: Trial) -> None:
        """A worker must restart, is lost, or could not start.

        A worker that cannot start is not the trial's fault and would fail every other trial too, so the study stops.
        """
        bridge = self._bridge
        assignment = bridge.assignments[trial.trial_id]

        def step() -> str:
            error = bridge.errors.get(trial.trial_id)
            cause = error.cause if isinstance(error, RayTaskError) else error
            if isinstance(cause, RayActorError) and cause.actor_init_failed:
                last = str(cause).strip().splitlines()[-1].rstrip(")")
                raise DispatchError(f"a worker cannot start: {last}. Is qpsearch installed on every node?")
            if isinstance(cause, WorkerMustRestart):
                handle_message(bridge.ledger, assignment, cause.failed, bridge.interrupt)
            else:
                is_frozen = trial.trial_id in bridge.frozen
                why = cause_of_death(FROZEN, "") if is_frozen else why_lost(cause, bridge.setup, assignment)
                handle_lost_worker(bridge.ledger, assignment, why, bridge.interrupt)
            return ""

        bridge.guarded(step)
        bridge.forget(trial)


class _Silent(ProgressReporter):
    """Says nothing, since the display tells what happens; Tune's own reporter for notebooks clears the cell."""

    def should_report(self, trials: list[Trial], done: bool = False) -> bool:
        return False

    def report(self, trials: list[Trial], done: bool, *sys_info: str) -> None:
        """Do nothing."""


class _Stop(Stopper):
    """Ends the whole run when the grace period is over or the ledger cannot continue."""

    def __init__(self, bridge: _Bridge) -> None:
        self._bridge = bridge

    def __call__(self, trial_id: str, result: dict[str, Any]) -> bool:
        return False

    def stop_all(self) -> bool:
        bridge = self._bridge
        bridge.end_frozen()
        # what waits for its cores has no epoch that it could finish
        is_over = bridge.interrupt.expired or (bridge.interrupt.requested and not bridge.trains)
        if is_over:
            bridge.let_go()
        return bridge.fatal is not None or is_over


class _Worker(tune.Trainable):
    """A worker process; one ``step`` is one message. A class, since a function that ends slowly leaks its slot."""

    def setup(self, config: dict[str, Any], setup: WorkerSetup) -> None:
        self._setup = setup
        self._begin(config)

    def step(self) -> dict[str, Any]:
        message: Message | None = next(self._messages, None)
        if message is None:
            return {"done": True}
        return {"message": message}

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        self._messages.close()
        self._begin(new_config)
        return True

    def cleanup(self) -> None:
        self._messages.close()

    def _begin(self, config: dict[str, Any]) -> None:
        gpu_ids = ray.get_gpu_ids() if self._setup.device == "cuda" else []
        device = f"cuda {','.join(map(str, gpu_ids))}" if gpu_ids else self._setup.device
        self._messages = messages(config["assignment"], self._setup, device)


def _scratch(key: str) -> str:
    """Make the folder for the files that Tune writes, beside the run's private folder.

    Raises:
        DispatchError: The folder for temporary files cannot be written.
    """
    try:
        return str(private_folder.scratch(key))
    except OSError as error:
        raise DispatchError(
            f"{tempfile.gettempdir()}: temporary files cannot be written ({error.strerror or error}). "
            "Name another folder: TMPDIR."
        ) from None


def _folder_name(trial: Trial) -> str:
    return str(trial.trial_id)
