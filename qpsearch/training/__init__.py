"""Data, recipe and loop: trains what ``qpsearch.models`` builds. Needs torch; knows nothing of studies."""

from qpsearch.training.loop import train

__all__ = ["train"]
