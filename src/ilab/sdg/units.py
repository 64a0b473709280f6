"""Units: what is generated, checked and stored at once, and the order in which units are taken up."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest

from ilab.records import seeds as seed_kinds
from ilab.records.chunks import Chunk
from ilab.records.seeds import Seed
from ilab.sdg import cross_chunk
from ilab.sdg.flow import CROSS_CHUNK, GAPS, MMLU, BlockSpec, Flow
from ilab.sdg.row import Row

Way = tuple[str, str]
"""The section and the path: paths of two sections may share a name."""
_ASKING = frozenset({"ask", "ask_by", "ask_facts", "propose", "summaries", "reference"})
"""Blocks that write rows with a teacher: a further round of them gives other rows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unit:
    """One chunk, two related chunks, or one skill leaf, on one path of a section of the flow."""

    name: str
    section: str
    path: str
    rows: tuple[Row, ...]
    blocks: tuple[BlockSpec, ...]
    seeds: tuple[Seed, ...]

    @property
    def leaf(self) -> str:
        """The leaf that its rows belong to."""
        return str(self.rows[0]["leaf"])

    @property
    def way(self) -> Way:
        """The way that its rows take through the flow."""
        return self.section, self.path

    @property
    def compares(self) -> bool:
        """Whether its rows are compared with those of all units."""
        return any(spec.compares_run for spec in self.blocks)

    @property
    def drafting(self) -> tuple[BlockSpec, ...]:
        """The blocks up to where rows are compared; all of them where they are not."""
        return self.blocks[: self._cut]

    @property
    def judging(self) -> tuple[BlockSpec, ...]:
        """The blocks after that."""
        return self.blocks[self._cut :]

    @property
    def bundle(self) -> int:
        """How many drafts are judged together, or not at all: as many as one request of its judges is about."""
        return max((int(spec.options.get("together", 1)) for spec in self.judging), default=1)

    @property
    def _cut(self) -> int:
        return next((n for n, spec in enumerate(self.blocks, start=1) if spec.compares_run), len(self.blocks))

    @property
    def asks(self) -> bool:
        """Whether a teacher writes its rows, so that a further round gives others."""
        return any(spec.block in _ASKING for spec in self.blocks)

    def again(self, number: int) -> Unit:
        """The same unit in a further round, from 1."""
        return replace(self, rows=tuple({**row, "round": number} for row in self.rows))


def plan(seeds: Sequence[Seed], chunks: Sequence[Chunk], *, flow: Flow) -> list[Unit]:
    """The units of the first pass in a fixed order: every path of every chunk, of related chunks, of every skill leaf.

    What comes later depends on what they give: `for_gaps`, and further rounds (`Unit.again`).
    """
    found = _of_chunks(seed_kinds.KNOWLEDGE, seeds, chunks, flow)
    pairs = cross_chunk.related(chunks) if flow.cross_chunk else []
    for name, blocks in flow.cross_chunk.items():
        for first, second in pairs:
            row = {**_row(first, seed_kinds.KNOWLEDGE, name), "chunks": [first.id, second.id]}
            row["text"] = f"{first.text.strip()}\n\n{second.text.strip()}"
            found.append(
                Unit(
                    name=f"{first.id} + {second.id}",
                    section=CROSS_CHUNK,
                    path=name,
                    rows=(row,),
                    blocks=tuple(blocks),
                    seeds=_of_leaf(seeds, first.leaf),
                )
            )
    for kind in (seed_kinds.GROUNDED_SKILL, seed_kinds.FREEFORM_SKILL):
        leaves = sorted({seed.leaf for seed in seeds if seed.kind == kind})
        for name, blocks in flow.paths(kind).items():
            for leaf in leaves:
                own = tuple(seed for seed in seeds if seed.leaf == leaf and seed.kind == kind)
                skill: Row = {"leaf": leaf, "kind": kind, "origin": name, "task": own[0].subject}
                found.append(Unit(name=leaf, section=kind, path=name, rows=(skill,), blocks=tuple(blocks), seeds=own))
    return found + _of_chunks(MMLU, seeds, chunks, flow)


def for_gaps(
    seeds: Sequence[Seed], chunks: Sequence[Chunk], uncovered: Mapping[str, Sequence[str]], *, flow: Flow
) -> list[Unit]:
    """The units for sentences that support nothing yet; `uncovered` has them by chunk id."""
    left = [chunk for chunk in chunks if uncovered.get(chunk.id)]
    units = _of_chunks(GAPS, seeds, left, flow)
    return [
        replace(unit, rows=tuple({**row, "uncovered": list(uncovered[row["chunk"]])} for row in unit.rows))
        for unit in units
    ]


def _of_chunks(section: str, seeds: Sequence[Seed], chunks: Sequence[Chunk], flow: Flow) -> list[Unit]:
    kind = MMLU if section == MMLU else seed_kinds.KNOWLEDGE
    return [
        Unit(
            name=own[0].id if len(own) == 1 else f"{own[0].id} and {len(own) - 1} more",
            section=section,
            path=name,
            rows=tuple(_row(chunk, kind, name) for chunk in own),
            blocks=tuple(blocks),
            seeds=_of_leaf(seeds, own[0].leaf),
        )
        for name, blocks in flow.paths(section).items()
        for own in _together(chunks, blocks)
    ]


def _together(chunks: Sequence[Chunk], blocks: Sequence[BlockSpec]) -> list[list[Chunk]]:
    """Each chunk by itself; all chunks of a document where a block of the reference lets them vote."""
    if not any(spec.options.get("type") == "SetToMajorityValueBlock" for spec in blocks):
        return [[chunk] for chunk in chunks]
    documents: dict[tuple[str, str], list[Chunk]] = {}
    for chunk in chunks:
        documents.setdefault((chunk.leaf, chunk.source), []).append(chunk)
    return list(documents.values())


def _row(chunk: Chunk, kind: str, path: str) -> Row:
    return {**chunk.to_json(), "chunk": chunk.id, "kind": kind, "origin": path}


def _of_leaf(seeds: Sequence[Seed], leaf: str) -> tuple[Seed, ...]:
    return tuple(seed for seed in seeds if seed.leaf == leaf)


def in_turn(units: Sequence[Unit]) -> list[Unit]:
    """The units with every path, and in it every leaf, in turn: no model waits for the paths that do not need it."""
    ways: dict[Way, dict[str, list[Unit]]] = {}
    for unit in units:
        ways.setdefault(unit.way, {}).setdefault(unit.leaf, []).append(unit)
    return _interleaved([_interleaved(list(leaves.values())) for leaves in ways.values()])


def _interleaved(lists: Sequence[Sequence[Unit]]) -> list[Unit]:
    """The first of each list, then the second of each, and so on."""
    return [unit for row in zip_longest(*lists) for unit in row if unit is not None]
