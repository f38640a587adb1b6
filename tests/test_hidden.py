"""No password is printed or stored: whatever is wrong with a URL, wherever it is given, whoever repeats it."""

from collections.abc import Callable
from pathlib import Path

import pytest

import qpsearch
from qpsearch.artifacts import check_store, open_artifacts, parse_root
from qpsearch.cli.main import main
from qpsearch.errors import QpsearchError, SpaceError, UserError, hidden
from qpsearch.protocol import Failed
from qpsearch.runner import sink_process
from qpsearch.space import Space
from qpsearch.study import queries
from qpsearch.study.storage.database import Database
from qpsearch.vocabulary import FailReason, Variable
from tests.helpers import new_ledger, rows, train_all
from tests.scripted import Behaviour, space_text

HOST = "127.0.0.1:9"
SECRETS = ("sEcr3t", "w0rd")
PASSWORDS = [
    f"sEcr3t{between}w0rd" for between in ("", "@", "/", "#", "?", "[", "]", ":", " ", "%", "%40", "://", "/@:#", "?@")
]
URLS = [
    *(f"postgresql+psycopg://me:{password}@{HOST}/x" for password in PASSWORDS),
    *(
        f"{begin}me:sEcr3t@{HOST}/x"
        for begin in ("postgres://", "POSTGRESQL://", " postgresql://", "mysql://", "foo://")
    ),
    *(f"postgresql{between}me:sEcr3t@{HOST}/x" for between in (":/", ":", "//", ":///", ": //")),
    f"postgresql+psycopg://sEcr3t@{HOST}/x",
    "postgresql+psycopg://me:sEcr3t/x",
    "postgresql+psycopg://me:sEcr3t@/x?host=127.0.0.1&port=9",
    "postgresql+psycopg://me:sEcr3t@127.0.0.1:port/x",
    f"postgresql+psycopg://{HOST}/x?password=sEcr3t",
    f"postgresql+psycopg://{HOST}/x?passwort=sEcr3t",
    f"postgresql+psycopg://me:sEcr3t@{HOST}/x\n",
    "sqlite://me:sEcr3t@/q.db",
    "sqlite://:sEcr3t@host/q.db",
    "sqlite:/me:sEcr3t@host/q.db",
    "sqlite+pysqlcipher://:sEcr3t@/q.db",
    "s3://key:sEcr3t@bucket/x",
    "s3://key:sEcr3t/x",
    "s3://key:sEcr3t%40bucket/x",
    "s3:/key:sEcr3t@bucket/x",
    "S3://key:sEcr3t@bucket/x",
    "s3://bucket/x?secret_key=sEcr3t",
    "gs://sEcr3t@bucket/x",
    "https://me:sEcr3t@host/x.yaml",
]
ANY = (URLS[0], "postgresql+psycopg:/me:sEcr3t@w0rd@host/x", "s3://key:sEcr3t@bucket/x", URLS[1])
COMMANDS = [
    "status --storage URL",
    "status --storage=URL --wide",
    "run smoke --dispatch inline --storage URL",
    "run smoke --dispatch inline --artifacts URL",
    "run smoke --dispatch inline --sink URL",
    "run smoke --dispatch inline --sink tensorboard:URL",
    "run smoke --dispatch inline --study URL",
    "run smoke --dispatch URL",
    "run smoke --trials URL",
    "run smoke --time URL",
    "run smoke --storge=URL",
    "run URL",
    "run s.yaml",
    "resume smoke --retry-failed URL",
    "trials smoke URL",
    "trials smoke --state URL",
    "dashboard --port URL",
    "studies URL",
    "studies rename a b URL",
    "import smoke --from URL --name x",
    "import smoke --from q.db --name x --map URL",
    "space check URL",
    "space check s.yaml",
    "model list URL",
    "status --import URL",
    "URL",
]


def is_clean(text: str) -> bool:
    return not any(secret in text for secret in SECRETS)


def said_by(use: Callable[[str], object], word: str) -> str:
    """What an error says; empty where there is none."""
    try:
        use(word)
    except QpsearchError as error:
        return f"{error} {error!r}"
    return ""


@pytest.mark.parametrize("url", URLS)
def test_an_error_about_a_url_does_not_repeat_its_password(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    uses: tuple[Callable[[str], object], ...] = (
        Database.create,
        Database.open,
        parse_root,
        open_artifacts,
        check_store,
    )
    if url.startswith("gs"):
        uses = (Database.open, parse_root)
    for use in uses:
        assert is_clean(said_by(use, url)), use
    with pytest.raises(QpsearchError) as caught:
        qpsearch.load_study("smoke", url)
    assert is_clean(str(caught.value))
    for said in (f"cannot open {url}", f"{url!r} is not an integer", f"see https://host/a, or {url}: gone"):
        assert is_clean(hidden(said)), said
        assert is_clean(str(UserError(said)) + str(SpaceError([said]).problems))
        assert is_clean(Failed(reason=FailReason.ERROR, detail=f"Traceback ...\nOSError: {said}\n").detail)
    assert [path for path in tmp_path.rglob("*") if not is_clean(str(path))] == []


@pytest.mark.parametrize("words", COMMANDS)
def test_no_command_prints_a_password(
    words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    for url in ANY if "URL" in words else ANY[:1]:
        monkeypatch.setenv(Variable.IMPORT, "")  # which the command sets; other tests must not find it
        (tmp_path / "s.yaml").write_text(space_text(Behaviour.IMPROVES, study=f"'{url}'").replace("digits", f"'{url}'"))
        monkeypatch.setattr("sys.argv", ["qpsearch", *(word.replace("URL", url) for word in words.split())])
        with pytest.raises(SystemExit) as left:
            main()
        assert left.value.code == 2
        said = "".join(capfd.readouterr())
        assert said
        assert is_clean(said)
    assert [path.name for path in tmp_path.iterdir()] == ["s.yaml"]


@pytest.mark.parametrize("variable", [Variable.STORAGE, Variable.ARTIFACTS, Variable.DATA, Variable.IMPORT])
def test_no_variable_is_printed_with_its_password(
    variable: Variable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "s.yaml").write_text(space_text(Behaviour.IMPROVES).replace("digits", "cifar10"))
    monkeypatch.setattr("sys.argv", ["qpsearch", "run", "s.yaml", "--dispatch", "inline"])
    for url in ANY:
        monkeypatch.setenv(variable, url)
        with pytest.raises(SystemExit) as left:
            main()
        assert left.value.code == 2
        assert is_clean("".join(capfd.readouterr()))
    assert [path.name for path in tmp_path.iterdir()] == ["s.yaml"]


def test_a_driver_that_repeats_the_password_is_not_quoted(monkeypatch: pytest.MonkeyPatch) -> None:
    """With a password that is no URL's part any more."""
    import psycopg

    def connect(*given: object, **options: object) -> None:
        raise psycopg.OperationalError("cannot reach 'host' as me with (sEcr3t w0rd), spelled sEcr3t%20w0rd")

    monkeypatch.setattr(psycopg, "connect", connect)
    with pytest.raises(QpsearchError, match="cannot reach 'host' as me") as caught:
        Database.open(f"postgresql+psycopg://me:sEcr3t%20w0rd@{HOST}/x")
    assert is_clean(str(caught.value))


def test_what_a_trial_raised_is_stored_without_a_password(sqlite_url: str, space: Space) -> None:
    with new_ledger(sqlite_url, space) as ledger:
        assignment = ledger.ask()
        assert assignment is not None
        train_all(ledger, assignment, until=1)
        detail = f"requests.ConnectionError: cannot reach {ANY[0]}, token=sEcr3t"
        ledger.fail(assignment.trial, assignment.attempt, Failed(reason=FailReason.ERROR, detail=detail))
        database = Database.open(sqlite_url)
        stored = queries.trial_detail(database, "scripted", assignment.trial).record.detail
        database.close()
    assert stored == f"requests.ConnectionError: cannot reach postgresql+psycopg://***@{HOST}/x, token=***"
    assert is_clean(str(rows(sqlite_url, "SELECT * FROM qpsearch_attempts")))


def test_a_sinks_last_words_are_without_a_password(monkeypatch: pytest.MonkeyPatch) -> None:
    code = f"import sys; sys.exit('cannot log in at {ANY[2]}')"
    monkeypatch.setattr(sink_process, "SAFE_PYTHON", ("python", "-c", code))
    with pytest.raises(UserError, match="cannot log in at s3://") as caught:
        sink_process.open_sinks(["wandb"], "s")
    assert is_clean(str(caught.value))


@pytest.mark.parametrize(
    "text",
    [
        "sqlite:////home/a@b/u:c.db: no study database there. Make one: qpsearch run SPACE.",
        "dashboard of sqlite:///q.db: http://127.0.0.1:8080/ (Ctrl-C ends it)",
        "http://[::1]:8080/x, s3://bucket: cannot be opened (a: b)",
        "nowhere://...: unknown kind of store. Expected a folder, s3://bucket/path or gs://bucket/path.",
        "file:///home/a@b",
        "s3://...: may hold credentials: it has an @. Expected postgresql+psycopg://... A password writes @ as %40.",
        "postgresql+psycopg://host:5432/x: the driver is missing",
    ],
)
def test_what_holds_no_password_stays(text: str) -> None:
    assert hidden(text) == text == hidden(hidden(text))
