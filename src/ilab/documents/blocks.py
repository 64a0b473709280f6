"""Blocks of a document as they were read, how they stand below one another, and where each began in the original."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

HEADING = "heading"
PARAGRAPH = "paragraph"
ITEM = "item"
ROW = "row"
CODE = "code"

_UNWANTED = "\x00-\x08\x0b\x0c\x0e-\x1f\x7f\xad\u200b\ufeff\ufffe\uffff\ud800-\udfff"
_DELETED = re.compile(f"\r(?=\n)|[{_UNWANTED}]")
_OTHER_BREAKS = re.compile("[\r\x85\u2028\u2029]")
_WORD = re.compile(r"\w+")


@dataclass(frozen=True, slots=True)
class Block:
    """One piece of a document: heading, paragraph, list item, table row or code.

    `start` is the offset in the text that was read, in characters.
    """

    kind: str
    text: str
    start: int = 0


@dataclass(frozen=True, slots=True)
class Joined:
    """Text made of blocks; `places` has the offset of each block in it, and in the text that was read. Both rise."""

    text: str
    places: tuple[tuple[int, int], ...] = ()


def join(blocks: Iterable[Block]) -> Joined:
    """The document as text: items of a list and rows of a table on lines of their own, blank lines between the rest."""
    parts: list[str] = []
    places: list[tuple[int, int]] = []
    before, length, start = "", 0, 0
    for block in blocks:
        if parts:
            gap = "\n" if block.kind == before and block.kind in (ITEM, ROW) else "\n\n"
            parts.append(gap)
            length += len(gap)
        start = max(start, block.start)
        places.append((length, start))
        parts.append(block.text)
        length += len(block.text)
        before = block.kind
    return Joined("".join(parts), tuple(places))


def clean(text: str) -> str:
    """Line ends as `\\n`, no-break spaces as spaces, invisible and control characters removed."""
    text = _OTHER_BREAKS.sub("\n", _DELETED.sub("", text))
    return text.replace("\xa0", " ").replace("\u202f", " ")


def before_cleaning(text: str, places: Iterable[tuple[int, int]]) -> tuple[tuple[int, int], ...]:
    """`places` whose second offsets count in `clean(text)`, with offsets that count in `text` itself."""
    deleted = [match.start() - number for number, match in enumerate(_DELETED.finditer(text))]
    if not deleted:
        return tuple(places)
    return tuple((own, there + bisect_right(deleted, there)) for own, there in places)


class Origin:
    """Finds places of a converted text in its original. `places` are those of `Joined`."""

    def __init__(self, text: str, original: str, places: Sequence[tuple[int, int]]) -> None:
        self._text = text
        self._original = original
        self._starts = [own for own, _ in places]
        self._origins = [there for _, there in places]

    def find(self, offset: int) -> int:
        """The offset in the original of the character at `offset`: exact where a block begins, else to the word."""
        number = bisect_right(self._starts, offset) - 1
        if number < 0:
            return 0
        begin = self._origins[number]
        if self._starts[number] == offset:
            return begin
        after = number + 1
        text_end = self._starts[after] if after < len(self._starts) else len(self._text)
        end = self._origins[after] if after < len(self._origins) else len(self._original)
        return self._inside(self._starts[number], offset, text_end, begin, end)

    def _inside(self, start: int, offset: int, text_end: int, begin: int, end: int) -> int:
        """A place within a block. Its words stand in the original in the same order, with markup between them.

        The words before `offset` cannot end before `low`, and those after it cannot begin behind `high`.
        """
        low = begin
        for word in _WORD.findall(self._text, start, offset):
            found = self._original.find(word, low, end)
            low = found + len(word) if found >= 0 else low
        high = end
        for word in reversed(_WORD.findall(self._text, offset, text_end)):
            found = self._original.rfind(word, low, high)
            high = found if found >= 0 else high
        return high if high < end else low
