"""PDF files to Markdown, without a model: text, headings, lists, code and tables with rules, in reading order."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ilab.base import lazy
from ilab.base.report import Reporter
from ilab.documents.formats.markdown_writer import MarkdownWriter
from ilab.documents.formats.pdf_layout import write_pages
from ilab.documents.formats.pdf_page import Page, read_page
from ilab.errors import SourceError

_MOST_UNREADABLE = 0.2
_WORTH_TELLING = 0.005
_OCR = "make its text readable first, for example with `ocrmypdf old.pdf new.pdf`, then use the new file"
_ANEW = "open it in its own program and save it anew"


def to_markdown(path: Path, *, report: Reporter, where: str) -> str:
    """The text of the file; pictures, running heads and page numbers are left out.

    `SourceError` for a file with a password, without text (pictures of pages), or damaged.
    """
    pages = _read(path, report, where)
    empty = [page.number for page in pages if not page.letters]
    letters = sum(page.letters for page in pages)
    unreadable = sum(page.unreadable for page in pages) / letters if letters else 0.0
    if not letters:
        raise SourceError(f"{where} has no text on its {_counted(len(pages))}, which are pictures or empty", hint=_OCR)
    if unreadable > _MOST_UNREADABLE:
        raise SourceError(
            f"{where} does not say which letters its signs stand for: {unreadable:.0%} of the text is unreadable",
            hint=_OCR,
        )
    if unreadable > _WORTH_TELLING:
        report.warning(f"{unreadable:.1%} of the letters of {where} are unreadable and left out")
    if empty:
        report.warning(f"{where} has no text on {_named(empty)}")
    writer = MarkdownWriter()
    write_pages(pages, writer)
    report.metric("pages", len(pages))
    report.metric("empty_pages", len(empty))
    report.metric("unreadable_share", round(unreadable, 4))
    report.metric("tables", writer.tables)
    return writer.text()


def _read(path: Path, report: Reporter, where: str) -> list[Page]:
    pdfplumber = lazy.need("pdfplumber", feature="reading PDF files", extra="docs")
    logging.getLogger("pdfminer").setLevel(logging.ERROR)  # it warns of every oddity that it copes with
    found: list[Page] = []
    try:
        with pdfplumber.open(path) as pdf:
            total = len(pdf.pages)
            for number, page in enumerate(pdf.pages, start=1):
                found.append(read_page(page, number))
                page.close()
                report.progress("pages read", number, total)
    except OSError as error:
        raise SourceError(f"{where} cannot be read: {error.strerror}", hint="check the file's permissions") from error
    except Exception as error:  # a damaged file makes the library fail in any way
        raise _unreadable(error, where, page=len(found) + 1) from error
    if not found:
        raise SourceError(f"{where} is damaged: it has no pages", hint=_ANEW)
    return found


def _unreadable(error: Exception, where: str, *, page: int) -> SourceError:
    """What a failure of the library means."""
    causes: list[Any] = [error, *error.args, error.__cause__, error.__context__]
    names = [type(cause).__name__ for cause in causes]
    if any("Password" in name or "Encryption" in name for name in names):
        return SourceError(f"{where} is protected by a password", hint="save it without one")
    what = next((str(cause) for cause in reversed(causes) if isinstance(cause, Exception) and str(cause)), "")
    said = f" ({what[:120]})" if what else ""
    return SourceError(f"{where} is damaged or no PDF file: page {page} cannot be read{said}", hint=_ANEW)


def _counted(count: int) -> str:
    return "1 page" if count == 1 else f"{count:,} pages"


def _named(numbers: Sequence[int]) -> str:
    shown = ", ".join(map(str, numbers[:8])) + (f" and {len(numbers) - 8} more" if len(numbers) > 8 else "")
    return f"page {shown}" if len(numbers) == 1 else f"pages {shown}"
