"""Text to Chunks under a token budget: cut at headings first, then paragraphs, lines, sentences, and words.

No text is lost: the chunks joined again (without overlap) equal the text, white space and headings aside.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ilab.base.sentences import sentences
from ilab.documents.sections import Section, heading_lines, split_sections, title_of
from ilab.documents.settings import DocumentSettings
from ilab.records.chunks import Chunk, Document

Count = Callable[[str], int]
"""Tells how many tokens a text has."""

_SMALL = 4
"""A section below a fourth of the budget is put together with a neighbour under the same heading."""


def estimate_tokens(text: str) -> int:
    """About how many tokens `text` has: one for 3.6 bytes of UTF-8, and at least one for each word."""
    return max(math.ceil(len(text.encode(errors="replace")) / 3.6), len(text.split()))


def chunk(document: Document, *, settings: DocumentSettings, count: Count = estimate_tokens) -> list[Chunk]:
    """The chunks of `document` in order, numbered from 0: `<leaf>#000`, `<leaf>#001` ...

    Each has at most `settings.chunk_tokens` tokens as `count` tells them, unless a single character has more.
    """
    sections = split_sections(document.text)
    title = title_of(sections)
    found: list[Chunk] = []
    for group in _groups(sections, settings.chunk_tokens, count):
        for text in _cut(group, settings, count):
            piece = Chunk(
                id=f"{document.leaf}#{len(found):03d}",
                leaf=document.leaf,
                source=document.source,
                text=text,
                tokens=count(text),
                title=title,
                heading=" > ".join(group.path),
            )
            found.append(piece)
    return found


def _groups(sections: Sequence[Section], budget: int, count: Count) -> list[Section]:
    """Sections, with small neighbours under the same heading put together where they fit one chunk."""

    def fits(members: Sequence[Section]) -> bool:
        joined = _together(members)
        return joined is not None and _size(joined, count) <= budget

    def small(section: Section | None) -> bool:
        return section is not None and _size(section, count) * _SMALL < budget

    runs: list[list[Section]] = []
    for section in sections:  # small ones with small ones first
        if runs and small(section) and all(map(small, runs[-1])) and fits([*runs[-1], section]):
            runs[-1].append(section)
        else:
            runs.append([section])
    groups: list[list[Section]] = []
    for run in runs:  # then what is still small with the run before or behind it
        if groups and (small(_together(run)) or small(_together(groups[-1]))) and fits([*groups[-1], *run]):
            groups[-1] += run
        else:
            groups.append(run)
    return [joined for joined in map(_together, groups) if joined is not None]


def _size(section: Section, count: Count) -> int:
    return count("\n\n".join(section.paragraphs))


def _together(members: Sequence[Section]) -> Section | None:
    """One section out of neighbours, with their own headings in the text; None if they stand too far apart.

    Neighbours share all headings but at most the last one: siblings, or a parent and its children.
    """
    if len(members) == 1:
        return members[0]
    depth = min(len(member.path) for member in members)
    while any(member.path[:depth] != members[0].path[:depth] for member in members):
        depth -= 1
    if any(len(member.path) - depth > 1 for member in members):
        return None
    paragraphs = [text for member in members for text in (*heading_lines(member, depth), *member.paragraphs)]
    return Section(path=members[0].path[:depth], levels=members[0].levels[:depth], paragraphs=paragraphs)


@dataclass(frozen=True, slots=True)
class _Piece:
    """Text that is not cut further, and what stands between it and the piece before."""

    gap: str
    text: str


def _cut(section: Section, settings: DocumentSettings, count: Count) -> list[str]:
    """The text of a section in parts of about equal size, each within the budget."""
    whole = "\n\n".join(section.paragraphs)
    if count(whole) <= settings.chunk_tokens:
        return [whole]
    budget = settings.chunk_tokens - settings.chunk_overlap
    pieces = [
        _Piece(gap if number else "\n\n", text)
        for paragraph in section.paragraphs
        for number, (gap, text) in enumerate(_pieces(paragraph, budget, count))
    ]
    parts = _pack(pieces, budget, count(whole), count)
    return _with_overlap(parts, settings, count) if settings.chunk_overlap else parts


def _pack(pieces: Sequence[_Piece], budget: int, left: int, count: Count) -> list[str]:
    """Join pieces into parts within `budget`, each as near as possible to an equal share of the tokens `left`."""
    parts: list[str] = []
    text, size = "", 0
    for piece in pieces:
        longer = text + piece.gap + piece.text if text else piece.text
        longer_size = count(longer)
        share = left / max(1, math.ceil(left / budget))
        if text and (longer_size > budget or abs(size - share) < abs(longer_size - share)):
            parts.append(text)
            left -= size
            longer, longer_size = piece.text, count(piece.text)
        text, size = longer, longer_size
    return [*parts, text] if text else parts


def _pieces(text: str, budget: int, count: Count) -> list[tuple[str, str]]:
    """`text` in pieces within `budget`, each with the gap before it: lines, else sentences, words, characters."""
    if count(text) <= budget:
        return [("", text)]
    for gap, parts in (("\n", text.split("\n")), (" ", sentences(text))):
        whole = [part for part in parts if part.strip()]
        if len(whole) > 1:
            cuts = [_pieces(part, budget, count) for part in whole]
            return [(own if number else gap, piece) for cut in cuts for number, (own, piece) in enumerate(cut)]
    runs = _fill(text.split(), " ", budget, count)
    cut_runs = [[run] if count(run) <= budget else _fill(run, "", budget, count) for run in runs]
    return [("" if number else " ", piece) for cut in cut_runs for number, piece in enumerate(cut)]


def _fill(units: Sequence[str], gap: str, budget: int, count: Count) -> list[str]:
    """Runs of words (or of characters) as long as `budget` allows, found by bisection; at least one unit each."""
    runs: list[str] = []
    start = 0
    while start < len(units):
        low, high, step = start + 1, len(units), 1
        while low + step < high and count(gap.join(units[start : low + step])) <= budget:
            low, step = low + step, step * 2
        high = min(high, low + step)
        while low < high:
            middle = (low + high + 1) // 2
            if count(gap.join(units[start:middle])) <= budget:
                low = middle
            else:
                high = middle - 1
        runs.append(gap.join(units[start:low]))
        start = low
    return runs


def _with_overlap(parts: Sequence[str], settings: DocumentSettings, count: Count) -> list[str]:
    """Each part after the first begins with the last sentences of the one before, as far as they fit."""
    found = list(parts[:1])
    for before, part in zip(parts, parts[1:], strict=False):
        tail = ""
        for sentence in reversed(sentences(before)):
            longer = f"{sentence} {tail}".rstrip()
            if count(longer) > settings.chunk_overlap or count(f"{longer}\n\n{part}") > settings.chunk_tokens:
                break
            tail = longer
        found.append(f"{tail}\n\n{part}" if tail else part)
    return found
