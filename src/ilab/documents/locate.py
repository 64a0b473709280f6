"""Find a passage in documents: word for word, else where most of its words stand in the same order."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

from ilab.documents.markdown import markdown_to_text
from ilab.records.chunks import Document

FOUND = 0.8
"""Share of a passage's words that must stand in a document, in order, for the passage to count as found there."""
_RUN = 3
"""Words in a row by which a passage is recognised."""
_COMMON = 64
"""A run of words that stands in a document more often than this says nothing about the place."""
_WORD = re.compile(r"[\w\u0300-\u036f]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a passage is: the span in the text of the document `source`, and the share of its words found there."""

    source: str
    start: int
    end: int
    share: float

    @property
    def found(self) -> bool:
        """Whether enough of the passage is there."""
        return self.share >= FOUND


class Locator:
    """Looks for passages in some documents; case, white space, markup and punctuation do not count."""

    def __init__(self, documents: Sequence[Document]) -> None:
        self._texts = [_Words(document.source, document.text) for document in documents]

    def find(self, passage: str) -> Place | None:
        """The best place of `passage`, which may have Markdown in it; None if no document has any of it."""
        wanted = [word for word, _, _ in _words(markdown_to_text(passage))]
        if not wanted:
            return None
        places = [place for words in self._texts if (place := words.find(wanted)) is not None]
        return max(places, key=lambda place: place.share, default=None)


def _words(text: str) -> list[tuple[str, int, int]]:
    """The words of `text` as they are compared, with their offsets."""
    return [(unicodedata.normalize("NFKC", match[0]).casefold(), *match.span()) for match in _WORD.finditer(text)]


class _Words:
    def __init__(self, source: str, text: str) -> None:
        self.source = source
        found = _words(text)
        self._words = [word for word, _, _ in found]
        self._spans = [(start, end) for _, start, end in found]
        self._joined = f" {' '.join(self._words)} "
        self._runs: dict[tuple[str, ...], list[int]] = defaultdict(list)
        for at in range(len(self._words) - _RUN + 1):
            self._runs[tuple(self._words[at : at + _RUN])].append(at)

    def find(self, wanted: Sequence[str]) -> Place | None:
        at = self._joined.find(f" {' '.join(wanted)} ")
        if at >= 0:
            first = self._joined.count(" ", 0, at)
            return self._place(first, first + len(wanted) - 1, 1.0)
        return self._nearly(wanted)

    def _nearly(self, wanted: Sequence[str]) -> Place | None:
        """The window in which most runs of three words stand, then the longest common order of words in it."""
        width = max(_RUN, len(wanted) // 4)
        votes: Counter[int] = Counter()
        for number in range(len(wanted) - _RUN + 1):
            places = self._runs.get(tuple(wanted[number : number + _RUN]), ())
            if len(places) <= _COMMON:
                votes.update({(place - number) // width for place in places})
        if not votes:
            return None
        best = max(votes, key=lambda bucket: (votes[bucket] + votes[bucket + 1], -bucket))
        first = max(0, (best - 1) * width)
        window = self._words[first : (best + 3) * width + len(wanted)]
        blocks = SequenceMatcher(None, wanted, window, autojunk=False).get_matching_blocks()
        matched = [block for block in blocks if block.size]
        share = sum(block.size for block in matched) / len(wanted)
        return self._place(first + matched[0].b, first + matched[-1].b + matched[-1].size - 1, share)

    def _place(self, first: int, last: int, share: float) -> Place:
        return Place(source=self.source, start=self._spans[first][0], end=self._spans[last][1], share=share)
