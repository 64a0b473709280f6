"""What the untrained student knows: its likelihoods on every question, its own words on a few, its replay answers.

Measured once and kept: every checkpoint is compared with the same baseline.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ilab.base import atomic, digest, jsonl
from ilab.evaluation import answers, drift, heldout, questions, written
from ilab.evaluation.questions import Fact, QuestionSet, halves
from ilab.evaluation.settings import EvalSettings
from ilab.llm.pool import run_ordered
from ilab.llm.port import GenerationParams
from ilab.mixing import on_demand, split
from ilab.mixing.mix import replay_prompts
from ilab.pipeline import model_session
from ilab.pipeline.job import Job
from ilab.pipeline.model_session import Scoring
from ilab.pipeline.prepare import Prepared
from ilab.records import messages
from ilab.records.chunks import Chunk
from ilab.records.models import ModelDir
from ilab.records.samples import Sample
from ilab.runs.folder import RunFolder
from ilab.runs.stage import StageBox, run_stage


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """The questions of a run. `document` is hand-written, or made of held-out generated rows (`generated`)."""

    document: QuestionSet | None
    placebo: QuestionSet | None
    keep: QuestionSet
    generated: bool = False

    def selection(self, settings: EvalSettings) -> list[QuestionSet]:
        """The part that chooses checkpoints."""
        return self._part(0, settings)

    def reported(self, settings: EvalSettings) -> list[QuestionSet]:
        """The part that the report counts; the placebo has no other."""
        return [*self._part(1, settings), *([self.placebo] if self.placebo else [])]

    def _part(self, side: int, settings: EvalSettings) -> list[QuestionSet]:
        found = [halves(self.keep, every=settings.keep_selection_every)[side]]
        if self.document is not None:
            found.insert(0, halves(self.document, every=settings.selection_every)[side])
        return found

    def examples(self, settings: EvalSettings) -> list[Fact]:
        """The questions that both models answer in words: the first ones of the report part, taught facts first."""
        if self.document is None:
            return []
        facts = list(halves(self.document, every=settings.selection_every)[1])
        return sorted(facts, key=lambda fact: fact.tier != "taught")[: settings.examples]


def load_proof(job: Job, samples: Path | None) -> Proof:
    """The questions that the settings name; without a file, held-out rows of `samples` where there are enough."""
    settings = job.evaluation
    keep = questions.read(Path(settings.keepset), kind="keepset") if settings.keepset else questions.shipped_keepset()
    placebo = questions.read(Path(settings.placebo), kind="placebo") if settings.placebo else None
    if settings.questions:
        document = questions.read(Path(settings.questions), kind="questions")
        return Proof(document=document, placebo=placebo, keep=keep)
    if samples is None:
        return Proof(document=None, placebo=placebo, keep=keep)
    with on_demand.of_file(samples, Sample.from_json) as rows:
        held_out = split.by_fact(rows, share=job.mixing.heldout_share, seed=job.mixing.seed)[1]
        held = [row for row in held_out if _short(row)]
    enough = len({row.answer for row in held}) >= 8
    made = heldout.from_samples(held, fact_of=split.fact_of, tier="untaught") if enough else None
    return Proof(document=made, placebo=placebo, keep=keep, generated=True)


def _short(sample: Sample) -> bool:
    return len(sample.answer.split()) <= 8


def proof_inputs(job: Job) -> dict[str, Path | str]:
    """The question files as stage inputs."""
    settings = job.evaluation
    named = {"questions": settings.questions, "placebo": settings.placebo, "keepset": settings.keepset}
    return {name: Path(value) for name, value in named.items() if value}


def baseline(run: RunFolder, job: Job, prepared: Prepared, generated: Path) -> Path:
    """The stage's folder: answers.jsonl (likelihoods), neutral.json, words.jsonl, replay.jsonl."""
    student = model_session.exact_form(job, job.models.student, run.reporter("03-baseline"))
    proof = load_proof(job, generated / "samples.jsonl")

    def work(box: StageBox) -> Mapping[str, Any]:
        with model_session.scoring(student, settings=job.serving, folder=box.folder / "student") as scoring:
            context = contexts(proof.document, prepared.chunks()) if job.evaluation.open_book else None
            score(proof, scoring, "base", job.evaluation, out=box.folder, report=box.report, context_of=context)
        spoken = model_session.chat_form(job, job.models.student, box.report)
        say_words(job, spoken, proof, out=box.folder, box=box)
        _replay(job, spoken, box)
        return {"questions": sum(len(part) for part in proof.reported(job.evaluation))}

    inputs: dict[str, Path | str] = {
        "student": model_session.identity(student),
        "chunks": prepared.folder / "chunks.jsonl",
        "replay": digest.of_value(replay_prompts(job.mixing.keep_rows)),
        **({} if job.evaluation.questions else {"samples": generated / "samples.jsonl"}),
        **proof_inputs(job),
    }
    return run_stage(run, "03-baseline", settings=job.evaluation, inputs=inputs, work=work, version=2)


def score(
    proof: Proof,
    scoring: Scoring,
    name: str,
    settings: EvalSettings,
    *,
    out: Path,
    report: Any,
    context_of: Callable[[Fact], str] | None = None,
    parts: list[QuestionSet] | None = None,
) -> None:
    """Score a model on the selection and report parts (or on `parts`), closed book, and open book with `context_of`."""
    wanted = parts if parts is not None else [*proof.selection(settings), *proof.reported(settings)]
    for part in wanted:
        answers.answer_all(
            scoring.scorer, part, prompts=scoring.prompts, model=name, out=out / "answers.jsonl", report=report
        )
    if context_of is not None and proof.document is not None:
        told = halves(proof.document, every=settings.selection_every)[1]
        answers.answer_all(
            scoring.scorer,
            told,
            prompts=scoring.prompts,
            model=name,
            out=out / "answers.jsonl",
            context_of=context_of,
            report=report,
        )
    if parts is None:
        texts = drift.neutral_texts(Path(settings.neutral_text) if settings.neutral_text else None)
        atomic.write_json(out / "neutral.json", drift.bits_per_byte(scoring.scorer, texts))


def contexts(document: QuestionSet | None, chunks: list[Chunk]) -> Callable[[Fact], str]:
    """Open book: the chunk that holds a fact's source span, else the chunk that shares most words with it."""
    plain = [(" ".join(chunk.text.split()), chunk) for chunk in chunks]

    def find(fact: Fact) -> str:
        span = " ".join((fact.source or f"{fact.questions[0]} {fact.answer}").split())
        for text, chunk in plain:
            if span in text:
                return chunk.text
        words = set(span.lower().split())
        return max(plain, key=lambda pair: len(words & set(pair[0].lower().split())))[1].text if plain else ""

    return find


def say_words(job: Job, model: ModelDir, proof: Proof, *, out: Path, box: StageBox) -> None:
    """Let `model` answer the example questions in words; written to words.jsonl."""
    facts = proof.examples(job.evaluation)
    with model_session.answering(model, settings=job.serving, folder=out / "words") as chat:
        params = GenerationParams(max_tokens=job.evaluation.answer_tokens)
        spoken = written.write_answers(chat, facts, params=params, workers=4, report=box.report)
    jsonl.write(out / "words.jsonl", [answer.to_json() for answer in spoken])


def _replay(job: Job, model: ModelDir, box: StageBox) -> None:
    """The untrained student's own answers to general instructions, kept against forgetting."""
    prompts = replay_prompts(job.mixing.keep_rows)
    params = GenerationParams(max_tokens=128)
    done: list[int] = []

    def count(number: int, answer: object) -> None:
        del answer
        done.append(number)
        box.report.progress("replay answers", len(done), len(prompts))

    with model_session.answering(model, settings=job.serving, folder=box.folder / "replay") as chat:
        spoken = run_ordered(
            prompts,
            lambda prompt: chat.chat([messages.user(prompt)], params),
            workers=job.sdg.workers,
            on_done=count,
        )
    rows = [
        {"prompt": prompt, "answer": answer.text.strip(), "whole": answer.finish_reason == "stop"}
        for prompt, answer in zip(prompts, spoken, strict=True)
    ]
    jsonl.write(box.folder / "replay.jsonl", rows)
