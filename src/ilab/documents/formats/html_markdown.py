"""HTML that a converter or a book holds to Markdown: headings, lists in lists, tables, code and footnotes.

Emphasis, the targets of links, and pictures are left out.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from html.parser import HTMLParser

from ilab.documents.formats.markdown_writer import MarkdownWriter, code_span, escape

_SKIPPED = frozenset(["script", "style", "template", "svg", "head", "iframe", "object", "nav", "audio", "video", "rt"])
_INLINE = frozenset(
    "a abbr b bdi bdo big cite code del dfn em font i img ins kbd label mark math mi mn mo mrow mtext nobr q rb rp ruby"
    " s samp small span strike strong sub sup time tt u var wbr".split()
)
_CODE = frozenset(["code", "samp", "kbd", "tt"])
_LANGUAGE = re.compile(r"(?:language-|sourceCode\s+|lang-)?([A-Za-z][\w+#-]*)")
_NO_LANGUAGE = frozenset(["sourceCode", "numberSource", "example", "programlisting"])
_BACK = re.compile(r"#(?:footnote-ref|endnote-ref|fnref)", re.IGNORECASE)
_NOTE = re.compile(r"#(?:footnote|endnote|fn)-?\d+\b", re.IGNORECASE)


def write_html(text: str, writer: MarkdownWriter, *, shift: int = 0, first_note: int = 1) -> int:
    """Write the page or piece `text`, its headings lowered by `shift`. Returns the number for the next footnote.

    A heading of the class `title` is not lowered.
    """
    reader = _Reader(writer, shift, first_note)
    reader.feed(text)
    reader.close()
    reader.finish()
    return reader.next_note


class _Reader(HTMLParser):
    """Gathers text as tags go by, and writes it where a block ends."""

    def __init__(self, writer: MarkdownWriter, shift: int, first_note: int) -> None:
        super().__init__(convert_charrefs=True)
        self.next_note = first_note
        self._writer = writer
        self._shift = shift
        self._skipped: list[str] = []
        self._text: list[str] = []
        self._heading = 0
        self._pre = 0
        self._language = ""
        self._spans: list[tuple[str, list[str]]] = []
        self._lists: list[int] = []
        """For each open list the number of its next item; 0 in a list without numbers."""
        self._mark = ""
        self._tables: list[list[list[str]]] = []
        self._in_cell = False
        self._empty_cells = 0
        self._notes: dict[str, int] = {}
        self._note: tuple[str, int] | None = None
        self._noted: list[tuple[int, str]] = []
        self._back = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """A tag opens."""
        if tag in _SKIPPED or (self._skipped and tag == self._skipped[-1]):
            self._skipped.append(tag)
        if self._skipped:
            return
        given = {name: value or "" for name, value in attrs}
        if self._note is None and given.get("id") in self._notes and tag in ("li", "aside", "div", "p", "section"):
            self._end_block()
            self._note = (tag, self._notes[given["id"]])
        if tag in _INLINE:
            self._start_inline(tag, given)
        else:
            self._start_block(tag, given)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """A tag that closes itself; other than in HTML, it has no content in a book (`<a id="x"/>`)."""
        self.handle_starttag(tag, attrs)
        self.handle_endtag(tag)

    def handle_endtag(self, tag: str) -> None:
        """A tag closes."""
        if self._skipped:
            if tag == self._skipped[-1]:
                self._skipped.pop()
            return
        if tag in _INLINE:
            self._end_inline(tag)
        elif tag == "br":
            return
        else:
            self._end_tag(tag)

    def handle_data(self, data: str) -> None:
        """Text between tags."""
        if not self._skipped and not self._back:
            (self._spans[-1][1] if self._spans else self._text).append(data if self._pre else escape_kept(data))

    def finish(self) -> None:
        """Write what is still open, and the footnotes."""
        self._end_block()
        while self._tables:
            self._end_tag("table")
        for number, text in self._noted:
            self._writer.note(str(number), text)

    # --- inside a line ---

    def _start_inline(self, tag: str, given: Mapping[str, str]) -> None:
        target = given.get("href", "")
        kinds = f"{given.get('epub:type', '')} {given.get('role', '')}"
        if tag == "a" and ("backlink" in kinds or _BACK.match(target)):
            self._back = True
        elif tag == "a" and ("noteref" in kinds or _NOTE.match(target)):
            self._add(self._note_mark(target))
            self._back = True  # the mark replaces the text of the link
        elif tag in ("sup", "sub") or (tag in _CODE and not self._pre):
            self._spans.append((tag, []))

    def _note_mark(self, target: str) -> str:
        name = target.rpartition("#")[2]
        if name not in self._notes:
            self._notes[name] = self.next_note
            self.next_note += 1
        return f"[^{self._notes[name]}]"

    def _end_inline(self, tag: str) -> None:
        if tag == "a":
            self._back = False
        if not any(opened == tag for opened, _ in self._spans):
            return
        while self._spans:
            opened, parts = self._spans.pop()
            self._add(self._shown(opened, "".join(parts)))
            if opened == tag:
                return

    def _shown(self, tag: str, text: str) -> str:
        if tag in _CODE:
            return code_span(unescape_kept(text))
        before = (self._spans[-1][1] if self._spans else self._text)[-1:]
        digit = bool(before) and before[0][-1:].isdigit()
        if tag == "sup" and digit and re.fullmatch(r"\s*[-−+]?\d+\s*", text):
            return f"^{text.strip()}"  # an exponent keeps its meaning: 10^6
        return text

    def _add(self, text: str) -> None:
        (self._spans[-1][1] if self._spans else self._text).append(text)

    # --- blocks ---

    def _start_block(self, tag: str, given: Mapping[str, str]) -> None:
        if tag == "br":
            self._add("\n" if self._pre else " ")
            return
        self._end_block()
        if tag == "pre":
            self._pre += 1
            self._language = _language(given.get("class", ""))
        elif re.fullmatch("h[1-6]", tag):
            title = "title" in given.get("class", "").split()
            self._heading = int(tag[1]) + (0 if title else self._shift)
        elif tag in ("ul", "ol"):
            start = given.get("start", "1")
            self._lists.append(0 if tag == "ul" else int(start) if start.isdigit() else 1)
        elif tag == "li":
            self._mark = self._next_mark()
        elif tag == "table":
            self._tables.append([])
        elif tag == "tr" and self._tables:
            self._tables[-1].append([])
        elif tag in ("td", "th") and self._tables and self._tables[-1]:
            span = given.get("colspan", "1")
            self._empty_cells = min(int(span), 100) - 1 if span.isdigit() else 0
            self._in_cell = True

    def _next_mark(self) -> str:
        if not self._lists or not self._lists[-1]:
            return "-"
        self._lists[-1] += 1
        return f"{self._lists[-1] - 1}."

    def _end_tag(self, tag: str) -> None:
        if tag in ("td", "th"):
            self._end_cell()
            return
        self._end_block()
        if tag == "pre":
            self._pre = max(0, self._pre - 1)
        elif re.fullmatch("h[1-6]", tag):
            self._heading = 0
        elif tag in ("ul", "ol") and self._lists:
            self._lists.pop()
        elif tag == "li":
            self._mark = ""
        elif tag == "table" and self._tables:
            self._end_table()
        if self._note is not None and tag == self._note[0]:
            self._note = None

    def _end_block(self) -> None:
        """Write the text gathered so far; inside a table cell it goes on."""
        while self._spans:
            self._end_inline(self._spans[-1][0])
        if self._in_cell:
            self._text.append(" ")
            return
        text, self._text = "".join(self._text), []
        if self._pre:
            self._writer.code(text, self._language)
            return
        text = " ".join(text.split())
        if not text:
            return
        if self._note is not None:
            self._noted.append((self._note[1], text))
        elif self._heading:
            self._writer.heading(self._heading, text)
        elif self._mark:
            self._writer.item(text, depth=max(0, len(self._lists) - 1), mark=self._mark)
            self._mark = ""
        else:
            self._writer.paragraph(text)

    def _end_cell(self) -> None:
        if not self._in_cell:
            return
        self._end_block()
        self._in_cell = False
        text, self._text = " ".join("".join(self._text).split()), []
        if len(self._tables) > 1:  # a table inside a cell goes on as text of that cell
            self._tables[-1][-1].append(text)
            return
        self._tables[-1][-1] += [text, *[""] * self._empty_cells]

    def _end_table(self) -> None:
        self._end_cell()
        rows = self._tables.pop()
        if self._tables:
            self._in_cell = True
            self._text.append(" ".join(cell for row in rows for cell in row if cell))
        else:
            self._writer.table(rows)


def escape_kept(text: str) -> str:
    """`escape` that keeps white space at the ends, because the text goes on."""
    if not text.strip():
        return " " if text else ""
    before = " " if text[:1].isspace() else ""
    after = " " if text[-1:].isspace() else ""
    return f"{before}{escape(text)}{after}"


def unescape_kept(text: str) -> str:
    """The text that `escape` was given."""
    return re.sub(r"\\([!-/:-@\[-`{-~])", r"\1", text.replace("&lt;", "<"))


def _language(classes: str) -> str:
    named = [name for name in classes.split() if name not in _NO_LANGUAGE]
    match = _LANGUAGE.fullmatch(named[0]) if named else None
    return match[1] if match else ""
