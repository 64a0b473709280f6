"""One document from a web address, through a copy in the cache.

The copy is asked about with what the server said of it (ETag, Last-Modified), and used with a warning when the server
cannot be reached. With a digest that is known beforehand, a copy that fits it needs no network.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import logging
import netrc
import re
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from email.message import Message
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlsplit, urlunsplit

import httpx

from ilab.base import atomic, digest, git
from ilab.base.report import Reporter
from ilab.documents.convert import READ, can_read
from ilab.documents.settings import DocumentSettings
from ilab.errors import SourceError

_WEB = re.compile(r"https?://", re.IGNORECASE)
_SHA256 = re.compile(r"[0-9a-fA-F]{64}")
_CONNECT = 20.0
_SILENCE = 60.0
"""Seconds without a byte after which nothing more is expected."""
_REDIRECTS = 10
_SUFFIXES = {
    "text/markdown": ".md",
    "text/x-markdown": ".md",
    "text/html": ".html",
    "application/xhtml+xml": ".html",
    "text/plain": ".txt",
    "text/asciidoc": ".adoc",
    "text/x-asciidoc": ".adoc",
    "application/pdf": ".pdf",
    "application/epub+zip": ".epub",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": ".docx",
    "application/vnd.openxmlformats-officedocument.presentationml.presentation": ".pptx",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class WebFile:
    """A document that was fetched: its name with an ending that tells the format, the digest of its content."""

    name: str
    sha256: str
    path: Path


def is_web(place: str) -> bool:
    """Whether `place` is a web address."""
    return _WEB.match(place) is not None


def shown(url: str) -> str:
    """A web address for people: without user name, password, query and fragment, which may hold secrets."""
    try:
        parts = urlsplit(url)
    except ValueError:  # no address at all
        return git.without_credentials(re.split("[?#]", url, maxsplit=1)[0])
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


def fetch_web(
    url: str, *, sha256: str, place: str, settings: DocumentSettings, cache_dir: Path, report: Reporter
) -> WebFile:
    """The document at `url`; `place` names it in messages. `sha256`, unless empty, is what its content must have.

    `SourceError` when it cannot be had, is too large, or differs from `sha256`.
    """
    if sha256 and not _SHA256.fullmatch(sha256):
        raise SourceError(f"`{sha256}` is no SHA-256 digest ({place})", hint="it has 64 digits from 0 to f")
    kept = _Kept(cache_dir / "web" / digest.of_bytes(git.without_credentials(url).encode())[:24])
    with kept.alone():
        found = kept.read()
        if found is None or not sha256 or found.sha256 != sha256.lower():
            found = _ask(url, kept, found, place=place, settings=settings, report=report)
    if sha256 and found.sha256 != sha256.lower():
        raise SourceError(
            f"{place} has the digest {found.sha256}, but `sha256` says {sha256.lower()}",
            hint="the document has changed: look at it, then write its new digest",
        )
    return WebFile(name=found.name, sha256=found.sha256, path=kept.content(found.sha256))


class _WithoutSecrets(logging.Filter):
    """The client logs every address that it asks, redirects too; what may hold secrets is cut off."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Change the addresses of a log line."""
        if isinstance(record.args, tuple):
            record.args = tuple(shown(str(each)) if isinstance(each, httpx.URL) else each for each in record.args)
        return True


logging.getLogger("httpx").addFilter(_WithoutSecrets())


@dataclass(frozen=True, slots=True, kw_only=True)
class _Record:
    """What is known of a copy."""

    name: str
    sha256: str
    etag: str = ""
    modified: str = ""


class _Kept:
    """The folder of one address in the cache. A copy counts once its record is there; older copies are removed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._file = folder / "record.json"

    def content(self, sha256: str) -> Path:
        """Where the copy with this digest lies."""
        return self.folder / sha256

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Hold the folder for this process, so that an address is asked for once at a time."""
        with atomic.disk_errors(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
            with (self.folder / ".lock").open("ab") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                yield

    def read(self) -> _Record | None:
        """The record of the copy, if both are whole."""
        try:
            found = _Record(**json.loads(self._file.read_bytes()))
            return found if digest.of_file(self.content(found.sha256)) == found.sha256 else None
        except (OSError, ValueError, TypeError):
            return None

    def write(self, record: _Record, part: Path) -> None:
        """Put the file `part` in place of the copy."""
        part.replace(self.content(record.sha256))
        atomic.write_json(self._file, {name: getattr(record, name) for name in record.__slots__})
        for other in self.folder.iterdir():
            if other.name not in (".lock", self._file.name, record.sha256):
                other.unlink(missing_ok=True)


def _ask(
    url: str, kept: _Kept, found: _Record | None, *, place: str, settings: DocumentSettings, report: Reporter
) -> _Record:
    """Fetch the document if it changed. Without an answer the copy will do."""
    try:
        return _fetch(url, kept, found, place=place, settings=settings, report=report)
    except httpx.InvalidURL as error:
        raise SourceError(f"{place} is no web address: {error}", hint="check `path`") from error
    except (httpx.TooManyRedirects, httpx.UnsupportedProtocol) as error:
        raise SourceError(f"{place} leads nowhere: {_reason(error)}", hint="check the address in a browser") from error
    except httpx.HTTPError as error:
        if found is None:
            hint = "check the address and the network"
            if isinstance(error, httpx.TimeoutException):
                hint += ", or raise the setting documents.git_timeout"
            raise SourceError(f"{place} cannot be fetched: {_reason(error)}", hint=hint) from error
        report.warning(f"{place} cannot be reached ({_reason(error)}); the copy in the cache is used")
        return found


def _reason(error: httpx.HTTPError) -> str:
    """What went wrong in words that hold no address: that of a redirect may have secrets."""
    if isinstance(error, httpx.TimeoutException):
        return "no answer in time"
    if isinstance(error, httpx.TooManyRedirects):
        return f"more than {_REDIRECTS} redirects"
    if isinstance(error, httpx.UnsupportedProtocol):
        return "it redirects to something other than http or https"
    if isinstance(error, httpx.DecodingError):
        return "the answer is damaged"
    return re.sub(r"\S+://\S+", "the address", str(error)) or type(error).__name__


def _fetch(
    url: str, kept: _Kept, found: _Record | None, *, place: str, settings: DocumentSettings, report: Reporter
) -> _Record:
    headers = {"Accept": "*/*"}
    if found is not None and found.etag:
        headers["If-None-Match"] = found.etag
    elif found is not None and found.modified:
        headers["If-Modified-Since"] = found.modified
    address, auth = _login(url)
    timeout = httpx.Timeout(min(_SILENCE, settings.git_timeout), connect=min(_CONNECT, settings.git_timeout))
    with (
        httpx.Client(timeout=timeout, auth=auth, follow_redirects=True, max_redirects=_REDIRECTS) as client,
        client.stream("GET", address, headers=headers) as response,
    ):
        if response.status_code == httpx.codes.NOT_MODIFIED and found is not None:
            return found
        if response.status_code >= 500 and found is not None:
            report.warning(f"{place} answers {_status(response)}; the copy in the cache is used")
            return found
        if not response.is_success:
            raise _refused(response, place)
        name = _name(url, response.headers)
        if not can_read(name):
            raise SourceError(
                f"{place} is of a kind that is not read: {response.headers.get('Content-Type') or name}", hint=READ
            )
        part = kept.folder / ".part"
        try:
            sha256 = _write(response, part, place=place, settings=settings, report=report)
            etag, modified = response.headers.get("ETag", ""), response.headers.get("Last-Modified", "")
            record = _Record(name=name, sha256=sha256, etag=etag, modified=modified)
            kept.write(record, part)
        finally:
            part.unlink(missing_ok=True)
        return record


def _login(url: str) -> tuple[str, httpx.Auth | None]:
    """The address without user name and password, and the login: the one in it, or that of ~/.netrc."""
    parsed = httpx.URL(url)
    if parsed.userinfo:
        return git.without_credentials(url), httpx.BasicAuth(parsed.username, parsed.password)
    try:
        return url, httpx.NetRCAuth()
    except (OSError, netrc.NetrcParseError):
        return url, None


def _write(response: httpx.Response, part: Path, *, place: str, settings: DocumentSettings, report: Reporter) -> str:
    """Write the content to `part` and return its digest; stop as soon as it is too large."""
    stated = response.headers.get("Content-Length", "")
    total = int(stated) if stated.isdigit() else 0
    _check_size(total, place, settings)
    done, hashed, begun = 0, hashlib.sha256(), time.monotonic()
    with part.open("wb") as file:
        for piece in response.iter_bytes():
            done += len(piece)
            _check_size(done, place, settings)
            if time.monotonic() - begun > settings.git_timeout:
                raise httpx.ReadTimeout("too slow")
            hashed.update(piece)
            file.write(piece)
            report.progress("bytes fetched", done, max(total, done))
    return hashed.hexdigest()


def _check_size(size: int, place: str, settings: DocumentSettings) -> None:
    if size > settings.max_bytes:
        raise SourceError(
            f"{place} has more than {settings.max_bytes:,} bytes, which is the most that is read",
            hint="raise the setting documents.max_bytes",
        )


def _status(response: httpx.Response) -> str:
    return f"{response.status_code} {response.reason_phrase}".strip()


def _refused(response: httpx.Response, place: str) -> SourceError:
    hints = {401: "it needs a login: give one in ~/.netrc", 403: "it needs other rights"}
    hints |= {404: "check the address", 410: "it is gone; check the address"}
    hint = hints.get(response.status_code, "try again later, or use a copy of your own")
    return SourceError(f"{place} cannot be fetched: the server answers {_status(response)}", hint=hint)


def _name(url: str, headers: Mapping[str, str]) -> str:
    """A file name whose ending tells the format: of the address, of what the server calls it, or by its kind."""
    own = _plain(PurePosixPath(unquote(urlsplit(url).path)).name)
    given = _plain(_attachment(headers.get("Content-Disposition", "")))
    named = next((name for name in (own, given) if name and can_read(name)), "")
    if named:
        return named
    kind = headers.get("Content-Type", "").partition(";")[0].strip().lower()
    suffix = _SUFFIXES.get(kind, "")
    base = own or "index"
    return f"{base}{suffix}"


def _attachment(disposition: str) -> str:
    message = Message()
    message["Content-Disposition"] = disposition
    try:
        return PurePosixPath(message.get_filename() or "").name
    except (ValueError, LookupError):
        return ""


def _plain(name: str) -> str:
    """A name without letters that a terminal or a file system takes for more than a name."""
    return "".join(character for character in name if character.isprintable() and character not in '/\\:*?"<>|')[:120]
