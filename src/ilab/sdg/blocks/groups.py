"""Groups: rows on one document that one request to the teacher is about, numbered, so that the document is read once.

What is said of a row may depend on the rows beside it. So that it does not depend on which rows happen to be there, the
engine numbers drafts that always come together (`bundle`), and rows of different bundles are never in one group.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ilab.sdg.fence import quoted
from ilab.sdg.row import Row

_SHARED = ("bundle", "leaf", "text", "context", "task", "language")
"""What the rows of a group have in common."""


def groups(rows: Sequence[Row], size: int) -> list[list[int]]:
    """The places of the rows in groups of at most `size`, in order; no question is twice in one group.

    Two answers to one question, as the cases of a calibration are, would tell a judge more than it knows of one.
    """
    unfilled: dict[str, list[list[int]]] = {}
    found: list[list[int]] = []
    for place, row in enumerate(rows):
        same = unfilled.setdefault(repr([row.get(name) for name in _SHARED]), [])
        fit = next((one for one in same if not _has(rows, one, row.get("question"))), None)
        if fit is None:
            fit = []
            same.append(fit)
            found.append(fit)
        fit.append(place)
        if len(fit) >= size:
            same.remove(fit)
    return found


def numbered(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """What a prompt sees of a group as `asked`: number, from 1, question and answer, both quoted."""
    return [
        {"number": number, **{name: quoted(str(row.get(name, ""))) for name in ("question", "answer")}}
        for number, row in enumerate(rows, start=1)
    ]


def _has(rows: Sequence[Row], group: Sequence[int], question: Any) -> bool:
    return any(rows[place].get("question") == question for place in group)
