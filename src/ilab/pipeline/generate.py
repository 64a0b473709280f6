"""Seeds and chunks + teacher -> samples."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ilab.base import digest
from ilab.pipeline import model_session
from ilab.pipeline.job import Job
from ilab.pipeline.prepare import Prepared
from ilab.runs.folder import RunFolder
from ilab.runs.stage import StageBox, run_stage
from ilab.sdg import execute, flow


def generate(run: RunFolder, job: Job, prepared: Prepared) -> Path:
    """The stage's folder, with samples.jsonl, rejected.jsonl and funnel.json."""
    steps = flow.load(job.sdg.flow)
    teacher_name = model_session.teacher_identity(job, run.reporter("02-generate"), note=run.folder / "teacher.json")
    judge = model_session.exact_form(job, job.models.judge, run.reporter("02-generate"))
    names = digest.of_value([teacher_name, model_session.identity(judge)])

    def work(box: StageBox) -> Mapping[str, Any]:
        with (
            model_session.teacher(job, folder=box.folder / "teacher", report=box.report) as teacher,
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
