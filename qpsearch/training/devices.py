"""The device that a caller names, checked before anything is moved to it."""

import torch

from qpsearch.errors import UserError

INSTEAD = "Expected 'cpu', or 'cuda' for a GPU."


def usable_device(name: str) -> torch.device:
    """Return a device of this machine by its name.

    Raises:
        UserError: There is no such device here, or this torch cannot use it.
    """
    try:
        device = torch.device(name)
    except (RuntimeError, TypeError):  # the words of the one are a list of all kinds that torch ever knew
        raise UserError(f"device: {name!r} is not a device. {INSTEAD}") from None
    if device.type == "cuda":
        count = torch.cuda.device_count()
        if not count:
            raise UserError(
                f"device: {name!r} cannot be used, since torch does not find a GPU here. Take 'cpu', "
                "or see what is missing: qpsearch doctor."
            )
        if (device.index or 0) >= count:
            known = ", ".join(f"'cuda:{index}'" for index in range(count))
            raise UserError(f"device: there is no {name!r}. Known: {known}.")
    elif device.type not in ("cpu", "meta"):
        try:
            torch.empty(0, device=device)
        except (RuntimeError, AssertionError):  # NotImplementedError is a RuntimeError
            raise UserError(f"device: {name!r} cannot be used here. {INSTEAD}") from None
    return device
