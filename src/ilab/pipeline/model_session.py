"""Models for stages: fetch what a reference names, run an engine while a stage needs it, or use an endpoint."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ilab.base import atomic, digest, lazy
from ilab.base.report import Reporter
from ilab.documents.tokens import Estimate, TokenCounter, Tokenized
from ilab.errors import ConfigError, MissingError, TeacherError
from ilab.evaluation.contrast import Prompts
from ilab.llm import chat_templates, endpoints
from ilab.llm.adapters import Adapted
from ilab.llm.budget import Budgeted
from ilab.llm.chat_templates import ChatTemplate
from ilab.llm.endpoints import Endpoints
from ilab.llm.http import HttpChatModel
from ilab.llm.journal import Journal, Journaled
from ilab.llm.limit import Limit
from ilab.llm.patience import Patient
from ilab.llm.port import ChatModel, TokenScorer
from ilab.models import embedded
from ilab.pipeline.job import Job, Models
from ilab.records.models import ModelDir
from ilab.serving import launch
from ilab.serving.engine import start_engine
from ilab.serving.settings import ServeSettings

_FLAG = "--teacher-model"
"""How a user names the model at an endpoint."""


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
    """The teacher: the endpoints if the job names some, else a private engine.

    At most `sdg.workers` requests are in flight, fewer while the teacher is too busy.
    """
    limit = Limit(job.sdg.workers)
    if job.models.teacher_endpoint:
        chosen = job.models
        if chosen.teacher_tls.insecure:
            report.warning("the certificate of the teacher's server is not checked: anybody on the way can read along")
        servers = endpoints.connect(
            _urls(chosen),
            model=chosen.teacher_model,
            flag=_FLAG,
            api_key=chosen.teacher_api_key,
            limit=limit,
            verify=chosen.teacher_tls.context(),
            adapters=tuple(chosen.teacher_adapters.values()),
            raw=chosen.teacher_raw,
            template=_template(chosen),
        )
        try:
            yield Patient(Budgeted(servers, context=0))
        finally:
            servers.close()
        return
    if job.models.teacher_adapters or job.models.teacher_raw:
        setting = "teacher_adapters" if job.models.teacher_adapters else "teacher_api"
        raise ConfigError(
            f"models.{setting} is about a server, and the teacher is started here",
            hint="name the server with models.teacher_endpoint, or leave the setting out",
        )
    model = chat_form(job, job.models.teacher, report)
    context = launch.resources(model, job.serving, 1).context
    with start_engine(model, settings=job.serving, folder=folder, need="chat") as engine:
        yield Patient(Budgeted(Endpoints([engine.chat_model()], limit=limit), context=context))


def remembering(job: Job, teacher: ChatModel | None, journal: Journal, *, identity: str) -> ChatModel:
    """`teacher` behind its journal, asked with the user's adapters; None stands for a replay."""
    return Adapted(Journaled(teacher, journal, identity=identity), job.models.teacher_adapters)


def _template(models: Models) -> ChatTemplate | None:
    """The chat template that the user named for raw completions. Raises `ConfigError` when it cannot be read."""
    if not models.teacher_template:
        return None
    path = Path(models.teacher_template).expanduser()
    if path.is_dir():
        return chat_templates.read_template(path)
    try:
        return chat_templates.ChatTemplate(text=path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        hint = "check the setting models.teacher_template"
        raise ConfigError(f"cannot read the chat template {path}", hint=hint) from error


def _urls(models: Models) -> list[str]:
    """The addresses of the teacher's servers: one, or several with commas between them."""
    urls = list(dict.fromkeys(part.strip() for part in models.teacher_endpoint.split(",") if part.strip()))
    return urls or [models.teacher_endpoint]


def teacher_identity(job: Job, report: Reporter, *, note: Path) -> str:
    """What names the teacher in stage keys: its content, or the endpoint's address and the model's name there.

    Of several endpoints the first one counts: the others serve the same model, and may come and go. Without a name the
    endpoints are asked for the only one. That name is kept in the file `note`, so that what is finished still counts
    while they are away.
    """
    if not job.models.teacher_endpoint:
        return identity(chat_form(job, job.models.teacher, report))
    chosen, verify = job.models, job.models.teacher_tls.context()
    clients = [
        HttpChatModel(url, model=chosen.teacher_model, flag=_FLAG, api_key=chosen.teacher_api_key, verify=verify)
        for url in _urls(chosen)
    ]
    try:
        name = job.models.teacher_model or _only_model(clients, note)
    finally:
        for client in clients:
            client.close()
    return " ".join([clients[0].base_url, name, *_rendering(chosen)])


def _rendering(models: Models) -> list[str]:
    """What names the way in which prompts are rendered here; nothing where the server does that."""
    template = _template(models) if models.teacher_raw else None
    return ["completions", digest.of_value(template.text) if template else ""] if models.teacher_raw else []


def _only_model(clients: Sequence[HttpChatModel], note: Path) -> str:
    """The only model of the first server that answers; the one noted while none does."""
    failures: list[TeacherError] = []
    for client in clients:
        try:
            name = client.choose()
        except TeacherError as error:
            failures.append(error)
            continue
        atomic.write_json(note, {clients[0].base_url: name})
        return name
    noted: dict[str, str] = json.loads(note.read_text(encoding="utf-8")) if note.exists() else {}
    if clients[0].base_url in noted:
        return noted[clients[0].base_url]
    raise failures[0]


@contextmanager
def scoring(model: ModelDir, *, settings: ServeSettings, folder: Path) -> Iterator[Scoring]:
    """Exact likelihoods of a safetensors model over a private engine; `folder` gets engine.log."""
    template = chat_templates.read_template(model.path)
    exact = settings.model_copy(update={"engine": "auto"})
    with start_engine(model, settings=exact, folder=folder, need="score") as engine:
        prompts = Prompts(render=lambda turns: template.render(turns, add_generation_prompt=True))
        yield Scoring(scorer=engine.token_scorer(), prompts=prompts)
