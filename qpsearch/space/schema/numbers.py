"""Numbers that a caller or a command gives outside a space file, checked as those of a file are."""

from typing import Any, Final

from qpsearch.errors import UserError
from qpsearch.space.schema.value_types import Integer, Number
from qpsearch.vocabulary import Scalar

SEED: Final = Integer(0, 2**64 - 1)
COUNT: Final = Integer(0, 10_000_000)
CHANNELS: Final = Integer(1, 100_000)  # of images, and outputs of a head
SHARE: Final = Number(0, 1)
WIDTH: Final = Integer(1, 2048)  # of a network's first stage


def required(domain: Integer | Number, value: Scalar, name: str) -> Any:
    """Return a number that a caller gives. Raises UserError where it is not one of the domain."""
    try:
        return domain.parse(value, name)
    except ValueError as error:
        raise UserError(f"{name}: {error}") from None


def checked(domain: Integer | Number, value: Scalar, name: str) -> Any:
    """Return a number that a caller may give; None stays None. Raises UserError where it is not one of the domain."""
    return None if value is None else required(domain, value, name)
