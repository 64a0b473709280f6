"""Which sentence of a chunk supports a sample, and where it stands in the document."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ilab.records.chunks import Chunk
from ilab.records.samples import Sample
from ilab.sdg import statements
from ilab.sdg.measures import content

_NEAR = 0.5
"""Share of common words from which a wording counts as that of a sentence."""
_SAID = 0.7
"""Share of an answer's words that a sentence must have to support it, where the sample does not name its sentence."""


class Sentences:
    """The sentences of one chunk."""

    def __init__(self, chunk: Chunk) -> None:
        found = statements.of_chunk(chunk)
        self.originals = [statement.original for statement in found]
        self._by_text = {text: n for n, one in enumerate(found) for text in (one.original, one.text)}
        self._content = [frozenset(content(one.text)) for one in found]

    def __len__(self) -> int:
        return len(self.originals)

    def supporting(self, sample: Sample) -> int | None:
        """The number of the sentence that supports `sample`; None where none does."""
        if sample.source:
            if (known := self._by_text.get(sample.source)) is not None:
                return known
            wanted = frozenset(content(sample.source))
            scores = [len(wanted & own) / max(1, len(wanted | own)) for own in self._content]
            return _best(scores, _NEAR)
        said, asked = set(content(sample.answer)), set(content(sample.question))
        if not said:
            return None
        # the question decides between sentences that say the same of different things
        scores = [len(said & own) / len(said) + len(asked & own) / (100 * max(1, len(asked))) for own in self._content]
        return _best(scores, _SAID)


def _best(scores: list[float], least: float) -> int | None:
    best = max(range(len(scores)), key=scores.__getitem__, default=None)
    return best if best is not None and scores[best] >= least else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where something stands in the original of a document: the span in characters; `line` counts from 1."""

    source: str
    start: int
    end: int
    line: int


def place(chunk: Chunk, original: str, sentence: str) -> Place | None:
    """The place of `sentence`, or of the chunk where its words do not stand there in a row; None without spans."""
    if not chunk.end or not original:
        return None
    found = re.compile(r"\W+".join(map(re.escape, re.findall(r"\w+", sentence)))) if sentence else None
    match = found.search(original, chunk.start, chunk.end) if found else None
    start, end = match.span() if match else (chunk.start, chunk.end)
    return Place(source=chunk.source, start=start, end=end, line=original.count("\n", 0, start) + 1)
