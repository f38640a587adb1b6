"""What a stored study refuses: another space, another place of its checkpoints, a budget that it cannot have."""

import math
from collections.abc import Collection
from contextlib import closing
from dataclasses import replace

from qpsearch.errors import QpsearchError, StudyExists, StudyMismatch, UserError, command, counted
from qpsearch.registry.own.places import changes_since
from qpsearch.runner.overrides import Overrides
from qpsearch.space import Space, diff
from qpsearch.space.file.document import parse_document, plain
from qpsearch.space.schema.value_types import AUTO
from qpsearch.study import opening, queries
from qpsearch.study.storage.database import Database
from qpsearch.vocabulary import FailReason


def refuse_other(database: Database, given: Space) -> None:
    """Raise StudyMismatch if a space does not mean the same as the stored study's."""
    if changes := _changes(database, given):
        raise StudyMismatch(
            f"study {given.study!r} was made from another space:\n  "
            + "\n  ".join(changes)
            + f"\nContinue it with its own space: {command('resume', given.study)}. "
            f"Or start a new study of this space: {command('run', 'FILE', '--study', 'NAME')}."
        )


def exists_already(storage: str, given: Space) -> StudyExists:
    """Return the error that there is a study of a space's name, with what the space has other than the study's own."""
    try:
        with closing(Database.open(storage)) as database:
            return opening.exists(given.study, _changes(database, given))
    except QpsearchError:  # its space cannot be read; the name is taken all the same
        return opening.exists(given.study)


def _changes(database: Database, given: Space) -> list[str]:
    """Say what a space has other than the stored study's, a line each."""
    stored = queries.space_of(database, given.study)
    changes = diff(stored, _with_words_of(stored, given))
    old, new = stored.data.own, given.data.own
    if old is not None and new is not None and old.fingerprint != new.fingerprint:
        others = [change for change in changes if not change.startswith("data.images:")]
        changes = [f"data.images: {changes_since(old, new)}", *others]
    return changes


def _with_words_of(stored: Space, given: Space) -> Space:
    """Return a space with the stored sampler and pruner where its file says auto, which meant others once."""
    said = plain(parse_document(given.source, given.study)).get("search") or {}
    search = {name: stored.search if said.get(name, AUTO) == AUTO else given.search for name in ("sampler", "pruner")}
    return replace(given, search=given.search.using(search["sampler"].sampler, search["pruner"].pruner))


def refuse_other_artifacts(database: Database, study: str, given: str | None) -> None:
    """Raise StudyMismatch if a study does not keep its checkpoints where the caller asked."""
    stored = queries.artifacts_of(database, study)
    if given is not None and given != stored:
        raise StudyMismatch(
            f"study {study!r} keeps its checkpoints in {stored}, not in {given}. "
            "Join it without --artifacts and QPSEARCH_ARTIFACTS, or with the same."
        )


def refuse_one_arm(
    database: Database,
    study: str,
    overrides: Overrides,
    *,
    retry: Collection[FailReason] = (),
    ignore_stop: bool = False,
) -> None:
    """Refuse what would search one arm of a comparison further than the others; arguments as in ``driving.resume``."""
    if overrides.has_budget:
        option: tuple[str, ...] = ("--trials", "N")
    elif retry:
        option = ("--retry-failed", "all" if len(retry) > 1 else next(iter(retry)).value)
    else:
        option = ("--ignore-stop",)
    whole = queries.comparison_named(database, study) if overrides.has_budget or retry or ignore_stop else None
    if whole is not None:
        raise UserError(
            f"study {study!r} is an arm of {whole!r}, whose arms are tuned alike. For all of them, until the best "
            f"configurations of each have been chosen: {command('resume', whole, *option)}."
        )


def refuse_smaller(database: Database, study: str, overrides: Overrides) -> None:
    """Refuse a smaller budget than the study's own that is below what was spent: its paused trials would be pruned.

    Trials that were begun are spent, also open ones, which will be trained.
    """
    if not overrides.has_budget:
        return
    spent = queries.summary(database, study)
    own, begun = spent.budget, spent.begun
    for option, asked, stored, done, unit, text in (
        ("trials", overrides.trials, own.trials, begun, 1, counted(begun, "trial")),
        ("epochs", overrides.epochs, own.epochs, spent.epochs, 1, counted(spent.epochs, "epoch")),
        ("time", overrides.seconds, own.seconds, spent.wall_s, 1, f"{math.ceil(spent.wall_s)} s"),
        (
            "gpu-hours",
            overrides.gpu_seconds,
            own.gpu_seconds,
            spent.gpu_s,
            3600,
            counted(math.ceil(spent.gpu_s / 3.6) / 1000, "GPU hour"),
        ),
    ):
        if asked is not None and asked < done and (stored is None or asked < stored):
            shown = f"{asked:g}s" if option == "time" else f"{asked / unit:g}"
            raise UserError(f"--{option} {shown}: study {study} has {text} behind it. Expected at least that.")
