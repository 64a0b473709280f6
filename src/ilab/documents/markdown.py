"""Markdown to plain text that keeps headings, lists, tables and code; hard-wrapped lines become paragraphs."""

from __future__ import annotations

import re
from collections.abc import Callable

from ilab.documents.blocks import CODE, HEADING, ITEM, PARAGRAPH, ROW, Block, clean, join
from ilab.documents.html_text import html_to_text
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


def markdown_to_text(text: str) -> str:
    """Convert a whole document. Front matter, comments, footnotes and link definitions are left out."""
    text = _FRONT_MATTER.sub("", clean(text).lstrip("\n"))
    pieces = _split_code(text.split("\n"))
    references = {label.lower() for kind, piece in pieces if kind != CODE for label in _REFERENCE.findall(piece)}
    reader = _Reader(frozenset(references))
    for kind, piece in pieces:
        if kind == CODE:
            reader.end_paragraph()
            reader.blocks.append(Block(CODE, piece))
        else:
            reader.read(_prepare(piece))
    return join(reader.blocks)


def _prepare(text: str) -> str:
    text = _replace(text, _COMMENT_MARK, lambda comment: "")
    text = _FOOTNOTE.sub("", text)
    text = _REFERENCE.sub("", text)
    return _replace(text, _TABLE_MARK, lambda table: f"\n\n{html_to_text(table)}\n\n")


def _replace(text: str, marks: re.Pattern[str], replacement: Callable[[str], str]) -> str:
    """`text` with everything from an opening mark to the next closing one (group 1) replaced; in one pass."""
    kept, at, opened = [], 0, -1
    for mark in marks.finditer(text):
        if mark[1] is None:
            opened = mark.start() if opened < 0 else opened
        elif opened >= 0:
            kept += [text[at:opened], replacement(text[opened : mark.end()])]
            at, opened = mark.end(), -1
    return "".join([*kept, text[at:]])


def _split_code(lines: list[str]) -> list[tuple[str, str]]:
    """Fenced code and the text around it, in order; a fence that is never closed reaches to the end."""
    pieces: list[tuple[str, str]] = []
    gathered: list[str] = []
    fence = ""
    for line in lines:
        match = _FENCE.fullmatch(line)
        if fence:
            gathered.append(line)
            if match and match[1].startswith(fence) and not match[2].strip():
                pieces.append((CODE, "\n".join(gathered)))
                gathered, fence = [], ""
        elif match and "`" not in match[2]:
            pieces.append((PARAGRAPH, "\n".join(gathered)))
            gathered, fence = [line.strip()], match[1]
        else:
            gathered.append(line)
    pieces.append((CODE if fence else PARAGRAPH, "\n".join(gathered)))
    return pieces


class _Reader:
    """Gathers lines into blocks."""

    def __init__(self, references: frozenset[str]) -> None:
        self.blocks: list[Block] = []
        self._references = references
        self._lines: list[str] = []
        self._item = ""
        self._in_list = False

    def read(self, text: str) -> None:
        """Read lines outside fenced code."""
        lines = text.split("\n")
        for index, line in enumerate(lines):
            following = lines[index + 1] if index + 1 < len(lines) else ""
            self._line(line, following)
        self.end_paragraph()

    def end_paragraph(self) -> None:
        """Make a block of the lines gathered so far."""
        lines, item = self._lines, self._item
        self._lines, self._item = [], ""
        if any(_COLUMN_RULE.fullmatch(line) for line in lines):  # a table drawn with dashes: columns must stay apart
            self.blocks.append(Block(CODE, "\n".join(line.rstrip() for line in lines)))
            return
        text = self._plain(" ".join(line.strip() for line in lines))
        if text:
            self.blocks.append(Block(ITEM if item else PARAGRAPH, item + text))

    def _line(self, line: str, following: str) -> None:
        while quote := _QUOTE.match(line):
            line = line[quote.end() :]
        if not line.strip():
            self.end_paragraph()
        elif match := _ATX.fullmatch(line):
            self.end_paragraph()
            self._heading(len(match[1]), match[2] or "")
        elif self._lines and not self._item and (match := _SETEXT.fullmatch(line)):
            title, self._lines = " ".join(self._lines), []
            self._heading(1 if match[1][0] == "=" else 2, title)
        elif self._lines and _COLUMN_RULE.fullmatch(line):
            self._lines.append(line)
        elif _RULE.fullmatch(line):
            self.end_paragraph()
        elif self._is_row(line, following):
            self.end_paragraph()
            self._row(line)
        elif (match := _ITEM.fullmatch(line)) and self._may_start_item(match):
            self.end_paragraph()
            self._item = f"{'  ' * (len(match[1].expandtabs(4)) // 2)}{match[2]} "
            self._in_list = True
            self._lines.append(match[3])
        elif not self._lines and line.startswith(("    ", "\t")) and not self._in_list:
            self._indented(line)
        else:
            self._in_list = self._in_list and (bool(self._lines) or line[:1].isspace())
            self._lines.append(line)

    def _heading(self, level: int, title: str) -> None:
        text = self._plain(_ATTRIBUTES.sub("", title))
        self._in_list = False
        if text:
            self.blocks.append(Block(HEADING, f"{'#' * level} {text}"))

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
            self.blocks.append(Block(ROW, "|" + "---|" * columns))
        else:
            self.blocks.append(Block(ROW, self._plain(line)))

    def _may_start_item(self, match: re.Match[str]) -> bool:
        """A number in the middle of a paragraph starts a list only if it is 1; it may just stand at a line's start."""
        bullet = match[2] in "-*+"
        return not self._lines or bool(self._item) or bullet or match[2][:-1] == "1"

    def _indented(self, line: str) -> None:
        """Indented code: its lines stay as they are."""
        text = line.rstrip()
        if self.blocks and self.blocks[-1].kind == CODE and self.blocks[-1].text.startswith("    "):
            self.blocks[-1] = Block(CODE, f"{self.blocks[-1].text}\n{text}")
        else:
            self.blocks.append(Block(CODE, text.expandtabs(4)))

    def _plain(self, text: str) -> str:
        return to_plain(text, references=self._references)
