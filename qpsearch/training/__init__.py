"""Data, recipe and loop, for the networks of ``qpsearch.models``. Needs torch; does not depend on studies."""

from qpsearch.training.levels import train

__all__ = ["train"]
