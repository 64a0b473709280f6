"""RAFT rows: a question under a few documents, of which one may hold the answer and the others distract."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ilab.mixing import rows
from ilab.records import messages
from ilab.records.chunks import Chunk
from ilab.records.samples import Sample, TrainRow

GOLDEN_SHARE = 0.4
"""Share of the rows in which the document with the answer stands."""
DOCUMENTS = 4
_TWIN = 0.8
_PAGES = 4096


@dataclass(frozen=True, slots=True)
class _Page:
    """A chunk in small letters with single spaces, and its words."""

    plain: str
    words: frozenset[str]


class Shelf:
    """The chunks of one leaf, among which distractors are found. The words of a few thousand are kept."""

    def __init__(self, chunks: Sequence[Chunk]) -> None:
        self._chunks = chunks
        self._pages: dict[str, _Page] = {}

    def row(self, sample: Sample, golden: Chunk, *, seed: int, golden_share: float = GOLDEN_SHARE) -> TrainRow:
        """The row of `sample`, whose answer is in the chunk `golden` of this shelf; the same for the same seed."""
        shown = self.documents(sample, golden, seed=seed, golden_share=golden_share)
        asked = "".join(f"Document:\n{chunk.text}\n\n" for chunk in shown) + sample.question
        return rows.made(
            (messages.user(asked), messages.assistant(sample.answer)),
            metadata={
                "sdg_document": golden.text,
                "domain": golden.domain,
                "dataset": f"document_knowledge_qa_raft_p{golden_share:g}",
            },
        )

    def documents(self, sample: Sample, golden: Chunk, *, seed: int, golden_share: float = GOLDEN_SHARE) -> list[Chunk]:
        """What stands above the question, in order; the golden chunk alone where no other one can distract."""
        rng = random.Random(f"{seed}:{sample.id}")
        shown = [golden] if rng.random() < golden_share else []
        avoided = [golden]
        for chunk in _in_random_order(self._chunks, rng):
            if len(shown) == DOCUMENTS:
                break
            if not self._answers(chunk, sample) and not any(self._twins(chunk, other) for other in avoided):
                shown.append(chunk)
                avoided.append(chunk)
        rng.shuffle(shown)
        return shown or [golden]

    def _answers(self, chunk: Chunk, sample: Sample) -> bool:
        """Whether a chunk holds the sentence that the answer is from, as neighbours do that overlap."""
        source = " ".join(sample.source.casefold().split())
        return bool(source) and source in self._page(chunk).plain

    def _twins(self, one: Chunk, other: Chunk) -> bool:
        """Whether two chunks say the same, be it in another spelling."""
        first, second = self._page(one), self._page(other)
        if one.id == other.id or first.plain == second.plain:
            return True
        return len(first.words & second.words) >= _TWIN * len(first.words | second.words)

    def _page(self, chunk: Chunk) -> _Page:
        page = self._pages.get(chunk.id)
        if page is None:
            if len(self._pages) >= _PAGES:
                del self._pages[next(iter(self._pages))]
            plain = " ".join(chunk.text.casefold().split())
            page = self._pages[chunk.id] = _Page(plain, frozenset(plain.split()))
        return page


def _in_random_order(chunks: Sequence[Chunk], rng: random.Random) -> Iterator[Chunk]:
    """A shuffle that costs no more than what is taken of it: only the places that were swapped are on record."""
    moved: dict[int, int] = {}
    for last in reversed(range(len(chunks))):
        place = rng.randrange(last + 1)
        drawn = moved.get(place, place)
        moved[place] = moved.get(last, last)
        yield chunks[drawn]
