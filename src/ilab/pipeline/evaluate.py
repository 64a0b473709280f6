"""The chosen checkpoint against the untrained student, on questions that chose nothing; its GGUF is asked in words."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ilab.base import atomic
from ilab.evaluation import scorecard
from ilab.evaluation.answers import read_answers
from ilab.evaluation.settings import EvalSettings
from ilab.models import convert
from ilab.pipeline import baseline, model_session
from ilab.pipeline.baseline import Proof
from ilab.pipeline.job import Job
from ilab.pipeline.prepare import Prepared
from ilab.records.models import GGUF, SAFETENSORS, ModelDir
from ilab.records.scores import Answer, Scorecard
from ilab.runs.folder import RunFolder
from ilab.runs.stage import StageBox, run_stage

VERSION = 2
"""Raised when the scorecard says something else about the same answers."""


def evaluate(run: RunFolder, job: Job, *, checkpoint: Path, prepared: Prepared, proof: Proof, base: Path) -> Path:
    """The stage's folder: answers.jsonl, words.jsonl, model.gguf and scorecard.json."""
    settings = job.evaluation
    student = model_session.chat_form(job, job.models.student, run.reporter("08-evaluate"))

    def work(box: StageBox) -> Mapping[str, Any]:
        tuned = ModelDir(name="tuned", path=checkpoint, format=SAFETENSORS)
        with model_session.scoring(tuned, settings=job.serving, folder=box.folder / "tuned") as scoring:
            context = baseline.contexts(proof.document, prepared.chunks()) if settings.open_book else None
            baseline.score(proof, scoring, "tuned", settings, out=box.folder, report=box.report, context_of=context)
        gguf = box.folder / "model.gguf"
        like = student.path if student.format == GGUF else None
        convert.safetensors_to_gguf(checkpoint, gguf, like=like, report=box.report)
        spoken = ModelDir(name="tuned", path=gguf, format=GGUF, context_length=student.context_length)
        baseline.say_words(job, spoken, proof, out=box.folder, box=box)
        card = compare(proof, base, box.folder, settings)
        atomic.write_json(box.folder / "scorecard.json", card.to_json())
        return {"headline": card.headline}

    inputs: dict[str, Path | str] = {
        "checkpoint": checkpoint,
        "base": base / "answers.jsonl",
        "chunks": prepared.folder / "chunks.jsonl",
        **baseline.proof_inputs(job),
    }
    return run_stage(run, "08-evaluate", settings=settings, inputs=inputs, work=work, version=VERSION)


def compare(proof: Proof, base: Path, tuned: Path, settings: EvalSettings) -> Scorecard:
    """The scorecard of the report part only."""
    told = {(fact.id, question) for part in proof.reported(settings) for fact in part for question in fact.questions}

    def reported(folder: Path) -> list[Answer]:
        return [one for one in read_answers(folder / "answers.jsonl") if (one.fact, one.question) in told]

    def neutral(folder: Path) -> list[float]:
        return [float(value) for value in json.loads((folder / "neutral.json").read_text(encoding="utf-8"))]

    return scorecard.summarise(
        base=reported(base), tuned=reported(tuned), settings=settings, neutral=(neutral(base), neutral(tuned))
    )
