"""HTML to plain text with Markdown headings, lists, table rows and code."""

from __future__ import annotations

import re
from html.parser import HTMLParser

from ilab.documents.blocks import CODE, HEADING, ITEM, PARAGRAPH, ROW, Block, clean

_SKIPPED = frozenset(["script", "style", "template", "svg", "noscript", "nav", "head", "iframe", "object", "math"])
_HEADINGS = {f"h{level}": level for level in range(1, 7)}
_APART = frozenset(
    [
        "address",
        "article",
        "aside",
        "blockquote",
        "body",
        "caption",
        "center",
        "dd",
        "details",
        "div",
        "dl",
        "dt",
        "fieldset",
    ]
    + [
        "figcaption",
        "figure",
        "footer",
        "form",
        "header",
        "hr",
        "html",
        "legend",
        "main",
        "ol",
        "p",
        "section",
        "summary",
    ]
    + ["table", "tbody", "tfoot", "thead", "ul"]
)
_VOID = frozenset(["br", "hr", "img", "input", "link", "meta", "wbr", "col"])


def read_html(text: str) -> list[Block]:
    """The blocks of a whole page or a piece of one. Scripts, styles, navigation and images are left out."""
    text = clean(text)
    reader = _Reader(text)
    reader.feed(text)
    reader.close()
    reader.end_block()
    return reader.titled()


class _Reader(HTMLParser):
    """Gathers text into blocks as tags go by."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self._line_starts = [0, *(match.end() for match in re.finditer("\n", text))]
        self.blocks: list[Block] = []
        self._text = ""
        self._start = 0
        self._title = ""
        self._skipped: list[str] = []
        self._in_title = False
        self._code = 0
        self._heading = 0
        self._item = ""
        self._row: list[str] | None = None
        self._in_cell = False
        self._superscript = 0

    def titled(self) -> list[Block]:
        """The blocks, below the page's title if it has no first-level heading."""
        first = any(block.kind == HEADING and block.text.startswith("# ") for block in self.blocks)
        title = " ".join(self._title.split())
        return self.blocks if first or not title else [Block(HEADING, f"# {title}"), *self.blocks]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """A tag opens."""
        self._in_title = tag == "title" and not self._title and "svg" not in self._skipped
        if tag in _SKIPPED:
            self._skipped.append(tag)
        elif tag == "body":  # a head that was never closed ends here
            self._skipped.clear()
        if self._skipped:
            return
        if tag == "sup":
            self._superscript = len(self._text)
        elif tag == "br":
            self._text += "\n" if self._code else " "
        elif tag == "pre":
            self._open("")
            self._code += 1
        elif tag in _HEADINGS:
            self._open("")
            self._heading = _HEADINGS[tag]
        elif tag == "li":
            self._open("- ")
        elif tag == "tr":
            self._end_row()
            self._open("")
            self._row, self._start = [], self._here()
        elif tag in ("td", "th") and self._row is not None:
            self._end_cell()
            self._in_cell = True
        elif tag in _APART:
            self._open(self._item)

    def handle_endtag(self, tag: str) -> None:
        """A tag closes."""
        self._in_title = self._in_title and tag != "title"
        if self._skipped:
            if tag in self._skipped:
                del self._skipped[self._skipped.index(tag) :]
            return
        if tag == "sup":
            self._end_superscript()
        elif tag == "pre" and self._code:
            self.end_block()
            self._code -= 1
        elif tag in ("td", "th"):
            self._end_cell()
        elif tag in ("tr", "table"):
            self._end_row()
        elif tag == "li":
            self.end_block()
            self._item = ""
        elif tag in _APART or tag in _HEADINGS:
            self.end_block()
            self._heading = 0

    def handle_data(self, data: str) -> None:
        """Text between tags."""
        if self._in_title:
            self._title += data
        elif not self._skipped:
            if not self._text.strip():
                self._start = self._here() if self._row is None else self._start
            self._text += data

    def _open(self, item: str) -> None:
        self.end_block()
        self._heading = 0
        self._item = item

    def end_block(self) -> None:
        """Make a block of the text gathered so far; inside a table cell the text goes on."""
        if self._in_cell:
            self._text += " "
            return
        text, self._text = self._text, ""
        if self._code:
            if text.strip():
                self._add(CODE, "```\n" + text.strip("\n") + "\n```")
            return
        text = " ".join(text.split())
        if not text:
            return
        if self._heading:
            self._add(HEADING, f"{'#' * self._heading} {text}")
        else:
            self._add(ITEM if self._item else PARAGRAPH, self._item + text)
            self._item = ""

    def _end_superscript(self) -> None:
        """Keep the meaning of an exponent (10^6), and leave out a footnote mark ([1])."""
        before, inside = self._text[: self._superscript], self._text[self._superscript :].strip()
        if re.fullmatch(r"\[.*\]", inside):
            self._text = before
        elif before[-1:].isdigit() and re.fullmatch(r"[-−+]?\d+", inside):
            self._text = f"{before}^{inside}"

    def _end_cell(self) -> None:
        if self._in_cell and self._row is not None:
            self._row.append(" ".join(self._text.split()).replace("|", "\\|"))
            self._text = ""
        self._in_cell = False

    def _end_row(self) -> None:
        self._end_cell()
        row, self._row = self._row, None
        if row and any(row):
            self._add(ROW, f"| {' | '.join(row)} |")

    def _add(self, kind: str, text: str) -> None:
        self.blocks.append(Block(kind, text, self._start))

    def _here(self) -> int:
        """The offset of the tag or text that is being read."""
        line, column = self.getpos()
        return self._line_starts[line - 1] + column
