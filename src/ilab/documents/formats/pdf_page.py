"""One page of a PDF file: its lines of text and its tables with rules, in reading order.

Two columns are found by the empty strip between them; lines that cross it part what stands above from what is below.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from statistics import median
from typing import Any

Word = dict[str, Any]

_BOLD = re.compile(r"bold|black|heavy|demi", re.IGNORECASE)
_EQUAL_WIDTHS = re.compile(r"courier|consol|mono|menlo|typewriter|cmtt|nimbusmonl|fixed", re.IGNORECASE)
_UNREADABLE = re.compile("\\(cid:\\d+\\)|\ufffd|[\ue000-\uf8ff]")
_SYMBOL = re.compile("[\ue000-\uf8ff]")
_SMALL = 0.8
"""A word this much smaller than its neighbours is set above or below the line."""
_FEW_LINES = 4
_LAYOUT = 1200
"""A cell with more letters than this means that the lines frame a page, and are no table."""


@dataclass(slots=True, kw_only=True)
class Line:
    """A line of text with its place in points, measured from the top left corner; `column` counts through the page."""

    text: str
    x0: float
    x1: float
    top: float
    bottom: float
    size: float
    bold: bool = False
    code: bool = False
    pitch: float = 0
    """Width of a letter, in a font of equal widths."""
    bullet: bool = False
    """Whether the first word is a mark of a list by its font."""
    column: int = 0


@dataclass(slots=True, kw_only=True)
class Table:
    """A table; its place as that of a line."""

    rows: list[list[str]]
    x0: float
    x1: float
    top: float
    bottom: float
    column: int = 0


@dataclass(slots=True, kw_only=True)
class Page:
    """What stands on a page, in reading order. `letters` are counted with those that are `unreadable`."""

    number: int
    height: float
    items: list[Line | Table]
    letters: int = 0
    unreadable: int = 0

    @property
    def lines(self) -> list[Line]:
        """The lines outside tables."""
        return [item for item in self.items if isinstance(item, Line)]


def read_page(page: Any, number: int) -> Page:
    """Read one page of pdfplumber."""
    chars, rules = _drawn(page)
    words = _words(chars)
    upright = [word for word in words if word["upright"]]
    words = upright if len(upright) * 2 >= len(words) else words
    letters = sum(len(word["chars"]) for word in words)
    # a sign of a symbol font that stands alone marks an item of a list, as a rule
    unreadable = sum(len(_UNREADABLE.findall(word["text"])) for word in words if not _SYMBOL.fullmatch(word["text"]))
    tables = _tables(page) if rules >= _FEW_LINES else []
    outside = [word for word in words if not any(_within(word, table) for table in tables)]
    items: list[Line | Table] = []
    for column, (column_words, column_tables) in enumerate(_columns(outside, tables, float(page.width))):
        found: list[Line | Table] = [*_lines(column_words), *column_tables]
        for item in found:
            item.column = column
        items += sorted(found, key=lambda item: item.top)
    return Page(number=number, height=float(page.height), items=items, letters=letters, unreadable=unreadable)


def _drawn(page: Any) -> tuple[list[Word], int]:
    """The letters on a page, and how many rules and frames there are.

    pdfplumber gives every letter twenty attributes more, which takes most of its time.
    """
    from pdfminer.layout import LTChar, LTContainer, LTCurve

    chars: list[Word] = []
    rules = 0
    left, above, height = float(page.mediabox[0]), float(page.mediabox[1]), float(page.height)
    waiting = [iter(page.layout)]
    while waiting:
        for thing in waiting[-1]:
            if isinstance(thing, LTChar):
                top, bottom = height - thing.y1 + above, height - thing.y0 + above
                chars.append(
                    {
                        "text": thing.get_text(),
                        "fontname": str(thing.fontname),
                        "size": thing.size,
                        "upright": thing.upright,
                        "x0": thing.x0 + left,
                        "x1": thing.x1 + left,
                        "top": top,
                        "bottom": bottom,
                        "doctop": top,
                    }
                )
            elif isinstance(thing, LTContainer):
                waiting.append(iter(thing))
                break
            else:
                rules += isinstance(thing, LTCurve)
        else:
            waiting.pop()
    return chars, rules


def _words(chars: list[Word]) -> list[Word]:
    from pdfplumber.utils import extract_words

    found: list[Word] = extract_words(chars, x_tolerance_ratio=0.15, y_tolerance=2, return_chars=True)
    return found


def _tables(page: Any) -> list[Table]:
    found = []
    for table in page.find_tables():
        rows = [[readable(cell or "") for cell in row] for row in table.extract(x_tolerance_ratio=0.15)]
        rows = _without_empty_columns([row for row in rows if any(row)])
        filled = [cell for row in rows for cell in row if cell]
        if len(rows) < 2 or len(rows[0]) < 2 or max(map(len, filled)) > _LAYOUT or len(filled) < 3:
            continue
        x0, top, x1, bottom = table.bbox
        found.append(Table(rows=rows, x0=x0, x1=x1, top=top, bottom=bottom))
    return found


def _without_empty_columns(rows: list[list[str]]) -> list[list[str]]:
    """Rules that are drawn double make columns that have nothing in them."""
    columns = [place for place in range(len(rows[0]) if rows else 0) if any(row[place] for row in rows)]
    return [[row[place] for place in columns] for row in rows]


def readable(text: str) -> str:
    """`text` on one line, without letters that the file gives no meaning for."""
    return " ".join(_UNREADABLE.sub("", text).split())


def _within(word: Word, table: Table) -> bool:
    middle, height = (word["x0"] + word["x1"]) / 2, (word["top"] + word["bottom"]) / 2
    return bool(table.x0 <= middle <= table.x1 and table.top <= height <= table.bottom)


# --- columns ---


def _columns(words: list[Word], tables: list[Table], width: float) -> list[tuple[list[Word], list[Table]]]:
    """Words and tables in the order of their columns."""
    strip = _strip(words, width)
    if strip is None:
        return [(words, tables)]
    crossing = sorted(
        [(word["top"], word["bottom"]) for word in words if _crosses(word, strip)]
        + [(table.top, table.bottom) for table in tables if table.x0 < strip < table.x1]
    )
    cuts: list[tuple[float, float]] = []
    for top, bottom in crossing:
        if cuts and top <= cuts[-1][1]:
            cuts[-1] = (cuts[-1][0], max(cuts[-1][1], bottom))
        else:
            cuts.append((top, bottom))
    found = []
    above = float("-inf")
    for top, bottom in [*cuts, (float("inf"), float("inf"))]:
        for left in (True, False):
            found.append(
                (
                    [w for w in words if above < _middle(w) < top and (w["x0"] < strip) == left],
                    [t for t in tables if above < (t.top + t.bottom) / 2 < top and (t.x0 < strip) == left],
                )
            )
        found.append(
            (
                [w for w in words if top <= _middle(w) <= bottom],
                [t for t in tables if top <= (t.top + t.bottom) / 2 <= bottom],
            )
        )
        above = bottom
    return [(its_words, its_tables) for its_words, its_tables in found if its_words or its_tables]


def _middle(word: Word) -> float:
    return float(word["top"] + word["bottom"]) / 2


def _crosses(word: Word, strip: float) -> bool:
    """Whether a word, with half the space around it, stands over the strip."""
    half = (word["bottom"] - word["top"]) * 0.25
    return bool(word["x0"] - half < strip < word["x1"] + half)


def _strip(words: Sequence[Word], width: float) -> float | None:
    """The middle of the empty strip between two columns of running text, or None."""
    rows = len({round(_middle(word) / 4) for word in words})
    if rows < 8:
        return None
    over = _crossings(words, int(width))
    middle = range(int(width * 0.35), int(width * 0.65), 2)
    least = min(over[x] for x in middle)
    best = [x for x in middle if over[x] == least]
    strip = float(best[len(best) // 2])
    left = _lines([word for word in words if word["x1"] <= strip])
    right = _lines([word for word in words if word["x0"] >= strip])
    both = min(len(left), len(right))
    if both < 5 or least > both * 0.3 or both * 4 < max(len(left), len(right)):
        return None
    return strip if _is_running_text(left) and _is_running_text(right) else None


def _crossings(words: Iterable[Word], width: int) -> list[int]:
    """How many words stand over each x, with half the space around them."""
    steps = [0] * (width + 2)
    for word in words:
        half = _height(word) * 0.25
        steps[min(max(int(word["x0"] - half) + 1, 0), width + 1)] += 1
        steps[min(max(math.ceil(word["x1"] + half), 0), width + 1)] -= 1
    return list(accumulate(steps))


def _is_running_text(lines: Sequence[Line]) -> bool:
    """Whether most lines fill the column, as those of a table drawn without rules do not."""
    reach = max(line.x1 for line in lines) - min(line.x0 for line in lines)
    return (
        median(line.x1 - line.x0 for line in lines) > reach * 0.6
        and median(line.text.count(" ") for line in lines) >= 2
    )


# --- lines ---


def _lines(words: Sequence[Word]) -> list[Line]:
    """Words that stand side by side, joined."""
    if not words:
        return []
    sizes = Counter(round(word["bottom"] - word["top"], 1) for word in words)
    usual = sizes.most_common(1)[0][0]
    rows: list[list[Word]] = []
    for word in sorted((word for word in words if _height(word) >= usual * _SMALL), key=_middle):
        row = rows[-1] if rows else None
        if row is not None and abs(_middle(word) - _middle(row[0])) < min(_height(word), _height(row[0])) * 0.5:
            row.append(word)
        else:
            rows.append([word])
    small: list[list[Word]] = []
    for word in sorted((word for word in words if _height(word) < usual * _SMALL), key=_middle):
        row = _beside(word, rows)
        if row is not None:
            row.append(word)
        elif small and abs(_middle(word) - _middle(small[-1][0])) < _height(word) * 0.5:
            small[-1].append(word)
        else:
            small.append([word])
    return [line for row in sorted([*rows, *small], key=lambda row: row[0]["top"]) if (line := _line(row)) is not None]


def _height(word: Word) -> float:
    return float(word["bottom"] - word["top"])


def _beside(word: Word, rows: Iterable[list[Word]]) -> list[Word] | None:
    """The row that a small word is set above or below in: it overlaps it, and stands next to one of its words."""
    for row in rows:
        top, bottom = row[0]["top"] - 1, row[0]["bottom"] + 1
        if min(bottom, word["bottom"]) - max(top, word["top"]) < _height(word) * 0.6:
            continue
        if any(min(abs(word["x0"] - other["x1"]), abs(other["x0"] - word["x1"])) < _height(other) for other in row):
            return row
    return None


def _line(words: list[Word]) -> Line | None:
    words = sorted(words, key=lambda word: word["x0"])
    chars = [char for word in words for char in word["chars"]]
    fonts = Counter(char["fontname"] for char in chars)
    bold = sum(count for font, count in fonts.items() if _BOLD.search(font)) >= len(chars) * 0.9
    code = all(_EQUAL_WIDTHS.search(font) for font in fonts)
    first = words[0]
    bullet = len(words) > 1 and len(first["chars"]) == 1 and _is_mark(first, fonts)
    pitch = median(char["x1"] - char["x0"] for char in chars) if code else 0.0
    joined = " ".join(word["text"] for word in words[1:] if bullet) if bullet else _joined(words)
    text = _spaced(words, pitch) if code and pitch else readable(joined)
    if not text:
        return None
    return Line(
        text=text,
        x0=first["x0"],
        x1=words[-1]["x1"],
        top=min(word["top"] for word in words),
        bottom=max(word["bottom"] for word in words),
        size=Counter(round(char["size"] * 2) / 2 for char in chars).most_common(1)[0][0],
        bold=bold,
        code=code,
        pitch=pitch,
        bullet=bullet,
    )


def _is_mark(word: Word, fonts: Counter[str]) -> bool:
    """Whether a single letter marks an item of a list: by its shape, or as a letter of another font (Word's `o`)."""
    own = word["chars"][0]["fontname"]
    other: bool = own != fonts.most_common(1)[0][0]
    text = str(word["text"])
    if _UNREADABLE.fullmatch(text):
        return other
    return text in "•◦▪▫●○■□‣⁃∙➢✓✔❖►▸" or (text in "o·§-–ØüvqlnI" and other and not _BOLD.search(own))


def _joined(words: Sequence[Word]) -> str:
    return " ".join(word["text"] for word in words)


def _spaced(words: Sequence[Word], pitch: float) -> str:
    """A line of code, each word at its place."""
    text = ""
    for word in words:
        place = round((word["x0"] - words[0]["x0"]) / pitch)
        text += " " * max(place - len(text), 1 if text else 0) + _UNREADABLE.sub("", word["text"])
    return text
