"""Trials by the kinds of block of their networks: one colour, one mark and one dash for each kind in all figures."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from optuna.trial import FrozenTrial

from qpsearch.analysis.page.colours import KINDS, MORE, ONLY, OTHERS

MOST: Final = 12  # groups with a colour of their own
BLOCK: Final = "block"  # last word of the name of a parameter that chooses a stage's block
ALL: Final = "all trials"
REST: Final = "other mixtures"


@dataclass(frozen=True, slots=True, kw_only=True)
class Style:
    """How a group of trials is drawn."""

    colour: str
    symbol: str
    dash: str


@dataclass(frozen=True, kw_only=True)
class Groups:
    """The trials of a study in groups.

    Attributes:
        of: The group of each trial, by its number.
        looks: How each group is drawn, the most frequent pure ones first.
        counts: How many trials each group has.
    """

    of: Mapping[int, str]
    looks: Mapping[str, Style]
    counts: Mapping[str, int]

    def parted(self, trials: Iterable[FrozenTrial]) -> Iterator[tuple[str, Style, list[FrozenTrial]]]:
        """Return each group that has some of the trials, how it is drawn, and those trials."""
        own: dict[str, list[FrozenTrial]] = defaultdict(list)
        for trial in trials:
            own[self.of[trial.number]].append(trial)
        for group, look in self.looks.items():
            if own[group]:
                yield group, look, own[group]

    @property
    def are_told_apart(self) -> bool:
        """Whether there is more than one group."""
        return len(self.looks) > 1


def kinds_of(trial: FrozenTrial) -> tuple[str, ...]:
    """Return the kinds of block that a trial's parameters name, each once; none where no parameter chooses a block."""
    chosen = {str(value) for name, value in trial.params.items() if name.split(".")[-1] == BLOCK}
    return tuple(sorted(chosen))


def groups_of(kinds: Mapping[int, tuple[str, ...]]) -> Groups:
    """Put trials into groups.

    Args:
        kinds: The kinds of block of each trial's network, by the trial's number.
    """
    found = Counter(kinds.values())
    if len(found) < 2:
        name = _named(next(iter(found), ()))
        colour = KINDS.get(next(iter(found), ()), ONLY)
        look = Style(colour=colour, symbol="circle", dash="solid")
        return Groups(of=dict.fromkeys(kinds, name), looks={name: look}, counts={name: len(kinds)})
    own = sorted(sorted(found, key=lambda each: -found[each])[:MOST], key=lambda each: (len(each), each))
    colours = dict(zip((each for each in own if each not in KINDS), MORE, strict=False))
    looks = {_named(each): _look(each, KINDS.get(each) or colours.get(each, OTHERS)) for each in own}
    of = {number: _named(each) if each in own else REST for number, each in kinds.items()}
    if len(found) > len(own):
        looks[REST] = Style(colour=OTHERS, symbol="x-thin", dash="dot")
    return Groups(of=of, looks=looks, counts=Counter(of.values()))


def colours_of(kinds: Sequence[str]) -> dict[str, str]:
    """Return the colour of each kind of block; kinds of a user's own have theirs in the order in which they come."""
    others = dict(zip((kind for kind in dict.fromkeys(kinds) if (kind,) not in KINDS), MORE, strict=False))
    return {kind: KINDS.get((kind,)) or others.get(kind, OTHERS) for kind in kinds}


def _named(kinds: tuple[str, ...]) -> str:
    return " + ".join(kinds) if kinds else ALL


def _look(kinds: tuple[str, ...], colour: str) -> Style:
    is_pure = len(kinds) <= 1
    return Style(colour=colour, symbol="circle" if is_pure else "diamond", dash="solid" if is_pure else "dash")
