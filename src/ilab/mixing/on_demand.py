"""Sequences whose items are made when they are asked for: texts stay on the disk, numbers in memory.

An item of a file costs eight bytes. Temporary files have no name in their folder, so nothing is left of them, whatever
happens to the process.
"""

from __future__ import annotations

import heapq
import json
import tempfile
from array import array
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import lru_cache
from itertools import accumulate
from pathlib import Path
from typing import IO, Any, TypeVar, overload

from ilab.base import atomic, jsonl

T = TypeVar("T")


class OnDemand(Sequence[T]):
    """`count` items, of which `make` makes the one with the given number, from 0."""

    def __init__(self, count: int, make: Callable[[int], T]) -> None:
        self._count = count
        self._make = make

    def __len__(self) -> int:
        return self._count

    @overload
    def __getitem__(self, place: int) -> T: ...
    @overload
    def __getitem__(self, place: slice) -> Sequence[T]: ...
    def __getitem__(self, place: int | slice) -> T | Sequence[T]:
        if isinstance(place, slice):
            return picked(self, range(*place.indices(self._count)))
        if not -self._count <= place < self._count:
            raise IndexError(f"there is no item {place} of {self._count}")
        return self._make(place % self._count)


def picked(items: Sequence[T], places: Sequence[int]) -> OnDemand[T]:
    """The items at `places`, in that order."""
    return OnDemand(len(places), lambda number: items[places[number]])


def joined(*parts: Sequence[T]) -> OnDemand[T]:
    """One part after the other."""
    starts = list(accumulate((len(part) for part in parts), initial=0))

    def make(place: int) -> T:
        part = bisect_right(starts, place) - 1
        return parts[part][place - starts[part]]

    return OnDemand(starts.pop(), make)


def repeated(items: Sequence[T], times: int) -> OnDemand[T]:
    """All items, then all of them again, `times` in all."""
    return OnDemand(len(items) * times, lambda place: items[place % len(items)])


@contextmanager
def of_file(path: Path, make: Callable[[dict[str, Any]], T], *, kept: int = 0) -> Iterator[OnDemand[T]]:
    """What `make` makes of the rows of a JSON Lines file; the last `kept` of them stay in memory.

    `UserFileError` names the line that is no row, once it is asked for.
    """
    with path.open("rb") as file:
        places = array("q")
        place = 0
        for line in file:
            if line.strip():
                places.append(place)
            place += len(line)

        def item(number: int) -> T:
            try:
                row = json.loads(_line(file, places[number]))
                if not isinstance(row, dict):
                    raise ValueError("not a JSON object")
            except ValueError:
                for _ in jsonl.read(path):
                    pass  # it knows the number of the line
                raise
            return make(row)

        yield OnDemand(len(places), lru_cache(kept)(item) if kept else item)


@contextmanager
def stored(rows: Iterable[Any], folder: Path) -> Iterator[OnDemand[Any]]:
    """JSON-like rows in a temporary file in `folder`, for as long as the block lasts."""
    with ExitStack() as stack:
        with atomic.disk_errors(folder):
            file = stack.enter_context(tempfile.TemporaryFile(dir=folder))
            places = array("q", _written(file, rows))
        yield OnDemand(len(places), lambda number: json.loads(_line(file, places[number])))


def in_order(
    rows: Iterable[tuple[str, ...]], folder: Path | None = None, *, at_once: int = 50_000
) -> Iterator[tuple[str, ...]]:
    """`rows` sorted; of equal ones some come once.

    `at_once` of them are in memory. More go through temporary files in `folder`, or where the system keeps such files.
    """
    with ExitStack() as stack:
        runs: list[Iterable[tuple[str, ...]]] = []
        batch: set[tuple[str, ...]] = set()
        for row in rows:
            batch.add(row)
            if len(batch) == at_once:
                with atomic.disk_errors(folder or Path(tempfile.gettempdir())):
                    file = stack.enter_context(tempfile.TemporaryFile(dir=folder))
                    for _ in _written(file, sorted(batch)):
                        pass
                    file.seek(0)
                runs.append(tuple(json.loads(line)) for line in file)
                batch = set()
        yield from heapq.merge(*runs, sorted(batch))


def _written(file: IO[bytes], rows: Iterable[Any]) -> Iterator[int]:
    """Write `rows`, one a line; yield where each begins."""
    place = 0
    for row in rows:
        yield place
        place += file.write(json.dumps(row).encode() + b"\n")
    file.flush()


def _line(file: IO[bytes], place: int) -> bytes:
    file.seek(place)
    return file.readline()
