"""TokenTable: tokenised rows in memory and in one file, four bytes a token.

File: the number of rows (int64), the length of each row (int32), then all tokens (int32, in the byte order of the
machine). A token that is not trained is stored as its complement (`~id`, below zero), so that the loss mask costs
nothing.
"""

from __future__ import annotations

import sys
from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path

from ilab.base import atomic

UNTRAINED = -100
"""The label of a token that is read but not trained."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenizedRow:
    """Token ids with their labels: the same id where the token is trained, else -100.

    The first label is always -100, since nothing stands before the first token to predict it from. `text` marks plain
    text, which may be cut into several rows.
    """

    id: str
    ids: tuple[int, ...]
    labels: tuple[int, ...]
    text: bool = False

    @property
    def trained(self) -> int:
        """How many tokens are trained."""
        return sum(1 for label in self.labels if label != UNTRAINED)


class TokenTable:
    """Rows of tokens; grows by `add`, read by position."""

    def __init__(self) -> None:
        self.lengths = array("i")
        """Tokens of each row."""
        self._tokens = array("i")
        self._starts = [0]

    def __len__(self) -> int:
        return len(self.lengths)

    @property
    def tokens(self) -> int:
        """Tokens of all rows."""
        return len(self._tokens)

    def add(self, row: TokenizedRow) -> None:
        """Append a row; its id is not kept."""
        pairs = zip(row.ids, row.labels, strict=True)
        self._tokens.extend(token if label != UNTRAINED else ~token for token, label in pairs)
        self.lengths.append(len(row.ids))
        self._starts.append(len(self._tokens))

    def row(self, position: int) -> tuple[list[int], list[int]]:
        """Ids and labels of one row."""
        stored = self._stored(position)
        return [max(token, ~token) for token in stored], [token if token >= 0 else UNTRAINED for token in stored]

    def trained(self, position: int) -> int:
        """How many tokens of a row are trained."""
        return sum(1 for token in self._stored(position) if token >= 0)

    def width(self, position: int) -> int:
        """How many tokens of a row must be computed: those before its last trained token, which is only predicted."""
        stored = self._stored(position)
        return max(place for place, token in enumerate(stored) if token >= 0)

    def _stored(self, position: int) -> array[int]:
        return self._tokens[self._starts[position] : self._starts[position + 1]]

    def write(self, path: Path) -> None:
        """Write the table in one step."""
        head = len(self.lengths).to_bytes(8, sys.byteorder)
        atomic.write_bytes(path, head + self.lengths.tobytes() + self._tokens.tobytes())

    @classmethod
    def read(cls, path: Path) -> TokenTable:
        """The table that `write` wrote."""
        data = memoryview(path.read_bytes())
        count = int.from_bytes(data[:8], sys.byteorder)
        table = cls()
        table.lengths.frombytes(data[8 : 8 + 4 * count])
        table._tokens.frombytes(data[8 + 4 * count :])
        table._starts = [0, *accumulate(table.lengths)]
        return table

    @classmethod
    def of(cls, rows: Sequence[TokenizedRow]) -> TokenTable:
        """A table of `rows`."""
        table = cls()
        for row in rows:
            table.add(row)
        return table
