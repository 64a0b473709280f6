"""Training phases as stages: knowledge, choose, skills from the chosen checkpoint."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ilab.base import atomic
from ilab.evaluation import select
from ilab.evaluation.answers import read_answers
from ilab.evaluation.settings import EvalSettings
from ilab.pipeline import baseline, model_session
from ilab.pipeline.baseline import Proof
from ilab.pipeline.job import Job
from ilab.records.models import SAFETENSORS, ModelDir
from ilab.records.scores import Answer
from ilab.runs.folder import RunFolder
from ilab.runs.stage import StageBox, key_of, run_stage
from ilab.training import train as training
from ilab.training.checkpoints import Checkpoint, find
from ilab.training.settings import PhaseSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """A checkpoint that won, and how the candidates stood."""

    checkpoint: Checkpoint
    choice: select.Choice
    folder: Path


def train(run: RunFolder, job: Job, *, stage: str, model: Path, rows: Path, phase: PhaseSettings) -> list[Checkpoint]:
    """Train `model` on `rows`; the checkpoints in order of their steps."""

    def work(box: StageBox) -> Mapping[str, Any]:
        made = training.train(
            model=model, rows=rows, out=box.folder, phase=phase, settings=job.training, report=box.report
        )
        return {"checkpoints": [one.name for one in made], "tokens": made[-1].tokens, "loss": made[-1].loss}

    settings = {
        "training": _key(job.training),
        "phase": _key(phase),
    }
    folder = run_stage(run, stage, settings=settings, inputs={"model": model, "rows": rows}, work=work)
    return find(folder)


def _key(settings: Any) -> dict[str, Any]:
    """The settings that count for one phase; the phases' own ones come apart."""
    kept = key_of(settings)
    return {name: value for name, value in kept.items() if name not in ("phase1", "phase2")}


def choose(
    run: RunFolder, job: Job, *, stage: str, candidates: Sequence[Checkpoint], proof: Proof, base: Path
) -> Chosen:
    """Score every checkpoint on the selection part and take the best; the newest where there are no questions."""
    settings = job.evaluation

    def work(box: StageBox) -> Mapping[str, Any]:
        for number, checkpoint in enumerate(candidates):
            box.report.progress("checkpoints", number, len(candidates))
            model = ModelDir(name=checkpoint.name, path=checkpoint.path, format=SAFETENSORS)
            with model_session.scoring(model, settings=job.serving, folder=box.folder / checkpoint.name) as scoring:
                baseline.score(
                    proof,
                    scoring,
                    checkpoint.name,
                    settings,
                    out=box.folder,
                    report=box.report,
                    parts=proof.selection(settings),
                )
        box.report.progress("checkpoints", len(candidates), len(candidates))
        choice = rank(candidates, read_answers(box.folder / "answers.jsonl"), base, settings)
        atomic.write_json(box.folder / "choice.json", choice.to_json())
        return {"chosen": choice.name, "reason": choice.reason}

    inputs: dict[str, Path | str] = {one.name: one.path for one in candidates}
    inputs |= baseline.proof_inputs(job) | {"base": base / "answers.jsonl"}
    folder = run_stage(run, stage, settings=settings, inputs=inputs, work=work)
    content = json.loads((folder / "choice.json").read_text(encoding="utf-8"))
    table = tuple(select.Ranked(**row) for row in content.pop("table"))
    choice = select.Choice(**content, table=table)
    return Chosen(checkpoint=next(one for one in candidates if one.name == choice.name), choice=choice, folder=folder)


def rank(
    candidates: Sequence[Checkpoint], answers: Sequence[Answer], base: Path, settings: EvalSettings
) -> select.Choice:
    """The choice among `candidates` by their answers; the last one where there are no questions on the document."""
    base_keep = [one for one in read_answers(base / "answers.jsonl") if one.tier == "keep"]
    entries = []
    for number, checkpoint in enumerate(candidates):
        own = [one for one in answers if one.model == checkpoint.name]
        document = [one for one in own if one.tier != "keep"]
        if not document:
            last = candidates[-1]
            return select.Choice(name=last.name, reason="the last one: there are no questions", passed=True, table=())
        keep = [one for one in own if one.tier == "keep"]
        entries.append(select.candidate(checkpoint.name, number, document, base_keep=base_keep, keep=keep))
    return select.choose(entries, settings=settings)
