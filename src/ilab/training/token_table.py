"""TokenTable: tokenised rows, built in memory and read from one mapped file, four bytes a token.

File: the number of rows (int64); for each row its length, its computed width and its trained tokens (three int32
columns); then all tokens (int32, in the byte order of the machine). A token that is not trained is stored as its
complement (`~id`, below zero), so that the loss mask costs nothing. Opening a file of a million rows reads the columns
only.
"""

from __future__ import annotations

import mmap
import sys
from array import array
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path

from ilab.base import atomic

TOKENS, VALIDATION = "tokens.bin", "validation.bin"
"""Names of the files of a training: what is trained, and what tells the loss on unseen documents."""
_HEAD = 8
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
        self._widths = array("i")
        self._trained = array("i")
        self._tokens: array[int] | memoryview[int] = array("i")
        self._starts = array("q", [0])

    def __len__(self) -> int:
        return len(self.lengths)

    @property
    def tokens(self) -> int:
        """Tokens of all rows."""
        return self._starts[-1]

    @property
    def trained_tokens(self) -> int:
        """Trained tokens of all rows."""
        return sum(self._trained)

    def add(self, row: TokenizedRow) -> None:
        """Append a row; its id is not kept. Only a table that was not read from a file grows."""
        pairs = zip(row.ids, row.labels, strict=True)
        stored = array("i", (token if label != UNTRAINED else ~token for token, label in pairs))
        trained = [place for place, token in enumerate(stored) if token >= 0]
        self._append(stored, trained[-1] if trained else 0, len(trained))

    def _append(self, stored: array[int], width: int, trained: int) -> None:
        assert isinstance(self._tokens, array)
        self._tokens.extend(stored)
        self.lengths.append(len(stored))
        self._widths.append(width)
        self._trained.append(trained)
        self._starts.append(len(self._tokens))

    def take(self, positions: Iterable[int]) -> TokenTable:
        """A table of its own of the rows at `positions`."""
        found = TokenTable()
        for position in positions:
            found._append(array("i", self._stored(position)), self.width(position), self.trained(position))
        return found

    def row(self, position: int) -> tuple[list[int], list[int]]:
        """Ids and labels of one row."""
        stored = self._stored(position)
        return [max(token, ~token) for token in stored], [token if token >= 0 else UNTRAINED for token in stored]

    def trained(self, position: int) -> int:
        """How many tokens of a row are trained."""
        return self._trained[position]

    def width(self, position: int) -> int:
        """How many tokens of a row must be computed: those before its last trained token, which is only predicted."""
        return self._widths[position]

    def computed(self, position: int) -> bytes:
        """The tokens that must be computed, with their labels, four bytes each: equal bytes, equal work."""
        return self._stored(position)[: self.width(position)].tobytes()

    def _stored(self, position: int) -> array[int] | memoryview[int]:
        return self._tokens[self._starts[position] : self._starts[position + 1]]

    def write(self, path: Path) -> None:
        """Write the table in one step."""
        head = len(self).to_bytes(_HEAD, sys.byteorder)
        columns = (column.tobytes() for column in (self.lengths, self._widths, self._trained))
        atomic.write_bytes(path, b"".join([head, *columns, self._tokens.tobytes()]))

    @classmethod
    def read(cls, path: Path) -> TokenTable:
        """The table that `write` wrote; its tokens stay in the file until they are asked for."""
        with path.open("rb") as file:
            mapped = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
        count = int.from_bytes(mapped[:_HEAD], sys.byteorder)
        table = cls()
        numbers = mapped[_HEAD:].cast("i")
        for number, column in enumerate((table.lengths, table._widths, table._trained)):
            column.frombytes(numbers[number * count : (number + 1) * count].cast("B"))
        table._tokens = numbers[3 * count :]
        table._starts = array("q", accumulate(table.lengths, initial=0))
        return table

    @classmethod
    def of(cls, rows: Iterable[TokenizedRow]) -> TokenTable:
        """A table of `rows`."""
        table = cls()
        for row in rows:
            table.add(row)
        return table
