"""What a run generated, by path: asked, made, kept, rejected and why. Read from shards while the run goes on."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from ilab.base import jsonl
from ilab.pipeline import data_files
from ilab.pipeline.data_files import DataFile
from ilab.records.reviews import FILE as REVIEWS
from ilab.records.reviews import Reviews
from ilab.records.samples import Sample
from ilab.runs.folder import RunFolder
from ilab.sdg import calibration
from ilab.sdg.row import to_sample

SEED = "seed"
_REPEATED = re.compile(r"duplicate|\brepeats (?:a|one)\b|the same .* again")
"""What reasons say that are about repeats."""


@dataclass(slots=True, kw_only=True)
class PathFunnel:
    """One path of a flow. `calls` counts questions to the teacher, `remembered` those that nobody had to answer again.

    `tokens` are those of prompts and answers that were spent; `examples` has one rejected row a reason.
    """

    name: str
    calls: int = 0
    remembered: int = 0
    tokens: int = 0
    made: int = 0
    kept: int = 0
    rejected: Counter[str] = field(default_factory=Counter)
    examples: dict[str, str] = field(default_factory=dict)

    def spend(self, usage: Mapping[str, int]) -> None:
        """Count what a unit of the path was asked, and what that cost."""
        remembered = int(usage.get("remembered", 0))
        self.calls += int(usage.get("calls", 0)) + remembered
        self.remembered += remembered
        self.tokens += sum(int(usage.get(name, 0)) for name in ("computed", "cached", "written"))

    @property
    def duplicates(self) -> int:
        """Rows that were rejected for what they repeat: another row, a seed, a question that is held out."""
        return sum(count for reason, count in self.rejected.items() if _REPEATED.search(reason))

    def reject(self, row: Mapping[str, Any]) -> None:
        """Count one rejected row."""
        reason = str(row.get("reason") or "no reason given")
        self.made += 1
        self.rejected[reason] += 1
        told = str(row.get("question") or row.get("raw") or row.get("statement") or "")
        said = f" -> {row['answer']}" if row.get("question") and row.get("answer") else ""
        self.examples.setdefault(reason, " ".join(f"{told}{said}".split()))


@dataclass(frozen=True, slots=True, kw_only=True)
class Generated:
    """What a run has generated so far. `finished` is False while only shards are there; `seeds` are the user's own.

    `targets` tells of each leaf that has one how many samples it should have and has, and why it fell short;
    `coverage` how many sentences had a question before its gaps were filled, and after. Both are known at the end.
    `judges` tells what each judge made of the user's examples.
    """

    finished: bool
    units: int
    seeds: int
    paths: dict[str, PathFunnel]
    tokens: dict[str, int]
    reviewed: dict[str, int]
    targets: dict[str, dict[str, Any]] = field(default_factory=dict)
    coverage: dict[str, int] = field(default_factory=dict)
    judges: dict[str, dict[str, Any]] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """The funnel for programs."""
        paths = {
            name: asdict(path) | {"rejected": dict(path.rejected), "duplicates": path.duplicates}
            for name, path in self.paths.items()
        }
        return {
            "finished": self.finished,
            "units": self.units,
            "seeds": self.seeds,
            "paths": paths,
            "teacher_tokens": self.tokens,
            "reviewed": self.reviewed,
            "targets": self.targets,
            "judges": self.judges,
        }


def funnel(run: RunFolder) -> Generated:
    """The funnel of a run, finished or not."""
    folder = run.stages / data_files.GENERATED
    finished = (folder / "funnel.json").is_file()
    paths: dict[str, PathFunnel] = {}
    tokens: Counter[str] = Counter()
    units = 0
    for shard in _shards(folder):
        units += not shard["late"]
        tokens.update(shard["usage"])
        # a unit is worked on by one path, whose name its rows bear; of one without rows only the tokens are known
        rows = [*shard["kept"], *shard["rejected"]]
        if rows:
            _path(paths, rows[0]).spend(shard["usage"])
        if not finished:
            _count(paths, shard["kept"], shard["rejected"])
    told: dict[str, Any] = {}
    if finished:
        told = json.loads((folder / "funnel.json").read_bytes())
        tokens = Counter(told.get("teacher_tokens", {}))
        kept = (sample.to_json() for sample in _samples_of(folder / "samples.jsonl") if sample.origin != SEED)
        _count(paths, kept, rejected(run))
    ids = (sample.id for sample in samples(run))
    return Generated(
        finished=finished,
        units=units,
        seeds=len(data_files.seeds(run)),
        paths=dict(sorted(paths.items())),
        tokens=dict(tokens),
        targets=told.get("targets", {}),
        coverage=told.get("coverage", {}),
        judges=calibration.read(folder),
        reviewed=Reviews(run.folder / REVIEWS).counts(ids) if (run.folder / REVIEWS).exists() else {},
    )


def samples(run: RunFolder) -> Iterator[Sample]:
    """The samples of a run so far, as generated: out of samples.jsonl, or of the shards while that is not there."""
    folder = run.stages / data_files.GENERATED
    if (folder / "samples.jsonl").is_file():
        yield from _samples_of(folder / "samples.jsonl")
        return
    for shard in _shards(folder):
        yield from (to_sample(row) for row in shard["kept"])


def rejected(run: RunFolder) -> Iterator[dict[str, Any]]:
    """The rejected rows of a run so far, each with its reason."""
    folder = run.stages / data_files.GENERATED
    if (folder / "rejected.jsonl").is_file():
        yield from jsonl.read(folder / "rejected.jsonl")
        return
    for shard in _shards(folder):
        yield from shard["rejected"]


def _samples_of(path: Path) -> Iterator[Sample]:
    for item in DataFile(path=path).items():
        yield from data_files.exchanges(item)


def _shards(folder: Path) -> Iterator[dict[str, Any]]:
    """The units that are done, in the order of their names; each is whole or not there."""
    for path in sorted((folder / "shards").glob("*.json")):
        content = json.loads(path.read_bytes())
        if {"kept", "rejected"} <= content.keys():
            # rows that were judged later lie in a file of their own
            yield {"usage": {}, "late": "-" in path.stem, **content}


def _path(paths: dict[str, PathFunnel], row: Mapping[str, Any]) -> PathFunnel:
    name = str(row.get("origin") or "others")
    return paths.setdefault(name, PathFunnel(name=name))


def _count(
    paths: dict[str, PathFunnel], kept: Iterable[Mapping[str, Any]], rejected_rows: Iterable[Mapping[str, Any]]
) -> None:
    for row in kept:
        path = _path(paths, row)
        path.made += 1
        path.kept += 1
    for row in rejected_rows:
        if row.get("origin") != SEED:
            _path(paths, row).reject(row)
