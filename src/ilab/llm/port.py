"""The two seams to language models: ChatModel answers conversations, TokenScorer gives exact log-probabilities.

Everything that prompts a model (SDG, judge, chat, answers) takes a ChatModel; everything that compares likelihoods
takes a TokenScorer. `ilab.llm.scripted` holds the deterministic implementation that ships with the product.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from ilab.errors import TeacherError
from ilab.records.messages import Message


@dataclass(frozen=True, slots=True, kw_only=True)
class GenerationParams:
    """How to decode. `temperature` 0 is greedy; `stop` ends the text before any of its strings.

    `schema` is the JSON schema that the answer keeps to; not every model can (`SchemaRefused`). `adapter` names a LoRA
    adapter of the model, as the server calls it.
    """

    max_tokens: int = 256
    temperature: float = 0.0
    top_p: float = 1.0
    seed: int = 42
    stop: tuple[str, ...] = ()
    schema: Mapping[str, Any] | None = None
    adapter: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Completion:
    """An answer with its cost in tokens; `cached_tokens` of the prompt were not computed again.

    A `remembered` answer was given before: nobody was asked this time, and the tokens were spent then.
    """

    text: str
    finish_reason: str = "stop"
    prompt_tokens: int = 0
    cached_tokens: int = 0
    completion_tokens: int = 0
    remembered: bool = False


class RequestRefused(TeacherError):
    """The model does not take this very request; others may do. `status` is that of HTTP, 0 where there is none."""

    def __init__(self, message: str, *, hint: str = "", details: Sequence[str] = (), status: int = 0) -> None:
        super().__init__(message, hint=hint, details=details)
        self.status = status


class ContextExceeded(RequestRefused):
    """Prompt and answer together would be longer than the model's context."""


class SchemaRefused(RequestRefused):
    """The model does not take a request with this JSON schema; the same one without it may do."""


class RequestFailed(RequestRefused):
    """The model failed at this request each time that it was tried; others may do."""


class ChatModel(Protocol):
    """Answers a conversation."""

    def chat(self, messages: Sequence[Message], params: GenerationParams) -> Completion:
        """Answer `messages`. Raises `TeacherError` when the model cannot be reached after retries.

        `RequestRefused`, a kind of it, says that the fault lies with this request.
        """

    def stream(self, messages: Sequence[Message], params: GenerationParams) -> Iterator[str]:
        """The same answer in pieces, as they are made."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreRequest:
    """Score each continuation after the same context.

    `context` ends exactly where the continuations start. `prefix` is an optional leading part shared by many
    requests (a document chunk); scorers may compute it once. The model reads prefix + context + continuation.
    """

    context: str
    continuations: tuple[str, ...]
    prefix: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenScore:
    """Summed log-probability of a continuation in nats, and how many tokens it has."""

    logprob: float
    tokens: int


class TokenScorer(Protocol):
    """Gives exact log-probabilities."""

    def score(self, requests: Sequence[ScoreRequest]) -> list[list[TokenScore]]:
        """One list of scores for each request, in order; each list follows the request's continuations."""
