"""Where the samples of a run come from: the sentence, and its place in the document as it was written."""

from __future__ import annotations

from functools import lru_cache

from ilab.pipeline import data_files
from ilab.records.chunks import Chunk
from ilab.records.samples import Sample
from ilab.runs.folder import RunFolder
from ilab.sdg.support import Place, Sentences, place


class Places:
    """Finds sentences and places for the samples of one run."""

    def __init__(self, run: RunFolder) -> None:
        self._chunks = {chunk.id: chunk for chunk in data_files.chunks(run)}
        self._originals = {(leaf, source): text for leaf, source, text in data_files.documents(run)}
        self._sentences = lru_cache(maxsize=64)(lambda name: Sentences(self._chunks[name]))

    def chunk(self, sample: Sample) -> Chunk | None:
        """The chunk that a sample was made of."""
        return self._chunks.get(sample.chunk)

    def sentence(self, sample: Sample) -> str:
        """The sentence of the document that supports a sample, in the document's own words; empty where none does."""
        if sample.chunk not in self._chunks:
            return sample.source
        sentences = self._sentences(sample.chunk)
        number = sentences.supporting(sample)
        return sample.source if number is None else sentences.originals[number]

    def place(self, sample: Sample) -> Place | None:
        """The place of that sentence in the original of the document, or of its chunk; what the sample says of it."""
        chunk = self.chunk(sample)
        if chunk is None:
            return None
        original = self._originals.get((sample.leaf, sample.document), "")
        if sample.end and sample.end <= len(original):
            line = original.count("\n", 0, sample.start) + 1
            return Place(source=sample.document, start=sample.start, end=sample.end, line=line)
        return place(chunk, self._originals.get((chunk.leaf, chunk.source), ""), self.sentence(sample))

    def passage(self, sample: Sample) -> str:
        """The text at that place, as it was written."""
        chunk, found = self.chunk(sample), self.place(sample)
        return self._originals[chunk.leaf, chunk.source][found.start : found.end] if chunk and found else ""
