"""Samples -> training files. What the proof holds out is kept away from training here, with the reason on record."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ilab.base import jsonl
from ilab.mixing import mix as mixing
from ilab.mixing import on_demand, split
from ilab.mixing.formats import KeepPair
from ilab.mixing.on_demand import OnDemand
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

_CHUNKS_KEPT = 4096


def mix(run: RunFolder, job: Job, prepared: Prepared, generated: Path, replay: Path | None, proof: Proof) -> Path:
    """The stage's folder, with phase1.jsonl, phase2.jsonl, heldout.jsonl.

    `replay` is the file of the untrained student's own answers; None where none were asked for. What a person decided
    about the samples counts: rejected ones are left out, edited answers replace the old ones.
    """
    reviews = Reviews(run.folder / REVIEWS)

    def work(box: StageBox) -> Mapping[str, Any]:
        keep = [
            KeepPair(prompt=row["prompt"], answer=row["answer"])
            for row in (jsonl.read(replay) if replay else ())
            if row["whole"] and row["answer"]
        ]
        with opened(prepared, generated) as (samples, chunks):
            train, held = divide(samples, proof, job, reviews, folder=box.folder)
            why = Counter(reason for _, reason in held)
            jsonl.write(box.folder / "heldout.jsonl", (one.to_json() | {"reason": reason} for one, reason in held))
            summary = mixing.mix(
                train,
                chunks,
                statements=statements_of(chunks),
                keep=keep,
                settings=job.mixing,
                out=box.folder,
            )
        return {"phase1": summary.phase1, "phase2": summary.phase2, "held_out": dict(why)}

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


@contextmanager
def opened(prepared: Prepared, generated: Path) -> Iterator[tuple[Sequence[Sample], Sequence[Chunk]]]:
    """The samples and the chunks of a run, read from their files whenever one is asked for."""
    with (
        on_demand.of_file(generated / "samples.jsonl", Sample.from_json) as samples,
        on_demand.of_file(prepared.folder / "chunks.jsonl", Chunk.from_json, kept=_CHUNKS_KEPT) as chunks,
    ):
        yield samples, chunks


def statements_of(chunks: Iterable[Chunk]) -> Iterator[tuple[list[str], str]]:
    """What the chunks say, as (wordings, chunk id): every sentence, and short ones that say its parts."""
    for chunk in chunks:
        for statement in statements.of_chunk(chunk):
            for text in (statement.text, *restatements.of_statement(statement)):
                other = wordings.reworded(text)
                yield [text, other] if other else [text], chunk.id


def divide(
    samples: Sequence[Sample], proof: Proof, job: Job, reviews: Reviews | None = None, *, folder: Path | None = None
) -> tuple[Sequence[Sample], Sequence[tuple[Sample, str]]]:
    """(to train, held out with the reason); both ask `samples` for their items. Temporary files go to `folder`.

    With a hand-written question file: rows that repeat a held-out question, or that give the answer of a fact marked
    `untaught`. Without one: a share of the generated facts. Rows that a person rejected are held out too.
    """

    def reviewed(sample: Sample) -> Sample:
        return next(reviews.apply([sample]), sample) if reviews else sample

    why = _why(samples, proof, job, folder)
    train, held, reasons, refused = array("q"), array("q"), list[str](), array("q")
    for place, sample in enumerate(samples):
        rejected = reviews is not None and reviews.rejected(sample)
        # a proof of generated facts comes before the review: its questions were chosen among the rows as they were
        reason = why(sample) if proof.generated else "" if rejected else why(reviewed(sample))
        if reason:
            held.append(place)
            reasons.append(reason)
        else:
            (refused if rejected else train).append(place)

    def left_out(number: int) -> tuple[Sample, str]:
        if number >= len(held):
            return samples[refused[number - len(held)]], REVIEWED_OUT
        sample = samples[held[number]]
        return sample if proof.generated else reviewed(sample), reasons[number]

    return (
        OnDemand(len(train), lambda number: reviewed(samples[train[number]])),
        OnDemand(len(held) + len(refused), left_out),
    )


def _why(samples: Iterable[Sample], proof: Proof, job: Job, folder: Path | None) -> Callable[[Sample], str]:
    """What says why a sample must not be trained; empty where nothing speaks against it."""
    document = proof.document
    if document is None:
        return lambda sample: ""
    if proof.generated:
        facts = split.held_facts(samples, share=job.mixing.heldout_share, seed=job.mixing.seed, folder=folder)
        return lambda sample: "held out for the proof" if split.fact_key(sample) in facts else ""
    withheld = [fact.answer for fact in document if fact.tier == "untaught"]
    asked = [question for fact in document for question in fact.questions]
    return lambda sample: "" if sample.origin == "seed" else split.asks_about(sample, answers=withheld, questions=asked)
