"""Which prompt tokens a server computes that keeps the prefixes of earlier prompts, as the common servers do.

A prompt is cut into blocks of 16 tokens. A block is known by its tokens and all tokens before it; while the blocks from
the start are in the cache, they need not be computed again. The cache holds `capacity` blocks; those that were not used
for the longest time go first. The model is applied to a log after the run, so that both programs meet the same cache.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

BLOCK = 16
CAPACITY = 8192
"""Blocks: 131,072 tokens, about what is left beside a 7B model on a card of 40 GB."""


@dataclass
class PrefixCache:
    """A cache of prompt blocks; `add` tells how many tokens of a prompt are computed."""

    capacity: int = CAPACITY
    _blocks: OrderedDict[bytes, None] = field(default_factory=OrderedDict)

    def add(self, tokens: Sequence[str]) -> int:
        """Tokens of the prompt that are computed. The last token always is: its output is what comes next."""
        known, found, name = 0, True, b""
        for start in range(0, len(tokens) - BLOCK + 1, BLOCK):
            name = hashlib.blake2b(name + "\x1f".join(tokens[start : start + BLOCK]).encode(), digest_size=12).digest()
            found = found and name in self._blocks
            known += BLOCK if found else 0
            self._blocks[name] = None
            self._blocks.move_to_end(name)
        while len(self._blocks) > self.capacity:
            self._blocks.popitem(last=False)
        return max(len(tokens) - known, min(1, len(tokens)))


def computed(prompts: Iterable[Sequence[str]], capacity: int = CAPACITY) -> int:
    """Tokens of all prompts, in their order, that are computed."""
    cache = PrefixCache(capacity)
    return sum(cache.add(prompt) for prompt in prompts)
