"""Decisions of a person about generated samples, kept in `reviews.jsonl` of the run: appended, never rewritten.

A later decision about a sample counts; `undo` takes back the latest one that still stands. A line torn by a crash is
passed over, so at most the decision that was being written is lost.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from ilab.base import clock, jsonl
from ilab.errors import Fault, UserFileError
from ilab.records.samples import Sample

FILE = "reviews.jsonl"
ACCEPT, REJECT, EDIT, UNDO = "accept", "reject", "edit", "undo"
REJECTED = "rejected in review"
"""The reason under which mixing keeps a rejected sample on record."""
Decided = Literal["accept", "reject", "edit", "undo"]
_WORDS: dict[str, Decided] = {"accept": "accept", "reject": "reject", "edit": "edit", "undo": "undo"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Review:
    """One decision about the sample with the id `sample`; `answer` is the new answer of an edit."""

    sample: str
    decision: Decided
    answer: str = ""
    time: str = ""

    def to_json(self) -> dict[str, Any]:
        """The decision as one row of reviews.jsonl."""
        row = {"sample": self.sample, "decision": self.decision, "time": self.time}
        return row | ({"answer": self.answer} if self.decision == EDIT else {})


class Reviews:
    """The decisions that stand, and the file that they are appended to."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._stacks: dict[str, list[Review]] = {}
        self._order: list[str] = []
        for row in jsonl.read(path, skip_torn=True) if path.exists() else ():
            self._take(_review(path, row))

    def decide(self, sample: str, decision: Decided, *, answer: str = "") -> None:
        """Append a decision; it is on disk when this returns."""
        review = Review(sample=sample, decision=decision, answer=answer, time=clock.stamp())
        jsonl.append(self.path, review.to_json())
        self._take(review)

    def undo(self) -> Review | None:
        """Take back the latest decision that stands, and return it; None where there is none."""
        if not self._order:
            return None
        last = self._stacks[self._order[-1]][-1]
        self.decide(last.sample, "undo")
        return last

    def of(self, sample: str) -> Review | None:
        """The decision that stands for a sample, if there is one."""
        stack = self._stacks.get(sample)
        return stack[-1] if stack else None

    def counts(self, samples: Iterable[str]) -> dict[str, int]:
        """How many of `samples` are accepted, rejected, edited, and open."""
        found = Counter(review.decision if (review := self.of(sample)) else "open" for sample in samples)
        return {name: found[name] for name in (ACCEPT, REJECT, EDIT, "open")}

    def apply(self, samples: Iterable[Sample]) -> Iterator[Sample]:
        """The samples without the rejected ones, with the answers of the edited ones replaced."""
        for sample in samples:
            review = self.of(sample.id)
            if review is None or review.decision == ACCEPT:
                yield sample
            elif review.decision == EDIT:
                yield replace(sample, answer=review.answer)

    def rejected(self, sample: Sample) -> bool:
        """Whether a sample is to be left out."""
        review = self.of(sample.id)
        return review is not None and review.decision == REJECT

    def _take(self, review: Review) -> None:
        stack = self._stacks.setdefault(review.sample, [])
        if review.decision != UNDO:
            stack.append(review)
            self._order.append(review.sample)
        elif stack:
            stack.pop()
            place = len(self._order) - 1 - self._order[::-1].index(review.sample)
            del self._order[place]


def _review(path: Path, row: Mapping[str, Any]) -> Review:
    decision = _WORDS.get(str(row.get("decision", "")))
    sample, answer = row.get("sample"), row.get("answer", "")
    if (
        decision is None
        or not isinstance(sample, str)
        or not isinstance(answer, str)
        or (decision == EDIT) > bool(answer)
    ):
        shown = json.dumps(row, ensure_ascii=False)[:120]
        fault = Fault(path=str(path), message=f"not a decision: {shown}", hint="remove the line, or mend it")
        raise UserFileError(f"{path} cannot be used", [fault])
    return Review(sample=sample, decision=decision, answer=answer, time=str(row.get("time", "")))
