"""Word documents to Markdown, through the HTML that mammoth makes of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ilab.base import lazy
from ilab.base.report import Reporter
from ilab.documents.formats.archive import Archive
from ilab.documents.formats.html_markdown import write_html
from ilab.documents.formats.markdown_writer import MarkdownWriter

_STYLES = """
p[style-name='Title'] => h1.title:fresh
p[style-name='Subtitle'] => p:fresh
p[style-name='List Bullet 2'] => ul|ol > li > ul > li:fresh
p[style-name='List Bullet 3'] => ul|ol > li > ul|ol > li > ul > li:fresh
p[style-name='List Number 2'] => ul|ol > li > ol > li:fresh
p[style-name='List Number 3'] => ul|ol > li > ul|ol > li > ol > li:fresh
p[style-name='Source Code'] => pre:separator('\\n')
p[style-name='Preformatted Text'] => pre:separator('\\n')
p[style-name='HTML Preformatted'] => pre:separator('\\n')
p[style-name='Code'] => pre:separator('\\n')
p[style-name='macro'] => pre:separator('\\n')
r[style-name='Verbatim Char'] => code
r[style-name='HTML Code'] => code
r[style-name='Source Text'] => code
"""


def to_markdown(path: Path, *, report: Reporter, where: str) -> str:
    """The text of the document; pictures, comments, headers and footers are left out."""
    mammoth = lazy.need("mammoth", feature="reading Word documents", extra="docs")
    with Archive(path, kind="Word", where=where) as archive:
        document = archive.read("word/document.xml")
        if b"<m:oMath" in document:
            report.warning(f"formulas of {where} are left out")
        html = _html(mammoth, path, archive)
    writer = MarkdownWriter()
    write_html(html, writer, shift=1 if 'class="title"' in html else 0)
    report.metric("tables", writer.tables)
    return writer.text()


def _html(mammoth: Any, path: Path, archive: Archive) -> str:
    try:
        with path.open("rb") as file:
            result = mammoth.convert_to_html(
                file, style_map=_STYLES, convert_image=_no_image, external_file_access=False
            )
    except Exception as error:  # a damaged file makes the library fail in any way
        raise archive.error(f"is damaged: {type(error).__name__}: {error}") from error
    return str(result.value)


def _no_image(_image: object) -> list[object]:
    return []
