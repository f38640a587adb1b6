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
from qpsearch.registry.samplers.base import DrawRequest, Sampler

if TYPE_CHECKING:
    from optuna.samplers import BaseSampler

LONGEST: Final = 40  # letters of a name, which the database has room for
MOST: Final = 1e12  # the largest value of an option
MOVING: Final = {"main", "master", "head", "latest", "newest", "stable", "nightly", "dev", "develop", "trunk"}


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomSampler(Sampler):
    """A sampler of the user's own, whose ``make`` takes the draw's seed and each option.

    Attributes:
        version: What the user changes when the sampler proposes otherwise.
    """

    version: str

    __hash__ = Sampler.__hash__

    def sampler(self, draw: DrawRequest) -> "BaseSampler":
        """Return Optuna's sampler for a draw.

        Raises:
            SamplerError: The user's code raises an error, or returns something else.
        """
        from optuna.samplers import BaseSampler

        with self.blamed():
            made: object = self.make(draw.seed, **draw.options)
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
        version: Change it when the sampler proposes otherwise; of OptunaHub, the commit that is loaded. The name of a
            branch is refused: what it names changes.
        options: The numbers that a space file may set, each with its default; one whose default is whole must be whole.

    Raises:
        UserError: The name is not such a word, ``make`` is not callable, the version is empty or a branch, or an
            option is not a number.

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
    doc = "proposes what code of your own says"
    return CustomSampler(name=name, doc=doc, make=make, version=_pinned(name, version), options=known)


def _pinned(name: str, version: object) -> str:
    """Return the version of a sampler as it is stored; raises UserError where it does not say which code it is."""
    is_one = isinstance(version, str | int) and not isinstance(version, bool)
    text = str(version).strip()
    if is_one and text and text.rpartition("/")[2].lower() not in MOVING:  # origin/main
        return text
    raise UserError(
        f"sampler {name!r}: version {version!r} does not say which code it is. Expected a number or word that changes "
        "whenever the code does: of OptunaHub, the commit that is loaded, and not a branch."
    )


def _is_word(name: object) -> bool:
    return isinstance(name, str) and name.isidentifier() and name.isascii()


def _option(sampler: str, name: str, default: object) -> Option:
    if isinstance(default, bool) or not isinstance(default, int | float) or not _is_word(name):
        said = f"sampler {sampler!r}: option {name!r} has the default {default!r}. Expected a word and a number."
        raise UserError(f"{said} Fix other settings in the function.")
    is_whole = isinstance(default, int)
    return Option(doc=f"Option of {sampler}.", low=-MOST, high=MOST, default=default, is_whole=is_whole)
