"""Samplers from code of the user's own: any sampler that Optuna can use, such as those of OptunaHub.

A space file cannot run code. A sampler comes from a module that the user names (``--import``), or from an installed
package (entry points of the group ``qpsearch.samplers``); ``architecture.plugins`` finds and registers it. A study
stores its name, options and version, and is not continued with another version.
"""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from qpsearch.errors import SamplerError, UserError, blamed
from qpsearch.registry.options import Option, Options
from qpsearch.registry.samplers import STARTUP

if TYPE_CHECKING:
    from optuna.samplers import BaseSampler

LONGEST: Final = 40  # letters of a name, which the database has room for
MOST: Final = 1e12  # the largest value of an option


@dataclass(frozen=True, kw_only=True)
class CustomSampler:
    """A sampler that space files can name; has what a ``SamplerKind`` has, too.

    Attributes:
        name: The word in space files.
        make: Returns Optuna's sampler for a draw, given the draw's seed and the options.
        version: What the user changes when the sampler proposes otherwise.
        options: The numbers that a space file may set.
    """

    name: str
    make: Callable[..., "BaseSampler"]
    version: str
    options: Mapping[str, Option]

    @property
    def value(self) -> str:
        """The word in space files and in the database."""
        return self.name

    @property
    def is_designed(self) -> bool:
        """False: points follow from results."""
        return False

    @property
    def is_blind(self) -> bool:
        """False: results may change what it proposes."""
        return False

    @property
    def startup(self) -> float:
        """Number of the first trial that is not drawn near the expert's priors."""
        return STARTUP

    @property
    def design(self) -> str:
        """What a study of the sampler has, in words."""
        return f"trials of an adaptive sampler ({self.name})"

    def __str__(self) -> str:
        return self.name

    def sampler(self, seed: int, options: Options) -> "BaseSampler":
        """Return the sampler of a draw.

        Raises:
            SamplerError: The user's code raises an error, or returns something else.
        """
        from optuna.samplers import BaseSampler

        with self.blamed():
            made: object = self.make(seed, **options)
        if not isinstance(made, BaseSampler):
            text = f"sampler {self.name!r}: returns {type(made).__name__}. Expected a sampler of Optuna or OptunaHub."
            raise SamplerError(text)
        return made

    def blamed(self) -> AbstractContextManager[None]:
        """Name the sampler, and the place in its code, in any error that its code raises; see ``errors.blamed``."""
        return blamed("sampler", self.name, SamplerError)

    def record(self, options: Options) -> dict[str, Any]:
        """Return what a study stores about it."""
        return {"name": self.name, "version": self.version, "options": dict(options)}


def custom_sampler(
    name: str,
    make: Callable[..., "BaseSampler"],
    *,
    version: str | int,
    options: Mapping[str, float] | None = None,
) -> CustomSampler:
    """Make a sampler that space files can name.

    Define it at the top level of a module that ``--import`` names, or in an entry point of the group
    ``qpsearch.samplers``. ``make`` is called for each draw, with a seed and the options, and returns an Optuna sampler
    that has not drawn yet: what a sampler must remember from draw to draw, it keeps in attributes of trials, as
    Optuna's own do. It sees the study as the built-in samplers do: failed trials and draws that cannot be trained are
    pruned with a violated constraint, and a paused trial is pruned at its rung.

    Args:
        name: A word of letters, digits and ``_``, of at most 40 letters.
        make: Returns the sampler of a draw: ``make(seed, **options)``.
        version: Change it when the sampler proposes otherwise; of OptunaHub, the commit that is loaded.
        options: The numbers that a space file may set, each with its default; one whose default is whole must be whole.

    Raises:
        UserError: The name is not such a word, ``make`` is not callable, or an option is not a number.

    Example:
        >>> import qpsearch
        >>> from optuna.samplers import TPESampler
        >>> wide = qpsearch.custom_sampler(
        ...     "wide",
        ...     lambda seed, candidates: TPESampler(seed=seed, n_ei_candidates=candidates),
        ...     version=1,
        ...     options={"candidates": 100},
        ... )
        >>> wide.name
        'wide'
    """
    given: object = make
    if not _is_word(name) or len(name) > LONGEST:
        expected = f"Expected a word of at most {LONGEST} letters, digits and '_'."
        raise UserError(f"a sampler cannot be named {name!r}. {expected}")
    if not callable(given):
        raise UserError(f"sampler {name!r}: {given!r} is not callable. Expected a function of a seed and the options.")
    if not isinstance(options, Mapping | None):
        raise UserError(f"sampler {name!r}: options {options!r} is not a dict. Expected words and numbers.")
    known = {key: _option(name, key, value) for key, value in (options or {}).items()}
    return CustomSampler(name=name, make=make, version=str(version), options=known)


def _is_word(name: object) -> bool:
    return isinstance(name, str) and name.isidentifier() and name.isascii()


def _option(sampler: str, name: str, default: object) -> Option:
    if isinstance(default, bool) or not isinstance(default, int | float) or not _is_word(name):
        said = f"sampler {sampler!r}: option {name!r} has the default {default!r}. Expected a word and a number."
        raise UserError(f"{said} Fix other settings in the function.")
    is_whole = isinstance(default, int)
    return Option(doc=f"Option of {sampler}.", low=-MOST, high=MOST, default=default, is_whole=is_whole)
