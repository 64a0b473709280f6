"""Run a flow unit by unit (a chunk, or a skill leaf); finished units are reused, so a killed run loses one unit.

    out/shards/<unit digest>.json    rows kept and rejected of one unit, and the teacher tokens it cost
    out/samples.jsonl                every sample that is kept, the user's own seeds included
    out/rejected.jsonl               every row that was not, with the reason
    out/funnel.json                  counts by path and reason, and the tokens spent

A unit's digest covers its rows, the blocks, and the settings; a shard of other inputs can never be reused.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ilab.base import atomic, digest, jsonl, lazy
from ilab.base.report import Reporter
from ilab.errors import NothingGenerated
from ilab.llm.port import ChatModel, TokenScorer
from ilab.records import seeds as seed_kinds
from ilab.records.chunks import Chunk
from ilab.records.messages import Message
from ilab.records.samples import Sample
from ilab.records.seeds import Seed
from ilab.sdg.blocks.base import BLOCKS, Block, Tools
from ilab.sdg.flow import BlockSpec, Flow
from ilab.sdg.row import Box, Row, to_sample
from ilab.sdg.settings import SdgSettings

VERSION = 2
"""Raised when blocks change what they make of the same input."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unit:
    """What is generated, checked and stored at once: one chunk, or one skill leaf, on one path."""

    name: str
    path: str
    rows: tuple[Row, ...]
    blocks: tuple[BlockSpec, ...]
    seeds: tuple[Seed, ...]


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
    for number, unit in enumerate(units):
        report.progress("units", number, len(units), unit=f"{unit.path} of {unit.name}")
        _shard(unit, models, settings, out / "shards")
    report.progress("units", len(units), len(units))
    return _collect(seeds, units, models, settings, out)


def plan(seeds: Sequence[Seed], chunks: Sequence[Chunk], *, flow: Flow) -> list[Unit]:
    """The units of work, in a fixed order: every path of every chunk, then every path of every skill leaf."""
    found = []
    for name, blocks in flow.paths(seed_kinds.KNOWLEDGE).items():
        for chunk in chunks:
            own = tuple(seed for seed in seeds if seed.leaf == chunk.leaf)
            row = {**chunk.to_json(), "chunk": chunk.id, "kind": seed_kinds.KNOWLEDGE, "origin": name}
            found.append(Unit(name=chunk.id, path=name, rows=(row,), blocks=tuple(blocks), seeds=own))
    for kind in (seed_kinds.GROUNDED_SKILL, seed_kinds.FREEFORM_SKILL):
        leaves = sorted({seed.leaf for seed in seeds if seed.kind == kind})
        for name, blocks in flow.paths(kind).items():
            for leaf in leaves:
                own = tuple(seed for seed in seeds if seed.leaf == leaf and seed.kind == kind)
                skill: Row = {"leaf": leaf, "kind": kind, "origin": name, "task": own[0].subject}
                found.append(Unit(name=leaf, path=name, rows=(skill,), blocks=tuple(blocks), seeds=own))
    return found


def _shard(unit: Unit, models: Models, settings: SdgSettings, folder: Path) -> dict[str, Any]:
    """The result of one unit, worked out now or read from an earlier attempt."""
    path = folder / f"{_digest(unit, models, settings)}.json"
    if path.exists():
        stored: dict[str, Any] = json.loads(path.read_bytes())
        return stored
    tools = Tools(
        teacher=models.teacher, scorer=models.scorer, render=models.render, settings=settings, seeds=unit.seeds
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
    return result


def _digest(unit: Unit, models: Models, settings: SdgSettings) -> str:
    steps = [{"block": spec.block, **spec.options} for spec in unit.blocks]
    own = [seed.to_json() for seed in unit.seeds]
    told = settings.model_dump(exclude={"workers"})
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
        shard = _shard(unit, models, settings, out / "shards")
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
