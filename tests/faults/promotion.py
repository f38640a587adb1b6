"""Kills that are aimed at promotions: what happens to a trial that pauses at a rung, is handed out again, and goes on.

A moment is read from the database. When it has come, everything that could end it is stopped with SIGSTOP; if it still
holds, some of that is killed and the rest goes on, else all goes on until the moment comes again.
"""

import contextlib
import random
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import psutil

from qpsearch.protocol import Assignment, RunSettings
from qpsearch.space import parse_space
from qpsearch.study.ledger import Ledger
from tests import scripted
from tests.dispatch.study import log_lines, records_of
from tests.faults import world
from tests.faults.world import RECORDED, Action, Study
from tests.helpers import new_ledger, progress, rows

ATTEMPT = """
SELECT trials.number, attempts.number, leases.pid FROM qpsearch_attempts AS attempts
JOIN trials USING (trial_id) JOIN qpsearch_leases AS leases USING (lease_id)
LEFT JOIN qpsearch_attempts AS before ON before.trial_id = attempts.trial_id AND before.number = attempts.number - 1
WHERE trials.state = 'RUNNING' AND leases.state = 'held' AND
"""
OWN_EPOCHS = (
    "(SELECT count(*) FROM qpsearch_epochs AS e WHERE e.trial_id = attempts.trial_id AND e.attempt = attempts.number)"
)
MOMENTS = {
    "a pause": f"""{ATTEMPT} attempts.ending = 'paused'
        AND NOT EXISTS (SELECT 1 FROM qpsearch_attempts AS more WHERE more.trial_id = attempts.trial_id AND more.number > attempts.number)
        AND NOT EXISTS (SELECT 1 FROM qpsearch_epochs AS e JOIN qpsearch_attempts AS a ON a.trial_id = e.trial_id AND a.number = e.attempt
                        WHERE a.lease_id = attempts.lease_id AND e.reported > attempts.ended)""",
    "the hand-out of a promoted trial": f"{ATTEMPT} attempts.ending IS NULL AND before.ending = 'paused' AND {OWN_EPOCHS} = 0",
    "the first epoch of a promoted trial": f"{ATTEMPT} attempts.ending IS NULL AND before.ending = 'paused' AND {OWN_EPOCHS} = 1",
}
"""Trial, attempt and driver of whatever is in such a moment now."""

PAUSED = """
SELECT trials.number, e.checkpoint FROM trials JOIN qpsearch_attempts AS a USING (trial_id) JOIN qpsearch_epochs AS e USING (trial_id)
WHERE trials.state = 'RUNNING' AND a.ending = 'paused'
AND a.number = (SELECT max(number) FROM qpsearch_attempts WHERE trial_id = trials.trial_id)
AND e.epoch = (SELECT max(epoch) FROM qpsearch_epochs WHERE trial_id = trials.trial_id)
"""
ATTEMPTS = """
SELECT trials.number, a.number, a.began, a.ended, a.ending FROM qpsearch_attempts AS a JOIN trials USING (trial_id) ORDER BY 1, 2
"""
EPOCHS_OF = "SELECT trials.number, epoch, attempt, reported, val_accuracy FROM qpsearch_epochs JOIN trials USING (trial_id) ORDER BY reported"
RUNGS = (1, 3)  # of six epochs
POLL_S = 0.01


def kill_at(moment: str, *victims: str) -> Action:
    """kill -9 of the driver, of the worker that trained the trial, or of both, just after a moment."""

    def action(study: Study, generator: random.Random) -> int | None:
        study.wait_for_drivers()
        seen = set(study.ask(MOMENTS[moment]))
        while not study.finished() and all(process.poll() is None for process in study.processes):
            for trial, attempt, driver in [found for found in study.ask(MOMENTS[moment]) if found not in seen]:
                worker = _worker(study, trial, attempt)
                if worker is None and "worker" in victims:
                    continue  # it has been handed out, and its worker has not begun
                time.sleep(generator.uniform(0, world.EPOCH_S / 4))
                processes = {"driver": driver, "worker": worker}
                with _stopped([driver, worker] if "worker" in victims else [driver]) as stopped:
                    if len(stopped) < len(victims) or (trial, attempt, driver) not in study.ask(MOMENTS[moment]):
                        continue
                    lost = study.running(driver)
                    for victim in victims:
                        psutil.Process(processes[victim]).kill()
                study.lost.update(lost)
                for process in study.processes:
                    if process.pid == driver and "driver" in victims:
                        process.wait()
                check_paused(study)
                return len(lost) if "driver" in victims else 1
            time.sleep(POLL_S)
        return None

    return action


def _worker(study: Study, trial: int, attempt: int) -> int | None:
    """Return the process that trains, or trained, an attempt; None before its first epoch has begun."""
    for name, _, _, stem, process in reversed(log_lines(study.log_folder)):
        if (name, stem) == (f"trial-{trial:05d}", f"r0-a{attempt}"):
            return int(process.removeprefix("pid="))
    return None


@contextlib.contextmanager
def _stopped(pids: list[int | None]) -> Iterator[list[psutil.Process]]:
    """Stop processes, and let those go on that still live at the end."""
    stopped = []
    for pid in pids:
        with contextlib.suppress(psutil.NoSuchProcess):
            stopped.append(psutil.Process(pid))
            stopped[-1].suspend()
    try:
        yield stopped
    finally:
        for process in stopped:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.resume()


def check_paused(study: Study) -> None:
    """Assert that each paused trial has the checkpoint from which it would go on."""
    for number, name in study.ask(PAUSED):
        is_there = (study.checkpoints / f"trial-{number:05d}" / name).exists()
        assert is_there or (number, name) not in study.ask(PAUSED), f"trial {number} is paused without {name}"


def kinds() -> dict[str, Action]:
    """Return every kill at every moment."""
    victims = (("driver",), ("worker",), ("driver", "worker"))
    return {
        f"kill -9 of {' and '.join(killed)} after {moment}": kill_at(moment, *killed)
        for moment in MOMENTS
        for killed in victims
    }


def check_undisturbed(study: Study) -> None:
    """Assert that kills changed nothing: trial for trial, and in their order, the epochs are those of a study without."""
    check_repeated(study)
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{folder}/undisturbed.db"
        with new_ledger(url, parse_space((study.folder / "s.yaml").read_text())) as ledger:
            reached: Counter[int] = Counter()
            while (assignment := ledger.ask()) is not None:
                _train(ledger, assignment, reached)
        assert _outcome(study.url) == _outcome(url)
        assert _promotions(study.url) == _promotions(url)


def _train(ledger: Ledger, assignment: Assignment, reached: Counter[int]) -> None:
    """Report the script's epochs after the one that the trial has reached, until the attempt ends."""
    number = assignment.trial
    for report in scripted.train(assignment.config, RunSettings(seed=assignment.runs[0].seed)):
        if report.epoch > reached[number]:
            reached[number] = report.epoch
            if not ledger.report(number, assignment.attempt, progress(report.epoch, report.val_accuracy)):
                return


def _outcome(url: str) -> list[tuple[object, ...]]:
    """Return every epoch in the order in which they were recorded, then every trial."""
    epochs = [(trial, epoch, value) for trial, epoch, _, _, value in rows(url, EPOCHS_OF)]
    return [*epochs, *((record.number, record.state, record.params) for record in records_of(url))]


def _promotions(url: str) -> Counter[int]:
    """Return how many trials went on from each rung."""
    return Counter(epoch - 1 for _, epoch, *_ in rows(url, EPOCHS_OF) if epoch - 1 in RUNGS)


def check_repeated(study: Study) -> None:
    """Assert that an epoch was begun again only where its trial ran when something was killed."""
    recorded = Counter(number for number, _, _ in study.ask(RECORDED))
    begun = Counter(int(line[0].removeprefix("trial-")) for line in log_lines(study.log_folder))
    again = begun - recorded
    assert again <= study.lost, (again, study.lost)


@dataclass(frozen=True)
class Promotion:
    """A trial that went on from a rung, and when that was decided."""

    decided: float
    trial: int
    rung: int


def check_rule(study: Study) -> None:
    """Assert that each promotion was one of the best third of its rung when it was decided, and that none is missing.

    When all trials have begun and no other runs, a third is rounded up, and the best of each rung goes on at least.
    """
    check_repeated(study)
    attempts = study.ask(ATTEMPTS)
    reached = {(trial, epoch): (reported, -value) for trial, epoch, _, reported, value in study.ask(EPOCHS_OF)}
    strata = {record.number: record.params["network.stages.0.block"] for record in records_of(study.url)}
    gone: Counter[tuple[object, int]] = Counter()

    def best(stratum: object, rung: int, until: float) -> list[int]:
        order = [
            (loss, trial)
            for (trial, epoch), (reported, loss) in reached.items()
            if epoch == rung and reported <= until and strata[trial] == stratum
        ]
        return [trial for _, trial in sorted(order)]

    for each in _decided(study):
        order = best(strata[each.trial], each.rung, each.decided)
        others = [a for a in attempts if a[0] != each.trial and a[2] < each.decided < a[3]]
        begun = sum(a[1] == 1 and a[2] <= each.decided for a in attempts)
        third = len(order) // 3
        is_last = begun == world.TRIALS and not others
        assert each.trial in order[: max(-(-len(order) // 3), 1) if is_last else third], (each, order)
        assert is_last or gone[strata[each.trial], each.rung] < third, (each, order)
        gone[strata[each.trial], each.rung] += 1
    for stratum in set(strata.values()):
        for rung in RUNGS:
            order = best(stratum, rung, float("inf"))
            for trial in order[: max(-(-len(order) // 3), 1)]:
                assert (trial, rung + 1) in reached, f"trial {trial} should have gone on from epoch {rung}"


def _decided(study: Study) -> list[Promotion]:
    """Return the promotions in their order: at once when a trial reached its rung, or when it was handed out again."""
    attempts = study.ask(ATTEMPTS)
    began = {(trial, number): began for trial, number, began, _, _ in attempts}
    endings = {(trial, number): ending for trial, number, _, _, ending in attempts}
    epochs = {(trial, epoch): (attempt, reported) for trial, epoch, attempt, reported, _ in study.ask(EPOCHS_OF)}
    found = []
    for (trial, epoch), (attempt, reported) in epochs.items():
        if epoch in RUNGS and (trial, epoch + 1) in epochs:
            paused_here = endings[trial, attempt] == "paused" and epochs[trial, epoch + 1][0] > attempt
            decided = began[trial, attempt + 1] if paused_here else reported
            found.append(Promotion(decided, trial, epoch))
    return sorted(found, key=lambda each: (each.decided, each.trial))
