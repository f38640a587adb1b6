"""The space language: from a YAML file to draws."""

from qpsearch.space.assemble import load_space, parse_space
from qpsearch.space.draw import Chooser, Draw, RandomChooser, StoredChooser, settle
from qpsearch.space.space import Space, diff

__all__ = ["Space", "load_space", "parse_space", "diff", "settle", "Draw", "Chooser", "RandomChooser", "StoredChooser"]
