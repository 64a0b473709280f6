"""A place in a file as a terminal shows it: the line, a caret under the place, and text wrapped to the width."""

from __future__ import annotations

import sys
import unicodedata
from functools import lru_cache
from pathlib import Path

from ilab.cli import output

_INDENT = "    "


def excerpt(file: Path, *, line: int, column: int, width: int) -> list[str]:
    """Line `line` of `file` with a caret below `column`, both cut to `width`; nothing where the line is not there."""
    lines = _lines(file)
    if not 0 < line <= len(lines):
        return []
    text = "".join(character if character.isprintable() else " " for character in lines[line - 1])
    place = min(column - 1, len(text))
    room = width - len(_INDENT)
    start = place
    while start and columns(text[start - 1 : place]) <= room * 2 // 3:  # what stands before a place far to the right
        start -= 1
    shown, end = 0, start
    while end < len(text) and (shown := shown + columns(text[end])) <= room:
        end += 1
    caret = " " * columns(text[start:place]) + output.style("^", stream=sys.stdout, fg="green", bold=True)
    return [_INDENT + text[start:end], _INDENT + caret]


def wrapped(text: str, width: int) -> str:
    """`text` broken at spaces into lines of `width` columns, the later ones indented; a longer word stays whole."""
    lines = [""]
    for number, word in enumerate(text.split(" ")):
        longer = f"{lines[-1]} {word}" if number else word
        if columns(longer) <= width or not lines[-1].strip():
            lines[-1] = longer
        else:
            lines.append(_INDENT + word)
    return "\n".join(lines)


def columns(text: str) -> int:
    """Columns that `text` takes on a terminal."""
    return sum(map(_width, text))


def cut(text: str, width: int) -> str:
    """As much of `text` as `width` columns hold; colour codes take no room."""
    out, shown, place = [], 0, 0
    while place < len(text):
        if text[place] == "\x1b":
            end = text.index("m", place) + 1
            out.append(text[place:end])
            place = end
            continue
        shown += _width(text[place])
        if shown > width:
            break
        out.append(text[place])
        place += 1
    return "".join(out) + ("\x1b[0m" if "\x1b" in text else "")


def _width(character: str) -> int:
    if unicodedata.category(character) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


@lru_cache(maxsize=1)
def _lines(file: Path) -> list[str]:
    """The lines of `file` as the check counts them; the file of the latest finding is mostly that of the next."""
    try:
        text = file.read_text(encoding="utf-8-sig", errors="replace")
    except OSError:
        return []
    return text.split("\n")
