"""Which rows ask what another row asks already, over a whole run, whatever the order in which rows come.

A draft that asks like one of the user's own examples, or like a held-out question, is out at once. One that is near a
draft that came before is deferred: it is a duplicate only if an earlier row, in the order of the plan, is accepted.
What is near is decided by `near_index`.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence

from ilab.base import digest
from ilab.records.seeds import GROUNDED_SKILL, KNOWLEDGE, Seed
from ilab.sdg.near_index import NearIndex, Sketch
from ilab.sdg.row import Row

OF_SEED = "repeats one of your own examples"
HELD_OUT = "repeats a held-out question"
DUPLICATE = "duplicate question"


class Sketcher:
    """Makes sketches of rows. What all examples of a skill begin with says nothing of what one of them asks."""

    def __init__(self, seeds: Iterable[Seed]) -> None:
        questions: dict[str, list[str]] = {}
        for seed in seeds:
            if seed.kind != KNOWLEDGE:
                questions.setdefault(seed.leaf, []).append(seed.question)
        self._openings = {leaf: _common_start(asked) for leaf, asked in questions.items() if len(asked) > 1}

    def of(self, row: Row) -> Sketch:
        """The sketch of a row with a question; an answer may come later."""
        question = str(row["question"])
        rest = question.removeprefix(self._openings.get(row["leaf"], ""))
        # without anything else a question is compared as it is: seeds that are all the same have no rest
        return Sketch.of(rest if rest.strip() else question, str(row.get("answer", "")), str(row.get("context", "")))


def _common_start(texts: Sequence[str]) -> str:
    """What all `texts` begin with."""
    least, greatest = min(texts), max(texts)
    size = next((n for n, (one, other) in enumerate(zip(least, greatest, strict=False)) if one != other), len(least))
    return least[:size]


class Known:
    """The examples of the user and the held-out questions: what a run must not make again."""

    def __init__(self, seeds: Sequence[Seed], held_out: Sequence[str], sketcher: Sketcher) -> None:
        self._sketcher = sketcher
        self._index = NearIndex()
        self._examples = len(seeds)
        self._asked: dict[str, int] = {}
        for row in seed_rows(seeds):
            self._add(sketcher.of(row))
        for question in held_out:
            self._add(Sketch.of(question, ""))
        self.digest = digest.of_value([[seed.question for seed in seeds], list(held_out)])

    def _add(self, sketch: Sketch) -> None:
        number = self._index.add(sketch)
        if not sketch.context:
            self._asked.setdefault(sketch.question, number)

    def reason(self, row: Row) -> str:
        """Why a row must not be made; empty where nothing is like it."""
        sketch = self._sketcher.of(row)
        found = self._asked.get(sketch.question) if not sketch.context else None
        if found is None:
            found = next(self._index.alike(sketch), None)
        if found is None:
            return ""
        return OF_SEED if found < self._examples else HELD_OUT

    def close(self) -> None:
        """Give back what it holds."""
        self._index.close()


def seed_rows(seeds: Iterable[Seed]) -> list[Row]:
    """The user's examples as rows."""
    return [
        {
            "leaf": seed.leaf,
            "kind": seed.kind,
            "question": seed.question,
            "answer": seed.answer,
            "context": seed.context if seed.kind == GROUNDED_SKILL else "",
            "origin": "seed",
        }
        for seed in seeds
    ]


class Arrivals:
    """The drafts of a pass in the order in which they come, and what was accepted before it."""

    def __init__(self, sketcher: Sketcher, settled: NearIndex) -> None:
        self._sketcher = sketcher
        self._settled = settled
        self._index = NearIndex()
        self._lock = threading.Lock()

    def meet(self, rows: Sequence[Row]) -> list[bool]:
        """For each draft, whether it is near one that came before; all of them have come now."""
        sketches = [self._sketcher.of(row) for row in rows]
        for sketch in sketches:
            _ = sketch.keys  # outside the lock: it is most of the work
        with self._lock:
            return [self._meet(sketch) for sketch in sketches]

    def _meet(self, sketch: Sketch) -> bool:
        near = any(True for _ in self._index.alike(sketch)) or any(True for _ in self._settled.alike(sketch))
        self._index.add(sketch)
        return near

    def close(self) -> None:
        """Give back what it holds."""
        self._index.close()
