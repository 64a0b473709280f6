"""DocumentSettings: how documents are fetched and cut into chunks."""

from __future__ import annotations

from typing import Self

from pydantic import BaseModel, Field, JsonValue, model_validator

OUTSIDE_KEY: dict[str, JsonValue] = {"outside_key": True}
"""Schema mark of a setting that cannot change results."""


class DocumentSettings(BaseModel, extra="forbid", frozen=True):
    """How the documents of knowledge leaves are fetched and cut into chunks."""

    chunk_tokens: int = Field(400, ge=16)
    """Largest size of a chunk, in tokens of the teacher (estimated where its tokenizer is not at hand)."""
    chunk_overlap: int = Field(0, ge=0)
    """Tokens repeated from the end of the chunk before, within a section; whole sentences only."""
    max_bytes: int = Field(200_000_000, ge=1, json_schema_extra=OUTSIDE_KEY)
    """Largest size of all documents of one leaf together, in bytes."""
    git_timeout: float = Field(300, gt=0, json_schema_extra=OUTSIDE_KEY)
    """Longest time for one fetch from a git repository or a web address, in seconds."""
    max_repo_bytes: int = Field(4_000_000_000, ge=1, json_schema_extra=OUTSIDE_KEY)
    """Largest size of the copy of a git repository, in bytes; a fetch that passes it is stopped."""

    @model_validator(mode="after")
    def _overlap_leaves_room(self) -> Self:
        if self.chunk_overlap > self.chunk_tokens // 2:
            raise ValueError("chunk_overlap must be at most half of chunk_tokens")
        return self
