"""Which names and values of a study that some other program made stand for those of a space.

Whatever would change what the study means is refused here, before any of its trials is looked at: a name that matches
nothing, a parameter that the space lacks, another direction.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from optuna.study import StudyDirection
from optuna.trial import FrozenTrial

from qpsearch.errors import UserError, nearest
from qpsearch.registry.metrics import Metric
from qpsearch.space import Space
from qpsearch.space.constraints import COSTS
from qpsearch.space.domains import stored, text_of
from qpsearch.space.leaves import Constant, Site
from qpsearch.study.optuna_import.foreign import Foreign
from qpsearch.study.storage.optuna_tables import DIRECTIONS
from qpsearch.vocabulary import Scalar


@dataclass(frozen=True, slots=True, kw_only=True)
class Matching:
    """How the trials of a study are read as trials of a space.

    Attributes:
        names: Maps the study's parameters to those of the space, where the names differ.
        values: Maps a parameter of the study and the text of its value to the value in the space.
        ignored: Parameters of the study that are left out.
        objective: Which of the study's objectives is the space's first one, from 0; None where all of them match.
    """

    names: Mapping[str, str] = field(default_factory=dict)
    values: Mapping[tuple[str, str], Scalar] = field(default_factory=dict)
    ignored: frozenset[str] = frozenset()
    objective: int | None = None

    @classmethod
    def of(
        cls,
        space: Space,
        study: Foreign,
        *,
        names: Sequence[str] = (),
        values: Sequence[str] = (),
        ignored: Sequence[str] = (),
        objective: int | None = None,
    ) -> "Matching":
        """Read what a user asks for, and check it against both sides.

        Args:
            space: The space.
            study: The study of the other program.
            names: Texts ``THEIRS=OURS``, names of a parameter.
            values: Texts ``PARAM:THEIRS=OURS``: the study's name of a parameter, and its value there and here.
            ignored: Parameters of the study that the space lacks and that shall be left out.
            objective: Which of the study's objectives is the space's first one, from 1. The others are left out, and
                the space's costs are computed. None if all objectives match.

        Raises:
            UserError: One of them does not match anything or contradicts another, the study has a parameter that the
                space lacks, or its directions are others.
        """
        _check_directions(space, study, objective)
        sides = _Sides(space, study)
        renamed = sides.names(names)
        matched = sides.values(values, renamed)
        sides.check_ignored(ignored, renamed)
        sides.check_complete(renamed, ignored)
        return cls(
            names=renamed,
            values=matched,
            ignored=frozenset(ignored),
            objective=None if objective is None else objective - 1,
        )

    def params(self, trial: FrozenTrial) -> dict[str, Scalar]:
        """Return the parameters of the study's trial under the names and with the values of the space.

        Raises:
            UserError: Two of the trial's parameters get one name.
        """
        found: dict[str, Scalar] = {}
        came_from: dict[str, str] = {}
        for theirs, value in trial.params.items():
            if theirs in self.ignored:
                continue
            ours = self.names.get(theirs, theirs)
            if ours in found:
                raise UserError(
                    f"--map: {came_from[ours]!r} and {theirs!r} would both be {ours!r} in trial {trial.number}."
                )
            found[ours] = self.values.get((theirs, text_of(value)), value)
            came_from[ours] = theirs
        return found


class _Sides:
    """What the study has, and what the space has."""

    def __init__(self, space: Space, study: Foreign) -> None:
        self._space, self._study = space, study
        self._theirs: dict[str, dict[str, Any]] = {}  # the values of each parameter, by their text
        for trial in study.ended:
            for name, value in trial.params.items():
                self._theirs.setdefault(name, {})[text_of(value)] = value
        self._ours: dict[str, list[Site]] = {}
        for site in space.sites:
            for name in {site.path, site.parameter}:
                self._ours.setdefault(name, []).append(site)

    def names(self, pairs: Sequence[str]) -> dict[str, str]:
        found: dict[str, str] = {}
        for pair in pairs:
            theirs, equals, ours = pair.partition("=")
            if not equals:
                raise UserError(f"--map {pair}: is not THEIRS=OURS, two parameter names.")
            self._check_theirs(f"--map {pair}", theirs)
            if ours not in self._ours:
                hint = nearest(ours, list(self._space.searched))
                raise UserError(f"--map {pair}: the space does not have a parameter {ours!r}. {hint}")
            if found.setdefault(theirs, ours) != ours:
                raise UserError(f"--map {pair}: {theirs!r} is matched to {found[theirs]!r} already.")
        return found

    def values(self, texts: Sequence[str], names: Mapping[str, str]) -> dict[tuple[str, str], Scalar]:
        found: dict[tuple[str, str], Scalar] = {}
        for given in texts:
            option = f"--map-value {given}"
            name, colon, pair = given.partition(":")
            theirs, equals, ours = pair.partition("=")
            if not colon or not equals:
                raise UserError(f"{option}: is not PARAM:THEIRS=OURS, a parameter's name in the study and two values.")
            self._check_theirs(option, name)
            known = self._theirs[name]
            key = next((text for text, value in known.items() if _is_spelled(value, theirs)), None)
            if key is None:
                raise UserError(
                    f"{option}: {name!r} does not have the value {theirs!r}. {nearest(theirs, list(known))}"
                )
            value = self._own_value(option, names.get(name, name), ours)
            if found.setdefault((name, key), value) != value:
                raise UserError(f"{option}: {theirs!r} is matched to {text_of(found[name, key])!r} already.")
        return found

    def check_ignored(self, ignored: Sequence[str], names: Mapping[str, str]) -> None:
        for name in ignored:
            self._check_theirs(f"--ignore {name}", name)
            if name in names:
                raise UserError(f"--ignore {name}: is matched to {names[name]!r} by --map. Give only one of the two.")
            if name in self._space.searched:
                raise UserError(
                    f"--ignore {name}: the space draws this parameter, and no trial would have a value for it."
                )

    def check_complete(self, names: Mapping[str, str], ignored: Sequence[str]) -> None:
        """Refuse parameters of the study that have no meaning in the space, and were not left out on purpose."""
        lacking = [name for name in self._theirs if name not in ignored and names.get(name, name) not in self._ours]
        matched = {names.get(name, name) for name in self._theirs}
        free = [name for name in self._space.searched if name not in matched]
        lines = []
        for name in lacking:
            hint = f"{nearest(name, free)} " if free else ""
            lines.append(
                f"study {self._study.name!r}: the space does not have the study's parameter {name!r}. {hint}"
                f"Match the name: --map {name}=OURS. Or leave the parameter out: --ignore {name}."
            )
        if lines:
            raise UserError("\n".join(lines))

    def _check_theirs(self, option: str, name: str) -> None:
        if name not in self._theirs:
            hint = nearest(name, list(self._theirs)) if self._theirs else "It does not have parameters."
            raise UserError(f"{option}: study {self._study.name!r} does not have a parameter {name!r}. {hint}")

    def _own_value(self, option: str, ours: str, text: str) -> Scalar:
        if ours not in self._ours:
            raise UserError(f"{option}: the space does not have a parameter {ours!r}. Match its name too: --map.")
        allowed = []
        for site in self._ours[ours]:
            if isinstance(site.leaf, Constant):
                allowed.append(site.leaf.value)
            elif site.domain is not None and site.domain.options is not None:
                allowed += site.domain.options
            elif site.domain is not None and (number := _number(text)) is not None and number in site.domain:
                return site.domain.member(number)
        for value in allowed:
            if _is_spelled(value, text):
                return stored(value)  # type: ignore[arg-type]  # a constant that is matched is no tuple
        domains = " or ".join(sorted({str(site.leaf) for site in self._ours[ours]}))
        raise UserError(f"{option}: {ours} cannot be {text!r}. It is {domains}.")


def _is_spelled(value: object, text: str) -> bool:
    """Whether a text spells a value: as in a space file, as in Python, or as any number that is equal."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return text in (text_of(value), str(value)) or (is_number and _number(text) == value)


def _number(text: str) -> int | float | None:
    for read in (int, float):
        try:
            return read(text)
        except ValueError:
            continue
    return None


def _check_directions(space: Space, study: Foreign, objective: int | None) -> None:
    """Refuse a study whose objectives the space does not have."""
    wanted = [each.direction for each in space.search.objectives]
    count = len(study.directions)
    if objective is not None and not 1 <= objective <= count:
        some = "one objective" if count == 1 else f"{count} objectives"
        raise UserError(f"--objective {objective}: study {study.name!r} has {some}, counted from 1.")
    taken = study.directions if objective is None else [study.directions[objective - 1]]
    if taken == [DIRECTIONS[way] for way in wanted][: None if objective is None else 1]:
        return
    theirs, ours = _listed([_way(way) for way in taken]), _listed([str(way) for way in wanted])
    fixes = [f"Set `search.objective: {setting}`, if that is what the study optimised." for setting in _settings(taken)]
    same = [number for number, way in enumerate(study.directions, 1) if way == DIRECTIONS[wanted[0]]]
    if objective is None and same:
        fixes.append(
            f"To take over one of the study's objectives, and compute the space's costs: --objective {same[0]}."
        )
    where = "" if objective is None else f"--objective {objective}: "
    raise UserError(
        f"{where}study {study.name!r} has the {theirs}; the space has the {ours}. {' '.join(fixes)}".rstrip()
    )


def _settings(ways: Sequence[StudyDirection]) -> list[str]:
    """Return the nearest objective of a space with such directions, if there is one: costs are to be minimised."""
    first, *costs = ways
    if len(costs) > len(COSTS) or any(way is not StudyDirection.MINIMIZE for way in costs):
        return []
    metric = Metric.VAL_ACCURACY if first is StudyDirection.MAXIMIZE else Metric.VAL_LOSS
    if first is not StudyDirection.MAXIMIZE:
        return [f"{{minimize: [{', '.join([metric, *COSTS[: len(costs)]])}]}}" if costs else f"{{minimize: {metric}}}"]
    return [
        f"{{maximize: {metric}, minimize: [{', '.join(COSTS[: len(costs)])}]}}" if costs else f"{{maximize: {metric}}}"
    ]


def _listed(ways: Sequence[str]) -> str:
    return f"direction{'s' if len(ways) > 1 else ''} {', '.join(ways)}"


def _way(way: StudyDirection) -> str:
    return next((str(own) for own, theirs in DIRECTIONS.items() if theirs is way), way.name.lower())
