"""Mix files as recipes say: every row of a source once before any row twice, the same bytes for the same input.

Two passes: the first checks every row and keeps where it begins; the second reads the rows that were drawn. In memory
are some bytes for each row, never the rows.
"""

from __future__ import annotations

import random
from array import array
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import BinaryIO

from ilab.errors import Fault, UserFileError
from ilab.mixing import recipe as recipes
from ilab.mixing import rows
from ilab.mixing.recipe import Recipe, Source
from ilab.records import messages
from ilab.records.samples import TrainRow

MOST_EPOCHS = 1000
"""A recipe that takes every row more often has a slip of the pen."""
_FAULTS_SHOWN = 20
_OPEN_FILES = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """What was taken out of one source. `left_out` rows with an empty turn are not among its `rows`."""

    source: Source
    rows: int
    taken: int
    left_out: int

    @property
    def epochs(self) -> float:
        """How often each row was taken."""
        return self.taken / self.rows


@dataclass(slots=True)
class _Stock:
    """The usable rows of one source, by the place where each begins in the file."""

    source: Source
    recipe: Recipe
    places: array[int] = field(default_factory=lambda: array("q"))
    left_out: int = 0


def mix(paths: Sequence[Path], out: Path, *, seed: int, system_prompt: str | None = None) -> list[Taken]:
    """Write the rows that the recipes ask for to `out`, shuffled; return what each source gave.

    `system_prompt` counts in place of those of the recipes. Every fault of the recipes and their files comes at once.
    """
    stocks = _stocks(paths)
    if out.resolve() in {path.resolve() for path in (*paths, *(stock.source.path for stock in stocks))}:
        raise UserFileError(f"{out} is one of the files to mix", [], hint="give another --output")
    if system_prompt is not None:
        for stock in stocks:
            stock.recipe = replace(stock.recipe, system_prompt=system_prompt)
    drawn = [_draw(stock, f"{seed}:{number}") for number, stock in enumerate(stocks)]
    rows.write(out, _read(stocks, drawn, seed))
    return [
        Taken(source=stock.source, rows=len(stock.places), taken=len(picks), left_out=stock.left_out)
        for stock, picks in zip(stocks, drawn, strict=True)
    ]


def _stocks(paths: Sequence[Path]) -> list[_Stock]:
    faults: list[Fault] = []
    stocks: list[_Stock] = []
    for path in paths:
        recipe, wrong = recipes.read(path)
        faults += wrong
        for source in recipe.sources:
            stock = _Stock(source, recipe)
            faults += _scan(stock)
            stocks.append(stock)
    if faults:
        shown = list(dict.fromkeys(faults))  # a file may be named twice
        raise UserFileError("the recipe cannot be used" if len(paths) == 1 else "the recipes cannot be used", shown)
    return stocks


def _scan(stock: _Stock) -> list[Fault]:
    """Find the rows of a source; what is wrong with them, with their lines."""
    source, faults, place = stock.source, _Faults(stock.source.path), 0
    try:
        with source.path.open("rb") as file:
            for number, line in enumerate(file, start=1):
                if line.strip():
                    try:
                        if rows.read(line) is None:
                            stock.left_out += 1
                        else:
                            stock.places.append(place)
                    except ValueError as error:
                        faults.add(number, str(error))
                place += len(line)
    except OSError as error:
        faults.add(0, f"cannot be read: {error.strerror}")
    found = faults.found()
    return found or _too_few(stock)


def _too_few(stock: _Stock) -> list[Fault]:
    """The fault of a recipe that asks for what a source without faults cannot give."""
    source, there = stock.source, len(stock.places)
    message = ""
    if not there:
        message = f"{source.name} has no row to train on"
    elif source.wanted(there) > there * MOST_EPOCHS:
        message = f"sampling_size: takes each of the {there:,} rows of {source.name} more than {MOST_EPOCHS:,} times"
    return [Fault(path=str(source.recipe), line=source.line, message=message)] if message else []


class _Faults:
    """The first faults of a file, and how many more there are."""

    def __init__(self, path: Path) -> None:
        self._path = str(path)
        self._found: list[Fault] = []
        self._more = 0

    def add(self, line: int, message: str) -> None:
        """Note a fault."""
        if len(self._found) < _FAULTS_SHOWN:
            self._found.append(Fault(path=self._path, line=line, message=message))
        else:
            self._more += 1

    def found(self) -> list[Fault]:
        """What was noted."""
        more = [Fault(path=self._path, message=f"{self._more:,} more rows are wrong")] if self._more else []
        return [*self._found, *more]


def _draw(stock: _Stock, seed: str) -> array[int]:
    """The rows to take: all of them as often as they go into the number wanted, and the rest without replacement."""
    there = len(stock.places)
    epochs, rest = divmod(stock.source.wanted(there), there)
    picks = array("q", range(there)) * epochs
    picks.extend(random.Random(seed).sample(range(there), rest))
    return picks


def _read(stocks: Sequence[_Stock], drawn: Sequence[array[int]], seed: int) -> Iterator[TrainRow]:
    """The drawn rows of all sources in random order, each with the system prompt of its recipe."""
    order = array("q")
    starts = []
    first = 0
    for stock, picks in zip(stocks, drawn, strict=True):
        starts.append(first)
        order.extend(first + pick for pick in picks)
        first += len(stock.places)
    random.Random(seed).shuffle(order)
    with _Files() as files:
        for position in order:
            number = bisect_right(starts, position) - 1
            stock = stocks[number]
            place = stock.places[position - starts[number]]
            yield _prompted(_again(files, stock.source.path, place), stock.recipe)


def _again(files: _Files, path: Path, place: int) -> TrainRow:
    """A row that was checked before; a file that changed since is told apart from a broken one."""
    try:
        row = rows.read(files.line(path, place))
    except (OSError, ValueError):
        row = None
    if row is None:
        raise UserFileError(f"{path} changed while it was read", [], hint="mix again when nothing writes to it")
    return row


def _prompted(row: TrainRow, recipe: Recipe) -> TrainRow:
    """The row under the system prompt of the recipe; its own is kept unless the recipe says otherwise."""
    has_own = any(turn.role == "system" for turn in row.messages)
    if not recipe.system_prompt or (has_own and not recipe.overwrite_system):
        return row
    turns = (turn for turn in row.messages if turn.role != "system")
    return replace(row, messages=(messages.system(recipe.system_prompt), *turns))


class _Files:
    """Open files, no more of them at a time than a process may have."""

    def __init__(self) -> None:
        self._open: dict[Path, BinaryIO] = {}

    def __enter__(self) -> _Files:
        return self

    def __exit__(self, *_: object) -> None:
        for file in self._open.values():
            file.close()

    def line(self, path: Path, place: int) -> bytes:
        """The line of `path` that begins at `place`."""
        file = self._open.get(path)
        if file is None:
            if len(self._open) >= _OPEN_FILES:
                oldest = next(iter(self._open))
                self._open.pop(oldest).close()
            file = self._open[path] = path.open("rb")
        file.seek(place)
        return file.readline()
