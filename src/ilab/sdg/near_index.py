"""An index of rows that finds those that ask what a new row asks: in the same words, or in nearly the same.

Two rows are alike when, whatever case and marks,

- their questions are the same, or have the same words and the same answer, or
- the pieces of five characters of their questions have a Jaccard similarity of at least 0.8, and neither has a number
  or a name that the other lacks: "in 1884" and "in 1885" are two questions, however long the rest is,

and their contexts are alike in the same way. Candidates come out of MinHash bands (see `near_duplicates`) in a hash
table of plain numbers; texts are in a temporary file. Memory is some 0.4 kB a row, whatever its length.
"""

from __future__ import annotations

import os
import re
import tempfile
from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from ilab.sdg.distinct_count import hash64
from ilab.sdg.measures import plain
from ilab.sdg.near_duplicates import BANDS, ROWS, THRESHOLD, jaccard, pieces, signature

_NUMBER = re.compile(r"\d+")
_WORD = re.compile(r"[^\W\d_][\w’'-]+")
_MARK = "\x1f"
_MASK = (1 << 64) - 1
_PARTS = 64
_START = 64
_MOST = 16
"""How many rows a band may have in common: what very many rows share tells nothing."""


@dataclass(frozen=True)
class Sketch:
    """What of a row is compared. `names` are the numbers and names of its question and context."""

    question: str
    context: str
    answer: str
    names: frozenset[str]

    @classmethod
    def of(cls, question: str, answer: str, context: str = "") -> Sketch:
        """The sketch of a row."""
        told = f"{question}\n{context}"
        # the first word is in capitals whatever it is
        names = {plain(word) for word in _WORD.findall(told)[1:] if word[0].isupper()}
        return cls(plain(question), plain(context), plain(answer), frozenset(names | set(_NUMBER.findall(told))))

    @cached_property
    def keys(self) -> tuple[int, ...]:
        """64-bit numbers: rows that are alike have at least one in common, nearly always."""
        asked = f"{self.question}{_MARK}{self.context}"
        numbers = signature(pieces(asked))
        bands = [hash((band, *numbers[band * ROWS : (band + 1) * ROWS])) & _MASK for band in range(BANDS)]
        # the words alone: another order of them has other pieces
        bag = f"{' '.join(sorted(set(self.question.split())))}{_MARK}{self.answer}"
        return (*bands, hash((BANDS, hash64(bag.encode()))) & _MASK)

    def alike(self, other: Sketch) -> bool:
        """Whether both ask the same."""
        if self.context != other.context and not _near(self.context, other.context):
            return False
        if self.question == other.question:
            return True
        if self.answer == other.answer and set(self.question.split()) == set(other.question.split()):
            return True
        return _near(self.question, other.question) and self._names_in(other) and other._names_in(self)

    def _names_in(self, other: Sketch) -> bool:
        told = f"{other.question} {other.context}"
        words = {*told.split(), *_NUMBER.findall(told)}
        return all(part in words for name in self.names for part in name.split())

    def packed(self) -> bytes:
        """The sketch as bytes."""
        return _MARK.join([self.question, self.context, self.answer, *sorted(self.names)]).encode()

    @classmethod
    def unpacked(cls, data: bytes) -> Sketch:
        """The sketch out of its bytes."""
        question, context, answer, *names = data.decode().split(_MARK)
        return cls(question, context, answer, frozenset(names))


def _near(one: str, other: str) -> bool:
    if min(len(one), len(other)) < THRESHOLD * max(len(one), len(other)):
        return False
    return jaccard(pieces(one), pieces(other)) >= THRESHOLD


class NearIndex:
    """Rows are numbered from 0 in the order in which they are added. Reading is safe from several threads."""

    def __init__(self) -> None:
        self._texts = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115 - open for as long as rows are added
        self._ends = array("Q", [0])
        self._table = _Table()

    def __len__(self) -> int:
        return len(self._ends) - 1

    def add(self, sketch: Sketch) -> int:
        """Add a row; its number."""
        number = len(self)
        data = sketch.packed()
        self._texts.write(data)
        for key in sketch.keys:
            self._table.add(key, number)
        self._ends.append(self._ends[-1] + len(data))
        return number

    def alike(self, sketch: Sketch, *, before: int | None = None) -> Iterator[int]:
        """The numbers of rows that ask the same, rising; with `before`, of those with smaller numbers."""
        last = len(self) if before is None else before
        found = {number for key in sketch.keys for number in self._table.find(key) if number < last}
        for number in sorted(found):
            if sketch.alike(self[number]):
                yield number

    def close(self) -> None:
        """Remove the texts."""
        self._texts.close()

    def __getitem__(self, number: int) -> Sketch:
        begin = self._ends[number]
        return Sketch.unpacked(os.pread(self._texts.fileno(), self._ends[number + 1] - begin, begin))


class _Table:
    """Numbers by key, in open addressing; each slot has half of the key and the number plus 1.

    It is cut into parts that grow one by one, so that growing never needs twice the memory.
    """

    def __init__(self) -> None:
        self._parts = [array("Q", bytes(8 * _START)) for _ in range(_PARTS)]
        self._used = [0] * _PARTS

    def add(self, key: int, number: int) -> None:
        """Put `number` under `key`, unless there are many already."""
        name = key % _PARTS
        part = self._parts[name]
        mark = key >> 32
        place = _home(mark, len(part))
        same = 0
        while slot := part[place]:
            same += slot >> 32 == mark
            place = (place + 1) % len(part)
        if same >= _MOST:
            return
        part[place] = mark << 32 | number + 1
        self._used[name] += 1
        if self._used[name] * 3 > len(part) * 2:
            self._grow(name)

    def find(self, key: int) -> Iterator[int]:
        """The numbers under `key`, and now and then one of another key."""
        part = self._parts[key % _PARTS]
        mark = key >> 32
        place = _home(mark, len(part))
        while slot := part[place]:
            if slot >> 32 == mark:
                yield (slot & 0xFFFFFFFF) - 1
            place = (place + 1) % len(part)

    def _grow(self, name: int) -> None:
        old = self._parts[name]
        size = 2 * len(old)
        new = array("Q", bytes(8 * size))
        # in the order of the numbers of a key, wherever the old part began in a run of slots
        for slot in sorted(slot for slot in old if slot):
            place = _home(slot >> 32, size)
            while new[place]:
                place = (place + 1) % size
            new[place] = slot
        self._parts[name] = new


def _home(mark: int, size: int) -> int:
    return (mark * 0x9E3779B97F4A7C15 & _MASK) >> 32 & (size - 1)
