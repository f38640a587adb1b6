"""Files by URI: a folder on this machine, or in an object store that every node of a cluster can reach.

This module does not look into the files. A path without a scheme is a local (or shared) folder and does not need
another package; ``s3://bucket/path`` and ``gs://bucket/path`` go through pyarrow's file systems, which take credentials
from the environment (AWS_ACCESS_KEY_ID, GOOGLE_APPLICATION_CREDENTIALS).
"""

import contextlib
import hashlib
import logging
import os
import re
import uuid
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, Final, Protocol
from urllib.parse import parse_qsl, unquote, urlsplit

from qpsearch.errors import ArtifactDamaged, ArtifactError, hidden

SCHEMES: Final = ("s3", "gs")
# What is meant as a URI, also with a slash too few: a folder of that name is written ./s3:x.
URI_BEGINS: Final = re.compile(r"\s*(?:[\w.+-]+:\s*//|(?:s3|gs|file)(?::|\s*//))", re.IGNORECASE)
FILE_URI: Final = re.compile(r"file:(?://(?:localhost)?)?(?P<path>/(?!/)[^?#]*)")
OPTIONS: Final = {"region", "scheme", "endpoint_override"}
CREDENTIALS: Final = "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, GOOGLE_APPLICATION_CREDENTIALS"
# A store that does not answer is given up after about 20 s; by default after 100 s (S3) or 15 minutes (Google).
S3_ATTEMPTS: Final = 5
GS_RETRY_S: Final = 20

logger = logging.getLogger(__name__)


class Artifacts(Protocol):
    """A folder of files. Paths are relative to that folder, with forward slashes."""

    def read(self, path: str) -> bytes:
        """Return a file's content; raises OSError for a missing file, ArtifactError for an unreachable store."""

    def write(self, path: str, content: bytes) -> None:
        """Write a file whole or not at all; raises ArtifactError for a full disk or an unreachable store."""

    def names(self, folder: str = "") -> list[str]:
        """Return the names of the files and folders in a folder; an empty list where it does not exist."""

    def delete(self, path: str) -> None:
        """Remove a file; a missing one, and one that is reached through a symbolic link, is left alone."""

    def delete_folder(self, folder: str) -> None:
        """Remove a folder if it is empty."""


def open_artifacts(uri: str) -> Artifacts:
    """Return the folder that a path or URI names; it need not exist.

    Raises:
        ArtifactError: The URI does not name a known store, or may hold credentials, which belong in the environment.
    """
    if uri.startswith("file://"):
        return LocalArtifacts(Path(uri.removeprefix("file://")))
    if not URI_BEGINS.match(uri):
        return LocalArtifacts(Path(uri))
    _check_uri(uri)
    return RemoteArtifacts(uri)


def _check_uri(uri: str) -> None:
    """Raise ArtifactError for an unknown kind of store, and for what may be credentials."""
    scheme, separator, rest = uri.partition("://")
    if scheme not in SCHEMES or not separator:
        raise ArtifactError(
            f"{re.split('[:/]', uri, maxsplit=1)[0]}://...: unknown kind of store. "
            "Expected a folder, s3://bucket/path or gs://bucket/path."
        )
    options = [option.partition("=")[0] for option in rest.partition("?")[2].split("&") if option]
    if "@" in unquote(rest) or ":" in unquote(rest.partition("/")[0]) or not set(options) <= OPTIONS:
        raise ArtifactError(
            f"{scheme}://...: may hold credentials, which would be stored: it has an @, a colon in the bucket's name, "
            f"or an option other than {', '.join(sorted(OPTIONS))}. "
            f"Give credentials in the environment ({CREDENTIALS})."
        )


def local_path(word: str) -> Path:
    """Return the path that a user's word names; ``~`` at its beginning is a home folder.

    Raises:
        ValueError: The word cannot name a file: why, as the end of a message.
    """
    path = os.path.expanduser(word)  # not Path's, for which ./~ is ~
    if not path:
        raise ValueError("it is empty")
    if path.startswith("~"):
        raise ValueError(f"nobody here has the home folder {path.partition('/')[0]}; a folder of that name is ./{word}")
    try:
        if b"\0" in path.encode():
            raise ValueError("a path cannot hold a null character")
        os.stat(path)
    except UnicodeEncodeError:
        raise ValueError("its name is not UTF-8") from None
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        pass
    except OSError as error:  # a name that is too long, links in a circle
        raise ValueError(str(error.strerror)) from None
    return Path(path)


def parse_root(word: str) -> str:
    """Return the root that a user's word names: the absolute path of a folder, or the URI of an object store.

    Raises:
        ArtifactError: The word does not name a folder or a known store, or may hold credentials.
    """
    if not URI_BEGINS.match(word):
        if hidden(word) != word:
            raise ArtifactError(
                f"--artifacts: {word}: may hold credentials, which would be stored. Name another folder."
            )
        try:
            return str(local_path(word).absolute())
        except ValueError as error:
            raise ArtifactError(
                f"--artifacts: {word!r} cannot be a folder ({error}). Expected a folder, s3://bucket/path or "
                "gs://bucket/path."
            ) from None
    if not word.startswith("file:"):
        _check_uri(word)
        if "#" in word:
            raise ArtifactError(f"{word}: a # ends the path of a URI. Write it as %23.")
        return word
    match = FILE_URI.fullmatch(word)
    try:
        path = unquote(match["path"], errors="strict") if match else ""
        return str(local_path(path).absolute())
    except ValueError as error:
        raise ArtifactError(
            f"file:...: cannot be a folder ({error}). Expected the path of a folder, or file:///folder with ? and # "
            "written %3F and %23."
        ) from None


def check_store(uri: str) -> None:
    """Write a small file into a store and remove it, as a study will do with its checkpoints; a folder is not touched.

    Raises:
        ArtifactError: There is no such store, or it refuses, cannot be reached, or does not answer.
    """
    if "://" not in uri or uri.startswith("file:"):
        return
    files, name = open_artifacts(uri), f"probe-{uuid.uuid4().hex}"
    try:
        files.write(name, b"")
        files.delete(name)
    except ArtifactError as error:
        raise ArtifactError(
            f"{uri.partition('?')[0]}: {error} Does this machine reach it, and may the credentials in the environment "
            f"write there ({CREDENTIALS})?"
        ) from None


def content_hash(content: bytes) -> str:
    """Return the first 16 hexadecimal digits of a SHA-256."""
    return hashlib.sha256(content).hexdigest()[:16]


def join(uri: str, path: str) -> str:
    """Return the path or URI of something below a folder; options after ``?`` stay at the end."""
    base, question, options = uri.partition("?") if "://" in uri else (uri, "", "")
    return f"{base.rstrip('/')}/{path}{question}{options}"


def read_sound(artifacts: Artifacts, names: Iterable[str]) -> Iterator[tuple[str, bytes]]:
    """Yield name and content of the files whose content matches the hash in their name (``...-HASH.pt``)."""
    for name in names:
        try:
            yield name, read_verified(artifacts, name)
        except (OSError, ArtifactDamaged) as error:
            logger.warning("%s cannot be used (%s)", name, error)


def read_verified(artifacts: Artifacts, name: str) -> bytes:
    """Return a file's content.

    Raises:
        OSError: There is no such file.
        ArtifactDamaged: The content does not match the hash in the name.
        ArtifactError: The store cannot be reached.
    """
    content = artifacts.read(name)
    if name.partition(".")[0].rpartition("-")[2] != content_hash(content):
        raise ArtifactDamaged(f"{name}: is damaged, since its content does not match the hash in its name.")
    return content


def partial_of(target: Path) -> Path:
    """Return a name, beside a file's, that no other process uses: there the file is written, then it is renamed."""
    return target.with_name(f"{target.name}.{uuid.uuid4().hex[:12]}.partial")


class LocalArtifacts:
    """A folder of a file system."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def read(self, path: str) -> bytes:
        """See ``Artifacts``."""
        return (self._root / path).read_bytes()

    def write(self, path: str, content: bytes) -> None:
        """See ``Artifacts``; when this returns, the file is on the disk, even after a power cut."""
        target = self._root / path
        temporary = partial_of(target)
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            with temporary.open("xb") as file:  # a new file: not through a link that somebody put there
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(target)
            _sync_folder(target.parent)
        except OSError as error:
            with contextlib.suppress(OSError):
                temporary.unlink(missing_ok=True)  # the partial file would keep a full disk full
            raise ArtifactError(f"{target}: cannot be written ({error.strerror}).") from None

    def names(self, folder: str = "") -> list[str]:
        """See ``Artifacts``."""
        try:
            return sorted(child.name for child in (self._root / folder).iterdir())
        except OSError:  # missing, or removed just now
            return []

    def delete(self, path: str) -> None:
        """See ``Artifacts``."""
        target = self._root / path
        if not self._is_linked(target.parent) and (target.is_symlink() or not target.is_dir()):
            target.unlink(missing_ok=True)

    def delete_folder(self, folder: str) -> None:
        """See ``Artifacts``."""
        target = self._root / folder
        if not self._is_linked(target):
            with contextlib.suppress(OSError):  # missing, or not empty
                target.rmdir()

    def _is_linked(self, folder: Path) -> bool:
        """Whether the root, or a folder on the way from the root to this folder, is a symbolic link."""
        return any(part.is_symlink() for part in (folder, *folder.parents) if part.is_relative_to(self._root))


class RemoteArtifacts:
    """A folder of an object store: an object appears when it is complete."""

    def __init__(self, uri: str) -> None:
        from pyarrow import ArrowException, fs

        self._fs_module = fs
        try:
            self._fs, self._root = _open_s3(fs, uri) if uri.startswith("s3:") else _open_gs(fs, uri)
            if not self._root:
                raise ValueError("it does not name a bucket")
        except (ArrowException, OSError, ValueError, TypeError) as error:
            raise ArtifactError(
                f"{uri.partition('?')[0]}: cannot be opened ({str(error).splitlines()[0]}). "
                "Expected a folder, s3://bucket/path or gs://bucket/path."
            ) from None

    def read(self, path: str) -> bytes:
        """See ``Artifacts``."""
        try:
            with self._fs.open_input_stream(self._full(path)) as stream:
                content: bytes = stream.read()
            return content
        except FileNotFoundError:
            raise
        except OSError as error:  # the store is unreachable; the file may well exist
            raise ArtifactError(f"{path}: cannot be read ({str(error).splitlines()[0]}).") from None

    def write(self, path: str, content: bytes) -> None:
        """See ``Artifacts``."""
        try:
            with self._fs.open_output_stream(self._full(path)) as stream:
                stream.write(content)
        except OSError as error:
            raise ArtifactError(f"{path}: cannot be written ({str(error).splitlines()[0]}).") from None

    def names(self, folder: str = "") -> list[str]:
        """See ``Artifacts``."""
        selector = self._fs_module.FileSelector(self._full(folder), allow_not_found=True)
        return sorted(info.base_name for info in self._reached(lambda: self._fs.get_file_info(selector)))

    def delete(self, path: str) -> None:
        """See ``Artifacts``."""
        if self._kind(path) is self._fs_module.FileType.File:
            self._reached(lambda: self._fs.delete_file(self._full(path)))

    def delete_folder(self, folder: str) -> None:
        """See ``Artifacts``."""
        if self._kind(folder) is self._fs_module.FileType.Directory and not self.names(folder):
            self._reached(lambda: self._fs.delete_dir(self._full(folder)))

    def _kind(self, path: str) -> Any:
        return self._reached(lambda: self._fs.get_file_info(self._full(path))).type

    def _full(self, path: str) -> str:
        return f"{self._root}/{path}".rstrip("/")

    def _reached(self, action: Callable[[], Any]) -> Any:
        try:
            return action()
        except OSError as error:
            raise ArtifactError(f"{self._root}: cannot be reached ({str(error).splitlines()[0]}).") from None


def _open_s3(fs: Any, uri: str) -> tuple[Any, str]:
    """Return file system and root; ``from_uri`` of pyarrow would not take a bound on attempts."""
    parts = urlsplit(uri)
    options = dict(parse_qsl(parts.query))
    if parts.netloc and not {"region", "endpoint_override"} & set(options):
        options["region"] = fs.resolve_s3_region(parts.netloc)
    attempts = fs.AwsStandardS3RetryStrategy(max_attempts=S3_ATTEMPTS)
    return fs.S3FileSystem(retry_strategy=attempts, **options), unquote(f"{parts.netloc}{parts.path}").rstrip("/")


def _open_gs(fs: Any, uri: str) -> tuple[Any, str]:
    found: tuple[Any, str] = fs.FileSystem.from_uri(
        f"{uri}{'&' if '?' in uri else '?'}retry_limit_seconds={GS_RETRY_S}"
    )
    return found


def _sync_folder(folder: Path) -> None:
    """Write a folder's entries to the disk, where the system lets a folder be opened."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
