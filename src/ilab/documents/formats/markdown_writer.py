"""Writes Markdown block by block, so that plain text of other formats keeps its letters when it is read as Markdown."""

from __future__ import annotations

import re
from collections.abc import Sequence

_SPECIAL = re.compile(
    r"\\(?=[!-/:-@\[-`{-~])"  # a backslash that would escape the next character
    r"|(?<=\S)\*|\*(?=\S)"
    r"|(?<![^\W_])_|_(?![^\W_])"
    r"|\[(?=\^|\[|[^\[\]]*\][(\[])"
    r"|~(?=~)|&(?=#?\w+;)"
)
_CODE_SPAN = re.compile(r"((?<!`)(`+)(?!`).+?(?<!`)\2(?!`))")
_TAG = re.compile(r"<(?=[A-Za-z/!?])")
_HIDING = re.compile(r"\\<(?=!--|/?table\b)", re.IGNORECASE)
"""A backslash is not enough for these, because whole comments and tables are looked for."""
_START = re.compile(r"(?=#{1,6}(?:\s|$)|>|\||[-+*]\s|[-=_]{2,}\s*$|~~~|\[[^\]]*\]:)")
_NUMBER = re.compile(r"(\d{1,9})(?=[.)](?:\s|$))")
_ROW_BREAK = re.compile(r"\s*\n\s*")
_TICKS = re.compile("`{3,}")


def escape(text: str) -> str:
    """Plain text as Markdown on one line: what would be markup is escaped, and white space is one space.

    Text in backticks stays as it is: in Markdown it is code, which has no markup.
    """
    pieces = _CODE_SPAN.split(" ".join(text.split()))
    shown = (piece if place % 3 == 1 else _escape(piece) for place, piece in enumerate(pieces) if place % 3 != 2)
    return "".join(shown)


def _escape(text: str) -> str:
    text = _SPECIAL.sub(lambda match: "\\" + match[0], text)
    return _HIDING.sub("&lt;", _TAG.sub(r"\\<", text))


def code_span(text: str) -> str:
    """`text` in backticks; more of them where it has some itself."""
    text = " ".join(text.split())
    ticks = "`" * (max((len(run) for run in re.findall("`+", text)), default=0) + 1)
    pad = " " if text.startswith("`") or text.endswith("`") else ""
    return f"{ticks}{pad}{text}{pad}{ticks}" if text else ""


class MarkdownWriter:
    """Gathers blocks. Text is given escaped, on one line; code and table cells may have lines."""

    def __init__(self) -> None:
        self.tables = 0
        self._parts: list[str] = []
        self._in_list = False

    def heading(self, level: int, text: str) -> None:
        """A heading; levels beyond 6 become 6."""
        if text:
            self._add(f"{'#' * min(max(level, 1), 6)} {text}")

    def paragraph(self, text: str) -> None:
        """A paragraph of its own."""
        if text:
            self._add(_at_start(text))

    def item(self, text: str, *, depth: int = 0, mark: str = "-") -> None:
        """An item of a list; `depth` is 0 for the outermost, `mark` is `-` or a number with a full stop."""
        if text:
            self._add(f"{'    ' * depth}{mark} {_at_start(text)}", item=True)

    def table(self, rows: Sequence[Sequence[str]]) -> None:
        """A table whose first row is its head. One of a single column is shown as paragraphs."""
        filled = [[_ROW_BREAK.sub(" ", cell).strip() for cell in row] for row in rows]
        filled = [row for row in filled if any(row)]
        columns = max(map(len, filled), default=0)
        if columns < 2:
            for row in filled:
                self.paragraph(row[0])
            return
        lines = [_row([*row, *[""] * (columns - len(row))]) for row in filled]
        self._add("\n".join([lines[0], "|" + " --- |" * columns, *lines[1:]]))
        self.tables += 1

    def code(self, text: str, language: str = "") -> None:
        """Lines that stay as they are."""
        text = "\n".join(line.rstrip() for line in text.split("\n")).strip("\n")
        if text:
            fence = max(["```", *(f"{run}`" for run in _TICKS.findall(text))], key=len)
            self._add(f"{fence}{language}\n{text}\n{fence}")

    def note(self, label: str, text: str) -> None:
        """The text of a footnote whose mark is `[^label]`."""
        if text:
            self._add(f"[^{label}]: {text}")

    @property
    def blocks(self) -> int:
        """How much was written, in blocks."""
        return len(self._parts)

    def text(self) -> str:
        """Everything written so far."""
        return "".join(self._parts) + "\n" if self._parts else ""

    def _add(self, block: str, *, item: bool = False) -> None:
        if self._parts:
            self._parts.append("\n" if item and self._in_list else "\n\n")
        self._parts.append(block)
        self._in_list = item


def _at_start(text: str) -> str:
    """`text` as the start of a line, where some characters mean more than elsewhere."""
    if _START.match(text):
        return f"\\{text}"
    return _NUMBER.sub(r"\1\\", text, count=1) if _NUMBER.match(text) else text


def _row(cells: Sequence[str]) -> str:
    shown = [cell.replace("|", "\\|") for cell in cells]
    return f"| {' | '.join(shown)} |"
