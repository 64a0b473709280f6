"""Models for stages: fetch what a reference names, run an engine while a stage needs it, or use an endpoint."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ilab.base import atomic, digest, lazy
from ilab.base.report import Reporter
from ilab.documents.tokens import Estimate, TokenCounter, Tokenized
from ilab.errors import MissingError, TeacherError
from ilab.evaluation.contrast import Prompts
from ilab.llm import chat_templates
from ilab.llm.http import HttpChatModel
from ilab.llm.port import ChatModel, TokenScorer
from ilab.models import embedded
from ilab.pipeline.job import Job, Models
from ilab.records.models import ModelDir
from ilab.serving.engine import start_engine
from ilab.serving.settings import ServeSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class Scoring:
    """Exact likelihoods of one model, and how its prompts are rendered."""

    scorer: TokenScorer
    prompts: Prompts


def chat_form(job: Job, reference: str, report: Reporter) -> ModelDir:
    """The model `reference` names in the form that answers fastest: GGUF where there is one."""
    return embedded.ensure(job.store, reference, cache=job.cache, report=report)


def exact_form(job: Job, reference: str, report: Reporter) -> ModelDir:
    """The model `reference` names as safetensors; a GGUF is dequantised once, and kept in the store."""
    return embedded.ensure_safetensors(job.store, chat_form(job, reference, report), report=report)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tokens:
    """How documents are counted; `identity` names the vocabulary in stage keys."""

    counter: TokenCounter
    identity: str


def student_tokens(job: Job, report: Reporter) -> Tokens:
    """Tokens of the student's vocabulary; an estimate, with a warning, where it cannot be had on this machine."""
    try:
        tokenizers = lazy.need("tokenizers", feature="counting the student's tokens", extra="train")
        path = exact_form(job, job.models.student, report).path / "tokenizer.json"
    except MissingError as error:
        report.warning(f"chunks are measured by an estimate of tokens: {error.message}")
        return Tokens(counter=Estimate(), identity="estimate")
    if not path.is_file():
        report.warning(f"chunks are measured by an estimate of tokens: {job.models.student} has no tokenizer.json")
        return Tokens(counter=Estimate(), identity="estimate")
    tokenizer = tokenizers.Tokenizer.from_file(str(path))

    def starts(text: str) -> list[int]:
        return [start for start, _ in tokenizer.encode(text, add_special_tokens=False).offsets]

    return Tokens(counter=Tokenized(starts), identity=digest.of_file(path))


def identity(model: ModelDir) -> str:
    """What names the model's content in stage keys: its recorded digest, else the digest of its files."""
    folder = model.path if model.path.is_dir() else model.path.parent
    return digest.of_path(folder if (folder / "MODEL.json").exists() else model.path)


@contextmanager
def answering(model: ModelDir, *, settings: ServeSettings, folder: Path) -> Iterator[ChatModel]:
    """A ChatModel over a private engine, stopped at the end; `folder` gets engine.log."""
    with start_engine(model, settings=settings, folder=folder, need="chat") as engine:
        yield engine.chat_model()


@contextmanager
def teacher(job: Job, *, folder: Path, report: Reporter) -> Iterator[ChatModel]:
    """The teacher: the endpoint if the job names one, else a private engine."""
    if job.models.teacher_endpoint:
        client = _endpoint(job.models)
        try:
            client.choose()
            yield client
        finally:
            client.close()
        return
    with answering(chat_form(job, job.models.teacher, report), settings=job.serving, folder=folder) as model:
        yield model


def _endpoint(models: Models) -> HttpChatModel:
    return HttpChatModel(
        models.teacher_endpoint, model=models.teacher_model, flag="--teacher-model", api_key=models.teacher_api_key
    )


def teacher_identity(job: Job, report: Reporter, *, note: Path) -> str:
    """What names the teacher in stage keys: its content, or the endpoint's address and the model's name there.

    Without a name the endpoint is asked for the only one. That name is kept in the file `note`, so that what is
    finished still counts while the endpoint is away.
    """
    if not job.models.teacher_endpoint:
        return identity(chat_form(job, job.models.teacher, report))
    client = _endpoint(job.models)
    try:
        name = job.models.teacher_model or _only_model(client, note)
    finally:
        client.close()
    return f"{client.base_url} {name}"


def _only_model(client: HttpChatModel, note: Path) -> str:
    try:
        name = client.choose()
    except TeacherError:
        noted: dict[str, str] = json.loads(note.read_text(encoding="utf-8")) if note.exists() else {}
        if client.base_url in noted:
            return noted[client.base_url]
        raise
    atomic.write_json(note, {client.base_url: name})
    return name


@contextmanager
def scoring(model: ModelDir, *, settings: ServeSettings, folder: Path) -> Iterator[Scoring]:
    """Exact likelihoods of a safetensors model over a private engine; `folder` gets engine.log."""
    template = chat_templates.read_template(model.path)
    exact = settings.model_copy(update={"engine": "auto"})
    with start_engine(model, settings=exact, folder=folder, need="score") as engine:
        prompts = Prompts(render=lambda turns: template.render(turns, add_generation_prompt=True))
        yield Scoring(scorer=engine.token_scorer(), prompts=prompts)
