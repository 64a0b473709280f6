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
class _Node:
    """Neighbours in the sorted order with `common` tokens in common: the families found among them, each with its
    prefix, and the rows that are in none yet."""

    common: int
    families: list[tuple[int, list[int]]]
    alone: list[int]

    def take(self, node: _Node) -> None:
        """Add a node that lies below this one."""
        self.families += node.families
        self.alone += node.alone

    def close(self) -> None:
        """Make one family of the rows that are alone, and of families that save less by themselves."""
        if self.common < LEAST:
            return
        keep = [one for one in self.families if len(one[1]) * self.common <= (len(one[1]) - 1) * one[0]]
        rows = self.alone + [row for one in self.families if one not in keep for row in one[1]]
        if len(rows) > 1:
            self.families, self.alone = [*keep, (self.common, rows)], []


def singles(rows: Sequence[int], widths: Sequence[int]) -> list[Family]:
    """Every row by itself."""
    return [Family(rows=(row,), prefix=0, width=width) for row, width in zip(rows, widths, strict=True)]


def find(rows: Sequence[int], texts: Sequence[bytes], *, limit: int) -> list[Family]:
    """Divide `rows` into families so that few tokens are computed; every row is in exactly one.

    `texts` are the tokens of each row that must be computed, four bytes each. A family has at most `limit` tokens; a
    longer row stands alone. The families are looked for from the leaves of the tree of common beginnings to its root,
    which is nearly the best division, and takes little beside the sorting.
    """
    order = sorted(range(len(rows)), key=lambda place: (texts[place], rows[place]))
    root = _root([texts[place] for place in order])
    found: list[Family] = []
    for prefix, places in [*root.families, *((0, [place]) for place in root.alone)]:
        members = [(rows[order[place]], len(texts[order[place]]) // _SIZE) for place in places]
        found += _within(members, prefix, limit)
    return found


def _root(texts: Sequence[bytes]) -> _Node:
    """The families of the sorted `texts`."""
    stack = [_Node(-1, [], [])]
    for place in range(len(texts)):
        common = _common(texts[place], texts[place + 1]) if place + 1 < len(texts) else -1
        node = _Node(0, [], [place])
        while stack[-1].common > common:
            above = stack.pop()
            above.take(node)
            above.close()
            node = above
        if stack[-1].common < common:
            stack.append(_Node(common, [], []))
        stack[-1].take(node)
    return stack[0]


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
