"""Find texts that are nearly the same among very many: MinHash signatures in bands, then the true Jaccard similarity.

Every text is cut into pieces of five characters. One-permutation MinHash (Li, Owen, Zhang 2012) with the empty bins
filled from others (Shrivastava 2017) gives 126 numbers, of which two texts share as large a part as they share pieces.
They are compared in 18 bands of 7: what agrees in a band is a candidate, and only candidates are compared in full.

Texts are kept in a temporary file; memory holds 84 bytes a text, and for a moment 50 more.
"""

from __future__ import annotations

import random
import tempfile
from array import array
from collections.abc import Iterator
from functools import lru_cache
from itertools import groupby
from typing import IO

from ilab.sdg.distinct_count import hash64

THRESHOLD = 0.8
_PIECE = 5
BANDS, ROWS = 18, 7
"""What agrees in a band of so many numbers is a candidate."""
_BINS = BANDS * ROWS
_TRIES = [random.Random(f"bins:{place}").sample(range(_BINS), _BINS) for place in range(_BINS)]
"""For each bin, the order in which it looks for a bin with a value when it has none."""
_hash = lru_cache(maxsize=1 << 16)(hash64)
_LEADERS = 4
"""How many texts of a band's bucket others are compared with: buckets of unlike texts must not cost their square."""


def pieces(text: str) -> set[bytes]:
    """The pieces of `text` by which it is compared; a shorter text is one piece."""
    data = text.encode()
    return {data[at : at + _PIECE] for at in range(max(1, len(data) - _PIECE + 1))}


def jaccard(first: set[bytes], second: set[bytes]) -> float:
    """Share of all pieces that both have."""
    return len(first & second) / len(first | second)


def signature(found: set[bytes]) -> list[int]:
    """126 numbers; the expected share of them that two texts have in common is their Jaccard similarity."""
    smallest = [-1] * _BINS
    for piece in found:
        value = _hash(piece)
        place = value % _BINS
        if smallest[place] < 0 or value < smallest[place]:
            smallest[place] = value
    if -1 not in smallest:
        return smallest
    filled = list(smallest)
    for place, value in enumerate(smallest):
        if value < 0:
            for other in _TRIES[place]:
                if smallest[other] >= 0:
                    filled[place] = smallest[other]
                    break
    return filled


class NearDuplicates:
    """Collects texts, each of a group (a leaf), and tells how many are left when near duplicates count once."""

    def __init__(self, *, threshold: float = THRESHOLD) -> None:
        self._threshold = threshold
        self._texts: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - open for as long as texts are added
        self._ends = array("Q", [0])
        self._groups = array("I")
        # 32 bits a band: two texts that agree by chance are compared in full like all candidates
        self._bands = [array("I") for _ in range(BANDS)]

    def __len__(self) -> int:
        return len(self._groups)

    def add(self, text: str, *, group: int = 0) -> None:
        """Add one text; what does not count (case, punctuation) is taken out before."""
        numbers = signature(pieces(text))
        for band, keys in enumerate(self._bands):
            keys.append(hash(tuple(numbers[band * ROWS : (band + 1) * ROWS])) & 0xFFFFFFFF)
        data = text.encode()
        self._texts.write(data)
        self._ends.append(self._ends[-1] + len(data))
        self._groups.append(group)

    def close(self) -> None:
        """Remove the texts."""
        self._texts.close()

    def clusters(self) -> tuple[int, int]:
        """How many clusters there are in all, and how many where only texts of one group are compared."""
        everywhere, within = _Union(len(self)), _Union(len(self))
        for first, second in self._alike(everywhere, within):
            everywhere.join(first, second)
            if self._groups[first] == self._groups[second]:
                within.join(first, second)
        return everywhere.count, within.count

    def _alike(self, everywhere: _Union, within: _Union) -> Iterator[tuple[int, int]]:
        """Pairs of similar texts; those that are known to belong together are not compared again."""
        read = lru_cache(maxsize=64)(self._pieces_of)
        for keys in self._bands:
            order = sorted(range(len(keys)), key=keys.__getitem__)
            for _, bucket in groupby(order, key=keys.__getitem__):
                leaders: list[int] = []
                for number in bucket:
                    joined = False
                    for leader in leaders:
                        same = self._groups[leader] == self._groups[number]
                        known = everywhere.together(leader, number)
                        if known and (not same or within.together(leader, number)):
                            joined = joined or same
                        elif jaccard(read(leader), self._pieces_of(number)) >= self._threshold:
                            joined = joined or same
                            yield leader, number
                    # A text of another leaf leads too: its own leaf's duplicates are found through it.
                    if not joined and len(leaders) < _LEADERS:
                        leaders.append(number)

    def _pieces_of(self, number: int) -> set[bytes]:
        self._texts.seek(self._ends[number])
        return pieces(self._texts.read(self._ends[number + 1] - self._ends[number]).decode())


class _Union:
    """Which numbers belong together."""

    def __init__(self, size: int) -> None:
        self._parents = array("I", range(size))
        self.count = size

    def _root(self, number: int) -> int:
        parents = self._parents
        while parents[number] != number:
            parents[number] = parents[parents[number]]
            number = parents[number]
        return number

    def together(self, first: int, second: int) -> bool:
        return self._root(first) == self._root(second)

    def join(self, first: int, second: int) -> None:
        one, two = self._root(first), self._root(second)
        if one != two:
            self._parents[max(one, two)] = min(one, two)
            self.count -= 1
