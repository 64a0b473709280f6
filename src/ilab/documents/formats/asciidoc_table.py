"""AsciiDoc tables: the lines between `|===` and `|===` to rows of cells, as they are written."""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence

_CELL = (
    r"(?:(?P<copies>\d{1,3})\*|(?P<columns>\d{0,3})(?:\.(?P<rows>\d{1,4}))?\+)?"
    r"[<^>]?(?:\.[<^>])?[adehlmsv]?"
)
_REPEATED = re.compile(r"(\d+)\*")
_MOST_COLUMNS = 200


def read_table(lines: Sequence[str], *, cols: str, separator: str = "|", form: str = "psv") -> list[list[str]]:
    """The rows; `cols` is the attribute that says how many columns there are. Cells of several lines keep them."""
    if form in ("csv", "tsv", "dsv"):
        delimiter = {"csv": ",", "tsv": "\t", "dsv": ":"}[form] if separator == "|" else separator
        rows = csv.reader([line for line in lines if line.strip()], delimiter=delimiter)
        return [[cell.strip() for cell in row] for row in rows]
    pattern = re.compile(rf"(?:(?:^|(?<=\s)){_CELL})?(?<!\\){re.escape(separator)}", re.MULTILINE)
    text = "\n".join(lines)
    marks = list(pattern.finditer(text))
    cells = []
    for number, mark in enumerate(marks):
        end = marks[number + 1].start() if number + 1 < len(marks) else len(text)
        cells.append((mark, text[mark.end() : end].strip().replace(f"\\{separator}", separator)))
    width = _columns(cols) or _first_line(cells)
    return _rows(cells, width)


def _columns(cols: str) -> int:
    """How many columns the attribute `cols` describes: `1,2`, `3*`, `2*a,1`."""
    if not cols.strip():
        return 0
    count = 0
    for part in re.split("[,;]", cols):
        repeated = _REPEATED.match(part.strip())
        count += int(repeated[1]) if repeated else 1
    return min(count, _MOST_COLUMNS)


def _first_line(cells: Sequence[tuple[re.Match[str], str]]) -> int:
    """Without a description the cells of the first line count."""
    if not cells:
        return 1
    first = cells[0][0].string.find("\n", cells[0][0].end())
    end = first if first >= 0 else len(cells[0][0].string)
    return max(1, sum(_number(mark, "copies") * _number(mark, "columns") for mark, _ in cells if mark.start() < end))


def _rows(cells: Sequence[tuple[re.Match[str], str]], width: int) -> list[list[str]]:
    rows: list[list[str]] = [[]]
    below: dict[int, int] = {}
    """Columns that a cell of a row above reaches into, with the number of rows it still does."""

    def fill() -> None:
        """Go to the next free place."""
        while True:
            if len(rows[-1]) >= width:
                rows.append([])
            column = len(rows[-1])
            if not below.get(column):
                return
            below[column] -= 1
            rows[-1].append("")

    for mark, text in cells:
        for _ in range(min(_number(mark, "copies"), _MOST_COLUMNS)):
            fill()
            start, span = len(rows[-1]), min(_number(mark, "columns"), width - len(rows[-1]))
            rows[-1] += [text, *[""] * (span - 1)]
            if (deep := _number(mark, "rows")) > 1:
                below.update(dict.fromkeys(range(start, start + span), deep - 1))
    return [row for row in rows if row]


def _number(mark: re.Match[str], name: str) -> int:
    found = mark.groupdict().get(name)
    return int(found) if found else 1
