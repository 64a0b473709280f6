"""Gather what a run measured into report.md, report.html and the lines for the screen."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ilab.base import atomic, jsonl
from ilab.evaluation.answers import read_answers
from ilab.evaluation.report import data as parts
from ilab.evaluation.report import html, markdown, screen
from ilab.evaluation.report.data import ReportData
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
    card = Scorecard.from_json(json.loads((evaluated / "scorecard.json").read_text()))
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
        funnel=_funnel(generated, run),
        losses=_losses(run),
        checkpoints=chosen.choice.table,
        choice=chosen.choice.reason,
        stages=_costs(run),
        teacher=_usage(generated),
        warnings=tuple(dict.fromkeys(run.state().warnings)),
        files={
            "every score": "stages/08-evaluate/answers.jsonl",
            "scorecard": "stages/08-evaluate/scorecard.json",
            "samples": "stages/02-generate/samples.jsonl",
            "rejected rows with reasons": "stages/02-generate/rejected.jsonl",
            "training rows": "stages/04-mix/phase1.jsonl",
            "what was asked": "manifest.json",
        },
        environment=_environment(run),
    )
    atomic.write_text(run.folder / "report.md", markdown.to_markdown(data))
    atomic.write_text(run.folder / "report.html", html.to_html(data))
    return data


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


def _funnel(generated: Path, run: RunFolder) -> list[parts.FunnelRow]:
    funnel = json.loads((generated / "funnel.json").read_text())
    names = {
        "seed": "your own examples",
        "facts": "facts, asked by rule",
        "sentences": "sentences, asked by the teacher",
    }
    names |= {"pairs": "written by the teacher", "variations": "skill variations by the teacher"}
    rows = [parts.FunnelRow(label=f"kept: {names.get(k, k)}", count=n) for k, n in funnel["kept"].items()]
    held = stages.done(run.stages / "04-mix")["summary"].get("held_out", {})
    rejected = {**funnel["rejected"], **{f"kept for the proof: {reason}": n for reason, n in held.items()}}
    return rows + [
        parts.FunnelRow(label=reason, count=n, rejected=True)
        for reason, n in sorted(rejected.items(), key=lambda pair: -pair[1])
    ]


def _usage(generated: Path) -> parts.TokenUsage:
    spent = json.loads((generated / "funnel.json").read_text()).get("teacher_tokens", {})
    cached = int(spent.get("cached", 0))
    return parts.TokenUsage(
        prompt=int(spent.get("computed", 0)) + cached, cached=cached, completion=int(spent.get("written", 0))
    )


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


def _costs(run: RunFolder) -> list[parts.StageCost]:
    costs = []
    for folder in _finished(run):
        record: dict[str, Any] = stages.done(folder)
        tokens = record["summary"].get("tokens", 0)
        costs.append(parts.StageCost(name=folder.name, seconds=record["seconds"], tokens=int(tokens)))
    return costs


def _finished(run: RunFolder) -> list[Path]:
    """The folders of the stages that are done, in order; those set aside are left out."""
    return [
        path for path in sorted(run.stages.iterdir()) if (path / "DONE.json").exists() and ".stale" not in path.name
    ]


def _environment(run: RunFolder) -> dict[str, str]:
    host = run.manifest.host
    versions = run.manifest.packages
    peaks = [int(stages.done(folder).get("peak_memory", 0)) for folder in _finished(run)]
    found = {
        "processor": f"{host.get('cpu', '?')}, {host.get('cores', '?')} cores",
        "peak memory of one process": f"{max(peaks, default=0) / 2**30:.1f} GiB",
        "python": str(host.get("python", "?")),
    }
    return found | {
        name: versions[name] for name in ("openilab", "torch", "transformers", "xllamacpp") if name in versions
    }
