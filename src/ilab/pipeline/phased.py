"""`ilab model train`: one phase or two on files that exist already, without generating anything."""

from __future__ import annotations

from pathlib import Path

from ilab.errors import UserFileError
from ilab.models import convert
from ilab.pipeline import baseline, model_session, train
from ilab.pipeline.baseline import Proof
from ilab.pipeline.customize import register
from ilab.pipeline.job import Job
from ilab.pipeline.train import Chosen
from ilab.records.models import GGUF, ModelDir
from ilab.runs.folder import RunFolder
from ilab.runs.stage import StageBox, run_stage


def train_phases(run: RunFolder, job: Job, *, knowledge: Path | None, skills: Path | None) -> Chosen:
    """Train on `knowledge`, choose a checkpoint, train on `skills` from it, choose again; either file may be absent."""
    student = model_session.exact_form(job, job.models.student, run.reporter("05-train-1"))
    proof = baseline.load_proof(job, None)
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


def keep(run: RunFolder, job: Job, chosen: Chosen) -> ModelDir:
    """Put the chosen checkpoint into the store under the job's name, and its GGUF, which answers fastest, beside it."""
    student = model_session.chat_form(job, job.models.student, run.reporter("08-convert"))

    def work(box: StageBox) -> None:
        like = student.path if student.format == GGUF else None
        try:
            convert.safetensors_to_gguf(chosen.checkpoint.path, box.folder / "model.gguf", like=like, report=box.report)
        except UserFileError as error:  # an architecture without a GGUF form: the other engines can still run it
            box.report.warning(f"the model is kept without GGUF: {'; '.join([error.message, *error.details])}")

    inputs: dict[str, Path | str] = {"checkpoint": chosen.checkpoint.path, "student": model_session.identity(student)}
    converted = run_stage(run, "08-convert", settings={}, inputs=inputs, work=work) / "model.gguf"
    return register(run, job, chosen, files=[converted] if converted.exists() else [], facts={})


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
