"""The files that the reference makes of each leaf, and the recipes that mix them.

<leaf>_p07.jsonl    knowledge: each question below its document
<leaf>_p10.jsonl    knowledge: each question below a few documents (see `raft`), and the rows of p07 again
<leaf>.jsonl        skills: questions and answers
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import yaml

from ilab.base import digest
from ilab.mixing import formats, on_demand, rows
from ilab.mixing.on_demand import OnDemand
from ilab.mixing.raft import GOLDEN_SHARE, Shelf
from ilab.records import messages, seeds
from ilab.records.chunks import Chunk
from ilab.records.samples import AUXILIARY, Sample, TrainRow

Item = TypeVar("Item", Sample, Chunk)
_LONGEST = 180
"""Of a file name, in bytes; file systems take 255."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeFiles:
    """Names of the files that the knowledge recipe and the skills recipe mix."""

    knowledge: list[str]
    skills: list[str]


def write(
    folder: Path,
    samples: Sequence[Sample],
    chunks: Sequence[Chunk],
    *,
    system_prompt: str,
    seed: int,
    golden_share: float = GOLDEN_SHARE,
) -> NodeFiles:
    """Write the files of every leaf below `folder`. Knowledge without a chunk, the user's own, has no document.

    Samples and chunks are asked for more than once, and none is kept.
    """
    golden = {(chunk.leaf, chunk.id): place for place, chunk in enumerate(chunks)}
    shelves = _by_leaf(chunks, lambda chunk: True)
    knowledge = _by_leaf(samples, lambda one: one.kind == seeds.KNOWLEDGE and (one.leaf, one.chunk) in golden)
    skills = _by_leaf(samples, lambda one: one.kind != seeds.KNOWLEDGE)
    names = LeafNames()
    first, second = [], []
    for leaf, asked in knowledge.items():
        p07, p10 = names.of(leaf, ("_p07", "_p10"))
        shelf = Shelf(shelves[leaf])
        pairs = _pairs(asked, chunks, golden)
        rows.write(folder / p07, _p07(pairs))
        rows.write(folder / p10, _p10(pairs, shelf, seed, golden_share))
        first.append(p07)
        second.append(p10)
    for leaf, asked in skills.items():
        (name,) = names.of(leaf, ("",))
        rows.write(folder / name, (formats.question_row(sample, system_prompt=system_prompt) for sample in asked))
        second.append(name)
    return NodeFiles(knowledge=first, skills=second)


def recipe(files: Sequence[str], *, folder: str, system_prompt: str) -> str:
    """The recipe that takes every row of `files` once; `folder` is where they lie, seen from the recipe."""
    content = {
        "datasets": [{"path": f"{folder}/{name}", "sampling_size": 1.0} for name in files],
        **({"metadata": {"sys_prompt": system_prompt}} if system_prompt else {}),
    }
    return yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=120)


def _by_leaf(items: Sequence[Item], wanted: Callable[[Item], bool]) -> dict[str, Sequence[Item]]:
    """The wanted items of each leaf, in order."""
    places: dict[str, array[int]] = {}
    for place, item in enumerate(items):
        if wanted(item):
            places.setdefault(item.leaf, array("q")).append(place)
    return {leaf: on_demand.picked(items, found) for leaf, found in sorted(places.items())}


def _pairs(
    asked: Sequence[Sample], chunks: Sequence[Chunk], golden: Mapping[tuple[str, str], int]
) -> Sequence[tuple[Sample, Chunk]]:
    """Each sample with its chunk."""

    def pair(place: int) -> tuple[Sample, Chunk]:
        sample = asked[place]
        return sample, chunks[golden[sample.leaf, sample.chunk]]

    return OnDemand(len(asked), pair)


def _p07(pairs: Sequence[tuple[Sample, Chunk]], *, unmask_summaries: bool = True) -> Iterator[TrainRow]:
    """Each question below its document; a summary's question holds its document already."""
    for sample, chunk in pairs:
        summary = sample.origin == AUXILIARY
        asked = sample.question if summary else f"{chunk.text}\n\n{sample.question}"
        dataset = "document_auxiliary" if summary else "document_knowledge_qa"
        yield rows.made(
            (messages.user(asked), messages.assistant(sample.answer)),
            metadata={"sdg_document": chunk.text, "domain": chunk.domain, "dataset": dataset},
            unmask=unmask_summaries or not summary,
        )


def _p10(pairs: Sequence[tuple[Sample, Chunk]], shelf: Shelf, seed: int, golden_share: float) -> Iterator[TrainRow]:
    for sample, chunk in pairs:
        if sample.origin != AUXILIARY:
            yield shelf.row(sample, chunk, seed=seed, golden_share=golden_share)
    yield from _p07(pairs, unmask_summaries=False)


class LeafNames:
    """File names of leaves; a/b and a_b are two leaves, and some file systems know no capital letters."""

    def __init__(self) -> None:
        self._taken: set[str] = set()

    def of(self, leaf: str, endings: Sequence[str]) -> list[str]:
        """One name for each of `endings`, none of which was given before."""
        stem = leaf.replace("/", "_")
        if len(stem.encode()) > _LONGEST:
            short = stem.encode()[:_LONGEST].decode(errors="ignore")
            stem = f"{short}_{digest.of_value(leaf)[:8]}"
        tried, number = stem, 1
        while any(f"{tried}{ending}".casefold() in self._taken for ending in endings):
            number += 1
            tried = f"{stem}_{number}"
        self._taken |= {f"{tried}{ending}".casefold() for ending in endings}
        return [f"{tried}{ending}.jsonl" for ending in endings]
