"""How far the epochs that a driver trains are: told with its heartbeat, for ``status``; never a part of the record."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass

from qpsearch.protocol import StepCount


@dataclass(frozen=True, slots=True, kw_only=True)
class StepsRecord:
    """How far an epoch of a trial was when its driver last said so.

    Attributes:
        recorded: Epochs of the trial that were recorded then, over all its runs: with more of them, this is outdated.
        replicate: The run, from 0.
        steps: The steps of its epoch.
    """

    recorded: int
    replicate: int
    steps: StepCount


def to_text(known: Mapping[int, StepsRecord]) -> str:
    """Return a text of the steps by a trial's number; ``from_text`` reads it."""
    return json.dumps({str(number): asdict(record) for number, record in known.items()})


def from_text(text: str | None) -> dict[int, StepsRecord]:
    """Return the steps by a trial's number; none for a text that another version wrote otherwise."""
    try:
        return {
            int(number): StepsRecord(
                recorded=int(told["recorded"]), replicate=int(told["replicate"]), steps=StepCount(**told["steps"])
            )
            for number, told in json.loads(text or "{}").items()
        }
    except (ValueError, TypeError, LookupError, AttributeError):
        return {}
