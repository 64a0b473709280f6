"""Samples -> training files. What the proof holds out is kept away from training here, with the reason on record."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ilab.base import jsonl
from ilab.mixing import mix as mixing
from ilab.mixing import split
from ilab.mixing.formats import KeepPair
from ilab.pipeline.baseline import Proof
from ilab.pipeline.job import Job
from ilab.pipeline.prepare import Prepared
from ilab.records.chunks import Chunk
from ilab.records.reviews import FILE as REVIEWS
from ilab.records.reviews import REJECTED as REVIEWED_OUT
from ilab.records.reviews import Reviews
from ilab.records.samples import Sample
from ilab.runs.folder import RunFolder
from ilab.runs.stage import StageBox, run_stage
from ilab.sdg import restatements, statements, wordings


def mix(run: RunFolder, job: Job, prepared: Prepared, generated: Path, replay: Path | None, proof: Proof) -> Path:
    """The stage's folder, with phase1.jsonl, phase2.jsonl, heldout.jsonl.

    `replay` is the file of the untrained student's own answers; None where none were asked for. What a person decided
    about the samples counts: rejected ones are left out, edited answers replace the old ones.
    """
    reviews = Reviews(run.folder / REVIEWS)

    def work(box: StageBox) -> Mapping[str, Any]:
        samples = [Sample.from_json(row) for row in jsonl.read(generated / "samples.jsonl")]
        train, held = divide(samples, proof, job, reviews)
        jsonl.write(box.folder / "heldout.jsonl", [{**sample.to_json(), "reason": reason} for sample, reason in held])
        chunks = prepared.chunks()
        keep = [
            KeepPair(prompt=row["prompt"], answer=row["answer"])
            for row in (jsonl.read(replay) if replay else ())
            if row["whole"] and row["answer"]
        ]
        summary = mixing.mix(
            train,
            chunks,
            statements=statements_of(chunks),
            keep=keep,
            settings=job.mixing,
            out=box.folder,
        )
        return {
            "phase1": summary.phase1,
            "phase2": summary.phase2,
            "held_out": dict(Counter(reason for _, reason in held)),
        }

    inputs: dict[str, Path | str] = {
        "samples": generated / "samples.jsonl",
        "chunks": prepared.folder / "chunks.jsonl",
        "replay": replay or "none",
    }
    if job.evaluation.questions:
        inputs["questions"] = Path(job.evaluation.questions)
    if reviews.path.exists():
        inputs["reviews"] = reviews.path
    return run_stage(run, "04-mix", settings=job.mixing, inputs=inputs, work=work, version=3)


def statements_of(chunks: Sequence[Chunk]) -> list[tuple[list[str], str]]:
    """What the chunks say, as (wordings, chunk id): every sentence, and short ones that say its parts."""
    found = []
    for chunk in chunks:
        for statement in statements.of_chunk(chunk):
            for text in (statement.text, *restatements.of_statement(statement)):
                other = wordings.reworded(text)
                found.append(([text, other] if other else [text], chunk.id))
    return found


def divide(
    samples: list[Sample], proof: Proof, job: Job, reviews: Reviews | None = None
) -> tuple[list[Sample], list[tuple[Sample, str]]]:
    """(to train, held out with the reason).

    With a hand-written question file: rows that repeat a held-out question, or that give the answer of a fact marked
    `untaught`. Without one: a share of the generated facts. Rows that a person rejected are held out too.
    """
    document = proof.document
    if document is None:
        return _reviewed(samples, reviews)
    if proof.generated:
        # before the review: the questions of the proof were chosen among the same rows as they were generated
        train, held = split.by_fact(samples, share=job.mixing.heldout_share, seed=job.mixing.seed)
        train, refused = _reviewed(train, reviews)
        return train, [*((sample, "held out for the proof") for sample in held), *refused]
    samples, refused = _reviewed(samples, reviews)
    withheld = [fact.answer for fact in document if fact.tier == "untaught"]
    asked = [question for fact in document for question in fact.questions]
    reasons = [
        "" if sample.origin == "seed" else split.asks_about(sample, answers=withheld, questions=asked)
        for sample in samples
    ]
    pairs = list(zip(samples, reasons, strict=True))
    return [sample for sample, reason in pairs if not reason], [*(pair for pair in pairs if pair[1]), *refused]


def _reviewed(samples: list[Sample], reviews: Reviews | None) -> tuple[list[Sample], list[tuple[Sample, str]]]:
    """(the samples as a person left them, the rejected ones with that reason)."""
    if reviews is None:
        return samples, []
    refused = [(sample, REVIEWED_OUT) for sample in samples if reviews.rejected(sample)]
    return list(reviews.apply(samples)), refused
