"""Learning curves that are known: of a study's trials, or of a table in a file; what a simulated worker reads."""

import csv
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path
from typing import Final

import numpy as np

from qpsearch.dispatch.simulated import KnownCurve
from qpsearch.errors import UserError, command, nearest
from qpsearch.registry.samplers.base import Matrix
from qpsearch.space import Space
from qpsearch.space.file.document import parse_document, plain
from qpsearch.space.file.points import domains_of, member_of
from qpsearch.study import queries
from qpsearch.study.search.encoding import Encoding
from qpsearch.study.storage.database import Database
from qpsearch.vocabulary import FailReason, Scalar

FEWEST: Final = 10  # curves, below which a simulation would say nothing
EPOCH, VALUE, SECONDS = "epoch", "value", "seconds"


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownTraining:
    """A configuration with what is known of its training.

    Attributes:
        params: Its parameters; a parameter that does not apply is absent.
        values: The objective after each epoch, from the first; its worst where an evaluation did not give a value.
        seconds: Time of each epoch.
        diverged: Whether its training diverged after these epochs.
    """

    params: Mapping[str, Scalar]
    values: Sequence[float]
    seconds: Sequence[float]
    diverged: bool = False


class CurveTable:
    """The curves of some configurations; any other configuration has the curve of the nearest one.

    A curve that ends early (its trial was pruned) is continued by the median improvement, epoch by epoch, of the curves
    that went on.

    Args:
        name: What messages call it.
        space: The space, whose parameters the points have.
        points: What is known.

    Attributes:
        epochs: Epochs of a whole training: as many as the longest curve has.
        full_s: Mean seconds of a whole training.
        whole: How many curves were known to their end.
        diverged: How many trainings diverged.

    Raises:
        UserError: There are fewer than ten curves, or every training diverged in its first epoch.
    """

    def __init__(self, name: str, space: Space, points: Sequence[KnownTraining]) -> None:
        points = [point for point in points if point.values or point.diverged]
        if len(points) < FEWEST:
            raise UserError(f"{name}: has {len(points)} learning curves. A simulation needs {FEWEST} at least.")
        self.name = name
        self.epochs = max(len(point.values) for point in points)
        if not self.epochs:
            raise UserError(f"{name}: each training diverged in its first epoch. A simulation needs others.")
        self.whole = sum(len(point.values) == self.epochs for point in points)
        sign = -space.search.objective.sign
        losses = np.array([_row([sign * value for value in point.values], self.epochs) for point in points])
        seconds = np.array([_row(point.seconds, self.epochs) for point in points])
        self.diverged = sum(point.diverged for point in points)
        self._lost = [len(point.values) + 1 if point.diverged else None for point in points]
        lost = np.array([self.epochs + 1 if epoch is None else epoch for epoch in self._lost])
        self._losses = np.where(np.arange(1, self.epochs + 1) >= lost[:, None], np.inf, _continued(losses))
        overall = np.nanmedian(seconds)  # of those that diverged in the first epoch no time is known
        typical = [np.median(point.seconds) if point.seconds else overall for point in points]
        seconds = np.where(np.isnan(seconds), np.array(typical)[:, None], seconds)
        self._seconds = np.where(seconds > 0, seconds, 1.0)  # imported epochs may not have a time
        self.full_s = float(self._seconds.sum(axis=1).mean())
        self._encoding = Encoding(space.sites)
        rows = np.array([self._encoding.row(point.params) for point in points])
        self._features = self._encoding.features(self._encoding.points(rows))

    def __len__(self) -> int:
        return len(self._losses)

    def curve(self, params: Mapping[str, Scalar]) -> KnownCurve:
        """Return the curve of a configuration: that of the nearest known one."""
        row = self._encoding.row(params)[None]
        own = self._encoding.features(row)
        index = int(np.argmin(((self._features - own) ** 2).sum(axis=1)))
        losses, seconds = self._losses[index].tolist(), self._seconds[index].tolist()
        return KnownCurve(losses=losses, seconds=seconds, diverges_in=self._lost[index])


def of_study(database: Database, name: str, space: Space) -> CurveTable:
    """Return the curves of a study's trials, of each trial its first run.

    Raises:
        UserError: There are too few, they go through levels of fidelity, or a search has chosen what they train: those
            of a comparison are of all its arms.
    """
    _refuse_chosen(database, name, space)
    if space.search.fidelity is not None:
        raise UserError(
            f"study {name!r}: its trials begin anew at each level of search.fidelity ({space.search.fidelity}), and a "
            "simulation needs curves of whole trainings. Name a study without levels."
        )
    metric, values = space.search.objective.metric, dict[int, list[tuple[float, float]]]()
    for row in queries.epoch_rows(database, name):
        if row["replicate"] == 0:
            value = row.get(metric.kind.field or metric.value)
            values.setdefault(row["number"], []).append((metric.worst if value is None else value, row["seconds"]))
    points = [
        KnownTraining(
            params=record.params,
            values=[value for value, _ in values.get(record.number, [])],
            seconds=[seconds for _, seconds in values.get(record.number, [])],
            diverged=record.reason == FailReason.DIVERGED,
        )
        for record in queries.trial_records(database, name)
        if record.number in values or record.reason == FailReason.DIVERGED
    ]
    return CurveTable(f"study {name!r}", space, points)


def _refuse_chosen(database: Database, name: str, space: Space) -> None:
    """Refuse a study that trains on fresh seeds what one search has chosen, or the searches of several arms."""
    chosen_by = queries.chosen_by(database, name)
    if chosen_by is None:
        return
    searches = [chosen_by] if space.compare is None else [each.study for each in space.compare.searches.values()]
    raise UserError(
        f"study {name!r} trains again what a search has chosen, and a simulation needs the curves of a search. "
        f"Simulate one: {'; '.join(command('simulate', each) for each in searches)}."
    )


def of_folder(folder: Path, space: Space) -> list[CurveTable]:
    """Return the tables of a folder, one for each file NAME.csv, by name.

    A row is an epoch of a configuration: its parameters, each in a column of that name (empty where one does not
    apply), ``epoch`` from 1, ``value`` (the objective) and, if known, ``seconds``.

    Raises:
        UserError: There is no table, one cannot be read, or the space compares arms.
    """
    if space.compare is not None:
        raise UserError(
            f"{space.study}: compares arms, and a simulation searches one space. Give a file without 'compare'."
        )
    files = sorted(folder.glob("*.csv"))
    if not files:
        raise UserError(f"{folder}: does not hold a table. Expected files NAME.csv.")
    return [CurveTable(str(file), space, list(_points(file, space))) for file in files]


def _points(file: Path, space: Space) -> Iterator[KnownTraining]:
    domains = domains_of(space)
    found: dict[tuple[str, ...], dict[int, tuple[float, float]]] = {}
    try:
        with file.open(newline="", encoding="utf-8-sig") as stream:
            reader = csv.DictReader(stream)
            columns = list(reader.fieldnames or ())
            _check_columns(file, columns, list(domains))
            for row in reader:
                key = tuple(row[name] or "" for name in domains)
                epoch = _epoch(file, reader.line_num, row)
                if epoch in found.get(key, {}):
                    raise UserError(f"{file}:{reader.line_num}: epoch {epoch} of this configuration is there twice.")
                seconds = _number(file, reader.line_num, row, SECONDS) if SECONDS in columns else 1.0
                found.setdefault(key, {})[epoch] = (_number(file, reader.line_num, row, VALUE), seconds)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"{file}: cannot be read ({error}).") from None
    for key, epochs in found.items():
        params = {}
        for (name, domain), text in zip(domains.items(), key, strict=True):
            if text:
                try:
                    params[name] = member_of(name, domain, plain(parse_document(text, str(file))))
                except ValueError as error:
                    raise UserError(f"{file}: {error}") from None
        known = [epochs[epoch] for epoch in range(1, max(epochs) + 1) if epoch in epochs]
        if len(known) != max(epochs):
            raise UserError(f"{file}: the epochs of a configuration are not 1, 2, 3, ...: {dict(params)}.")
        finite = list(takewhile(lambda pair: math.isfinite(pair[0]), known))
        yield KnownTraining(
            params=params,
            values=[value for value, _ in finite],
            seconds=[seconds for _, seconds in finite],
            diverged=len(finite) < len(known),
        )


def _check_columns(file: Path, columns: list[str], parameters: list[str]) -> None:
    known = [*parameters, EPOCH, VALUE, SECONDS]
    for column in columns:
        if column not in known:
            raise UserError(f"{file}: column {column!r} is not a parameter of the space. {nearest(column, known)}")
    for name in (*parameters, EPOCH, VALUE):
        if name not in columns:
            raise UserError(f"{file}: does not have a column {name!r}. Expected {', '.join(known)}.")


def _epoch(file: Path, line: int, row: Mapping[str, str | None]) -> int:
    epoch = _number(file, line, row, EPOCH)
    if not (math.isfinite(epoch) and epoch >= 1 and epoch.is_integer()):
        raise UserError(f"{file}:{line}: {EPOCH} is {row[EPOCH]}. Expected 1, 2, 3, ...")
    return int(epoch)


def _number(file: Path, line: int, row: Mapping[str, str | None], name: str) -> float:
    try:
        return float(row[name] or "")
    except ValueError:
        raise UserError(f"{file}:{line}: {name} is {row[name]!r}, which is not a number.") from None


def _row(values: Sequence[float], count: int) -> list[float]:
    return [*values, *[math.nan] * (count - len(values))]


def _continued(losses: Matrix) -> Matrix:
    """Continue rows that end in NaN by the median step of the rows that go on, from their last finite loss."""
    filled, level = losses.copy(), losses[:, 0].copy()
    for epoch in range(1, losses.shape[1]):
        before, now = losses[:, epoch - 1], losses[:, epoch]
        both = np.isfinite(before) & np.isfinite(now)
        step = float(np.median(now[both] - before[both])) if both.any() else 0.0
        level = np.where(np.isfinite(now), now, level + step)
        filled[:, epoch] = np.where(np.isnan(now), level, now)
    return filled
