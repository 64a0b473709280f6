"""Put the shards of a run together, one at a time and in the order of the plan, whatever was finished first."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ilab.base import jsonl
from ilab.base.report import Reporter
from ilab.errors import NothingGenerated
from ilab.records.samples import Sample
from ilab.records.seeds import Seed
from ilab.sdg.compare import DUPLICATE, seed_rows
from ilab.sdg.coverage import Coverage
from ilab.sdg.flow import MMLU
from ilab.sdg.row import Row, to_sample
from ilab.sdg.settle import Settlement
from ilab.sdg.shards import Shard, Shards
from ilab.sdg.support import Sources
from ilab.sdg.units import Unit

_SHOWN = 3
"""Rejected rows that are shown for a leaf that gave nothing."""
_COMPARED = ("question", "answer", "context")


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a unit came to after the whole run was compared; the user's own examples come first, without a unit."""

    unit: Unit | None
    kept: list[Row]
    rejected: list[Row]
    usage: dict[str, int]


class Results:
    """The outcomes of a run; can be gone through again and again. Memory holds a number for each row that is kept."""

    def __init__(self, seeds: Sequence[Seed], shards: Shards, settlement: Settlement) -> None:
        self._seeds = seeds
        self._shards = shards
        self._settlement = settlement
        self.units: list[Unit] = []

    def __iter__(self) -> Iterator[Outcome]:
        asked: set[int] = set()
        yield _once(Outcome(unit=None, kept=seed_rows(self._seeds), rejected=[], usage={}), asked)
        for unit in self.units:
            shard = self._shards.read(unit)
            kept, rejected = shard.kept, shard.rejected
            if unit.compares:
                kept, rejected = _by_draft(unit, shard, self._settlement.duplicates(unit))
            yield _once(Outcome(unit=unit, kept=kept, rejected=rejected, usage=shard.usage), asked)


def _by_draft(unit: Unit, shard: Shard, duplicates: set[int]) -> tuple[list[Row], list[Row]]:
    """(kept, rejected) of a unit in the order of its drafts; of duplicates nothing that hangs on when they came."""
    kept: list[Row] = []
    rejected = [row for row in shard.rejected if "draft" not in row]
    judged: dict[int, tuple[list[Row], list[Row]]] = {}
    for side, rows in enumerate((shard.kept, shard.rejected)):
        for row in rows:
            if "draft" in row:
                judged.setdefault(row["draft"], ([], []))[side].append(row)
    own: Row = {name: unit.rows[0][name] for name in ("leaf", "kind", "origin", "chunk") if name in unit.rows[0]}
    for number, draft in shard.drafts():
        if number in duplicates:
            told = {name: draft[name] for name in _COMPARED if name in draft}
            rejected.append({**own, **told, "reason": DUPLICATE, "detail": ""})
        else:
            good, bad = judged.get(number, ([], []))
            kept += [_without_draft(row) for row in good]
            rejected += [_without_draft(row) for row in bad]
    return kept, rejected


def _without_draft(row: Row) -> Row:
    return {name: value for name, value in row.items() if name != "draft"}


def _once(outcome: Outcome, asked: set[int]) -> Outcome:
    """`outcome` without rows that a leaf has already; `asked` has the numbers of all questions so far."""
    kept: list[Row] = []
    for row in outcome.kept:
        words = " ".join(str(row["question"]).lower().split())
        key = f"{row['kind'] == MMLU}|{row['leaf']}|{words}|{row.get('context', '')}"
        number = int.from_bytes(hashlib.blake2b(key.encode(), digest_size=8).digest(), "big")
        if number in asked:
            outcome.rejected.append({**row, "reason": DUPLICATE})
        else:
            asked.add(number)
            kept.append(row)
    return Outcome(unit=outcome.unit, kept=kept, rejected=outcome.rejected, usage=outcome.usage)


@dataclass(slots=True, kw_only=True)
class Tally:
    """Counts of kept rows by leaf, the user's own left out, and what of the documents they cover."""

    coverage: Coverage
    sources: Sources
    kept: Counter[str] = field(default_factory=Counter)

    def add(self, row: Row) -> Sample:
        """Count a kept row; the sample that it is."""
        sample = to_sample(row)
        if sample.origin == "seed":
            return sample
        self.kept[sample.leaf] += 1
        sample = to_sample(row, self.sources.of(sample, row.get("chunks", ())))
        self.coverage.add(sample)
        return sample


def tally(results: Results, into: Tally) -> Tally:
    """Count all rows that are kept so far."""
    for outcome in results:
        if outcome.unit is None or outcome.unit.section != MMLU:
            for row in outcome.kept:
                into.add(row)
    return into


def write(results: Results, counted: Tally, out: Path, report: Reporter) -> dict[str, Any]:
    """Write samples.jsonl, rejected.jsonl and, where the flow makes them, mmlu.jsonl; return the counts.

    Raises `NothingGenerated` when no unit gave a sample.
    """
    for broken_off in out.glob(".*.jsonl.*.tmp"):  # of a run that was killed here; it may be large
        broken_off.unlink()
    counts = _Counts()
    with ExitStack() as stack:
        add_sample = stack.enter_context(jsonl.writing(out / "samples.jsonl"))
        add_rejected = stack.enter_context(jsonl.writing(out / "rejected.jsonl"))
        tests = any(unit.section == MMLU for unit in results.units)
        add_test = stack.enter_context(jsonl.writing(out / "mmlu.jsonl")) if tests else None
        for outcome in results:
            counts.add(outcome)
            for row in outcome.rejected:
                add_rejected(row)
            for row in outcome.kept:
                if add_test is not None and row["kind"] == MMLU:
                    add_test(row)
                else:
                    add_sample(counted.add(row).to_json())
        counts.tell(out, report)
    return counts.funnel()


class _Counts:
    """What is told of a run's rows."""

    def __init__(self) -> None:
        self._kept: Counter[str] = Counter()
        self._by_leaf: Counter[str] = Counter()
        self._tests: Counter[str] = Counter()
        self._made: Counter[str] = Counter()
        self._rejected: Counter[str] = Counter()
        self._by_path: dict[str, Counter[str]] = {}
        self._usage: Counter[str] = Counter()
        self._examples: dict[str, list[Row]] = {}

    def add(self, outcome: Outcome) -> None:
        unit = outcome.unit
        self._usage.update(outcome.usage)
        for row in outcome.kept:
            if row["kind"] == MMLU:
                self._tests[row["leaf"]] += 1
            else:
                self._kept[row["origin"]] += 1
                self._by_leaf[row["leaf"]] += 1
        for row in outcome.rejected:
            self._rejected[row["reason"]] += 1
            self._by_path.setdefault(str(row.get("origin", "")), Counter())[row["reason"]] += 1
        if unit is not None and unit.section != MMLU:
            self._made[unit.leaf] += len(outcome.kept)
            shown = self._examples.setdefault(unit.leaf, [])
            told = [_told(row) for row in shown]
            for row in outcome.rejected if len(shown) < _SHOWN else ():
                if _told(row) not in told and len(shown) < _SHOWN:
                    shown.append(row)
                    told.append(_told(row))

    def tell(self, out: Path, report: Reporter) -> None:
        """Warn of leaves that gave nothing while others did. Raises `NothingGenerated` when none did."""
        if not self._made:
            return
        if not self._made.total():
            rows = [row for shown in self._examples.values() for row in shown][:_SHOWN]
            where = out / "shards"
            raise NothingGenerated(
                "the teacher's answers gave no usable row",
                hint=f"read the reasons in {where}; a larger teacher (--teacher-endpoint) makes fewer mistakes",
                details=[f"{row['reason']}: {row.get('raw') or row.get('question', '')}" for row in rows],
            )
        for leaf in (leaf for leaf, count in self._made.items() if not count):
            told = "; ".join(_told(row) for row in self._examples[leaf]) or "no path made a row"
            report.warning(f"leaf {leaf} gave no sample: {told}")

    def funnel(self) -> dict[str, Any]:
        """The counts as JSON."""
        return {
            "kept": dict(sorted(self._kept.items())),
            "kept_by_leaf": dict(sorted(self._by_leaf.items())),
            "rejected": dict(self._rejected.most_common()),
            "rejected_by_path": {path: dict(found.most_common()) for path, found in sorted(self._by_path.items())},
            "teacher_tokens": dict(self._usage),
            **({"mmlu": dict(sorted(self._tests.items()))} if self._tests else {}),
        }


def _told(row: Row) -> str:
    """One rejected row in a line: where, why, and what the teacher said."""
    where = (
        f"block `{row['detail']}`, " if row.get("raw") and row.get("detail") else f"path `{row.get('origin', '')}`, "
    )
    said = " ".join(str(row.get("raw") or row.get("question") or row.get("statement") or "").split())[:120]
    return f"{where}{row['reason']}" + (f": `{said}`" if said else "")
