"""What a run cost: seconds and tokens of every stage, and the time that passed outside the stages."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from ilab.base import clock, jsonl
from ilab.evaluation.report.data import StageCost, TokenUsage
from ilab.pipeline.prepare import MODELS
from ilab.runs import stage as stages
from ilab.runs.folder import RunFolder

_WORK = {
    "01-prepare": "read the taxonomy, fetch and cut the documents",
    MODELS: "fetch and convert the models",
    "02-generate": "make and check training questions",
    "03-baseline": "ask the untrained model",
    "04-mix": "write the training files",
    "05-train-1": "train on knowledge",
    "06-select-1": "choose among its checkpoints",
    "07-train-2": "train on skills",
    "07b-select-2": "choose among its checkpoints",
    "08-evaluate": "ask the trained model, write its GGUF",
}
_OUTSIDE = "checks, starting, this report; work that an interruption lost"
_ENDS = ("run_finished", "run_failed", "run_interrupted")


def of_stages(run: RunFolder) -> list[StageCost]:
    """Every stage in order, then what is left of the time the run took; keeping the model comes after the report."""
    events = list(run.events.read())
    costs = [_stage(folder) for folder in finished(run)]
    costs.append(StageCost(name=MODELS, seconds=_step_seconds(events, MODELS), note=_WORK[MODELS]))
    outside = max(0.0, wall_seconds(events) - sum(cost.seconds for cost in costs))
    costs.sort(key=lambda cost: cost.name)
    return [*costs, StageCost(name="between stages", seconds=outside, note=_OUTSIDE)]


def finished(run: RunFolder) -> list[Path]:
    """The folders of the stages that are done, in order; those set aside are left out."""
    return [
        path for path in sorted(run.stages.iterdir()) if (path / "DONE.json").exists() and ".stale" not in path.name
    ]


def usage(generated: Path) -> TokenUsage:
    """The tokens of the teacher."""
    spent = json.loads((generated / "funnel.json").read_text(encoding="utf-8")).get("teacher_tokens", {})
    cached = int(spent.get("cached", 0))
    return TokenUsage(
        prompt=int(spent.get("computed", 0)) + cached, cached=cached, completion=int(spent.get("written", 0))
    )


def _remembered(generated: Path) -> int:
    """Tokens of the teacher's answers, and their prompts, that were not spent because they were remembered."""
    spent = json.loads((generated / "funnel.json").read_text(encoding="utf-8")).get("teacher_tokens", {})
    return int(spent.get("saved", 0))


def wall_seconds(events: Iterable[Mapping[str, Any]]) -> float:
    """Seconds from every start of a run to its end, or to its last sign of life; a start that goes on ends now."""
    total, began, last, kind = 0.0, None, None, ""
    for event in events:
        kind = str(event["kind"])
        if kind == "run_started":
            total += _seconds(began, last)
            began = datetime.fromisoformat(event["time"])
        last = datetime.fromisoformat(event["time"])
    return total + _seconds(began, last if kind in _ENDS else clock.now())


def _seconds(began: datetime | None, ended: datetime | None) -> float:
    return (ended - began).total_seconds() if began and ended else 0.0


def _stage(folder: Path) -> StageCost:
    record = stages.done(folder)
    tokens, counted = _tokens(folder, record)
    note = "; ".join(part for part in (_WORK.get(folder.name, ""), counted) if part)
    return StageCost(name=folder.name, seconds=record["seconds"], tokens=tokens, note=note)


def _tokens(folder: Path, record: Mapping[str, Any]) -> tuple[int, str]:
    """Tokens of a stage, and what they are: the engines do not count the same thing everywhere."""
    if (folder / "funnel.json").exists():
        spent = usage(folder)
        parts = [
            f"{spent.computed:,} prompt tokens computed",
            f"{spent.cached:,} more from the prefix cache",
            f"{spent.completion:,} written",
        ]
        if saved := _remembered(folder):
            parts.append(f"{saved:,} saved by answers that were remembered")
        return spent.computed + spent.completion, f"{', '.join(parts)}; likelihood checks not counted"
    if (folder / "answers.jsonl").exists():
        rows = jsonl.read(folder / "answers.jsonl", skip_torn=True)
        return sum(sum(row["tokens"]) for row in rows), "answers scored, without their prompts"
    return int(record["summary"].get("tokens", 0)), ""


def _step_seconds(events: Iterable[Mapping[str, Any]], name: str) -> float:
    """Seconds of a step without a folder, over all starts of the run."""
    ends = ("stage_finished", "stage_failed")
    return sum(float(event["seconds"]) for event in events if event["kind"] in ends and event["stage"] == name)
