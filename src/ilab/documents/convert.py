"""Files to plain text with Markdown headings, each block with its place in the original.

Paragraphs stand apart by a blank line and are one line each; tables, lists and code keep their lines. The original of
a Markdown, text or HTML file is its own text; of any other format it is the Markdown that its converter wrote.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path, PurePosixPath

from ilab.base.report import NullReporter, Reporter
from ilab.documents.blocks import PARAGRAPH, Block, before_cleaning, clean, join
from ilab.documents.conversions import converted
from ilab.documents.formats import FORMATS
from ilab.documents.html_text import read_html
from ilab.documents.markdown import read_markdown
from ilab.documents.source import DocumentFile
from ilab.errors import SourceError
from ilab.records.chunks import Document

_CHARSET = re.compile(rb"<meta[^>]{1,200}charset\s*=\s*[\"']?\s*([A-Za-z0-9_.:-]+)", re.IGNORECASE)
_LIST_MARK = re.compile(r"\s*(?:[-*+•–]|\d{1,3}[.)])\s")
_PARAGRAPH = re.compile(r"^[^\n]*\S(?:[^\n]|\n(?![ \t]*\n))*", re.MULTILINE)
_WRAPPED = 40
"""A line of plain text this long is taken to be wrapped, so that the next line continues it."""
_LFS = b"version https://git-lfs.github.com/spec/"


def read_plain(text: str) -> list[Block]:
    """Paragraphs of a text file: wrapped lines are joined; short lines, lists and indented lines stay as they are."""
    return [Block(PARAGRAPH, _join_wrapped(part[0]), part.start()) for part in _PARAGRAPH.finditer(clean(text))]


def _join_wrapped(paragraph: str) -> str:
    lines = [line.rstrip() for line in paragraph.split("\n") if line.strip()]
    wrapped = all(len(line) >= _WRAPPED for line in lines[:-1])
    apart = any(line[:1].isspace() or "\t" in line or "  " in line.strip() or _LIST_MARK.match(line) for line in lines)
    return " ".join(lines) if wrapped and not apart else "\n".join(lines)


_TEXT_FORMATS: dict[str, Callable[[str], list[Block]]] = {
    ".md": read_markdown,
    ".markdown": read_markdown,
    ".txt": read_plain,
    ".text": read_plain,
    ".html": read_html,
    ".htm": read_html,
}
READ = f"the known formats are {', '.join([*_TEXT_FORMATS, *FORMATS])}"
"""What can be read, for messages."""


def can_read(name: str) -> bool:
    """Whether the ending of a file name is one that is read; capital letters do not matter."""
    suffix = PurePosixPath(name).suffix.lower()
    return suffix in _TEXT_FORMATS or suffix in FORMATS


def convert(file: DocumentFile, *, leaf: str, cache_dir: Path, report: Reporter | None = None) -> Document:
    """One fetched file as a document of `leaf`.

    `SourceError` for other formats, other encodings, and files without text; `MissingExtra` for a format whose packages
    are not installed. Conversions of other formats than text are kept below `cache_dir` by content.
    """
    suffix = PurePosixPath(file.name).suffix.lower()
    where = f"{file.name} (leaf {leaf})" if leaf else file.name
    if suffix in _TEXT_FORMATS:
        original, read = _decode(_read_bytes(file.path, where), suffix, where), _TEXT_FORMATS[suffix]
    elif suffix in FORMATS:
        report = report or NullReporter()
        original = converted(file.path, format=FORMATS[suffix], cache_dir=cache_dir, report=report, where=where)
        read = read_markdown
    else:
        raise SourceError(f"{where} cannot be read: {READ}", hint="convert the document, then name the new file")
    joined = join(read(clean(original)))
    if not joined.text.strip():
        raise SourceError(f"{where} has no text", hint="remove it from `patterns`")
    places = before_cleaning(original, joined.places)
    return Document(leaf=leaf, source=file.origin, text=joined.text, original=original, places=places)


def _read_bytes(path: Path, where: str) -> bytes:
    """The content of a text file; `SourceError` if it cannot be read."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise SourceError(f"{where} cannot be read: {error.strerror}", hint="check the file's permissions") from error
    if data.startswith(_LFS):
        raise SourceError(
            f"{where} is only a Git LFS pointer",
            hint="store the document itself in the repository, or name it with `path`",
        )
    return data


def _decode(data: bytes, suffix: str, where: str) -> str:
    """Text out of bytes: by the byte order mark, else by what an HTML page says of itself, else UTF-8."""
    encoding = "utf-8-sig"
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        encoding = "utf-16"
    elif (
        suffix in (".html", ".htm")
        and not data.startswith(b"\xef\xbb\xbf")
        and (stated := _CHARSET.search(data[:4096]))
    ):
        encoding = stated[1].decode("ascii")
    try:
        return data.decode(encoding)
    except (UnicodeDecodeError, LookupError) as error:
        raise SourceError(
            f"{where} is not {encoding.removesuffix('-sig')} text: {error}", hint="save it as UTF-8"
        ) from error
