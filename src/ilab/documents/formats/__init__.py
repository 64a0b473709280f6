"""The formats beyond text and HTML, each with the function that turns a file into Markdown.

A converter has the form `to_markdown(path, *, report, where)`; it is imported when its first file is read.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from ilab.base.report import Reporter


class Converter(Protocol):
    """Reads the file at `path`; `where` names it in errors. `SourceError` for a file that cannot be read."""

    def __call__(self, path: Path, *, report: Reporter, where: str) -> str:
        """Markdown: headings `#`, lists, `|` tables with a rule, fenced code, each paragraph on one line."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Format:
    """One format: what people call it, the extra that it needs, and its converter as "module:function".

    `packages` are the distributions whose versions decide about the result.
    """

    name: str
    target: str
    extra: str = ""
    packages: tuple[str, ...] = ()


_HERE = "ilab.documents.formats"

FORMATS: dict[str, Format] = {
    ".pdf": Format(
        name="PDF", extra="docs", target=f"{_HERE}.pdf:to_markdown", packages=("pdfplumber", "pdfminer.six")
    ),
    ".docx": Format(name="Word", extra="docs", target=f"{_HERE}.docx:to_markdown", packages=("mammoth",)),
    ".pptx": Format(name="PowerPoint", extra="docs", target=f"{_HERE}.pptx:to_markdown", packages=("python-pptx",)),
    ".epub": Format(name="EPUB", target=f"{_HERE}.epub:to_markdown"),
    ".adoc": Format(name="AsciiDoc", target=f"{_HERE}.asciidoc:to_markdown"),
    ".asciidoc": Format(name="AsciiDoc", target=f"{_HERE}.asciidoc:to_markdown"),
}
"""Formats by the ending of the file name, in lower case."""
