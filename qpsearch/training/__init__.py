"""Data, recipe and loop, for the networks of ``qpsearch.models``. Needs torch; does not depend on studies."""

from qpsearch.training.loop import train

__all__ = ["train"]
