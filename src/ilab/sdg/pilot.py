"""The pilot: a few units of each path come first, so that a teacher that cannot be read is told at once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ilab.base.report import Reporter
from ilab.errors import NothingGenerated, TeacherError
from ilab.sdg.blocks.judge import NO_VERDICT
from ilab.sdg.blocks.llm import FAILED, UNREAD
from ilab.sdg.row import Row
from ilab.sdg.units import Unit, Way

SIZE = 3
"""Units of each path that are done before the others."""
_SHOWN = 3
"""Answers of the teacher that are shown."""

Outcome = tuple[Unit, Mapping[str, Any]]
"""A unit and its shard."""


def parted(units: Iterable[Unit]) -> tuple[list[Unit], list[Unit]]:
    """The first units of each path, and the others; both in the order given."""
    seen: Counter[Way] = Counter()
    first: list[Unit] = []
    others: list[Unit] = []
    for unit in units:
        seen[unit.way] += 1
        (first if seen[unit.way] <= SIZE else others).append(unit)
    return first, others


def check(outcomes: Sequence[Outcome], report: Reporter) -> None:
    """Warn of each path that gave nothing because the teacher could not be read.

    Raises `NothingGenerated` when no path gave anything; three answers are shown as they came. It is a `TeacherError`
    when the teacher gave no answer at all.
    """
    ways: dict[Way, list[Mapping[str, Any]]] = {}
    for unit, shard in outcomes:
        ways.setdefault(unit.way, []).append(shard)
    unread = {way: rows for way, shards in ways.items() if (rows := _unread(shards))}
    if not unread:
        return
    if not any(shard["kept"] for _, shard in outcomes):
        _, rows = next(iter(unread.items()))
        failed = [row for rows in unread.values() for row in rows]
        if all(row["reason"] == FAILED for row in failed):
            raise TeacherError(
                f"no path gave a row in its pilot: {FAILED}",
                hint="look at the teacher's server and its log; the same command goes on where this one stopped",
                details=[str(row.get("raw", "")) for row in _spread(failed)],
            )
        raise NothingGenerated(
            f"no path gave a row in its pilot, and the teacher could not be read: {_blocks(unread)}",
            hint="a larger teacher (models.teacher_endpoint) keeps to the form that is asked for more often",
            details=[f"{row['reason']}: {row.get('raw', '')}" for row in _spread(rows)],
        )
    for way, rows in unread.items():
        told = "; ".join(f"`{_one_line(row)}`" for row in _spread(rows))
        report.warning(f"nothing in the pilot, the teacher could not be read: {_blocks({way: rows})}: {told}")


def _unread(shards: Sequence[Mapping[str, Any]]) -> list[Row]:
    """The rows whose answers could not be read, where the path gave nothing at all."""
    if any(shard["kept"] for shard in shards):
        return []
    return [row for shard in shards for row in shard["rejected"] if row["reason"] in (*UNREAD, NO_VERDICT)]


def _blocks(unread: Mapping[Way, Sequence[Row]]) -> str:
    named = [
        f"block `{block}` of path `{path}` ({kind})"
        for (kind, path), rows in unread.items()
        for block in dict.fromkeys(row["detail"] for row in rows)
    ]
    return ", ".join(named)


def _spread(rows: Sequence[Row]) -> list[Row]:
    """A few rows with different answers, if there are."""
    different = list({row.get("raw", ""): row for row in rows}.values())
    return (different if len(different) >= _SHOWN else list(rows))[:_SHOWN]


def _one_line(row: Row) -> str:
    return " ".join(str(row.get("raw", "")).split())[:120]
