"""Everything that qpsearch raises on purpose.

::

    QpsearchError                exit code 1   the run failed
    |-- UserError                exit code 2   your file or flag: one message, no traceback
    |   |-- SpaceError           a space file is not valid
    |   |-- StudyNotFound        no study of that name in that database
    |   |-- StudyExists          `run` on a study that exists
    |   |-- StudyMismatch        a study and a space file disagree
    |   |-- StudyBusy            another driver holds the study
    |   |-- StorageError         the study database cannot be used
    |   |   |-- StorageAway      its server cannot be reached, or broke a connection: it may come back
    |   |   |-- StorageConflict  another program wrote the same thing first
    |   |   |-- StorageDamaged   exit code 1   a row or page of it cannot be read
    |   |   |-- StorageEmpty     it lacks the tables of qpsearch; opening it for writing makes them
    |   |   `-- StorageOutdated  its tables are of an older qpsearch; opening it for writing migrates them
    |   |-- ArtifactError        the folder or store of checkpoints cannot be used
    |   |   `-- ArtifactDamaged  exit code 1   a checkpoint does not hold what was written
    |   |-- DataError            a data set cannot be found, fetched or read
    |   `-- DispatchError        the machine or cluster cannot do what was asked
    |       `-- SystematicFailure  all trials fail alike before their first epoch
    |-- Superseded               another driver took the study over; this one stops
    |-- Infeasible               a drawn point that the space's own conditions rule out; caught and counted
    |-- TrainingDiverged         the training loss is not finite, or explodes
    `-- OutOfMemory              the device ran out of memory

A message has the shape *where: what is wrong. What was expected. The nearest fix.* It never holds a password: each
passes through ``hidden``.
"""

import math
import re
import sys
import sysconfig
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from difflib import get_close_matches
from pathlib import Path
from typing import Any, ClassVar, Final

# Where user and password of a URL begin: after the ://, or after : or // alone where a known kind of URL is meant. The
# URL of a file, with three slashes, has neither.
_BEGIN: Final = (
    r"(:\s*//(?!/)|\b(?:postgres|postgresql|mysql|mariadb|oracle|mssql|s3|gs|https?)(?:\+\w+)?(?::[\s/]*+|//++)"
    r"|\bsqlite(?:\+\w+)?:(?!//)/*+)(?!\.\.\.(?:[\s:,;.'\")]|$))"  # ...: in messages of ours
)
# To the last @ before another URL. Repetitions are bounded, so that the time grows with a text as its length does.
_USER: Final = re.compile(rf"{_BEGIN}(?:(?!://).){{0,2000}}@", re.IGNORECASE)
_NO_HOST: Final = re.compile(rf"{_BEGIN}(?!\[)[^\s/?#:@]*:(?!\d+(?![^\s/?#'\").,;:]))\S+", re.IGNORECASE)
CLOSE: Final = 0.65  # how alike a word must be to be named: 'bayes' and 'cmaes' are 0.6
_STATED: Final[dict[str, list[str]]] = {}  # options of this command line that the next command needs, too
_OPTION: Final = re.compile(
    r"((?:passwor[dt]|passwd|pwd|secret|token|credential|api_?key|access_?key)\w{0,40}\s{0,9}=\s{0,9})"
    r"('[^']*'|\"[^\"]*\"|[^&\s'\"]+)",
    re.IGNORECASE,
)


def hidden(text: str, *secrets: str | None) -> str:
    """Return a text without passwords: whatever it is, it may be printed and stored.

    User and password of each URL become ``***``, whether the URL can be parsed or not; so do values of options such as
    ``password=``. Where it is not certain what is a password, more is hidden.

    Args:
        text: Lines of text, of which URLs may be parts.
        secrets: Words to hide wherever they stand.
    """
    for secret in filter(None, secrets):
        text = re.sub(rf"(?<!\w){re.escape(secret)}(?!\w)", "***", text)
    return _OPTION.sub(r"\1***", _NO_HOST.sub(r"\1***", _USER.sub(r"\1***@", text)))


def remember(option: str, *values: str) -> None:
    """Remember what a command line gives to an option that the commands of its messages need, too.

    Args:
        option: ``--storage`` or ``--import``. What QPSEARCH_STORAGE and QPSEARCH_IMPORT say, the next command finds.
        values: As they were given, each with the option's name before it; none where it is not given. A password in
            them is not shown.
    """
    _STATED[option] = [hidden(value) for value in values]


def command(*words: object) -> str:
    """Return a command that a message names, as a shell takes it: ``qpsearch resume digits --storage other.db``.

    Args:
        words: What follows ``qpsearch``.
    """
    import shlex  # which most commands do without

    stated = [word for option, values in sorted(_STATED.items()) for value in values for word in (option, value)]
    return shlex.join(["qpsearch", *map(str, words), *stated])


def counted(number: float, noun: str, plural: str = "") -> str:
    """Return ``1 trial``, ``2 trials``, ``2.5 epochs``; ``plural`` where the noun does not get an s."""
    return f"{number:,.10g} {noun if number == 1 else plural or noun + 's'}"


class QpsearchError(Exception):
    """Base of all errors of this package; ``exit_code`` is the exit status of the command line."""

    exit_code: ClassVar[int] = 1

    def __init__(self, message: str = "") -> None:
        super().__init__(hidden(message))

    def __reduce__(self) -> tuple[Any, ...]:
        # pickled on the way from another process, where its text is made already
        return _again, (type(self), self.args, self.__dict__)


class UserError(QpsearchError):
    """Something that the user can put right: a file, a flag, a machine."""

    exit_code: ClassVar[int] = 2


class SpaceError(UserError):
    """A space file is wrong. The message has one line for each problem."""

    def __init__(self, problems: list[str]) -> None:
        self.problems = [_clipped(hidden(problem)) for problem in problems]
        super().__init__("\n".join(self.problems))


class SamplerError(UserError):
    """A sampler of the user's own fails, whatever it was to draw."""


class StudyNotFound(UserError):
    """There is no study of the given name in the database."""


class StudyExists(UserError):
    """A study of the given name already exists; studies are never overwritten.

    Attributes:
        name: The study's name, where it can be continued.
        changes: What the given space has other than the study's own, a line each.
    """

    def __init__(self, message: str = "", name: str = "", changes: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.name, self.changes = name, tuple(changes)


class StudyMismatch(UserError):
    """The space that a study was made from differs from the one given."""


class StudyBusy(UserError):
    """A living driver works on the study."""


class StorageError(UserError):
    """The study database cannot be reached, read or written."""


class StorageAway(StorageError):
    """The database's server cannot be reached just now, or gave up a transaction; trying again may help."""


class StorageConflict(StorageError):
    """Another program has already written a row that may exist only once."""


class StorageDamaged(StorageError):
    """Something that is stored cannot be read: a damaged page, or a row with a value that qpsearch does not write."""

    exit_code: ClassVar[int] = 1


class StorageEmpty(StorageError):
    """The database lacks qpsearch's tables: a new file, an unfinished one, or one of Optuna alone."""


class StorageOutdated(StorageError):
    """The database has the tables of an older qpsearch."""


class ArtifactError(UserError):
    """Checkpoints cannot be written or read: no such store, no permission, or no space left."""


class ArtifactDamaged(ArtifactError):
    """A checkpoint does not hold what was written under its name, or does not fit its network."""

    exit_code: ClassVar[int] = 1


class DataError(UserError):
    """A data set is missing, damaged or cannot be fetched."""


class DispatchError(UserError):
    """The machine or cluster cannot do what was asked of it."""


class SystematicFailure(DispatchError):
    """Every trial fails with the same error before its first epoch: something other than the trials is at fault."""


class Superseded(QpsearchError):
    """This driver's lease was taken by another driver: it must stop without writing."""


class Infeasible(QpsearchError):
    """Each parameter is allowed, but together they break a rule, a limit or a condition.

    Attributes:
        rule: The rule that was broken, without this point's numbers, so that points can be counted by rule.
        value: The cost that broke a limit, else None.
    """

    def __init__(self, message: str, rule: str, value: float | None = None) -> None:
        self.rule = rule
        self.value = value
        super().__init__(message)


class TrainingDiverged(QpsearchError):
    """The training loss of an epoch is not finite, or has exploded.

    Attributes:
        epoch: The epoch, counted from 1.
        value: The training loss of that epoch.
        step: The first step of the epoch whose loss was beyond bounds, counted from 1; 0 where it is not known.
        steps: The epoch's steps.
        loss: The loss of that step.
    """

    def __init__(self, epoch: int, value: float, step: int = 0, steps: int = 0, loss: float = math.nan) -> None:
        self.epoch, self.value = epoch, value
        self.step, self.steps, self.loss = step, steps, loss
        where = f", {loss:.4g} at step {step} of {steps}" if step else ""
        super().__init__(f"training loss {value:.4g} in epoch {epoch}{where}")


class OutOfMemory(QpsearchError):
    """The device did not have enough memory for a trial; the trial's worker is replaced afterwards.

    Attributes:
        in_step: Whether a training step lacked it, so that fewer images at once may help.
    """

    def __init__(self, message: str, *, in_step: bool = False) -> None:
        self.in_step = in_step
        super().__init__(message)


def _again(kind: type[QpsearchError], args: tuple[Any, ...], attributes: dict[str, Any]) -> QpsearchError:
    """Return an error as it was, without making its text from what it was made from."""
    error = kind.__new__(kind, *args)
    error.__dict__.update(attributes)
    return error


def _clipped(line: str, most: int = 1000) -> str:
    """Shorten a line that quotes a long text of a file."""
    return line if len(line) <= most else f"{line[: most // 2]} ... {line[-most // 2 :]}"


def nearest(word: str, known: list[str]) -> str:
    """Say which of the known words was probably meant; case, hyphens and underscores do not matter.

    Returns:
        ``"Did you mean 'quotient'? Known: additive, product_unit, quotient."``; the question only
        where some word is close.
    """
    known = list(map(str, known))  # members of an enum show their names else
    bare = {_bare(each): each for each in known}
    close = get_close_matches(word, known, n=1, cutoff=CLOSE)
    close = close or get_close_matches(_bare(word), bare, n=1, cutoff=CLOSE)
    question = f"Did you mean {bare.get(close[0], close[0])!r}? " if close else ""
    return f"{question}Known: {', '.join(sorted(known))}."


def own_hint(noun: str) -> str:
    """Say how a command, or a program, gets to know a block, a metric or the like of the user's own."""
    return f"Load a {noun} of your own with --import MODULE (in Python: QPSEARCH_IMPORT)."


def _bare(word: str) -> str:
    return "".join(letter for letter in word.lower() if letter.isalnum())


@contextmanager
def blamed(noun: str, own: str, raised: type[UserError] = UserError, settings: str = "") -> Iterator[None]:
    """Name code of the user's own, and the place in it, in any error that it raises.

    Args:
        noun: What the code is, such as ``block``.
        own: Its name.
        raised: What is raised in place of every error that is not a ``QpsearchError``.
        settings: What it was called with, as it stands after its name; empty for nothing.
    """
    try:
        yield
    except QpsearchError:
        raise
    except (Exception, SystemExit) as error:  # the user's code may raise anything, and call sys.exit
        raise raised(f"{noun} {own!r}{settings}: {_place(error)}{said(error)}.") from error


def first_line(error: BaseException) -> str:
    """Return the first line of an error's message; the name of its kind where it has no message."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def gist(detail: str) -> str:
    """Return what matters of an error's text in one line.

    Of a traceback that is the error with its message, of the stacks of a process that hung the first line with the
    innermost call of the main thread, and of another text its last line.
    """
    lines = detail.strip().splitlines() or [""]
    stacks = [index for index, line in enumerate(lines) if line.endswith("(most recent call first):")]
    if stacks and stacks[-1] + 1 < len(lines):  # that of the main thread, the oldest, is the last one
        return f"{lines[0].strip()} {lines[stacks[-1] + 1].strip()}"
    traces = [index for index, line in enumerate(lines) if line.startswith("Traceback (most recent call last)")]
    if traces:
        after = lines[traces[-1] + 1 :]
        told = next((index for index, line in enumerate(after) if line and not line[0].isspace()), None)
        if told is not None:
            return " ".join(line.strip() for line in after[told:] if line.strip())
    return lines[-1].strip()


def said(error: BaseException) -> str:
    """Return the kind of an error and what it says, without a full stop."""
    return f"{type(error).__name__}: {str(error).rstrip('.')}"


def _place(error: BaseException) -> str:
    """Return file and line of the innermost call that is the user's own.

    That is one outside of qpsearch and of what is installed; of code that is installed itself, the innermost one
    outside of qpsearch and of the libraries that call it.
    """
    loaded = (sys.modules.get(name) for name in ("qpsearch", "torch", "optuna"))
    folders = [Path(module.__file__).parent for module in loaded if module is not None and module.__file__]
    frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if not frame.filename.startswith("<") and not any(map(Path(frame.filename).is_relative_to, folders))
    ]
    own = [frame for frame in frames if not _is_installed(Path(frame.filename))] or frames
    return f"{own[-1].filename}:{own[-1].lineno}: " if own else ""


def _is_installed(file: Path) -> bool:
    standard = Path(sysconfig.get_path("stdlib"))
    return not {"site-packages", "dist-packages"}.isdisjoint(file.parts) or file.is_relative_to(standard)
