"""Markdown, HTML and text files to plain text with Markdown headings.

Paragraphs stand apart by a blank line and are one line each; tables, lists and code keep their lines.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path, PurePosixPath

from ilab.documents.blocks import clean
from ilab.documents.html_text import html_to_text
from ilab.documents.markdown import markdown_to_text
from ilab.documents.source import DocumentFile
from ilab.errors import SourceError

_CHARSET = re.compile(rb"<meta[^>]{1,200}charset\s*=\s*[\"']?\s*([A-Za-z0-9_.:-]+)", re.IGNORECASE)
_LIST_MARK = re.compile(r"\s*(?:[-*+•–]|\d{1,3}[.)])\s")
_WRAPPED = 40
"""A line of plain text this long is taken to be wrapped, so that the next line continues it."""
_LFS = b"version https://git-lfs.github.com/spec/"


def plain_text(text: str) -> str:
    """Text files: wrapped lines of a paragraph are joined; short lines, lists and indented lines stay as they are."""
    paragraphs = re.split(r"\n[ \t]*\n", clean(text))
    return "\n\n".join(joined for joined in map(_join_wrapped, paragraphs) if joined)


def _join_wrapped(paragraph: str) -> str:
    lines = [line.rstrip() for line in paragraph.split("\n") if line.strip()]
    wrapped = all(len(line) >= _WRAPPED for line in lines[:-1])
    apart = any(line[:1].isspace() or "\t" in line or "  " in line.strip() or _LIST_MARK.match(line) for line in lines)
    return " ".join(lines) if wrapped and not apart else "\n".join(lines)


_CONVERTERS: dict[str, Callable[[str], str]] = {
    ".md": markdown_to_text,
    ".markdown": markdown_to_text,
    ".txt": plain_text,
    ".text": plain_text,
    ".html": html_to_text,
    ".htm": html_to_text,
}
READ = "this installation reads .md, .txt and .html"
"""What can be read, for messages."""


def can_read(name: str) -> bool:
    """Whether the ending of a file name is one that is read; capital letters do not matter."""
    return PurePosixPath(name).suffix.lower() in _CONVERTERS


def convert(file: DocumentFile, *, leaf: str) -> str:
    """The text of one fetched file. `SourceError` for other formats, other encodings, and files without text."""
    suffix = PurePosixPath(file.name).suffix.lower()
    where = f"{file.name} (leaf {leaf})"
    if suffix not in _CONVERTERS:
        raise SourceError(f"{where} cannot be read: {READ}", hint="convert the document, then name the new file")
    data = read_bytes(file.path, where)
    if data.startswith(_LFS):
        raise SourceError(
            f"{where} is only a Git LFS pointer",
            hint="store the document itself in the repository, or name it with `path`",
        )
    text = _CONVERTERS[suffix](_decode(data, suffix, where)).strip()
    if not text:
        raise SourceError(f"{where} has no text", hint="remove it from `patterns`")
    return text


def read_bytes(path: Path, where: str) -> bytes:
    """The content of a file; `SourceError` if it cannot be read."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise SourceError(f"{where} cannot be read: {error.strerror}", hint="check the file's permissions") from error


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
