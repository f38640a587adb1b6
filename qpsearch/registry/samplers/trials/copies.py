"""Trials as the copies of a study in memory hold them."""

from collections.abc import Mapping, Sequence
from typing import Any, Self

from optuna.trial import FrozenTrial, TrialState


def copied(
    trial: FrozenTrial,
    state: TrialState,
    values: Sequence[float] | None,
    reported: Mapping[int, float],
    system_attrs: Mapping[str, Any] | None = None,
) -> FrozenTrial:
    """Return a trial in another state.

    Args:
        trial: The trial, whose parameters and times stay.
        state: The state.
        values: Its values; None for none.
        reported: The values that it reported, by epoch.
        system_attrs: What samplers and pruners keep about it; None for what the trial has.
    """
    return _Copy(
        number=trial.number,
        state=state,
        value=None,
        values=list(values) if values else None,
        datetime_start=trial.datetime_start,
        datetime_complete=trial.datetime_complete,
        params=trial.params,
        distributions=trial.distributions,
        user_attrs={},
        system_attrs=dict(trial.system_attrs if system_attrs is None else system_attrs),
        intermediate_values=dict(reported),
        trial_id=-1,
    )


class _Copy(FrozenTrial):
    """A trial that belongs to the storage that it is given to, which need not copy it again."""

    def __deepcopy__(self, memo: object) -> Self:
        return self
