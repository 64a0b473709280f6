"""How many tokens a text has: by the student's tokenizer, or estimated where there is none."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Callable, Sequence
from typing import Protocol

Sizes = Callable[[int, int], int]
"""How many tokens the text between two offsets has, or a few more."""

_BYTES = 3.6
"""Bytes of UTF-8 for one token of the usual vocabularies, with a margin for English."""
_CUT = 4
"""A text that is cut out may have a few tokens more than it had inside: no space stands before its first word."""
_ASCII_SPACES = "\t\r\x0b\x0c\x1c\x1d\x1e\x1f"
_OTHER_SPACES = (
    _ASCII_SPACES + "\x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000" + "".join(map(chr, range(0x2000, 0x200B)))
)


class TokenCounter(Protocol):
    """Counts tokens of one vocabulary."""

    def count(self, text: str) -> int:
        """The tokens of `text`."""
        ...

    def sizes(self, text: str) -> Sizes:
        """A function that is asked about many parts of one text; never less than `count` of the part."""
        ...


def estimate_tokens(text: str) -> int:
    """About how many tokens `text` has: one for 3.6 bytes of UTF-8, and at least one for each word."""
    return _estimated(text, 0, len(text), ascii_only=text.isascii(), simple=_has_simple_spaces(text))


def _estimated(text: str, start: int, end: int, *, ascii_only: bool, simple: bool) -> int:
    size = end - start if ascii_only else len(text[start:end].encode(errors="replace"))
    found = math.ceil(size / _BYTES)
    if simple and text.count(" ", start, end) + text.count("\n", start, end) < found:
        return found  # there cannot be more words than that
    return max(found, len(text[start:end].split()))


def _has_simple_spaces(text: str) -> bool:
    """Whether words of `text` are surely parted by spaces and line ends alone."""
    return not any(space in text for space in (_ASCII_SPACES if text.isascii() else _OTHER_SPACES))


class Estimate:
    """Counts without a tokenizer."""

    def count(self, text: str) -> int:
        """`estimate_tokens`."""
        return estimate_tokens(text)

    def sizes(self, text: str) -> Sizes:
        """`estimate_tokens` of the part, mostly without a copy of it."""
        ascii_only, simple = text.isascii(), _has_simple_spaces(text)
        return lambda start, end: _estimated(text, start, end, ascii_only=ascii_only, simple=simple)


class Tokenized:
    """Counts with a tokenizer: `starts` gives the offset of every token of a text, in characters, rising."""

    def __init__(self, starts: Callable[[str], Sequence[int]]) -> None:
        self._starts = starts

    def count(self, text: str) -> int:
        """The tokens of `text` alone."""
        return len(self._starts(text))

    def sizes(self, text: str) -> Sizes:
        """Tokens that begin in the part when the whole text is read once, and a few for its edges."""
        starts = self._starts(text)

        def size(begin: int, end: int) -> int:
            inside = bisect_left(starts, end) - bisect_left(starts, begin)
            return inside if begin == 0 and end == len(text) else inside + _CUT

        return size
