"""Text to Chunks under a token budget: cut at headings first, then paragraphs, lines, sentences, and words.

No text is lost: the spans of the chunks cover the document without a gap. A table or piece of code stays whole where
the budget allows; the parts of a longer one repeat the table's head, or open and close the code again.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise

from ilab.base.sentences import sentences
from ilab.documents.blocks import Origin
from ilab.documents.sections import Section, Span, split_sections, title_of
from ilab.documents.settings import DocumentSettings
from ilab.documents.tokens import Estimate, Sizes, TokenCounter
from ilab.records.chunks import Chunk, Document

_SMALL = 4
"""A section below a fourth of the budget is put together with a neighbour under the same heading."""
_WORD = re.compile(r"\S+")
_LINE = re.compile(r"[^\n]*\S[^\n]*")
_TABLE_HEAD = re.compile(r"\|[^\n]*\n\|(?:[ \t]*:?-+:?[ \t]*\|)+(?=\n)")
_FENCE = re.compile(r"(`{3,}|~{3,})[^\n]*")
_ESTIMATE = Estimate()


def chunk(document: Document, *, settings: DocumentSettings, tokens: TokenCounter = _ESTIMATE) -> list[Chunk]:
    """The chunks of `document` in order, numbered from 0: `<leaf>#000`, `<leaf>#001` ...

    Each has at most `settings.chunk_tokens` tokens, unless a single character has more.
    """
    text = document.text
    sections = split_sections(text)
    size = _remembered(tokens.sizes(text))
    cutter = _Cutter(text, settings, size, tokens)
    parts = [(group, part) for group in _groups(sections, settings.chunk_tokens, size) for part in cutter.cut(group)]
    title, spans = title_of(sections), _spans(document, [part for _, part in parts])
    found: list[Chunk] = []
    for (group, part), (start, end) in zip(parts, spans, strict=True):
        shown = part.text(text)
        piece = Chunk(
            id=f"{document.leaf}#{len(found):03d}",
            leaf=document.leaf,
            source=document.source,
            text=shown,
            tokens=tokens.count(shown),
            start=start,
            end=end,
            title=title,
            heading=" > ".join(group.path),
        )
        found.append(piece)
    return found


def _remembered(size: Sizes) -> Sizes:
    """`size` with its answers kept, because sections are weighed again and again."""
    known: dict[Span, int] = {}

    def remembered(start: int, end: int) -> int:
        found = known.get((start, end))
        if found is None:
            found = known[start, end] = size(start, end)
        return found

    return remembered


@dataclass(frozen=True, slots=True, kw_only=True)
class _Part:
    """What becomes a chunk: a span of the text, with what is repeated before it and closes it."""

    start: int
    end: int
    before: str = ""
    after: str = ""
    overlap: int = 0
    """Characters at the start that the part before has, too."""

    def text(self, whole: str) -> str:
        return f"{self.before}{whole[self.start : self.end]}{self.after}"


def _spans(document: Document, parts: Sequence[_Part]) -> list[Span]:
    """The span of each part in the original: from where it begins to where the next one does.

    The headings above a part belong to it. The first reaches back to the start, and the last to the end.
    """
    if not parts:
        return []
    original = document.original or document.text
    origin = Origin(document.text, original, document.places) if document.places else None
    find = origin.find if origin else int
    cuts = [find(_begin(document.text, before.end, part)) for before, part in pairwise(parts)]
    starts = [find(part.start) if part.overlap else cut for part, cut in zip(parts[1:], cuts, strict=True)]
    return list(zip([0, *starts], [*cuts, len(original)], strict=True))


def _begin(text: str, end: int, part: _Part) -> int:
    """Where what belongs to `part` begins, behind the `end` of the part before: at a heading, or at its own text."""
    own = part.start + part.overlap
    between = text[end:own]
    return end + len(between) - len(between.lstrip())


@dataclass(slots=True, kw_only=True)
class _Group:
    """Neighbouring sections that are cut as one, below the headings `path`."""

    path: tuple[str, ...]
    levels: tuple[int, ...]
    start: int
    end: int
    paragraphs: list[Span]


def _groups(sections: Sequence[Section], budget: int, size: Sizes) -> list[_Group]:
    """Sections, with small neighbours under the same heading put together where they fit one chunk."""

    def weight(group: _Group | None) -> int:
        return size(group.start, group.end) if group else budget

    def small(group: _Group | None) -> bool:
        return weight(group) * _SMALL < budget

    def fits(members: Sequence[Section]) -> _Group | None:
        joined = _together(members)
        return joined if joined is not None and weight(joined) <= budget else None

    runs: list[tuple[list[Section], _Group]] = []
    for section in sections:  # small ones with small ones first
        own = _single(section)
        if runs and small(own) and all(small(_single(member)) for member in runs[-1][0]):
            joined = fits([*runs[-1][0], section])
            if joined is not None:
                runs[-1] = ([*runs[-1][0], section], joined)
                continue
        runs.append(([section], own))
    groups: list[tuple[list[Section], _Group]] = []
    for members, group in runs:  # then what is still small with the run before or behind it
        if groups and (small(group) or small(groups[-1][1])):
            joined = fits([*groups[-1][0], *members])
            if joined is not None:
                groups[-1] = ([*groups[-1][0], *members], joined)
                continue
        groups.append((members, group))
    return [group for _, group in groups]


def _single(section: Section) -> _Group:
    start, end = section.body
    return _Group(path=section.path, levels=section.levels, start=start, end=end, paragraphs=section.paragraphs)


def _together(members: Sequence[Section]) -> _Group | None:
    """One group out of neighbours, with their own headings in the text; None if they stand too far apart.

    Neighbours share all headings but at most the last one: siblings, or a parent and its children.
    """
    depth = min(len(member.path) for member in members)
    while any(member.path[:depth] != members[0].path[:depth] for member in members):
        depth -= 1
    if any(len(member.path) - depth > 1 for member in members):
        return None
    paragraphs = [span for member in members for span in _with_heading(member, depth)]
    first = members[0]
    return _Group(
        path=first.path[:depth],
        levels=first.levels[:depth],
        start=paragraphs[0][0],
        end=paragraphs[-1][1],
        paragraphs=paragraphs,
    )


def _with_heading(section: Section, depth: int) -> list[Span]:
    if section.heading is None or len(section.path) <= depth:
        return section.paragraphs
    return [section.heading, *section.paragraphs]


class _Cutter:
    """Cuts groups into parts of about equal size, each within the budget."""

    def __init__(self, text: str, settings: DocumentSettings, size: Sizes, tokens: TokenCounter) -> None:
        self.text = text
        self.settings = settings
        self.size = size
        self.tokens = tokens

    def cut(self, group: _Group) -> list[_Part]:
        """The parts of one group, in order."""
        whole = self.size(group.start, group.end)
        if whole <= self.settings.chunk_tokens:
            return [_Part(start=group.start, end=group.end)]
        budget = self.settings.chunk_tokens - self.settings.chunk_overlap
        parts = [part for run in self._runs(group, budget) for part in run]
        return self._with_overlap(parts) if self.settings.chunk_overlap else parts

    def _runs(self, group: _Group, budget: int) -> Iterator[list[_Part]]:
        """Paragraphs that are packed together; a long table or piece of code is cut on its own."""
        waiting: list[Span] = []
        for start, end in group.paragraphs:
            frame = self._frame(start, end) if self.size(start, end) > budget else None
            if frame is None:
                waiting += self._pieces(start, end, budget)
                continue
            yield self._packed(waiting, budget)
            waiting = []
            yield self._framed(start, end, frame, budget)
        yield self._packed(waiting, budget)

    def _frame(self, start: int, end: int) -> tuple[int, str, str] | None:
        """For a table with a head, or fenced code: where its lines begin, and what each part has around them."""
        if head := _TABLE_HEAD.match(self.text, start, end):
            return head.end() + 1, head[0] + "\n", ""
        if fence := _FENCE.match(self.text, start, end):
            return fence.end() + 1, fence[0] + "\n", "\n" + fence[1]
        return None

    def _framed(self, start: int, end: int, frame: tuple[int, str, str], budget: int) -> list[_Part]:
        body, before, after = frame
        room = budget - self.tokens.count(before) - self.tokens.count(after) - 1
        closing = after.strip()
        inner = end - len(closing) if closing and self.text.endswith(closing, body, end) else end
        if room < budget // 2 or body >= inner:  # a head as large as that is no head
            return self._packed(self._pieces(start, end, budget), budget)
        packed = self._packed(self._pieces(body, inner, room), room)
        parts = [_Part(start=part.start, end=part.end, before=before, after=after) for part in packed]
        first, last = parts[0], parts[-1]
        parts[0] = _Part(start=start, end=first.end, after=after if len(parts) > 1 else "")
        if len(parts) == 1:
            return [_Part(start=start, end=end)]
        parts[-1] = _Part(start=last.start, end=end, before=before, after="" if inner < end else after)
        return parts

    def _packed(self, pieces: Sequence[Span], budget: int) -> list[_Part]:
        """Pieces joined into parts within `budget`, each as near as possible to an equal share of what is left."""
        if not pieces:
            return []
        left = self.size(pieces[0][0], pieces[-1][1])
        parts: list[_Part] = []
        start, end, held = pieces[0][0], pieces[0][0], 0
        for begin, stop in pieces:
            longer = self.size(start, stop)
            share = left / max(1, math.ceil(left / budget))
            if end > start and (longer > budget or abs(held - share) < abs(longer - share)):
                parts.append(_Part(start=start, end=end))
                left -= held
                start, longer = begin, self.size(begin, stop)
            end, held = stop, longer
        return [*parts, _Part(start=start, end=end)]

    def _pieces(self, start: int, end: int, budget: int) -> list[Span]:
        """A span in pieces within `budget`: lines, else sentences, words, characters."""
        if self.size(start, end) <= budget:
            return [(start, end)]
        for parts in (self._lines(start, end), self._sentences(start, end)):
            if len(parts) > 1:
                return [piece for part in parts for piece in self._pieces(*part, budget)]
        words = [match.span() for match in _WORD.finditer(self.text, start, end)]
        cut = []
        for run in self._fill(words, budget):
            fits = self.size(*run) <= budget
            cut += [run] if fits else self._fill([(at, at + 1) for at in range(*run)], budget)
        return cut

    def _lines(self, start: int, end: int) -> list[Span]:
        return [match.span() for match in _LINE.finditer(self.text, start, end)]

    def _sentences(self, start: int, end: int) -> list[Span]:
        found, at = [], start
        for sentence in sentences(self.text[start:end]):
            begin = self.text.index(sentence, at, end)
            at = begin + len(sentence)
            found.append((begin, at))
        return found

    def _fill(self, units: Sequence[Span], budget: int) -> list[Span]:
        """Runs of words (or of characters) as long as `budget` allows, found by bisection; at least one unit each."""

        def fits(first: int, count: int) -> bool:
            return self.size(units[first][0], units[first + count - 1][1]) <= budget

        runs: list[Span] = []
        start = 0
        while start < len(units):
            behind = start + _longest(partial(fits, start), len(units) - start)
            runs.append((units[start][0], units[behind - 1][1]))
            start = behind
        return runs

    def _with_overlap(self, parts: Sequence[_Part]) -> list[_Part]:
        """Each part after the first begins with the last sentences of the one before, as far as they fit."""
        found = list(parts[:1])
        for before, part in pairwise(parts):
            start = part.start
            inside = [] if part.before or before.after else self._sentences(before.start, before.end)
            for begin, _ in reversed(inside):
                if (
                    self.size(begin, before.end) > self.settings.chunk_overlap
                    or self.size(begin, part.end) > self.settings.chunk_tokens
                ):
                    break
                start = begin
            found.append(
                _Part(start=start, end=part.end, before=part.before, after=part.after, overlap=part.start - start)
            )
        return found


def _longest(fits: Callable[[int], bool], most: int) -> int:
    """The largest number from 1 to `most` that fits, by doubling and then bisection; 1 if none does."""
    low, high = 1, 2
    while high <= most and fits(high):
        low, high = high, high * 2
    high = min(high, most + 1)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if fits(middle) else (low, middle)
    return low
