"""Gather what a run measured into report.md, report.html and the lines for the screen."""

from __future__ import annotations

import json
from pathlib import Path

from ilab.base import atomic, jsonl
from ilab.evaluation.answers import read_answers
from ilab.evaluation.report import data as parts
from ilab.evaluation.report import html, markdown, screen
from ilab.evaluation.report.data import ReportData
from ilab.pipeline import costs, trained
from ilab.pipeline.baseline import Proof
from ilab.pipeline.job import Job
from ilab.pipeline.train import Chosen
from ilab.records.scores import Scorecard
from ilab.runs import stage as stages
from ilab.runs.folder import RunFolder


def write(
    run: RunFolder, job: Job, *, chosen: Chosen, proof: Proof, evaluated: Path, base: Path, generated: Path
) -> ReportData:
    """Write both reports into the run folder and return what they show."""
    card = Scorecard.from_json(json.loads((evaluated / "scorecard.json").read_text(encoding="utf-8")))
    mixed = run.stages / "04-mix"
    told = {fact.id for part in proof.reported(job.evaluation) for fact in part}
    before, after = (
        [one for one in read_answers(folder / "answers.jsonl") if one.fact in told] for folder in (base, evaluated)
    )
    data = ReportData(
        title=f"What {job.name} learned",
        scorecard=card,
        run_id=run.id,
        command=" ".join(["ilab", *run.manifest.argv]),
        base_name="base model",
        tuned_name=job.name,
        questions=parts.question_rows(before, after),
        examples=_examples(base, evaluated),
        funnel=trained.funnel(generated, mixed),
        rehearsal=trained.rehearsal(mixed, proof.keep),
        losses=_losses(run),
        checkpoints=chosen.choice.table,
        choice=chosen.choice.reason,
        stages=costs.of_stages(run),
        teacher=costs.usage(generated),
        warnings=tuple(dict.fromkeys(run.state().warnings)),
        files={
            "every score": "stages/08-evaluate/answers.jsonl",
            "scorecard": "stages/08-evaluate/scorecard.json",
            "samples": "stages/02-generate/samples.jsonl",
            "rejected rows with reasons": "stages/02-generate/rejected.jsonl",
            "training rows": "stages/04-mix/phase1.jsonl",
            "what was asked": "manifest.json",
        },
        environment=environment(run),
    )
    save(run, data)
    return data


def save(run: RunFolder, data: ReportData) -> None:
    """Write report.md and report.html into the run folder."""
    atomic.write_text(run.folder / "report.md", markdown.to_markdown(data))
    atomic.write_text(run.folder / "report.html", html.to_html(data))


def lines(data: ReportData) -> list[str]:
    """The report as lines for a terminal."""
    return screen.to_screen(data)


def _examples(base: Path, evaluated: Path) -> list[parts.Example]:
    before = list(jsonl.read(base / "words.jsonl"))
    after = list(jsonl.read(evaluated / "words.jsonl"))
    return [
        parts.Example(
            question=old["question"],
            gold=old["gold"],
            before=old["text"],
            after=new["text"],
            before_hit=old["hit"],
            after_hit=new["hit"],
        )
        for old, new in zip(before, after, strict=True)
    ]


def _losses(run: RunFolder) -> list[parts.LossPoint]:
    points = []
    for name, phase in (("05-train-1", "knowledge"), ("07-train-2", "skills")):
        path = run.stages / name / "metrics.jsonl"
        if path.exists():
            points += [
                parts.LossPoint(phase=phase, step=row["step"], tokens=row.get("tokens", 0), loss=row["loss"])
                for row in jsonl.read(path, skip_torn=True)
                if "loss" in row
            ]
    return points


def environment(run: RunFolder) -> dict[str, str]:
    """The machine and the packages that a run's numbers come from."""
    host = run.manifest.host
    versions = run.manifest.packages
    peaks = [int(stages.done(folder).get("peak_memory", 0)) for folder in costs.finished(run)]
    found = {
        "processor": f"{host.get('cpu', '?')}, {host.get('cores', '?')} cores",
        "peak memory of one process": f"{max(peaks, default=0) / 2**30:.1f} GiB",
        "python": str(host.get("python", "?")),
    }
    return found | {
        name: versions[name] for name in ("openilab", "torch", "transformers", "xllamacpp") if name in versions
    }
