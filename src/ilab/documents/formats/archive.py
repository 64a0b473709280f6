"""Zip files that hold a document: looked at before anything is unpacked, so that a hostile one is refused.

The sizes in the directory of a zip file can be believed: no more than the size that is stated is ever unpacked.
"""

from __future__ import annotations

import re
import zipfile
import zlib
from pathlib import Path, PurePosixPath

from ilab.errors import SourceError

_MOST_BYTES = 1_000_000_000
_MOST_FILES = 50_000
_MOST_TEXT = 200_000_000
"""The largest file of markup that is read."""
_RATIO = 200
_SMALL = 10_000_000
"""Below this size any ratio of compression will do."""
_OLD_OFFICE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_DECLARED = re.compile(rb"<!\s*(?:ENTITY|DOCTYPE)", re.IGNORECASE)
_ENTITY = re.compile(rb"<!\s*ENTITY", re.IGNORECASE)
_UTF16 = (b"\xff\xfe", b"\xfe\xff", b"<\x00", b"\x00<")
_MARKUP = (".xml", ".rels", ".opf", ".xhtml", ".html", ".htm", ".ncx", ".vml")


class Archive:
    """The zip file at `path`, held open; `where` names it and `kind` says what it should be, in errors."""

    def __init__(self, path: Path, *, kind: str, where: str, entities: bool = False) -> None:
        self._where = where
        self._kind = kind
        try:
            with path.open("rb") as file:
                head = file.read(8)
            if head == _OLD_OFFICE:
                raise self.error(
                    "is protected by a password, or of the old format of before 2007",
                    hint="save it without a password in the new format",
                )
            self._zip = zipfile.ZipFile(path)
        except OSError as error:
            raise self.error(f"cannot be read: {error.strerror}", hint="check the file's permissions") from error
        except (zipfile.BadZipFile, ValueError, NotImplementedError) as error:
            raise self.error(f"is damaged or no {kind} file: {error}") from error
        try:
            self._check(entities=entities)
        except BaseException:
            self._zip.close()
            raise

    def __enter__(self) -> Archive:
        return self

    def __exit__(self, *_: object) -> None:
        self._zip.close()

    def error(self, problem: str, *, hint: str = "") -> SourceError:
        """An error that says what is wrong with the file."""
        return SourceError(f"{self._where} {problem}", hint=hint or "open it in its own program and save it anew")

    def has(self, name: str) -> bool:
        """Whether there is a file of that name inside."""
        return name in self._zip.NameToInfo

    def read(self, name: str) -> bytes:
        """The content of a file inside."""
        try:
            if self._zip.getinfo(name).file_size > _MOST_TEXT:
                raise self.error(f"has a part of more than {_MOST_TEXT:,} bytes: {name}", hint="split the document")
            return self._zip.read(name)
        except KeyError as error:
            raise self.error(f"is damaged or no {self._kind} file: it has no {name}") from error
        except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, OSError) as error:
            raise self.error(f"is damaged: {name} cannot be unpacked ({error})") from error

    def _check(self, *, entities: bool) -> None:
        """Refuse what no writer of documents makes; with `entities` a document type may be declared."""
        files = self._zip.infolist()
        total = sum(file.file_size for file in files)
        if len(files) > _MOST_FILES or total > _MOST_BYTES:
            raise self.error(
                f"would unpack to {total:,} bytes in {len(files):,} files; "
                f"at most {_MOST_BYTES:,} in {_MOST_FILES:,} are read"
            )
        for file in files:
            if file.file_size > max(_SMALL, _RATIO * file.compress_size):
                raise self.error(f"is refused: {file.filename} unpacks to more than {_RATIO} times its size")
            name = PurePosixPath(file.filename.replace("\\", "/"))
            if name.is_absolute() or ".." in name.parts or ":" in name.parts[:1]:
                raise self.error(f"is refused: it holds the file name {file.filename!r}, which leads out of it")
            if file.flag_bits & 1:
                raise self.error("is protected by a password", hint="save it without one")
        for file in files:
            if file.filename.lower().endswith(_MARKUP):
                self._check_markup(file.filename, _ENTITY if entities else _DECLARED)

    def _check_markup(self, name: str, forbidden: re.Pattern[bytes]) -> None:
        data = self.read(name)
        if data.startswith(_UTF16):
            data = data.replace(b"\x00", b"")
        if forbidden.search(data):
            raise self.error(f"is refused: {name} declares entities, which documents do not need")
