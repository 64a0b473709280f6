"""Seeds and chunks + teacher -> samples."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from ilab.base import digest
from ilab.errors import TeacherError
from ilab.llm.journal import Journal, Journaled
from ilab.llm.port import ChatModel
from ilab.pipeline import model_session
from ilab.pipeline.job import Job
from ilab.pipeline.prepare import Prepared
from ilab.runs.folder import RunFolder
from ilab.runs.stage import StageBox, run_stage
from ilab.sdg import execute, flow


def generate(run: RunFolder, job: Job, prepared: Prepared) -> Path:
    """The stage's folder, with samples.jsonl, rejected.jsonl and funnel.json."""
    steps = flow.load(job.sdg.flow)
    teacher_name = _teacher_name(run, job)
    judge = model_session.exact_form(job, job.models.judge, run.reporter("02-generate"))
    names = digest.of_value([teacher_name, model_session.identity(judge)])

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
            )

    inputs: dict[str, Path | str] = {
        "seeds": prepared.folder / "seeds.jsonl",
        "chunks": prepared.folder / "chunks.jsonl",
        "models": names,
        "flow": digest.of_value(steps.model_dump(mode="json")),
    }
    return run_stage(run, "02-generate", settings=job.sdg, inputs=inputs, work=work, version=execute.VERSION)


def _teacher_name(run: RunFolder, job: Job) -> str:
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
    with closing(Journal(_journal_file(job, identity), read_only=job.sdg.replay)) as journal:
        if job.sdg.replay:
            yield Journaled(None, journal, identity=identity)
            return
        with model_session.teacher(job, folder=box.folder / "teacher", report=box.report) as teacher:
            yield Journaled(teacher, journal, identity=identity)


def _journal_file(job: Job, identity: str) -> Path:
    """The journal: the user's, else one for each teacher in the cache, so that every run has it."""
    if job.sdg.journal:
        return Path(job.sdg.journal).expanduser()
    return job.cache / "journal" / f"{digest.of_value(identity)[:16]}.jsonl"
