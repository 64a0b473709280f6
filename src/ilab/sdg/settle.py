"""Settle which drafts of a run stay: in the order of the plan, a draft near an earlier accepted one is a duplicate.

    settlement.pass_over(units)          # all shards of a pass, in plan order
    while waiting := settlement.decide():
        ...                              # judge those drafts; their verdicts are in the shards then
    settlement.duplicates(unit)          # the drafts of a unit that are out

A draft waits while an earlier one that it is near is not decided. Whether blocks had judged a draft before that says
nothing about its fate, so that the outcome does not depend on which unit was finished first.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from ilab.sdg.compare import Sketcher
from ilab.sdg.flow import MMLU
from ilab.sdg.near_index import NearIndex, Sketch
from ilab.sdg.shards import Shard, Shards
from ilab.sdg.units import Unit

_OPEN, _ACCEPTED, _OUT = 0, 1, 2


@dataclass(frozen=True, slots=True)
class _Waiting:
    """A draft that is not decided; `place` is its number in the index, `blocked` whether it waits for another one."""

    unit: int
    draft: int
    place: int
    blocked: bool = False


class Settlement:
    """Which rows of a run are accepted. Rows of units that are not compared are accepted as they are."""

    def __init__(self, shards: Shards, sketcher: Sketcher) -> None:
        self.index = NearIndex()
        self._shards = shards
        self._sketcher = sketcher
        self._states = array("B")
        self._units: list[Unit] = []
        self._waiting: list[_Waiting] = []
        self._duplicates: dict[str, set[int]] = {}

    def pass_over(self, units: Sequence[Unit]) -> None:
        """Take in the shards of a pass, which come after all those before in the order of the plan."""
        for unit in units:
            shard = self._shards.read(unit)
            if unit.compares:
                self._units.append(unit)
                self._waiting += self._left(self._open(shard), shard)
            elif unit.section != MMLU:
                for row in shard.kept:
                    self._add(self._sketcher.of(row), _ACCEPTED)

    def decide(self) -> list[tuple[Unit, list[int]]]:
        """Decide what can be decided; the drafts that must be judged for the rest, by unit. Empty at the end."""
        wanted: list[tuple[Unit, list[int]]] = []
        left: list[_Waiting] = []
        for number, own in groupby(self._waiting, key=lambda one: one.unit):
            unit = self._units[number]
            shard = self._shards.read(unit)
            still = self._left(((one, self.index[one.place]) for one in own), shard)
            left += still
            judged = shard.verdicts()
            free = [one.draft for one in still if not one.blocked and one.draft not in judged]
            if free:
                wanted.append((unit, free))
        self._waiting = left
        return wanted

    def duplicates(self, unit: Unit) -> set[int]:
        """The drafts of a unit that ask what an earlier accepted row asks."""
        return self._duplicates.get(self._shards.name(unit), set())

    def close(self) -> None:
        """Give back what it holds."""
        self.index.close()

    def _open(self, shard: Shard) -> Iterator[tuple[_Waiting, Sketch]]:
        """The drafts of the last unit, one by one put into the index."""
        for draft, row in shard.drafts():
            sketch = self._sketcher.of(row)
            yield _Waiting(len(self._units) - 1, draft, self._add(sketch, _OPEN)), sketch

    def _left(self, drafts: Iterable[tuple[_Waiting, Sketch]], shard: Shard) -> list[_Waiting]:
        """Decide `drafts` in order; those that are still open."""
        judged = shard.verdicts()
        left = []
        for one, sketch in drafts:
            near = [self._states[place] for place in self.index.alike(sketch, before=one.place)]
            if _ACCEPTED in near:
                self._states[one.place] = _OUT
                self._duplicates.setdefault(self._shards.name(self._units[one.unit]), set()).add(one.draft)
            elif _OPEN not in near and one.draft in judged:
                self._states[one.place] = _ACCEPTED if judged[one.draft] else _OUT
            else:
                left.append(_Waiting(one.unit, one.draft, one.place, _OPEN in near))
        return left

    def _add(self, sketch: Sketch, state: int) -> int:
        self._states.append(state)
        return self.index.add(sketch)
