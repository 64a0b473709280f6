"""The main job: taxonomy and documents in, a tuned model with proof out, in one run folder that resumes.

01-prepare   02-generate   03-baseline   04-mix   05-train-1   06-select-1   07-train-2   08-evaluate
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ilab.base import jsonl
from ilab.evaluation.report.data import ReportData
from ilab.models import refs
from ilab.models.store import ModelStore
from ilab.pipeline import baseline, evaluate, generate, mix, model_session, report, train
from ilab.pipeline.baseline import Proof
from ilab.pipeline.job import Job
from ilab.pipeline.prepare import MODELS, prepare
from ilab.pipeline.train import Chosen
from ilab.records.models import ModelDir
from ilab.runs.folder import RunFolder


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """The registered model and the report."""

    model: ModelDir
    report: ReportData


def customize(run: RunFolder, job: Job) -> Outcome:
    """Do what is not done yet of the whole job, and register the model. Call inside `run.working()`."""
    prepared = prepare(run, job)
    student = model_session.exact_form(job, job.models.student, run.reporter(MODELS))
    generated = generate.generate(run, job, prepared)
    base = baseline.baseline(run, job, prepared, generated)
    proof = baseline.load_proof(job, generated / "samples.jsonl")
    mixed = mix.mix(run, job, prepared, generated, base / "replay.jsonl", proof)
    chosen = _phases(run, job, student.path, mixed, proof, base)
    evaluated = evaluate.evaluate(
        run, job, checkpoint=chosen.checkpoint.path, prepared=prepared, proof=proof, base=base
    )
    data = report.write(run, job, chosen=chosen, proof=proof, evaluated=evaluated, base=base, generated=generated)
    facts = {"taxonomy": str(job.taxonomy_path), "headline": data.scorecard.headline}
    files = [evaluated / "model.gguf", run.folder / "report.md"]
    model = register(run, job, chosen, files=files, facts=facts)
    run.finish(_result(chosen, data, model))
    return Outcome(model=model, report=data)


def _phases(run: RunFolder, job: Job, student: Path, mixed: Path, proof: Proof, base: Path) -> Chosen:
    """Knowledge, a choice among its checkpoints, skills from the winner, a choice again; an empty phase is left out."""
    settings = job.training
    phases = (
        ("05-train-1", "06-select-1", mixed / "phase1.jsonl", settings.phase1),
        ("07-train-2", "07b-select-2", mixed / "phase2.jsonl", settings.phase2),
    )
    model, chosen = student, None
    for training, choosing, rows, phase in phases:
        if not jsonl.count(rows):
            continue
        made = train.train(run, job, stage=training, model=model, rows=rows, phase=phase)
        chosen = train.choose(run, job, stage=choosing, candidates=made, proof=proof, base=base)
        model = chosen.checkpoint.path
    assert chosen is not None, "generation raises NothingGenerated before there could be nothing to train"
    return chosen


def register(run: RunFolder, job: Job, chosen: Chosen, *, files: Sequence[Path], facts: Mapping[str, str]) -> ModelDir:
    """Put the chosen checkpoint and `files` (its GGUF, its report) into the store under the job's name.

    `facts` are written down beside where it comes from. Naming the run makes it the model that `ilab model chat` takes.
    """
    provenance = {
        "source": f"run {run.id}",
        "run": run.id,
        "base_model": job.models.student,
        "checkpoint": chosen.checkpoint.name,
        **facts,
    }
    store: ModelStore = job.store
    name = refs.full_name(job.name)
    if any(entry.name == name and dict(entry.record.provenance) == provenance for entry in store.list()):
        return store.find(name, prefer="gguf")
    with store.building(job.name, provenance=provenance) as folder:
        for file in sorted(chosen.checkpoint.path.iterdir()):
            if file.is_file() and file.name != "DONE.json":
                shutil.copyfile(file, folder / file.name)
        for file in files:
            shutil.copyfile(file, folder / file.name)
    return store.find(name, prefer="gguf")


def _result(chosen: Chosen, data: ReportData, model: ModelDir) -> dict[str, Any]:
    card = data.scorecard
    numbers = {
        "base": card.score("accuracy", "base", "closed", "document"),
        "tuned": card.score("accuracy", "tuned", "closed", "document"),
        "base_open_book": card.score("accuracy", "base", "open", "document"),
        "gain": card.gain("accuracy", "document"),
        "keep": card.gain("accuracy", "keep"),
        "specific": card.specific.get("accuracy"),
    }
    return {
        "model": model.name,
        "checkpoint": chosen.checkpoint.name,
        "headline": card.headline,
        "accuracy": {name: value.to_json() for name, value in numbers.items() if value is not None},
        "reports": ["report.md", "report.html"],
        "seconds": {cost.name: cost.seconds for cost in data.stages},
    }
