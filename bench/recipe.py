"""Try a recipe for phase 1 on a finished run of the demo: mix again, train, score the selection half of the questions.

    .venv/bin/python bench/recipe.py last out/ --set mixing.questions_per_fact=12 --set training.batch_tokens=256

The run gives chunks, samples, replay answers and the student. What is scored: the selection half of the held-out facts,
with four more phrasings of each (bench/data/phoenix_selection.json, written by someone who saw neither the training
questions nor the rules that make them), and the selection part of the keep-set. The report half is never touched.
Writes <out>/result.json. Minutes of training: run nothing else meanwhile.
"""

from __future__ import annotations

import argparse
import json
import platform
from dataclasses import replace
from pathlib import Path
from statistics import fmean

from ilab.base import hardware, jsonl
from ilab.base.report import NullReporter
from ilab.config import load
from ilab.evaluation import answers, questions
from ilab.evaluation.contrast import gold_share
from ilab.evaluation.questions import QuestionSet
from ilab.mixing import mix
from ilab.mixing.formats import KeepPair
from ilab.pipeline import model_session
from ilab.pipeline.baseline import Proof
from ilab.pipeline.mix import divide, statements_of
from ilab.records.chunks import Chunk
from ilab.records.models import SAFETENSORS, ModelDir
from ilab.records.samples import Sample
from ilab.records.scores import Answer
from ilab.runs import index
from ilab.training import train

HERE = Path(__file__).resolve().parent
PROOF = HERE.parent / "examples" / "phoenix" / "proof" / "questions.yaml"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", help="id of a finished run of the demo, or `last`")
    parser.add_argument("out", type=Path, help="a new folder")
    parser.add_argument("--set", action="append", default=[], metavar="ROOM.KEY=VALUE", dest="changes")
    asked = parser.parse_args()
    overrides = dict(change.split("=", 1) for change in asked.changes)
    loaded = load.load(load.Request(overrides=overrides))
    from ilab.cli import job as jobs

    job = jobs.of(loaded)
    stages = index.find(loaded.paths.runs, asked.run).stages
    asked.out.mkdir(parents=True)
    summary = mix_again(stages, job, asked.out)
    student = model_session.exact_form(job, job.models.student, NullReporter())
    made = train.train(
        model=student.path,
        rows=asked.out / "phase1.jsonl",
        out=asked.out / "train",
        phase=job.training.phase1,
        settings=job.training,
        report=NullReporter(),
    )
    last = made[-1]
    model = ModelDir(name=last.name, path=last.path, format=SAFETENSORS)
    with model_session.scoring(model, settings=job.serving, folder=asked.out / "engine") as scoring:
        scores = {
            part.title: summarise(
                answers.answer_all(
                    scoring.scorer, part, prompts=scoring.prompts, model=last.name, out=asked.out / "answers.jsonl"
                )
            )
            for part in (selection(), questions.halves(questions.shipped_keepset(), every=3)[0])
        }
    result = {
        "changes": asked.changes,
        "rows": summary.phase1,
        "tokens": last.tokens,
        "loss": last.loss,
        "scores": scores,
        "environment": {"machine": platform.machine(), "cores": hardware.usable_cores()},
    }
    text = json.dumps(result, indent=2, ensure_ascii=False)
    (asked.out / "result.json").write_text(text + "\n", encoding="utf-8")
    print(text)


def mix_again(stages: Path, job, out: Path) -> mix.MixSummary:
    """The training files of a run, made anew with the job's settings."""
    chunks = [Chunk.from_json(row) for row in jsonl.read(stages / "01-prepare" / "chunks.jsonl")]
    samples = [Sample.from_json(row) for row in jsonl.read(stages / "02-generate" / "samples.jsonl")]
    proof = Proof(document=questions.read(PROOF), placebo=None, keep=questions.shipped_keepset())
    kept, _ = divide(samples, proof, job)
    replay = jsonl.read(stages / "03-baseline" / "replay.jsonl")
    keep = [KeepPair(prompt=row["prompt"], answer=row["answer"]) for row in replay if row["whole"] and row["answer"]]
    return mix.mix(kept, chunks, statements=statements_of(chunks), keep=keep, settings=job.mixing, out=out)


def selection() -> QuestionSet:
    """The selection half, six phrasings a fact."""
    half = questions.halves(questions.read(PROOF))[0]
    more = json.loads((HERE / "data" / "phoenix_selection.json").read_text(encoding="utf-8"))
    return replace(half, facts=tuple(replace(fact, questions=(*fact.questions, *more[fact.id])) for fact in half.facts))


def summarise(found: list[Answer]) -> dict[str, dict[str, float]]:
    """Accuracy and share of the right answer, for all questions and by tier."""
    tiers = {"all": found, **{tier: [one for one in found if one.tier == tier] for tier in {one.tier for one in found}}}
    return {
        tier: {
            "accuracy": round(fmean(one.correct for one in rows), 3),
            "share": round(fmean(gold_share(one) for one in rows), 3),
            "questions": len(rows),
        }
        for tier, rows in sorted(tiers.items())
    }


if __name__ == "__main__":
    main()
