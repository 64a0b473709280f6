"""Shards: what a unit came to, in a file named by the digest of everything that it was made of.

    shards/<digest>.json              kept, rejected, deferred rows of a unit, and the teacher tokens that it cost
    shards/<digest>-<drafts>.json     kept and rejected rows of deferred drafts of that unit, judged later
    shards/<either>.failed            the teacher failed at a row of it: a resumed run does it again

A deferred row is a draft that is near one of another unit: whether it is a duplicate is known when that other one was
judged. Only whole files are ever there.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ilab.base import atomic, digest, jsonl
from ilab.sdg.blocks.llm import FAILED
from ilab.sdg.row import Box, Row
from ilab.sdg.settings import SdgSettings
from ilab.sdg.units import Unit

_DROPPED = frozenset({"text", "outline", "domain", "tokens", "source", "id", "end", "uncovered", "start", "bundle"})
"""Columns of the chunk, which chunks.jsonl has, and what a draft's number tells."""


_FAILED = ".failed"
"""Suffix of the mark of a shard in which the teacher failed at a row."""
_ASKED = ("question", "answer", "context")


@dataclass(slots=True, kw_only=True)
class Shard:
    """A shard as it was read; rows that are compared over the run bear their number as `draft`.

    `changed` has the drafts as they were compared, where later blocks changed what they ask or answer.
    """

    kept: list[Row]
    rejected: list[Row]
    deferred: list[Row] = field(default_factory=list)
    changed: dict[int, Row] = field(default_factory=dict)
    usage: dict[str, int] = field(default_factory=dict)

    def drafts(self) -> list[tuple[int, Row]]:
        """The drafts in order, each as it was compared."""
        found = dict(self.changed)
        for row in (*self.deferred, *self.kept, *self.rejected):
            if "draft" in row:
                found.setdefault(row["draft"], row)
        return sorted(found.items())

    def verdicts(self) -> dict[int, bool]:
        """For each draft that all blocks saw, whether they kept it."""
        judged = {row["draft"]: False for row in self.rejected if "draft" in row}
        return judged | {row["draft"]: True for row in self.kept if "draft" in row}


class Shards:
    """The shards of a stage's folder. `base` is what all units are made of besides their own content."""

    def __init__(self, folder: Path, base: Sequence[Any], settings: SdgSettings) -> None:
        self._folder = folder
        inside = {
            name: value for name, value in settings.model_dump(mode="json").items() if name not in _outside(settings)
        }
        self._base = [*base, inside]
        self._lock = threading.Lock()
        self._late: dict[str, set[Path]] = {}
        _forget_failures(folder)
        for path in folder.glob("*-*.json"):
            self._late.setdefault(path.stem.partition("-")[0], set()).add(path)

    def name(self, unit: Unit) -> str:
        """The digest of a unit."""
        steps = [{"block": spec.block, **spec.options} for spec in unit.blocks]
        own = [seed.to_json() for seed in unit.seeds]
        return digest.of_value([unit.section, unit.path, list(unit.rows), steps, own, *self._base])[:24]

    def has(self, unit: Unit) -> bool:
        """Whether the unit is done, apart from drafts that are judged later."""
        return self._path(unit).exists()

    def read(self, unit: Unit) -> Shard:
        """The shard of a unit that is done, with what was judged later in it."""
        path = self._path(unit)
        shard = _read(path)
        late = [_read(late) for late in self._late_files(path.stem)]
        for other in late:
            shard.kept += other.kept
            shard.rejected += other.rejected
            shard.changed |= other.changed
            for name, count in other.usage.items():
                shard.usage[name] = shard.usage.get(name, 0) + count
        judged = {row["draft"] for other in late for row in (*other.kept, *other.rejected)}
        own = unit.rows[0]
        shard.deferred = [{**own, **row} for row in shard.deferred if row["draft"] not in judged]
        return shard

    def write(
        self, unit: Unit, *, kept: Sequence[Row], box: Box, drafts: Sequence[Row] = (), deferred: Sequence[Row] = ()
    ) -> None:
        """Store what a unit came to. Where rows are compared, `drafts` are those that the blocks after that saw."""
        own = unit.rows[0]
        content = _content(drafts, kept, box)
        if deferred:
            content["deferred"] = [
                {name: value for name, value in row.items() if own.get(name) != value} for row in deferred
            ]
        self._store(self._path(unit), content)

    def write_late(self, unit: Unit, *, drafts: Sequence[Row], kept: Sequence[Row], box: Box) -> None:
        """Store what deferred drafts of a unit came to."""
        path = self._path(unit)
        which = digest.of_value(sorted(row["draft"] for row in drafts))[:12]
        late = path.with_name(f"{path.stem}-{which}.json")
        self._store(late, _content(drafts, kept, box))
        with self._lock:
            self._late.setdefault(path.stem, set()).add(late)

    def _store(self, path: Path, content: Mapping[str, Any]) -> None:
        """Write a shard; one in which the teacher failed at a row gets its mark first."""
        if any(row["reason"] == FAILED for row in content["rejected"]):
            atomic.write_text(path.with_suffix(_FAILED), "")
        atomic.write_text(path, jsonl.dumps(content))

    def _path(self, unit: Unit) -> Path:
        return self._folder / f"{self.name(unit)}.json"

    def _late_files(self, stem: str) -> list[Path]:
        with self._lock:
            return sorted(self._late.get(stem, ()))


LOST = "a block passed the row on to nothing"
"""Why a row is gone of which no block said anything."""


def _forget_failures(folder: Path) -> None:
    """Remove the units in which the teacher's server failed at a row, so that they are done again."""
    for mark in folder.glob(f"*{_FAILED}"):
        for path in folder.glob(f"{mark.stem}*.json"):
            path.unlink()
        mark.unlink()


def _outside(settings: SdgSettings) -> set[str]:
    """Settings that cannot change what a unit comes to."""
    marked = {
        name
        for name, info in type(settings).model_fields.items()
        if isinstance(info.json_schema_extra, dict) and info.json_schema_extra.get("outside_key")
    }
    return marked | {"flow", "samples_per_leaf", "rounds"}


def _read(path: Path) -> Shard:
    content: Mapping[str, Any] = json.loads(path.read_bytes())
    return Shard(
        kept=content["kept"],
        rejected=content["rejected"],
        deferred=content.get("deferred", []),
        changed={row["draft"]: row for row in content.get("changed", [])},
        usage=dict(content.get("usage", {})),
    )


def _content(drafts: Sequence[Row], kept: Sequence[Row], box: Box) -> dict[str, Any]:
    """The shard of `drafts` that all blocks saw, as JSON. One that no block spoke of is rejected for that."""
    rejected = [_slim(row) for row in box.rejected]
    told: dict[int, Row] = {}
    for row in (*kept, *rejected):
        if "draft" in row:
            told.setdefault(row["draft"], row)
    lost = [{**_slim(row), "reason": LOST, "detail": ""} for row in drafts if row["draft"] not in told]
    changed = [
        {name: row[name] for name in ("leaf", "draft", *_ASKED) if name in row}
        for row in drafts
        if row["draft"] in told and any(row.get(name) != told[row["draft"]].get(name) for name in _ASKED)
    ]
    content = {
        "kept": [_slim(row) for row in kept],
        "rejected": [*rejected, *lost],
        "usage": box.usage.to_json(),
    }
    return {**content, "changed": changed} if changed else content


def _slim(row: Row) -> Row:
    """A row without what chunks.jsonl has."""
    return {name: value for name, value in row.items() if name not in _DROPPED}
