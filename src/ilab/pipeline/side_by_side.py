"""`ilab model test`: a tuned model beside its base: both answer the same questions, and the right answer is weighed.

A basic test for a quick look. `ilab model evaluate` measures: every phrasing, intervals, what was forgotten.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from ilab.base import digest, jsonl
from ilab.evaluation import answers, written
from ilab.evaluation.questions import QuestionSet
from ilab.llm.port import GenerationParams
from ilab.pipeline import model_session
from ilab.pipeline.job import Job
from ilab.records.scores import Answer
from ilab.runs.folder import RunFolder
from ilab.runs.stage import StageBox, run_stage


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """One question with both answers in words.

    `gain` says by how many nats the expected answer became likelier; `base_lead` and `tuned_lead` are the nats by which
    it stands above the wrong ones (their mean). A hit is an answer that contains the expected words.
    """

    question: str
    expected: str
    base: str
    tuned: str
    gain: float
    base_lead: float
    tuned_lead: float
    base_hit: bool
    tuned_hit: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Every question, and what they add up to: means in nats, counts of questions."""

    pairs: tuple[Pair, ...]
    gain: float
    lead_gain: float
    likelier: int
    base_right: int
    tuned_right: int
    base_hits: int
    tuned_hits: int

    @property
    def better(self) -> bool:
        """Whether the tuned model tells the right answers from wrong ones better than its base.

        A model that only learned the style of the answers finds all of them likelier, the wrong ones too.
        """
        return self.lead_gain > 0

    def to_json(self) -> dict[str, Any]:
        """The comparison as JSON."""
        return {**asdict(self), "better": self.better}


def compare(run: RunFolder, job: Job, *, base: str, tuned: str, asked: QuestionSet) -> Comparison:
    """Ask `base` and `tuned` the first phrasing of every fact. Call inside `run.working()`."""
    asked = replace(asked, facts=tuple(replace(fact, questions=fact.questions[:1]) for fact in asked))
    folders = [_ask(run, job, stage, model, asked) for stage, model in (("01-base", base), ("02-tuned", tuned))]
    words = [list(jsonl.read(folder / "words.jsonl")) for folder in folders]
    scored = [_in_order(folder, asked) for folder in folders]
    pairs = [_pair(*row) for row in zip(*words, *scored, strict=True)]
    jsonl.write(run.folder / "comparison.jsonl", [asdict(pair) for pair in pairs])
    return _sum(pairs, scored)


def _ask(run: RunFolder, job: Job, stage: str, reference: str, asked: QuestionSet) -> Path:
    """The stage's folder: answers.jsonl (likelihoods) and words.jsonl, in the order of the questions."""
    spoken = model_session.chat_form(job, reference, run.reporter(stage))
    exact = model_session.exact_form(job, reference, run.reporter(stage))
    name = stage.partition("-")[2]

    def work(box: StageBox) -> Mapping[str, Any]:
        out = box.folder / "answers.jsonl"
        with model_session.scoring(exact, settings=job.serving, folder=box.folder / "likelihoods") as scoring:
            answers.answer_all(scoring.scorer, asked, prompts=scoring.prompts, model=name, out=out, report=box.report)
        with model_session.answering(spoken, settings=job.serving, folder=box.folder / "words") as chat:
            params = GenerationParams(max_tokens=job.evaluation.answer_tokens)
            said = written.write_answers(chat, asked, params=params, workers=4, report=box.report)
        jsonl.write(box.folder / "words.jsonl", [answer.to_json() for answer in said])
        return {"model": reference, "questions": len(said)}

    inputs = {
        "exact": model_session.identity(exact),
        "spoken": model_session.identity(spoken),
        "questions": digest.of_value(asked.to_json()),
    }
    settings = {"answer_tokens": job.evaluation.answer_tokens}
    return run_stage(run, stage, settings=settings, inputs=inputs, work=work)


def _in_order(folder: Path, asked: QuestionSet) -> list[Answer]:
    found = {answer.fact: answer for answer in answers.read_answers(folder / "answers.jsonl")}
    return [found[fact.id] for fact in asked]


def _pair(old: Mapping[str, Any], new: Mapping[str, Any], before: Answer, after: Answer) -> Pair:
    return Pair(
        question=old["question"],
        expected=old["gold"],
        base=old["text"],
        tuned=new["text"],
        gain=after.logprobs[0] - before.logprobs[0],
        base_lead=before.margin,
        tuned_lead=after.margin,
        base_hit=old["hit"],
        tuned_hit=new["hit"],
    )


def _sum(pairs: Sequence[Pair], scored: Sequence[Sequence[Answer]]) -> Comparison:
    before, after = scored
    return Comparison(
        pairs=tuple(pairs),
        gain=sum(pair.gain for pair in pairs) / len(pairs),
        lead_gain=sum(pair.tuned_lead - pair.base_lead for pair in pairs) / len(pairs),
        likelier=sum(pair.gain > 0 for pair in pairs),
        base_right=sum(answer.correct for answer in before),
        tuned_right=sum(answer.correct for answer in after),
        base_hits=sum(pair.base_hit for pair in pairs),
        tuned_hits=sum(pair.tuned_hit for pair in pairs),
    )
