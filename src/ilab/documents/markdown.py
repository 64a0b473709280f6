"""Markdown to plain text that keeps headings, lists, tables and code; hard-wrapped lines become paragraphs."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from ilab.documents.blocks import CODE, HEADING, ITEM, PARAGRAPH, ROW, Block, Joined, clean, join
from ilab.documents.html_text import read_html
from ilab.documents.inline import to_plain

_FRONT_MATTER = re.compile(
    r"\A---[ \t]*\n[\w-]+[ \t]*:.*\n(?:(?:[\w-]+[ \t]*:|[ \t]|-[ \t]|#).*\n|[ \t]*\n)*?(?:---|\.\.\.)[ \t]*(?:\n|\Z)"
)
_FENCE = re.compile(r"\s*(`{3,}|~{3,})(.*)")
_COMMENT_MARK = re.compile("<!--|(-->)")
_TABLE_MARK = re.compile(r"<table\b|(</table\s*>)", re.IGNORECASE)
_REFERENCE = re.compile(r"^ {0,3}\[([^\]^][^\]]*)\]:[ \t]*\S.*$", re.MULTILINE)
_FOOTNOTE = re.compile(r"^ {0,3}\[\^[^\]\s]+\]:.*(?:\n(?![ \t]*$| {0,3}\[\^).+)*", re.MULTILINE)
_ATX = re.compile(r" {0,3}(#{1,6})(?:[ \t]+(.*?))?(?:[ \t]+#+)?[ \t]*")
_ATTRIBUTES = re.compile(r"\s*\{[#.][^{}]*\}\s*$")
_SETEXT = re.compile(r" {0,3}(=+|-{2,})[ \t]*")
_RULE = re.compile(r" {0,3}(?:(?:\*[ \t]*){3,}|(?:-[ \t]*){3,}|(?:_[ \t]*){3,})")
_ITEM = re.compile(r"([ \t]*)([-*+]|\d{1,9}[.)])[ \t]+(\S.*)")
_QUOTE = re.compile(r" {0,3}>[ ]?")
_TABLE_RULE = re.compile(r"[ \t]*\|?[ \t]*:?-+:?[ \t]*(?:\|[ \t]*:?-+:?[ \t]*)*\|?[ \t]*")
_COLUMN_RULE = re.compile(r"[ \t]*-{2,}(?:[ \t]+-{2,})+[ \t]*|[ \t]*\+(?:[-=:]+\+)+[ \t]*")


_MASK = "\x00"
"""Stands for each character of what is left out (a comment, a footnote), so that all offsets stay what they are."""


def markdown_to_text(text: str) -> str:
    """The text of a whole document."""
    return join(read_markdown(text)).text


def read_markdown(text: str) -> list[Block]:
    """The blocks of a whole document. Front matter, comments, footnotes and link definitions are left out."""
    text = clean(text)
    begin = len(text) - len(text.lstrip("\n"))
    text = text[:begin] + _masked(text[begin:], _FRONT_MATTER)
    pieces = _split_code(_lines(text))
    references = {label.lower() for kind, lines in pieces if kind != CODE for label in _REFERENCE.findall(_text(lines))}
    reader = _Reader(frozenset(references))
    for kind, lines in pieces:
        if kind == CODE:
            reader.end_paragraph()
            reader.blocks.append(Block(CODE, _text(lines), lines[0].start))
        else:
            reader.read(_prepare(lines))
    return reader.blocks


@dataclass(frozen=True, slots=True)
class _Line:
    text: str
    start: int


def _lines(text: str, start: int = 0) -> list[_Line]:
    found = []
    for line in text.split("\n"):
        found.append(_Line(line, start))
        start += len(line) + 1
    return found


def _text(lines: Sequence[_Line]) -> str:
    return "\n".join(line.text for line in lines)


def _masked(text: str, pattern: re.Pattern[str]) -> str:
    return pattern.sub(lambda match: _MASK * len(match[0]), text)


def _prepare(lines: Sequence[_Line]) -> list[_Line]:
    """Lines outside of code without what is left out, and with HTML tables as rows."""
    if not lines:
        return []
    text, start = _text(lines), lines[0].start
    text = _masked(_masked(_without_comments(text), _FOOTNOTE), _REFERENCE)
    found: list[_Line] = []
    at = 0
    for begin, end in _spans(text, _TABLE_MARK):
        table = text[begin:end]
        blocks = read_html(table.replace(_MASK, " "))
        shown = join(blocks)
        found += [*_lines(text[at:begin], start + at), _Line("", start + begin)]
        found += [_Line(line.text, start + begin + _origin(shown, line.start)) for line in _lines(shown.text)]
        found.append(_Line("", start + end))
        at = end
    return [_Line(line.text.replace(_MASK, ""), line.start) for line in [*found, *_lines(text[at:], start + at)]]


def _without_comments(text: str) -> str:
    kept, at = [], 0
    for begin, end in _spans(text, _COMMENT_MARK):
        kept += [text[at:begin], _MASK * (end - begin)]
        at = end
    return "".join([*kept, text[at:]])


def _origin(joined: Joined, offset: int) -> int:
    """Where the block that holds `offset` began."""
    return max((there for own, there in joined.places if own <= offset), default=0)


def _spans(text: str, marks: re.Pattern[str]) -> list[tuple[int, int]]:
    """Everything from an opening mark to the next closing one (group 1), in one pass."""
    found, opened = [], -1
    for mark in marks.finditer(text):
        if mark[1] is None:
            opened = mark.start() if opened < 0 else opened
        elif opened >= 0:
            found.append((opened, mark.end()))
            opened = -1
    return found


def _split_code(lines: Sequence[_Line]) -> list[tuple[str, list[_Line]]]:
    """Fenced code and the lines around it, in order; a fence that is never closed reaches to the end."""
    pieces: list[tuple[str, list[_Line]]] = []
    gathered: list[_Line] = []
    fence = ""
    for line in lines:
        match = _FENCE.fullmatch(line.text)
        if fence:
            gathered.append(line)
            if match and match[1].startswith(fence) and not match[2].strip():
                pieces.append((CODE, gathered))
                gathered, fence = [], ""
        elif match and "`" not in match[2]:
            pieces.append((PARAGRAPH, gathered))
            gathered, fence = [_Line(line.text.strip(), line.start)], match[1]
        else:
            gathered.append(line)
    pieces.append((CODE if fence else PARAGRAPH, gathered))
    return pieces


class _Reader:
    """Gathers lines into blocks."""

    def __init__(self, references: frozenset[str]) -> None:
        self.blocks: list[Block] = []
        self._references = references
        self._lines: list[str] = []
        self._start = 0
        self._item = ""
        self._in_list = False

    def read(self, lines: Sequence[_Line]) -> None:
        """Read lines outside fenced code."""
        for index, line in enumerate(lines):
            following = lines[index + 1].text if index + 1 < len(lines) else ""
            self._line(line, following)
        self.end_paragraph()

    def end_paragraph(self) -> None:
        """Make a block of the lines gathered so far."""
        lines, item = self._lines, self._item
        self._lines, self._item = [], ""
        if any(_COLUMN_RULE.fullmatch(line) for line in lines):  # a table drawn with dashes: columns must stay apart
            self._add(CODE, "\n".join(line.rstrip() for line in lines))
            return
        text = self._plain(" ".join(line.strip() for line in lines))
        if text:
            self._add(ITEM if item else PARAGRAPH, item + text)

    def _add(self, kind: str, text: str) -> None:
        self.blocks.append(Block(kind, text, self._start))

    def _line(self, read: _Line, following: str) -> None:
        line = read.text
        while quote := _QUOTE.match(line):
            line = line[quote.end() :]
        if not line.strip():
            self.end_paragraph()
        elif match := _ATX.fullmatch(line):
            self._end_before(read)
            self._heading(len(match[1]), match[2] or "")
        elif self._lines and not self._item and (match := _SETEXT.fullmatch(line)):
            title, self._lines = " ".join(self._lines), []
            self._heading(1 if match[1][0] == "=" else 2, title)
        elif self._lines and _COLUMN_RULE.fullmatch(line):
            self._lines.append(line)
        elif _RULE.fullmatch(line):
            self.end_paragraph()
        elif self._is_row(line, following):
            self._end_before(read)
            self._row(line)
        elif (match := _ITEM.fullmatch(line)) and self._may_start_item(match):
            self._end_before(read)
            self._item = f"{'  ' * (len(match[1].expandtabs(4)) // 2)}{match[2]} "
            self._in_list = True
            self._lines.append(match[3])
        elif not self._lines and line.startswith(("    ", "\t")) and not self._in_list:
            self._start = read.start
            self._indented(line)
        else:
            self._start = self._start if self._lines else read.start
            self._in_list = self._in_list and (bool(self._lines) or line[:1].isspace())
            self._lines.append(line)

    def _end_before(self, line: _Line) -> None:
        """What was gathered ends, and a block begins at `line`."""
        self.end_paragraph()
        self._start = line.start

    def _heading(self, level: int, title: str) -> None:
        text = self._plain(_ATTRIBUTES.sub("", title))
        self._in_list = False
        if text:
            self._add(HEADING, f"{'#' * level} {text}")

    def _is_row(self, line: str, following: str) -> bool:
        in_table = bool(self.blocks) and self.blocks[-1].kind == ROW and not self._lines
        return (
            line.lstrip().startswith("|")
            or (in_table and "|" in line)
            or ("|" in line and "|" in following and _TABLE_RULE.fullmatch(following) is not None)
        )

    def _row(self, line: str) -> None:
        if _TABLE_RULE.fullmatch(line):
            columns = len(line.strip().strip("|").split("|"))
            self._add(ROW, "|" + "---|" * columns)
        else:
            self._add(ROW, self._plain(line))

    def _may_start_item(self, match: re.Match[str]) -> bool:
        """A number in the middle of a paragraph starts a list only if it is 1; it may just stand at a line's start."""
        bullet = match[2] in "-*+"
        return not self._lines or bool(self._item) or bullet or match[2][:-1] == "1"

    def _indented(self, line: str) -> None:
        """Indented code: its lines stay as they are."""
        text = line.rstrip()
        if self.blocks and self.blocks[-1].kind == CODE and self.blocks[-1].text.startswith("    "):
            self.blocks[-1] = Block(CODE, f"{self.blocks[-1].text}\n{text}", self.blocks[-1].start)
        else:
            self._add(CODE, text.expandtabs(4))

    def _plain(self, text: str) -> str:
        return to_plain(text, references=self._references)
