"""Data, recipe and loop: trains the networks that ``qpsearch.models`` builds. Needs torch; does not know studies."""

from qpsearch.training.loop import train

__all__ = ["train"]
