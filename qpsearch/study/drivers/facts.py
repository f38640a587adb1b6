"""What is written about a study beside its trials: its space and budget, where it was made, what it tries first."""

import contextlib
import importlib.metadata
import json
import os
import platform
from dataclasses import asdict
from typing import Any

from sqlalchemy import Connection, insert, update

import qpsearch
from qpsearch.architecture.paper_points import paper_points
from qpsearch.architecture.plugins import imports
from qpsearch.errors import StudyNotFound
from qpsearch.registry.own.sampler import CustomSampler
from qpsearch.registry.pruners import PrunerKind
from qpsearch.space import Space
from qpsearch.space.search import Budget
from qpsearch.study.drivers.stored import OWN_SAMPLER, PAPERS_POINTS, WARM, find_study, stored_space
from qpsearch.study.search.warm_start import warm_points
from qpsearch.study.storage.optuna_tables import METRIC_NAMES, read_trials
from qpsearch.study.storage.tables import facts_of, study_attrs, study_facts
from qpsearch.study.trials.rows import share_seeds
from qpsearch.vocabulary import Scalar

VERSIONED = ("optuna", "ray", "torch", "torchvision", "numpy", "sqlalchemy")


def insert_facts(
    connection: Connection,
    study: int,
    space: Space,
    *,
    source: str,
    uid: str,
    checkpoint_root: str | None,
    now: float,
) -> None:
    """Write qpsearch's row about a study, and the names of its objectives for Optuna's tools."""
    budget, names = space.search.budget, [each.metric.value for each in space.search.objectives]
    connection.execute(insert(study_attrs).values(study_id=study, key=METRIC_NAMES, value_json=json.dumps(names)))
    connection.execute(
        insert(study_facts).values(
            study_id=study,
            uid=uid,
            first_name=space.study,
            space_text=space.source,
            space_source=source,
            seed=space.search.seed,
            revision=0,
            asked=budget.trials,
            most_epochs=budget.epochs,
            most_s=budget.seconds,
            most_gpu_s=budget.gpu_seconds,
            sampler=space.search.sampler.name,
            pruner=space.search.pruner.value,
            resources_json=json.dumps(asdict(space.resources)),
            checkpoint_root=checkpoint_root,
            environment_json=json.dumps(environment()),
            created=now,
        )
    )
    if space.search.is_grid or space.search.pruner is PrunerKind.WILCOXON:
        share_seeds(connection, study)
    if isinstance(space.search.sampler, CustomSampler):
        record = space.search.sampler.record(space.search.sampler_options)
        connection.execute(
            insert(study_attrs).values(study_id=study, key=OWN_SAMPLER, value_json=json.dumps(record, sort_keys=True))
        )
    _insert_first_points(connection, study, space)


def check_warm_start(connection: Connection, space: Space) -> None:
    """Raise StudyNotFound if a study of ``search.warm_start`` is not there; to be asked before the study itself is."""
    for name in space.search.warm_start:
        try:
            find_study(connection, name)
        except StudyNotFound as error:
            raise StudyNotFound(f"search.warm_start: {error}") from None


def _insert_first_points(connection: Connection, study: int, space: Space) -> None:
    """Keep what a study tries first and its file does not list: papers' rules and earlier studies may change."""
    papers = paper_points(space) if space.search.papers else []
    if papers:
        row = {"study_id": study, "key": PAPERS_POINTS, "value_json": json.dumps(papers)}
        connection.execute(insert(study_attrs).values(row))
    found: list[dict[str, Scalar]] = []
    for name in space.search.warm_start:
        earlier = find_study(connection, name)
        facts = facts_of(connection, earlier)
        trials_of_it = read_trials(connection, earlier)
        found += warm_points(space, stored_space(facts, name), trials_of_it, [*papers, *space.search.first, *found])
    if found:
        row = {"study_id": study, "key": WARM, "value_json": json.dumps(found)}
        connection.execute(insert(study_attrs).values(row))


def set_budget(connection: Connection, study: int, budget: Budget) -> None:
    """Write a study's budget."""
    connection.execute(
        update(study_facts)
        .where(study_facts.c.study_id == study)
        .values(asked=budget.trials, most_epochs=budget.epochs, most_s=budget.seconds, most_gpu_s=budget.gpu_seconds)
    )


def environment() -> dict[str, Any]:
    """Return versions, machine and the user's own modules, for the record."""
    versions = {"qpsearch": qpsearch.__version__, "python": platform.python_version()}
    for package in VERSIONED:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):  # inline dispatch does not need Ray
            versions[package] = importlib.metadata.version(package)
    return {
        "versions": versions,
        "machine": {"system": platform.platform(), "processor": platform.machine(), "cores": os.cpu_count()},
        "imports": imports(),
    }
