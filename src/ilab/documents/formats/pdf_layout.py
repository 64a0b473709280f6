"""Lines and tables of all pages of a PDF file to Markdown.

Running heads are taken out, headings are known by their letters, and the lines of a paragraph are joined.
"""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from statistics import median

from ilab.documents.formats.markdown_writer import MarkdownWriter, escape
from ilab.documents.formats.pdf_page import Line, Page, Table

_EDGE = 0.13
"""Running heads stand in this share of the page at its top, or at its bottom."""
_OFTEN = 5
_LARGER = 1.15
"""Letters that are this much larger than those of the text are those of a heading."""
_FEW = 4
_LEADER = re.compile(r"(?:[.…·]\s?){5,}\s*(?:\d{1,4}|[ivxlc]{1,7})\s*$")
"""A line of a table of contents: dots that lead to the number of a page."""
_EDGE_NUMBER = re.compile(r"^\d{1,4}(?=\s)|(?<=\s)\d{1,4}$|^\d{1,4}$")
_PAGE_NUMBER = re.compile(
    r"[\W_]*(?:(?:page|seite|p\.|s\.)\s*)?(?:\d{1,4}|[ivxlc]{1,7})(?:\s*(?:/|of|von)\s*\d{1,4})?[\W_]*",
    re.IGNORECASE,
)
_BULLET = re.compile(r"([•◦▪▫●○■□‣⁃∙➢✓✔❖►▸*–—-])\s+(?=\S)")
_NUMBER = re.compile(r"(\d{1,3})[.)]\s+(?=\S)")
_LETTER = re.compile(r"(?:\([a-z\d]{1,3}\)|[a-z]\))\s+(?=\S)")
_ENDS = re.compile(r"[.!?:;…。！？][\"'”’»)\]]*$")
_NOTE = re.compile(r"(?:\d{1,3}|[*†‡])\s?\S")
_WORD = re.compile(r"[^\W\d_]+(?:[-‐][^\W\d_]+)*")
_HYPHEN = re.compile(r"([^\W\d_]{2,})([-‐\xad])$")
_WIDE = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\uff00-\uffef]")
_SPLIT_NAME = re.compile(r"\w_$")
"""A name such as `snake_case` that is parted behind the line in it."""
_LONGEST_HEADING = 200


def write_pages(pages: Sequence[Page], writer: MarkdownWriter) -> None:
    """Write what stands on `pages`."""
    _remove_running_heads(pages, _usual_size(line for page in pages for line in page.lines))
    layout = _Layout(pages, writer)
    for page in pages:
        layout.read(page)
    layout.finish()


def _usual_size(lines: Iterable[Line]) -> float:
    """The size of most letters."""
    weights: Counter[float] = Counter()
    for line in lines:
        weights[line.size] += len(line.text)
    return weights.most_common(1)[0][0] if weights else 0.0


def _remove_running_heads(pages: Sequence[Page], usual: float) -> None:
    """Take out lines that come again at the edges of the pages, page numbers, and tables of contents.

    Lines that differ in their numbers are the same, but for larger letters: `Chapter 1`, `Chapter 2` are headings, and
    of equal ones the first stays.
    """
    leaders = [line for page in pages for line in page.lines if _LEADER.search(line.text)]
    running = {id(line) for line in leaders} if len(leaders) >= _FEW else set()
    if len(pages) > 1:
        edges = [(page, line) for page in pages for line in _at_edges(page)]
        small = [(page, line) for page, line in edges if line.size <= usual * _LARGER]
        enough = max(2, min(math.ceil(len(pages) * 0.4), _OFTEN))
        large = [(page, line) for page, line in edges if line.size > usual * _LARGER]
        running |= _repeated(large, enough, by=lambda line: line.text, but=1)
        running |= _repeated(small, enough, by=lambda line: re.sub(r"\d+", "#", line.text))
        running |= {id(line) for _, line in edges if len(pages) > 2 and _PAGE_NUMBER.fullmatch(line.text)}
        running |= _numbered(small, enough)
    for page in pages:
        page.items = [item for item in page.items if id(item) not in running]


def _at_edges(page: Page) -> list[Line]:
    """The two first and the two last lines, where they are near the edge."""
    lines = sorted(page.lines, key=lambda line: line.top)
    top = [line for line in lines[:2] if line.bottom < page.height * _EDGE]
    bottom = [line for line in lines[-2:] if line.top > page.height * (1 - _EDGE)]
    return list({id(line): line for line in [*top, *bottom]}.values())


def _repeated(edges: Iterable[tuple[Page, Line]], enough: int, *, by: Callable[[Line], str], but: int = 0) -> set[int]:
    """Lines of one size and text, as `by` gives it, at the same edge of several pages; the first `but` of them stay."""
    alike: dict[tuple[bool, float, str], list[tuple[Page, Line]]] = defaultdict(list)
    for page, line in edges:
        alike[line.top < page.height / 2, line.size, by(line)].append((page, line))
    return {id(line) for found in alike.values() if _on_pages(found) >= enough for _, line in found[but:]}


def _on_pages(found: Iterable[tuple[Page, Line]]) -> int:
    return len({page.number for page, _ in found})


def _numbered(edges: Sequence[tuple[Page, Line]], enough: int) -> set[int]:
    """Lines with the number of their page, counted from any number.

    So the head of a chapter is known that stands on one page only.
    """
    by_offset: dict[tuple[bool, int], list[tuple[Page, Line]]] = defaultdict(list)
    for page, line in edges:
        for number in {int(found) for found in _EDGE_NUMBER.findall(line.text) if found}:
            by_offset[line.top < page.height / 2, number - page.number].append((page, line))
    often = [found for found in by_offset.values() if _on_pages(found) >= max(3, enough)]
    return {id(line) for found in often for _, line in found}


@dataclass(slots=True)
class _Open:
    """The block that is being gathered. `left` and `right` are the edges of its column."""

    kind: str
    lines: list[Line] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    level: int = 0
    mark: str = "-"
    page: int = 0

    @property
    def last(self) -> Line:
        """The line gathered last."""
        return self.lines[-1]


class _Layout:
    """Gathers lines into blocks."""

    def __init__(self, pages: Sequence[Page], writer: MarkdownWriter) -> None:
        self._writer = writer
        lines = [line for page in pages for line in page.lines]
        text = [line for line in lines if not line.code] or lines
        self._body = _usual_size(text)
        of_body = [line for line in text if line.size == self._body]
        bold = sum(len(line.text) for line in of_body if line.bold)
        self._bold_body = bold * 2 > sum(len(line.text) for line in of_body)
        self._spacing = _spacing(pages, self._body)
        self._levels = self._heading_levels(text)
        self._words = _vocabulary(lines)
        self._open: _Open | None = None
        self._table: tuple[int, Table] | None = None
        self._notes: list[list[str]] = []
        self._marks: list[float] = []
        """Where the marks of the lists stand that are open, outermost first."""
        self._number = 0
        self._right: dict[int, float] = {}
        self._left: dict[int, float] = {}

    def read(self, page: Page) -> None:
        """Read one page."""
        notes = self._take_notes(page)
        self._right, self._left = {}, {}
        for line in page.lines:
            self._right[line.column] = max(self._right.get(line.column, 0), line.x1)
            self._left[line.column] = min(self._left.get(line.column, line.x0), line.x0)
        for place, item in enumerate(page.items):
            if isinstance(item, Table):
                self._read_table(item, page.number, first=place == 0)
            else:
                self._read_line(item, page.number)
        self._notes += notes

    def finish(self) -> None:
        """Write what is still open."""
        self._end()
        self._end_table()
        self._write_notes()

    # --- what a line is ---

    def _heading_levels(self, lines: Iterable[Line]) -> dict[tuple[float, bool], int]:
        """The level for each look of a heading: larger before smaller; bold text of the usual size is the lowest."""
        looks = {self._look(line) for line in lines if self._is_heading(line)}
        ordered = sorted(looks, reverse=True)
        return {look: min(place, 6) for place, look in enumerate(ordered, start=1)}

    def _look(self, line: Line) -> tuple[float, bool]:
        return (line.size, line.bold)

    def _is_heading(self, line: Line) -> bool:
        if line.code or line.bullet or not any(character.isalpha() for character in line.text):
            return False
        larger = line.size > self._body * (1.04 if line.bold and not self._bold_body else _LARGER)
        if larger:
            return len(line.text) <= _LONGEST_HEADING
        strong = line.bold and not self._bold_body and line.size >= self._body * 0.95
        return strong and len(line.text) < 100 and not re.search(r"[.,;]$", line.text)

    def _stands_apart(self, line: Line) -> bool:
        """Whether a line that is only bold begins a block, as a heading does."""
        last = self._open.last if self._open else None
        if last is None or self._open is None or self._open.kind == "heading" or last.column != line.column:
            return True
        return line.top - last.top > self._spacing * 1.15 or line.top < last.top

    # --- lines ---

    def _read_line(self, line: Line, page: int) -> None:
        self._end_table()
        if line.code:
            self._read_code(line, page)
        elif self._is_heading(line) and self._stands_apart(line):
            self._read_heading(line, page)
        elif not self._read_item(line, page):
            self._read_text(line, page)

    def _read_code(self, line: Line, page: int) -> None:
        if self._open is None or self._open.kind != "code":
            self._start("code", line, page)
            return
        last = self._open.last
        same = self._open.page == page and last.column == line.column and line.top > last.top
        blank = round((line.top - last.top) / (last.bottom - last.top) / 1.2) - 1 if same else 0
        self._open.texts += [""] * min(max(blank, 0), 2)
        self._open.lines += [line] * (len(self._open.texts) - len(self._open.lines))
        self._go_on(line, page)

    def _read_heading(self, line: Line, page: int) -> None:
        open_block = self._open
        if open_block is not None and open_block.kind == "heading" and open_block.page == page:
            last = open_block.last
            near = 0 < line.top - last.top < max(line.size, last.size) * 1.6
            if near and self._look(last) == self._look(line) and sum(map(len, open_block.texts)) < _LONGEST_HEADING:
                self._go_on(line, page)
                return
        self._end()
        self._write_notes()
        self._start("heading", line, page, level=self._levels.get(self._look(line), 6))

    def _read_item(self, line: Line, page: int) -> bool:
        text, mark = line.text, "-"
        number = _NUMBER.match(text)
        if line.bullet:
            pass
        elif bullet := _BULLET.match(text):
            text = text[bullet.end() :]
        elif number and int(number[1]) in (1, self._number + 1) and not self._in_paragraph(line):
            text, mark = text[number.end() :], f"{number[1]}."
            self._number = int(number[1])
        elif _LETTER.match(text) is None or self._in_paragraph(line):
            return False
        self._end()
        while self._marks and line.x0 < self._marks[-1] - 3:
            self._marks.pop()
        if not self._marks or line.x0 > self._marks[-1] + 3:
            self._marks.append(line.x0)
        self._start("item", line, page, level=len(self._marks) - 1, mark=mark)
        assert self._open is not None
        self._open.texts = [text]
        return True

    def _in_paragraph(self, line: Line) -> bool:
        """Whether a number may just stand where a line of a paragraph begins."""
        open_block = self._open
        if open_block is None or open_block.kind != "paragraph" or open_block.last.column != line.column:
            return False
        near = 0 < line.top - open_block.last.top <= self._spacing * 1.2
        return near and not _ENDS.search(open_block.last.text)

    def _read_text(self, line: Line, page: int) -> None:
        if self._continues(line, page):
            self._go_on(line, page)
        else:
            self._start("paragraph", line, page)

    def _continues(self, line: Line, page: int) -> bool:
        """Whether a line of text goes on with the block before it."""
        block = self._open
        if block is None or block.kind not in ("paragraph", "item"):
            return False
        last = block.last
        if abs(last.size - line.size) > max(0.6, line.size * 0.06):
            return False
        if block.page != page or last.column != line.column or line.top < last.top:
            return self._continues_over(last, line)
        if line.top - last.top > max(self._spacing * 1.25, line.size * 1.3):
            return False
        if block.kind == "item":
            return line.x0 > block.lines[0].x0 + 2 or not _ENDS.search(last.text)
        return not self._begins_paragraph(block, line)

    def _continues_over(self, last: Line, line: Line) -> bool:
        """Whether a line goes on with the end of the page or column before."""
        if _ENDS.search(last.text) and not last.text.endswith((":", ";")):
            return False
        return line.text[:1].islower() or (not _ENDS.search(last.text) and not line.bold)

    def _begins_paragraph(self, block: _Open, line: Line) -> bool:
        last = block.last
        left = min(before.x0 for before in block.lines[1:] or block.lines)
        indented = line.x0 - left > line.size * 0.8 and abs(line.x0 - block.lines[0].x0) < line.size * 0.5
        first_indent = len(block.lines) == 1 and line.x0 - last.x0 > line.size * 0.8
        right, width = self._right.get(line.column, 0), 0.0
        width = right - self._left.get(line.column, 0)
        short = last.x1 < right - width * 0.12
        ended = bool(_ENDS.search(last.text))
        return ended and (indented or first_indent or short) and not line.text[:1].islower()

    # --- blocks ---

    def _start(self, kind: str, line: Line, page: int, *, level: int = 0, mark: str = "-") -> None:
        self._end()
        self._open = _Open(kind, [line], [line.text], level=level, mark=mark, page=page)
        if kind != "item":
            self._marks = [] if kind != "code" else self._marks
            self._number = self._number if kind == "code" else 0

    def _go_on(self, line: Line, page: int) -> None:
        assert self._open is not None
        self._open.lines.append(line)
        self._open.texts.append(line.text)
        self._open.page = page

    def _end(self) -> None:
        """Write the open block."""
        block, self._open = self._open, None
        if block is None:
            return
        if block.kind == "code":
            left = min(line.x0 for line in block.lines)
            pitch = median(line.pitch for line in block.lines) or 1
            pairs = zip(block.lines, block.texts, strict=True)
            self._writer.code("\n".join(" " * round((line.x0 - left) / pitch) + text for line, text in pairs))
            return
        text = escape(self._joined(block.texts))
        if block.kind == "heading":
            self._writer.heading(block.level, text)
        elif block.kind == "item":
            self._writer.item(text, depth=block.level, mark=block.mark)
        else:
            self._writer.paragraph(text)

    def _joined(self, texts: Sequence[str]) -> str:
        """Lines as one; a word that was parted at the end of a line is whole again."""
        joined = texts[0]
        for text in texts[1:]:
            hyphen = _HYPHEN.search(joined)
            if hyphen is not None and text[:1].isalpha():
                joined = self._rejoined(joined, hyphen, text)
            elif _SPLIT_NAME.search(joined) or (_WIDE.match(joined[-1:]) and _WIDE.match(text)):
                joined += text
            else:
                joined = f"{joined} {text}"
        return joined.replace("\xad", "")

    def _rejoined(self, before: str, hyphen: re.Match[str], after: str) -> str:
        """The hyphen stays where the word has one elsewhere in the document, or where a capital letter follows it."""
        following = _WORD.match(after)
        head, tail = _WORD.findall(hyphen[1])[-1].lower(), following[0].lower() if following else ""
        whole, hyphened = self._words[head + tail], self._words[f"{head}-{tail}"]
        keep = hyphen[2] != "\xad" and (not after[:1].islower() or hyphened > whole)
        return (before if keep else before[:-1]) + after

    # --- tables and notes ---

    def _read_table(self, table: Table, page: int, *, first: bool) -> None:
        self._end()
        self._marks = []
        before = self._table
        if before is not None and first and before[0] == page - 1 and _same_columns(before[1], table):
            rows = table.rows[1:] if table.rows[0] == before[1].rows[0] else table.rows
            before[1].rows += rows
            self._table = (page, before[1])
            return
        self._end_table()
        self._table = (page, table)

    def _end_table(self) -> None:
        table, self._table = self._table, None
        if table is not None:
            self._writer.table([[escape(cell) for cell in row] for row in table[1].rows])

    def _take_notes(self, page: Page) -> list[list[str]]:
        """Take the footnotes off a page: smaller letters at its end, from the first line that begins with a mark."""
        small = 0
        for item in reversed(page.items):
            if isinstance(item, Table) or item.code or item.size > self._body * 0.92 or item.top < page.height * 0.4:
                break
            small += 1
        lines = [item for item in page.items[len(page.items) - small :] if isinstance(item, Line)]
        start = next((place for place, line in enumerate(lines) if _NOTE.match(line.text)), None)
        if start is None:
            return []
        page.items = page.items[: len(page.items) - len(lines) + start]
        notes: list[list[str]] = []
        for line in lines[start:]:
            if not notes or _NOTE.match(line.text):
                notes.append([line.text])
            else:
                notes[-1].append(line.text)
        return notes

    def _write_notes(self) -> None:
        """Footnotes come before the next heading, so that they do not part a paragraph."""
        notes, self._notes = self._notes, []
        for note in notes:
            self._writer.paragraph(escape(self._joined(note)))


def _same_columns(one: Table, other: Table) -> bool:
    near = abs(one.x0 - other.x0) < 5 and abs(one.x1 - other.x1) < 5
    return near and len(one.rows[0]) == len(other.rows[0])


def _spacing(pages: Iterable[Page], body: float) -> float:
    """The usual distance from one line of running text to the next."""
    steps: Counter[float] = Counter()
    for before, after in _neighbours(pages):
        if before.size == after.size == body and 0 < after.top - before.top < body * 2.5:
            steps[round((after.top - before.top) * 2) / 2] += 1
    return steps.most_common(1)[0][0] if steps else body * 1.2


def _neighbours(pages: Iterable[Page]) -> Iterator[tuple[Line, Line]]:
    for page in pages:
        lines = page.lines
        for before, after in zip(lines, lines[1:], strict=False):
            if before.column == after.column:
                yield before, after


def _vocabulary(lines: Iterable[Line]) -> Counter[str]:
    """The words of the document, but for those at the ends of lines, which may be parts of words."""
    words: Counter[str] = Counter()
    for line in lines:
        words.update(word.lower().replace("‐", "-") for word in _WORD.findall(line.text)[:-1])
    return words
