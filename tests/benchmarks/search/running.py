"""Running the searches, in one process or several, and keeping what was run."""

import json
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from itertools import chain
from pathlib import Path

from qpsearch.dispatch.simulated import Timeline
from tests.benchmarks.search import catalogue, methods
from tests.benchmarks.search.ours import scratch
from tests.benchmarks.search.simulation import Run, simulate


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A method on a task, with some seeds.

    Attributes:
        method: Its name.
        task: The task's name.
        seeds: How many seeds, from 0.
        workers: How many train at once.
        tables: The folder of tables.
        kept: Where runs are kept; None keeps none.
    """

    method: str
    task: str
    seeds: int
    workers: int
    tables: Path | None
    kept: Path | None


def run_all(jobs: Sequence[Job], processes: int) -> dict[tuple[str, str], list[Run]]:
    """Run everything; say on standard error what is done."""
    found = {}
    for done, (job, runs) in enumerate(_results(jobs, processes), 1):
        found[job.method, job.task] = runs
        print(f"[{done}/{len(jobs)}] {job.method} on {job.task}", file=sys.stderr, flush=True)
    return found


def _results(jobs: Sequence[Job], processes: int) -> Iterator[tuple[Job, list[Run]]]:
    if processes == 1:
        yield from zip(jobs, map(run_job, jobs), strict=True)
        return
    with ProcessPoolExecutor(processes) as pool:
        yield from zip(jobs, pool.map(run_job, jobs), strict=True)


def run_job(job: Job) -> list[Run]:
    """Run what is not kept."""
    task = catalogue.load(job.task, job.tables)
    files = [None] * job.seeds if job.kept is None else _files(job, methods.resolved(job.method, task))
    earlier = methods.starts_from(job.method, lambda: catalogue.load(catalogue.neighbour(job.task), job.tables))
    runs = []
    with scratch() as folder:
        for seed, file in enumerate(files):
            if file is not None and file.exists():
                known = json.loads(file.read_text())
                runs.append(Run(**{**known, "best": tuple(known["best"])}))
                continue
            timeline = Timeline()
            search = methods.build(job.method, task, seed, timeline, folder, earlier=earlier)
            try:
                run = simulate(task, search, timeline, seed=seed, workers=job.workers)
            finally:
                search.close()
            runs.append(run)
            if file is not None:
                _keep(file, run)
    return runs


def _files(job: Job, name: str) -> list[Path | None]:
    assert job.kept is not None
    folder = job.kept / "".join(letter if letter.isalnum() or letter in "+-_." else "-" for letter in name) / job.task
    return [folder / f"{seed}-workers-{job.workers}.json" for seed in range(job.seeds)]


def _keep(file: Path, run: Run) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    partial = file.with_suffix(".partial")
    partial.write_text(json.dumps(asdict(run)))
    partial.replace(file)


def jobs_of(
    methods_: Sequence[str],
    tasks: Sequence[str],
    seeds: int,
    workers: int,
    tables: Path | None,
    kept: Path | None,
) -> list[Job]:
    """Return the jobs of every method on every task, the methods of a task one after the other."""
    return list(
        chain.from_iterable(
            (
                Job(method=method, task=task, seeds=seeds, workers=workers, tables=tables, kept=kept)
                for method in methods_
            )
            for task in tasks
        )
    )
