"""`ilab model evaluate --benchmark knowledge`: any model against any other, on questions about a document."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ilab.base import atomic
from ilab.errors import ConfigError
from ilab.evaluation import scorecard
from ilab.evaluation.answers import read_answers
from ilab.evaluation.report.data import ReportData, StageCost, question_rows
from ilab.pipeline import baseline, model_session, report
from ilab.pipeline.baseline import Proof
from ilab.pipeline.job import Job
from ilab.records.models import ModelDir
from ilab.runs import stage as stages
from ilab.runs.folder import RunFolder
from ilab.runs.stage import StageBox, run_stage


def evaluate(run: RunFolder, job: Job, *, model: str) -> ReportData:
    """Compare `model` with the job's student on the question files of the settings; every question counts.

    Leaves scorecard.json, report.md and report.html in the run folder.
    """
    settings = job.evaluation
    proof = proof_of(job)
    # both are looked up before either is asked: that one of them is missing should not cost the time of the other
    judged = model_session.exact_form(job, model, run.reporter("02-model"))
    student = model_session.exact_form(job, job.models.student, run.reporter("01-base"))
    base = _score(run, job, proof, "01-base", student, "base")
    tuned = _score(run, job, proof, "02-model", judged, "tuned")
    before, after = (read_answers(folder / "answers.jsonl") for folder in (base, tuned))
    card = scorecard.summarise(base=before, tuned=after, settings=settings, neutral=(_neutral(base), _neutral(tuned)))
    atomic.write_json(run.folder / "scorecard.json", card.to_json())
    data = ReportData(
        title=f"What {model} knows",
        scorecard=card,
        run_id=run.id,
        command=" ".join(["ilab", *run.manifest.argv]),
        base_name=job.models.student,
        tuned_name=model,
        questions=question_rows(before, after),
        stages=[StageCost(name=folder.name, seconds=stages.done(folder)["seconds"]) for folder in (base, tuned)],
        warnings=tuple(dict.fromkeys(run.state().warnings)),
        files={
            "every score": "stages/02-model/answers.jsonl",
            "scores of the base model": "stages/01-base/answers.jsonl",
            "scorecard": "scorecard.json",
            "what was asked": "manifest.json",
        },
        environment=report.environment(run),
    )
    report.save(run, data)
    return data


def proof_of(job: Job) -> Proof:
    """The questions that the settings name. `ConfigError` without a questions file: nothing is generated here."""
    if not job.evaluation.questions:
        raise ConfigError("no questions are given", hint="name a questions file with --questions")
    return baseline.load_proof(job, None)


def _score(run: RunFolder, job: Job, proof: Proof, stage: str, model: ModelDir, name: str) -> Path:
    def work(box: StageBox) -> Mapping[str, Any]:
        with model_session.scoring(model, settings=job.serving, folder=box.folder / "engine") as scoring:
            baseline.score(proof, scoring, name, job.evaluation, out=box.folder, report=box.report)
        return {"model": model.name}

    inputs = {"model": model_session.identity(model), **baseline.proof_inputs(job)}
    return run_stage(run, stage, settings=job.evaluation, inputs=inputs, work=work)


def _neutral(folder: Path) -> list[float]:
    return [float(value) for value in json.loads((folder / "neutral.json").read_bytes())]
