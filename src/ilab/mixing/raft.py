"""RAFT rows: a question under a few documents, of which one may hold the answer and the others distract."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence

from ilab.mixing import rows
from ilab.records import messages
from ilab.records.chunks import Chunk
from ilab.records.samples import Sample, TrainRow

GOLDEN_SHARE = 0.4
"""Share of the rows in which the document with the answer stands."""
DOCUMENTS = 4
_TWIN = 0.8


class Shelf:
    """The chunks of one leaf, among which distractors are found."""

    def __init__(self, chunks: Sequence[Chunk]) -> None:
        self._chunks = tuple(chunks)
        self._plain = {chunk.id: " ".join(chunk.text.casefold().split()) for chunk in chunks}
        self._words = {name: frozenset(text.split()) for name, text in self._plain.items()}

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
        return bool(source) and source in self._plain[chunk.id]

    def _twins(self, one: Chunk, other: Chunk) -> bool:
        """Whether two chunks say the same, be it in another spelling."""
        if one.id == other.id or self._plain[one.id] == self._plain[other.id]:
            return True
        first, second = self._words[one.id], self._words[other.id]
        return len(first & second) >= _TWIN * len(first | second)


def _in_random_order(chunks: Sequence[Chunk], rng: random.Random) -> Iterator[Chunk]:
    """A shuffle that costs no more than what is taken of it."""
    rest = list(chunks)
    while rest:
        place = rng.randrange(len(rest))
        rest[place], rest[-1] = rest[-1], rest[place]
        yield rest.pop()
