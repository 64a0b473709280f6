"""Which questions a tuned model is tested on: those of a file, or those that its own run held out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel

from ilab.base import jsonl
from ilab.errors import Fault, MissingError, UserFileError
from ilab.evaluation import heldout, questions
from ilab.evaluation.questions import QuestionSet, halves
from ilab.evaluation.settings import EvalSettings
from ilab.mixing.settings import MixSettings
from ilab.pipeline import baseline
from ilab.pipeline.job import Job
from ilab.records.samples import Sample
from ilab.runs.folder import RunFolder

Settings = TypeVar("Settings", bound=BaseModel)
GIVE = "name a file of questions with --data-path"
"""The hint where a run has none."""


def from_file(path: Path) -> QuestionSet:
    """The questions in a questions file, or in a `.jsonl` file of messages or of questions with answers.

    Wrong answers to compare with are borrowed from the other rows of a `.jsonl` file. Raises `UserFileError` with every
    fault of the file, `NothingGenerated` where it has too few different answers.
    """
    if path.suffix.lower() != ".jsonl":
        return questions.read(path)
    samples, faults = [], []
    for number, row in enumerate(jsonl.read(path), start=1):
        if _is_text(row):
            continue
        pair = _pair(row)
        if pair is None:
            faults.append(Fault(path=str(path), line=number, message="the row has no question with an answer"))
        else:
            samples.append(_sample(number, *pair))
    if faults:
        hint = "a row has `messages` with a user and an assistant turn, or `question` and `answer`"
        raise UserFileError(f"{path} cannot be asked", faults, hint=hint)
    return heldout.from_samples(samples, title=path.name)


def _is_text(row: Mapping[str, Any]) -> bool:
    """Whether a training row holds text to read, not questions."""
    messages = row.get("messages")
    return isinstance(messages, list) and any(turn.get("role") == "pretraining" for turn in messages)


def _pair(row: Mapping[str, Any]) -> tuple[str, str] | None:
    """The first question of a row and its answer: of messages, or in the spellings of the older files."""
    texts: dict[str, str] = {}
    for turn in row.get("messages") or ():
        texts.setdefault(str(turn.get("role")), str(turn.get("content", "")))
    question = texts.get("user") or row.get("question") or row.get("user")
    answer = texts.get("assistant") or row.get("answer") or row.get("assistant")
    return (str(question), str(answer)) if question and answer else None


def _sample(number: int, question: str, answer: str) -> Sample:
    return Sample(id=str(number), leaf="", kind="", question=question, answer=answer, origin="file")


def from_run(run: RunFolder, job: Job) -> QuestionSet:
    """What the run that made a model was asked for its report: questions that chose no checkpoint and trained nothing.

    Raises `MissingError` where the run kept none.
    """
    samples = run.stages / "02-generate" / "samples.jsonl"
    evaluation = _recorded(run, "evaluation", EvalSettings)
    file = Path(run.manifest.cwd, evaluation.questions) if evaluation.questions else None
    if file is not None and not file.exists():
        raise MissingError(f"the questions of run {run.id} are gone: {file}", hint=GIVE)
    if file is None and not samples.exists():
        raise MissingError(f"run {run.id} kept no questions", hint=GIVE)
    paths = {"questions": str(file or ""), "placebo": "", "keepset": ""}
    evaluation = evaluation.model_copy(update=paths)
    then = replace(job, evaluation=evaluation, mixing=_recorded(run, "mixing", MixSettings))
    document = baseline.load_proof(then, samples).document
    if document is None:
        raise MissingError(f"run {run.id} held out too few facts to test on", hint=GIVE)
    return halves(document, every=evaluation.selection_every)[1]


def _recorded(run: RunFolder, room: str, kind: type[Settings]) -> Settings:
    """The settings of a room as the run had them; those that are no longer known are passed over."""
    values = run.manifest.settings.get(room, {})
    return kind.model_validate({name: value for name, value in values.items() if name in kind.model_fields})
