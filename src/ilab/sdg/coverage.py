"""How much of the documents is taught: sentences that support an accepted pair, by chunk and by heading."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from ilab.records.chunks import Chunk
from ilab.records.samples import Sample
from ilab.sdg.support import Sentences

_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Covered:
    """The coverage of a chunk, or of all chunks below a heading. `pairs` counts accepted samples."""

    name: str
    sentences: int
    supported: int
    pairs: int

    @property
    def share(self) -> float:
        """Share of the sentences that support a pair; 1 where there are none."""
        return self.supported / self.sentences if self.sentences else 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class CoverageReport:
    """`gini` says how unevenly pairs are spread over chunks (0 evenly, near 1 all on one)."""

    total: Covered
    chunks: tuple[Covered, ...]
    headings: tuple[Covered, ...]
    gini: float
    numbers: float
    uncovered: tuple[tuple[str, str], ...]
    """The first sentences that support nothing, as (chunk id, sentence)."""


class Coverage:
    """Collects accepted samples. Chunks are held in memory, samples are not."""

    def __init__(self, chunks: Iterable[Chunk]) -> None:
        self._chunks = {chunk.id: chunk for chunk in chunks}
        self._sentences = lru_cache(maxsize=256)(self._read)
        self._taught = {name: bytearray(len(self._sentences(name))) for name in self._chunks}
        self._pairs: Counter[str] = Counter()
        self._numbers = {name: set(_NUMBER.findall(chunk.text)) for name, chunk in self._chunks.items()}
        self._all_numbers = sum(map(len, self._numbers.values()))

    def _read(self, name: str) -> Sentences:
        return Sentences(self._chunks[name])

    def add(self, sample: Sample) -> None:
        """Count one accepted sample; one without a chunk of these is passed over."""
        if sample.chunk not in self._chunks:
            return
        self._pairs[sample.chunk] += 1
        number = self._sentences(sample.chunk).supporting(sample)
        if number is not None:
            self._taught[sample.chunk][number] = 1
        if self._numbers[sample.chunk]:
            self._numbers[sample.chunk].difference_update(_NUMBER.findall(f"{sample.question} {sample.answer}"))

    def uncovered(self) -> dict[str, list[str]]:
        """The sentences that support nothing, by chunk id; chunks without one are left out."""
        return {
            name: [one for one, done in zip(self._sentences(name).originals, taught, strict=True) if not done]
            for name, taught in self._taught.items()
            if not all(taught)
        }

    def supported(self) -> tuple[int, int]:
        """How many sentences support a sample, and how many there are."""
        return sum(map(sum, self._taught.values())), sum(map(len, self._taught.values()))

    def report(self, *, examples: int = 5) -> CoverageReport:
        """What was covered so far."""
        chunks = [self._covered(name, [name]) for name in self._chunks]
        headings: dict[str, list[str]] = {}
        for name, chunk in self._chunks.items():
            headings.setdefault(chunk.heading or chunk.title or chunk.leaf, []).append(name)
        left = sum(map(len, self._numbers.values()))
        return CoverageReport(
            total=self._covered("", list(self._chunks)),
            chunks=tuple(chunks),
            headings=tuple(self._covered(heading, names) for heading, names in headings.items()),
            gini=gini([one.pairs for one in chunks]),
            numbers=1 - left / self._all_numbers if self._all_numbers else 1.0,
            uncovered=tuple(self._uncovered(examples)),
        )

    def _covered(self, label: str, names: Sequence[str]) -> Covered:
        return Covered(
            name=label,
            sentences=sum(len(self._taught[name]) for name in names),
            supported=sum(sum(self._taught[name]) for name in names),
            pairs=sum(self._pairs[name] for name in names),
        )

    def _uncovered(self, limit: int) -> list[tuple[str, str]]:
        found: list[tuple[str, str]] = []
        for name, taught in self._taught.items():
            missing = [number for number, done in enumerate(taught) if not done]
            if missing:
                originals = self._sentences(name).originals
                found += [(name, originals[number]) for number in missing[: limit - len(found)]]
            if len(found) >= limit:
                break
        return found


def gini(counts: Sequence[int]) -> float:
    """The Gini coefficient of `counts`: 0 where all are equal, towards 1 where one has everything."""
    total, size = sum(counts), len(counts)
    if not total:
        return 0.0
    ranked = sum(rank * count for rank, count in enumerate(sorted(counts), start=1))
    return 2 * ranked / (size * total) - (size + 1) / size
