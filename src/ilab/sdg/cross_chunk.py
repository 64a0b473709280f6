"""Pairs of chunks of one leaf that belong together: they share rare words, so that one question can need both."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Sequence

from ilab.records.chunks import Chunk
from ilab.sdg.measures import content

_SHARED = 2
"""How many rare words two chunks must have in common."""
_RARE = 8
"""A word in more chunks of the leaf than this says nothing about two of them."""


def related(chunks: Sequence[Chunk]) -> list[tuple[Chunk, Chunk]]:
    """For each chunk the one that is most related to it, as pairs in the order of the chunks; each pair once.

    Chunks of different leaves or languages are never paired; a chunk without a relative is left out.
    """
    leaves: dict[str, list[Chunk]] = defaultdict(list)
    for chunk in chunks:
        leaves[chunk.leaf].append(chunk)
    return [pair for own in leaves.values() for pair in _in_leaf(own)]


def _in_leaf(chunks: Sequence[Chunk]) -> list[tuple[Chunk, Chunk]]:
    words = [Counter(content(chunk.text)) for chunk in chunks]
    spread = Counter(word for own in words for word in own)
    holders: dict[str, list[int]] = defaultdict(list)
    for number, own in enumerate(words):
        for word in own:
            if 2 <= spread[word] <= _RARE:
                holders[word].append(number)
    found: dict[tuple[int, int], None] = {}
    for number in range(len(chunks)):
        best = _best(number, chunks, words, holders)
        if best is not None:
            found[min(number, best), max(number, best)] = None
    return [(chunks[first], chunks[second]) for first, second in sorted(found)]


def _best(
    number: int, chunks: Sequence[Chunk], words: Sequence[Counter[str]], holders: dict[str, list[int]]
) -> int | None:
    """The chunk with the greatest TF-IDF weight of words in common, by the size of both; the first of equals."""
    weights: dict[int, float] = defaultdict(float)
    shared: Counter[int] = Counter()
    for word in words[number]:
        for other in holders.get(word, ()):
            if other != number and _language(chunks[other]) == _language(chunks[number]):
                rarity = math.log(len(chunks) / len(holders[word])) + 0.1
                weights[other] += rarity * math.log1p(words[number][word]) * math.log1p(words[other][word])
                shared[other] += 1
    able = [other for other in weights if shared[other] >= _SHARED]
    return min(able, key=lambda other: (-weights[other] / math.sqrt(1 + len(words[other])), other), default=None)


def _language(chunk: Chunk) -> str:
    return str(getattr(chunk, "language", ""))
