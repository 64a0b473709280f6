"""Families: rows of one step that begin with the same tokens, whose common beginning is computed once.

LAB's knowledge rows repeat one document under many questions: k rows of P common and Q own tokens are k (P + Q) tokens
by themselves and P + k Q together. The gradient is the same: see `torch_loop.pack` for the weights of the labels.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass

LEAST = 16
"""Common tokens from which rows are put together; below it the extra calls cost more than the tokens."""
_SIZE = 4
"""Bytes of a token in the table."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """Rows (positions in the token table) and how many tokens they have in common at their start; `width` is what must
    be computed for all of them."""

    rows: tuple[int, ...]
    prefix: int
    width: int


@dataclass(slots=True)
class _Interval:
    """Neighbours in the sorted order that have `common` tokens in common, and the best way to divide them."""

    common: int
    start: int
    saving: int
    parts: list[tuple[int, int, int]]

    def closed(self, end: int) -> _Interval:
        """The interval up to `end`: as one family if that saves more than the families inside it."""
        whole = (end - self.start - 1) * self.common
        if self.common >= LEAST and whole > self.saving:
            return _Interval(self.common, self.start, whole, [(self.start, end, self.common)])
        return self


def singles(rows: Sequence[int], widths: Sequence[int]) -> list[Family]:
    """Every row by itself."""
    return [Family(rows=(row,), prefix=0, width=width) for row, width in zip(rows, widths, strict=True)]


def find(rows: Sequence[int], texts: Sequence[bytes], *, limit: int) -> list[Family]:
    """Divide `rows` into families so that the fewest tokens are computed; every row is in exactly one.

    `texts` are the tokens of each row that must be computed, four bytes each. A family has at most `limit` tokens; a
    longer row stands alone. Linear in the number of rows beside the sorting: the families are found in the tree of
    common beginnings.
    """
    order = sorted(range(len(rows)), key=lambda place: (texts[place], rows[place]))
    parts = _best_parts([texts[place] for place in order])
    found: list[Family] = []
    for start, end, prefix in parts:
        members = [(rows[place], len(texts[place]) // _SIZE) for place in order[start:end]]
        found += _within(members, prefix, limit)
    return found


def _best_parts(texts: Sequence[bytes]) -> list[tuple[int, int, int]]:
    """Bounds in the sorted `texts` and common tokens of each family."""
    stack: list[_Interval] = []
    for place in range(len(texts)):
        common = _common(texts[place], texts[place + 1]) if place + 1 < len(texts) else -1
        node = _Interval(0, place, 0, [(place, place + 1, 0)])
        while stack and stack[-1].common > common:
            node = _joined(stack.pop(), node).closed(place + 1)
        if stack and stack[-1].common == common:
            _joined(stack[-1], node)
        else:
            stack.append(_Interval(common, node.start, node.saving, node.parts))
    return stack[0].parts if stack else []


def _joined(interval: _Interval, node: _Interval) -> _Interval:
    interval.saving += node.saving
    interval.parts += node.parts
    return interval


def _common(one: bytes, other: bytes) -> int:
    """How many tokens two texts have in common at their start."""
    shorter = min(len(one), len(other))
    if one[:shorter] == other[:shorter]:
        return shorter // _SIZE
    # the highest set bit of the difference, read as one number, is the first byte that differs
    difference = int.from_bytes(one[:shorter], "big") ^ int.from_bytes(other[:shorter], "big")
    return (shorter - (difference.bit_length() + 7) // 8) // _SIZE


def _within(members: Sequence[tuple[int, int]], prefix: int, limit: int) -> list[Family]:
    """The family, cut so that no part has more than `limit` tokens; each part computes the common tokens again."""
    if prefix >= limit:
        return [Family(rows=(row,), prefix=0, width=width) for row, width in members]
    found: list[Family] = []
    rows: list[int] = []
    total = prefix
    # longest first: equal lengths stand side by side, for batched attention
    for row, width in [*sorted(members, key=lambda member: (-member[1], member[0])), (-1, sys.maxsize)]:
        if rows and total + width - prefix > limit:
            shared = prefix if len(rows) > 1 else 0
            found.append(Family(rows=tuple(rows), prefix=shared, width=total))
            rows, total = [], prefix
        if row >= 0:
            rows.append(row)
            total += width - prefix
    return found
