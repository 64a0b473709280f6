"""Row: what flows through blocks, and what was kept and rejected on the way.

A row is a JSON object. Blocks agree on these keys: `leaf`, `kind`, `chunk` (id), `text` (of the chunk), `topic`,
`statement`, `subject`, `question`, `answer`, `context`, `origin`, `scores`, and `reason` once it is rejected. The
engine adds `round` (of back-filling, from 1), `chunks` (ids, of a row about two), `uncovered` (sentences of which there
is no question yet) and `draft` (the row's number in its unit where the rows of a run are compared).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from typing import Any

from ilab.base import digest
from ilab.llm.port import Completion
from ilab.records.samples import Sample

Row = dict[str, Any]


@dataclass(slots=True, kw_only=True)
class Usage:
    """Teacher tokens: prompt tokens computed, prompt tokens out of the prefix cache, tokens written, and calls.

    Answers that were remembered are counted apart: how many, and the tokens that were not spent again.
    """

    computed: int = 0
    cached: int = 0
    written: int = 0
    calls: int = 0
    remembered: int = 0
    saved: int = 0

    def add(self, completion: Completion) -> None:
        """Count one answer."""
        if completion.remembered:
            self.remembered += 1
            self.saved += completion.prompt_tokens + completion.completion_tokens
            return
        self.computed += completion.prompt_tokens - completion.cached_tokens
        self.cached += completion.cached_tokens
        self.written += completion.completion_tokens
        self.calls += 1

    def to_json(self) -> dict[str, int]:
        """The counts as JSON."""
        return asdict(self)


@dataclass(slots=True, kw_only=True)
class Box:
    """Where a path of blocks puts what it rejects and what it spends."""

    rejected: list[Row] = field(default_factory=list)
    usage: Usage = field(default_factory=Usage)

    def reject(self, row: Row, reason: str, *, detail: str = "") -> None:
        """Keep a rejected row with its reason, for the funnel and for people."""
        self.rejected.append({**row, "reason": reason, "detail": detail})

    def keep(self, rows: Iterable[Row], reason_of: Any) -> list[Row]:
        """The rows for which `reason_of(row)` is empty; the others are rejected for that reason."""
        kept = []
        for row in rows:
            reason = reason_of(row)
            if reason:
                self.reject(row, reason)
            else:
                kept.append(row)
        return kept


@dataclass(frozen=True, slots=True, kw_only=True)
class Support:
    """What of the documents supports a sample: the chunk, and the span of a sentence in the original of a document."""

    chunk: str
    document: str = ""
    start: int = 0
    end: int = 0


def to_sample(row: Row, support: Support | None = None) -> Sample:
    """The sample that a finished row amounts to."""
    identity = [row["leaf"], row["question"], row["answer"], row.get("context", "")]
    return Sample(
        id=digest.of_value(identity)[:16],
        leaf=row["leaf"],
        kind=row["kind"],
        question=row["question"],
        answer=row["answer"],
        origin=row["origin"],
        chunk=support.chunk if support else row.get("chunk", ""),
        context=row.get("context", ""),
        source=row.get("statement", ""),
        document=support.document if support else "",
        start=support.start if support else 0,
        end=support.end if support else 0,
        language=row.get("language", ""),
        scores=row.get("scores", {}),
    )
