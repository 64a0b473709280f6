"""Run a flow: units (a chunk, or a skill leaf) side by side, each stored when it is finished, and reused later.

    out/shards/<unit digest>.json    rows kept and rejected of one unit, and the teacher tokens it cost
    out/samples.jsonl                every sample that is kept, the user's own seeds included
    out/rejected.jsonl               every row that was not, with the reason
    out/funnel.json                  counts by path and reason, and the tokens spent

A unit's digest covers its rows, the blocks, and the settings; a shard of other inputs can never be reused. The files
are put together in the order of the plan, whatever unit was finished first.
"""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ilab.base import atomic, digest, jsonl, lazy
from ilab.base.report import Reporter
from ilab.errors import NothingGenerated
from ilab.llm.pool import Pool, run_ordered
from ilab.llm.port import ChatModel, ScoreRequest, TokenScore, TokenScorer
from ilab.records import seeds as seed_kinds
from ilab.records.chunks import Chunk
from ilab.records.messages import Message
from ilab.records.samples import Sample
from ilab.records.seeds import Seed
from ilab.sdg import pilot
from ilab.sdg.blocks.base import BLOCKS, Block, Tools
from ilab.sdg.flow import Flow
from ilab.sdg.row import Box, Row, to_sample
from ilab.sdg.settings import SdgSettings
from ilab.sdg.units import Unit, in_turn, plan

VERSION = 3
"""Raised when blocks change what they make of the same input."""
_AHEAD = 2
"""Units in work for each request in flight: while some wait for the judge, others keep the teacher busy."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Models:
    """The models that blocks may use; see `blocks.base.Tools`. `identity` names them in shard digests."""

    teacher: ChatModel
    scorer: TokenScorer
    render: Callable[[Sequence[Message]], str]
    identity: str


def generate(
    seeds: Sequence[Seed],
    chunks: Sequence[Chunk],
    *,
    flow: Flow,
    models: Models,
    settings: SdgSettings,
    out: Path,
    report: Reporter,
) -> dict[str, Any]:
    """Generate samples into `out`; return the funnel. Raises `NothingGenerated` when no unit yields a row."""
    units = plan(seeds, chunks, flow=flow)
    folder = out / "shards"
    first, others = pilot.parted(in_turn(units))
    workshop = _Workshop(models, settings, folder)
    done = 0

    def tell(unit: Unit) -> None:
        nonlocal done
        done += 1
        report.progress("units", done, len(units), unit=f"{unit.path} of {unit.name}")

    report.progress("units", 0, len(units))
    try:
        workshop.finish(first, tell)
        pilot.check([(unit, _stored(_path(unit, models, settings, folder))) for unit in first], report)
        workshop.finish(others, tell)
    finally:
        workshop.close()
    return _collect(seeds, units, models, settings, out)


class _Workshop:
    """Works out many units at the same time; all of them share the requests to the teacher, and the judge."""

    def __init__(self, models: Models, settings: SdgSettings, folder: Path) -> None:
        self._models = models
        self._settings = settings
        self._folder = folder
        self._pool = Pool(settings.workers)
        self._scorer = _OneAtATime(models.scorer)

    def finish(self, units: Sequence[Unit], tell: Callable[[Unit], None]) -> None:
        """Work out what is not there yet; `tell` hears of each unit. The first error stops the rest."""
        run_ordered(
            units,
            self._finish,
            workers=self._settings.workers * _AHEAD,
            on_done=lambda position, _: tell(units[position]),
        )

    def close(self) -> None:
        """Send no further requests."""
        self._pool.close()

    def _finish(self, unit: Unit) -> None:
        path = _path(unit, self._models, self._settings, self._folder)
        if path.exists():
            return
        tools = Tools(
            teacher=self._models.teacher,
            scorer=self._scorer,
            render=self._models.render,
            settings=self._settings,
            seeds=unit.seeds,
            pool=self._pool,
        )
        box = Box()
        rows = [dict(row) for row in unit.rows]
        for spec in unit.blocks:
            block: Block = lazy.resolve(BLOCKS[spec.block])
            rows = block(rows, box, tools, **spec.options)
        result = {
            "kept": [_slim(row) for row in rows],
            "rejected": [_slim(row) for row in box.rejected],
            "usage": box.usage.to_json(),
        }
        atomic.write_text(path, jsonl.dumps(result))


class _OneAtATime:
    """The judge, for one unit at a time: it computes on this machine, and its time-outs must not count the queue."""

    def __init__(self, scorer: TokenScorer) -> None:
        self._scorer = scorer
        self._lock = threading.Lock()

    def score(self, requests: Sequence[ScoreRequest]) -> list[list[TokenScore]]:
        """The scores of `requests`."""
        with self._lock:
            return self._scorer.score(requests)


def _stored(path: Path) -> dict[str, Any]:
    """The shard at `path`."""
    shard: dict[str, Any] = json.loads(path.read_bytes())
    return shard


def _path(unit: Unit, models: Models, settings: SdgSettings, folder: Path) -> Path:
    return folder / f"{_digest(unit, models, settings)}.json"


def _digest(unit: Unit, models: Models, settings: SdgSettings) -> str:
    steps = [{"block": spec.block, **spec.options} for spec in unit.blocks]
    own = [seed.to_json() for seed in unit.seeds]
    told = settings.model_dump(exclude={"workers", "journal", "replay"})
    return digest.of_value([VERSION, unit.path, list(unit.rows), steps, own, told, models.identity])[:24]


def _slim(row: Row) -> Row:
    return {name: value for name, value in row.items() if name not in ("text", "outline", "domain", "tokens", "source")}


def _collect(
    seeds: Sequence[Seed], units: Sequence[Unit], models: Models, settings: SdgSettings, out: Path
) -> dict[str, Any]:
    """Join the shards in plan order, drop duplicates over the whole run, and write the three files."""
    kept: list[Row] = [_seed_row(seed) for seed in seeds]
    rejected: list[Row] = []
    usage: Counter[str] = Counter()
    for unit in units:
        shard = _stored(_path(unit, models, settings, out / "shards"))
        kept += shard["kept"]
        rejected += shard["rejected"]
        usage.update(shard["usage"])
    unique: dict[tuple[str, str], Row] = {}
    for row in kept:
        key = (row["leaf"], " ".join(row["question"].lower().split()) + "|" + str(row.get("context", "")))
        if key in unique:
            rejected.append({**row, "reason": "duplicate question"})
        else:
            unique[key] = row
    samples = [to_sample(row) for row in unique.values()]
    if all(sample.origin == "seed" for sample in samples) and units:
        raise NothingGenerated(
            "the teacher's answers gave no usable row",
            hint=f"read the reasons in {out / 'shards'}; a larger teacher (--teacher-endpoint) makes fewer mistakes",
            details=[f"{row['reason']}: {row.get('raw') or row.get('question', '')}" for row in rejected[:3]],
        )
    jsonl.write(out / "samples.jsonl", [sample.to_json() for sample in samples])
    jsonl.write(out / "rejected.jsonl", rejected)
    funnel = _funnel(samples, rejected) | {"teacher_tokens": dict(usage)}
    atomic.write_json(out / "funnel.json", funnel)
    return funnel


def _seed_row(seed: Seed) -> Row:
    return {
        "leaf": seed.leaf,
        "kind": seed.kind,
        "question": seed.question,
        "answer": seed.answer,
        "context": seed.context if seed.kind == seed_kinds.GROUNDED_SKILL else "",
        "origin": "seed",
    }


def _funnel(samples: Sequence[Sample], rejected: Sequence[Row]) -> dict[str, Any]:
    return {
        "kept": dict(sorted(Counter(sample.origin for sample in samples).items())),
        "kept_by_leaf": dict(sorted(Counter(sample.leaf for sample in samples).items())),
        "rejected": dict(Counter(row["reason"] for row in rejected).most_common()),
        "rejected_by_path": {
            path: dict(Counter(row["reason"] for row in rejected if row.get("origin") == path).most_common())
            for path in sorted({str(row.get("origin", "")) for row in rejected})
        },
    }
