"""`ilab model train`: one phase or two on files that exist already, without generating anything."""

from __future__ import annotations

from pathlib import Path

from ilab.evaluation import questions
from ilab.pipeline import baseline, model_session, train
from ilab.pipeline.baseline import Proof
from ilab.pipeline.job import Job
from ilab.pipeline.train import Chosen
from ilab.runs.folder import RunFolder
from ilab.runs.stage import StageBox, run_stage


def train_phases(run: RunFolder, job: Job, *, knowledge: Path | None, skills: Path | None) -> Chosen:
    """Train on `knowledge`, choose a checkpoint, train on `skills` from it, choose again; either file may be absent."""
    student = model_session.exact_form(job, job.models.student, run.reporter("05-train-1"))
    proof = _proof(job)
    base = _base(run, job, proof)
    model, chosen = student.path, None
    for number, (rows, phase) in enumerate(((knowledge, job.training.phase1), (skills, job.training.phase2)), start=1):
        if rows is None:
            continue
        stage = f"0{3 + 2 * number}-train-{number}"
        made = train.train(run, job, stage=stage, model=model, rows=rows, phase=phase)
        chosen = train.choose(run, job, stage=f"{stage}-select", candidates=made, proof=proof, base=base)
        model = chosen.checkpoint.path
    assert chosen is not None, "the command asks for at least one file"
    return chosen


def _proof(job: Job) -> Proof:
    """The questions that the settings name; without them the last checkpoint is the best."""
    settings = job.evaluation
    document = questions.read(Path(settings.questions)) if settings.questions else None
    keep = questions.read(Path(settings.keepset)) if settings.keepset else questions.shipped_keepset()
    return Proof(document=document, placebo=None, keep=keep)


def _base(run: RunFolder, job: Job, proof: Proof) -> Path:
    """The untrained student on the selection part, so that forgetting can be told."""
    student = model_session.exact_form(job, job.models.student, run.reporter("04-baseline"))

    def work(box: StageBox) -> None:
        if proof.document is None:
            (box.folder / "answers.jsonl").touch()
            return
        with model_session.scoring(student, settings=job.serving, folder=box.folder / "student") as scoring:
            parts = proof.selection(job.evaluation)
            baseline.score(proof, scoring, "base", job.evaluation, out=box.folder, report=box.report, parts=parts)

    inputs = {"student": model_session.identity(student), **baseline.proof_inputs(job)}
    return run_stage(run, "04-baseline", settings=job.evaluation, inputs=inputs, work=work)
