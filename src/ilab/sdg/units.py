"""Units: what is generated, checked and stored at once, and the order in which units are taken up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest

from ilab.records import seeds as seed_kinds
from ilab.records.chunks import Chunk
from ilab.records.seeds import Seed
from ilab.sdg.flow import BlockSpec, Flow
from ilab.sdg.row import Row


@dataclass(frozen=True, slots=True, kw_only=True)
class Unit:
    """One chunk, or one skill leaf, on one path."""

    name: str
    path: str
    rows: tuple[Row, ...]
    blocks: tuple[BlockSpec, ...]
    seeds: tuple[Seed, ...]

    @property
    def leaf(self) -> str:
        """The leaf that its rows belong to."""
        return str(self.rows[0]["leaf"])

    @property
    def way(self) -> tuple[str, str]:
        """The kind of leaf and the path: paths of two kinds may share a name."""
        return str(self.rows[0]["kind"]), self.path


def plan(seeds: Sequence[Seed], chunks: Sequence[Chunk], *, flow: Flow) -> list[Unit]:
    """The units of work, in a fixed order: every path of every chunk, then every path of every skill leaf."""
    found = []
    for name, blocks in flow.paths(seed_kinds.KNOWLEDGE).items():
        for chunk in chunks:
            own = tuple(seed for seed in seeds if seed.leaf == chunk.leaf)
            row = {**chunk.to_json(), "chunk": chunk.id, "kind": seed_kinds.KNOWLEDGE, "origin": name}
            found.append(Unit(name=chunk.id, path=name, rows=(row,), blocks=tuple(blocks), seeds=own))
    for kind in (seed_kinds.GROUNDED_SKILL, seed_kinds.FREEFORM_SKILL):
        leaves = sorted({seed.leaf for seed in seeds if seed.kind == kind})
        for name, blocks in flow.paths(kind).items():
            for leaf in leaves:
                own = tuple(seed for seed in seeds if seed.leaf == leaf and seed.kind == kind)
                skill: Row = {"leaf": leaf, "kind": kind, "origin": name, "task": own[0].subject}
                found.append(Unit(name=leaf, path=name, rows=(skill,), blocks=tuple(blocks), seeds=own))
    return found


def in_turn(units: Sequence[Unit]) -> list[Unit]:
    """The units with every path, and in it every leaf, in turn: no model waits for the paths that do not need it."""
    ways: dict[tuple[str, str], dict[str, list[Unit]]] = {}
    for unit in units:
        ways.setdefault(unit.way, {}).setdefault(unit.leaf, []).append(unit)
    return _interleaved([_interleaved(list(leaves.values())) for leaves in ways.values()])


def _interleaved(lists: Sequence[Sequence[Unit]]) -> list[Unit]:
    """The first of each list, then the second of each, and so on."""
    return [unit for row in zip_longest(*lists) for unit in row if unit is not None]
