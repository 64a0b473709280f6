"""Seeds and chunks + teacher -> samples."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ilab.base import digest
from ilab.errors import TeacherError
from ilab.evaluation import questions
from ilab.llm.port import ChatModel
from ilab.pipeline import model_session, teacher_journal
from ilab.pipeline.job import Job
from ilab.pipeline.prepare import Prepared
from ilab.runs.folder import RunFolder
from ilab.runs.stage import StageBox, run_stage
from ilab.sdg import execute, flow


def generate(run: RunFolder, job: Job, prepared: Prepared) -> Path:
    """The stage's folder, with samples.jsonl, rejected.jsonl and funnel.json."""
    steps = flow.load(job.sdg.flow)
    for note in steps.notes:
        run.reporter("02-generate").warning(note)
    teacher_name = name_of_teacher(run, job)
    judge = model_session.exact_form(job, job.models.judge, run.reporter("02-generate"))
    names = digest.of_value([teacher_name, model_session.identity(judge)])
    held_out = _held_out(job) if steps.compares else []

    def work(box: StageBox) -> Mapping[str, Any]:
        with (
            _teacher(job, box, identity=teacher_name) as teacher,
            model_session.scoring(judge, settings=job.serving, folder=box.folder / "judge") as scoring,
        ):
            models = execute.Models(
                teacher=teacher, scorer=scoring.scorer, render=scoring.prompts.render, identity=names
            )
            return execute.generate(
                prepared.seeds(),
                prepared.chunks(),
                flow=steps,
                models=models,
                settings=job.sdg,
                out=box.folder,
                report=box.report,
                held_out=held_out,
                originals=prepared.originals(),
            )

    inputs: dict[str, Path | str] = {
        "seeds": prepared.folder / "seeds.jsonl",
        "chunks": prepared.folder / "chunks.jsonl",
        "documents": prepared.folder / "documents.jsonl",
        "models": names,
        "flow": digest.of_value(steps.model_dump(mode="json")),
        "held_out": digest.of_value(held_out),
    }
    return run_stage(run, "02-generate", settings=job.sdg, inputs=inputs, work=work, version=execute.VERSION)


def _held_out(job: Job) -> list[str]:
    """The questions that the proof asks, where the settings name a file of them: training must not repeat them."""
    settings = job.evaluation
    named = [(settings.questions, "questions"), (settings.placebo, "placebo"), (settings.keepset, "keepset")]
    return [
        question
        for path, kind in named
        if path
        for fact in questions.read(Path(path), kind=kind)
        for question in fact.questions
    ]


def name_of_teacher(run: RunFolder, job: Job) -> str:
    """What names the teacher: see `model_session.teacher_identity`."""
    try:
        return model_session.teacher_identity(job, run.reporter("02-generate"), note=run.folder / "teacher.json")
    except TeacherError as error:
        if not job.sdg.replay:
            raise
        hint = "name the model with --teacher-model: then a replay needs no server"
        raise TeacherError(error.message, hint=hint) from error


@contextmanager
def _teacher(job: Job, box: StageBox, *, identity: str) -> Iterator[ChatModel]:
    """The teacher behind its journal; a replay starts none."""
    with teacher_journal.opened(job, identity, read_only=job.sdg.replay) as journal:
        if job.sdg.replay:
            yield model_session.remembering(job, None, journal, identity=identity)
            return
        with model_session.teacher(job, folder=box.folder / "teacher", report=box.report) as teacher:
            yield model_session.remembering(job, teacher, journal, identity=identity)
