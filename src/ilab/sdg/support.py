"""Which sentence of a chunk supports a sample, and where it stands in the document as it was written."""

from __future__ import annotations

import html
import re
from array import array
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache

from ilab.base.sentences import sentences
from ilab.records.chunks import Chunk
from ilab.records.samples import Sample
from ilab.sdg import statements
from ilab.sdg.measures import content
from ilab.sdg.row import Support

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
        found = self.best(sample)
        return found[1] if found else None

    def best(self, sample: Sample) -> tuple[float, int] | None:
        """How well the sentence that supports `sample` does, and its number; None where none does."""
        if sample.source:
            if (known := self._by_text.get(sample.source)) is not None:
                return 2.0, known
            wanted = frozenset(content(sample.source))
            scores = [len(wanted & own) / max(1, len(wanted | own)) for own in self._content]
            return _best(scores, _NEAR)
        said, asked = set(content(sample.answer)), set(content(sample.question))
        if not said:
            return None
        # the question decides between sentences that say the same of different things
        scores = [len(said & own) / len(said) + len(asked & own) / (100 * max(1, len(asked))) for own in self._content]
        return _best(scores, _SAID)


def _best(scores: list[float], least: float) -> tuple[float, int] | None:
    best = max(range(len(scores)), key=scores.__getitem__, default=None)
    return (scores[best], best) if best is not None and scores[best] >= least else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where something stands in the original of a document: the span in characters; `line` counts from 1."""

    source: str
    start: int
    end: int
    line: int


def place(chunk: Chunk, original: str, sentence: str) -> Place | None:
    """The place of `sentence`, or of the chunk where nothing in it is like the sentence; None without spans.

    Markup inside the sentence (links, emphasis, marks of footnotes, line breaks) does not hide it.
    """
    if not chunk.end or not original:
        return None
    found = _letters(original, chunk.start, chunk.end).find(sentence) if sentence else None
    start, end = found or (chunk.start, chunk.end)
    return Place(source=chunk.source, start=start, end=end, line=original.count("\n", 0, start) + 1)


_MARKUP = re.compile(
    r"\]\((?:[^()\s]|\([^()\s]*\))*(?:\s+(?:\"[^\"]*\"|'[^']*'))?\s*\)"  # the target of a link
    r"|\]\[[^\[\]\n]*\]"  # the name of its target
    r"|\[\^[^\]\s]+\]"  # the mark of a footnote
    r"|<!--.*?-->"
    r"|</?[A-Za-z][\w-]*(?:\s[^<>]*)?/?>"  # a tag; an address in angle brackets has a colon
    r"|(?P<entity>&(?:\#\d+|\#[xX][\da-fA-F]+|[A-Za-z]\w*);)",
    re.DOTALL,
)
_RUN = re.compile(r"[^\W_]+")


class _Letters:
    """The letters and digits of a part of a document, without its markup, and where each of them stands."""

    def __init__(self, text: str, start: int, end: int) -> None:
        pieces: list[tuple[str, int]] = []
        at = start
        for mark in _MARKUP.finditer(text, start, end):
            pieces.append((text[at : mark.start()], at))
            if mark["entity"]:
                pieces.append((html.unescape(mark["entity"])[:1], mark.start()))
            at = mark.end()
        pieces.append((text[at:end], at))
        self._plain = "".join(piece for piece, _ in pieces)
        found: list[str] = []
        self._places = array("Q")
        for piece, begin in pieces:
            for run in _RUN.finditer(piece):
                found.append(run[0])
                self._places.extend(range(begin + run.start(), begin + run.end()))
        self._text = "".join(found)
        self._found: dict[str, tuple[int, int] | None] = {}

    def find(self, sentence: str) -> tuple[int, int] | None:
        """The span of `sentence`, or of the sentence that is most like it."""
        if sentence not in self._found:
            self._found[sentence] = self._find(sentence)
        return self._found[sentence]

    def _find(self, sentence: str) -> tuple[int, int] | None:
        wanted = _bare(sentence)
        begin = self._text.find(wanted) if wanted else -1
        if begin >= 0:
            return self._span(begin, len(wanted))
        words = frozenset(content(sentence))
        best, share = None, _NEAR
        for first, size, own in self._sentences:
            common = len(words & own) / max(1, len(words | own))
            if common >= share and (best is None or common > share):
                best, share = (first, size), common
        return self._span(*best) if best else None

    def _span(self, begin: int, size: int) -> tuple[int, int]:
        return self._places[begin], self._places[begin + size - 1] + 1

    @cached_property
    def _sentences(self) -> list[tuple[int, int, frozenset[str]]]:
        """First letter, letters and meaning of each sentence: no letter is lost when a text is cut into sentences."""
        found = []
        begin = 0
        for paragraph in re.split(r"\n\s*\n", self._plain):
            for sentence in sentences(" ".join(paragraph.split())):
                size = sum(len(run) for run in _RUN.findall(sentence))
                if size:
                    found.append((begin, size, frozenset(content(sentence))))
                begin += size
        return found


def _bare(text: str) -> str:
    """The letters and digits of a text, read like those of a document."""
    return "".join(_RUN.findall(_MARKUP.sub(lambda mark: html.unescape(mark["entity"] or "")[:1], text)))


_letters = lru_cache(maxsize=64)(_Letters)


class Sources:
    """Finds what of the documents supports samples. `originals` has documents as written, by leaf and source."""

    def __init__(self, chunks: Iterable[Chunk], originals: Mapping[tuple[str, str], str]) -> None:
        self._chunks = {chunk.id: chunk for chunk in chunks}
        self._originals = originals
        self._sentences = lru_cache(maxsize=64)(lambda name: Sentences(self._chunks[name]))

    def of(self, sample: Sample, among: Iterable[str] = ()) -> Support | None:
        """The support of a sample: in its chunk, or in one of those that it is about; None without a chunk."""
        names = [name for name in dict.fromkeys((*among, sample.chunk)) if name in self._chunks]
        if not names:
            return None
        best = {name: found for name in names if (found := self._sentences(name).best(sample))}
        name = max(best, key=lambda one: best[one][0], default=names[0])
        number = best[name][1] if best else None
        chunk = self._chunks[name]
        sentence = sample.source if number is None else self._sentences(name).originals[number]
        where = place(chunk, self._originals.get((chunk.leaf, chunk.source), ""), sentence)
        span = (where.start, where.end) if where else (0, 0)
        return Support(chunk=name, document=chunk.source, start=span[0], end=span[1])
