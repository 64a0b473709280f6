"""Document and Chunk: the text of a knowledge source, whole and in pieces."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """One converted document of a leaf: plain text with Markdown headings.

    `original` is the text that it was made of, markup and all; `places` pairs the offset of each block in `text` with
    its offset in `original`, both in characters and rising. Without an original, `text` is its own.
    """

    leaf: str
    source: str
    text: str
    original: str = ""
    places: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Chunk:
    """A piece of a document that fits a token budget.

    `id` is unique in a run; `heading` is the path of headings above the text, joined by ` > `; `tokens` is counted or
    estimated by the chunker. `start` and `end` are its span in the original of the document `source`, in characters;
    the spans of all chunks of a document cover it without a gap. `language` is that of the document,
    as ISO 639-1; empty when it is not certain.
    """

    id: str
    leaf: str
    source: str
    text: str
    tokens: int
    start: int = 0
    end: int = 0
    title: str = ""
    heading: str = ""
    domain: str = ""
    outline: str = ""
    language: str = ""

    def to_json(self) -> dict[str, Any]:
        """The chunk as one row of chunks.jsonl."""
        return {name: getattr(self, name) for name in self.__slots__}

    @classmethod
    def from_json(cls, row: dict[str, Any]) -> Chunk:
        """The chunk out of one row of chunks.jsonl."""
        return cls(**row)
