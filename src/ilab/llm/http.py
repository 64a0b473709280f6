"""OpenAI-compatible client: a ChatModel over any server, and a TokenScorer over our torch engine."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ilab.errors import TeacherError
from ilab.llm.lora import Loras
from ilab.llm.port import (
    Completion,
    ContextExceeded,
    GenerationParams,
    RequestRefused,
    SchemaRefused,
    ScoreRequest,
    TokenScore,
)
from ilab.llm.raw import Raw
from ilab.llm.retry import TryError
from ilab.llm.transport import Transport
from ilab.records.messages import Message

if TYPE_CHECKING:
    from ilab.llm.chat_templates import ChatTemplate

SCORE_BATCH = 40_000
"""Characters sent to the scorer at once, a shared prefix counted once: some ten seconds of work on two cores."""

_NO_SCHEMA = (400, 404, 422, 501)
"""Statuses by which a server says that it does not know JSON schemas, or not this one."""


class HttpChatModel:
    """Answers conversations through `POST {base_url}/chat/completions`. Safe to use from many threads at once.

    `base_url` gets `/v1` when it has no path. `model` may be empty when the server has one model only; `flag` is how a
    user names it, for hints. `timeout` is in seconds for each try; `retries` counts the tries after the first, made on
    lost connections, time-outs, 429 and 5xx. `socket` is a Unix socket to connect to in place of the address. `verify`
    is False, the file of a certificate authority, or a context of TLS. `watch` is called before a retry and raises when
    trying again is senseless.

    `adapters` are the LoRA adapters that requests may name. With `raw` the conversation is rendered here, by `template`
    or by the one that the server shows, and goes to `POST {base_url}/completions`.
    """

    def __init__(
        self,
        base_url: str,
        *,
        model: str = "",
        flag: str = "",
        api_key: str = "",
        timeout: float = 120,
        retries: int = 4,
        socket: Path | None = None,
        verify: bool | str | ssl.SSLContext = True,
        watch: Callable[[], None] | None = None,
        adapters: Sequence[str] = (),
        raw: bool = False,
        template: ChatTemplate | None = None,
    ) -> None:
        self._transport = Transport(
            base_url, api_key=api_key, timeout=timeout, retries=retries, socket=socket, verify=verify, watch=watch
        )
        self._loras = Loras(self._transport, expected=bool(adapters))
        self._raw = Raw(self._transport, template) if raw else None
        self._model = model
        self._flag = flag
        self._lock = threading.Lock()

    def __repr__(self) -> str:
        return f"HttpChatModel({self._transport.shown_url!r}, model={self._model!r})"

    @property
    def base_url(self) -> str:
        """The address in use, with `/v1`, without a password."""
        return self._transport.shown_url

    def models(self) -> list[str]:
        """Names of the models that the server offers."""
        answer = self._transport.get("models")
        rows = answer.get("data", []) if isinstance(answer, dict) else []
        return [str(row["id"]) for row in rows if isinstance(row, dict) and "id" in row]

    def choose(self) -> str:
        """Ask the server what it has, and return the model that requests go to.

        Raises `TeacherError` when the one that was named is not there, or none was named and there is not just one.
        """
        with self._lock:
            return self._choose()

    def chat(self, messages: Sequence[Message], params: GenerationParams) -> Completion:
        """Answer `messages`. Raises `TeacherError` when the server refuses, or keeps failing."""
        return self._transport.call(lambda: self.chat_once(messages, params))

    def chat_once(self, messages: Sequence[Message], params: GenerationParams) -> Completion:
        """Answer `messages` in one try, for callers that try again on their own. Raises `retry.TryError`."""
        if self._raw and params.schema is not None:
            raise SchemaRefused(f"{self.base_url} is asked for raw completions, which keep to no JSON schema")
        body = self._body(messages, params)
        try:
            return self._transport.post_once(self._path, body, _completion)
        except ContextExceeded:
            raise
        except (RequestRefused, TryError) as refusal:
            if params.schema is not None and refusal.status in _NO_SCHEMA:
                raise SchemaRefused(refusal.message, hint=refusal.hint, status=refusal.status) from refusal
            raise

    def stream(self, messages: Sequence[Message], params: GenerationParams) -> Iterator[str]:
        """The answer in pieces. Closing the iterator cancels the request on the server."""
        events = self._transport.events(self._path, self._body(messages, params) | {"stream": True})
        for event in events:
            for choice in event.get("choices") or []:
                piece = choice.get("text") if self._raw else (choice.get("delta") or {}).get("content")
                if piece:
                    yield piece

    def close(self) -> None:
        """Close the connections."""
        self._transport.close()

    @property
    def _path(self) -> str:
        return "completions" if self._raw else "chat/completions"

    def _body(self, messages: Sequence[Message], params: GenerationParams) -> dict[str, Any]:
        turns = [{"role": message.role, "content": message.content} for message in messages]
        body: dict[str, Any] = {
            "model": self._model_name(),
            **({"prompt": self._raw.prompt(messages)} if self._raw else {"messages": turns}),
            "max_tokens": params.max_tokens,
            "temperature": params.temperature,
            "top_p": params.top_p,
            "seed": params.seed,
        }
        if params.stop:
            body["stop"] = list(params.stop)
        if params.schema is not None:
            schema = {"name": "answer", "schema": dict(params.schema), "strict": True}
            body["response_format"] = {"type": "json_schema", "json_schema": schema}
        return body | self._loras.chosen(params.adapter)

    def _model_name(self) -> str:
        """The model to ask for; asked from the server once when none was given."""
        with self._lock:
            return self._model or self._choose()

    def _choose(self) -> str:
        names = self.models()
        if not self._model and len(names) == 1:
            self._model = names[0]
        # A server without a list can still serve the model that was named.
        if self._model and (self._model in names or not names):
            return self._model
        fault = f"has no model `{self._model}`" if self._model else f"serves {len(names)} models, and none was chosen"
        how = f" with {self._flag}" if self._flag else ""
        hint = f"choose one{how}: {', '.join(names)}" if names else ""
        raise TeacherError(f"{self.base_url} {fault}", hint=hint)


class HttpTokenScorer:
    """Exact log-probabilities through `POST {base_url}/score` of our torch engine."""

    def __init__(
        self,
        base_url: str,
        *,
        socket: Path | None = None,
        timeout: float = 600,
        watch: Callable[[], None] | None = None,
    ) -> None:
        self._transport = Transport(base_url, timeout=timeout, retries=2, socket=socket, watch=watch)

    def __repr__(self) -> str:
        return f"HttpTokenScorer({self._transport.shown_url!r})"

    def score(self, requests: Sequence[ScoreRequest]) -> list[list[TokenScore]]:
        """One list of scores for each request, in order. Raises `TeacherError` when the engine refuses."""
        scores: dict[int, list[TokenScore]] = {}
        # Requests with the same prefix travel together: the engine computes the prefix once in a batch.
        order = sorted(range(len(requests)), key=lambda position: requests[position].prefix)
        for positions in _batches(order, requests):
            rows = self._transport.post("score", {"requests": [_row(requests[position]) for position in positions]})
            for position, row in zip(positions, _scores_of(rows), strict=True):
                scores[position] = row
        return [scores[position] for position in range(len(requests))]

    def close(self) -> None:
        """Close the connections."""
        self._transport.close()


def _completion(answer: Any) -> Completion:
    """The answer out of its JSON. Raises `ValueError` where there is none."""
    try:
        choice = answer["choices"][0]
        usage = answer.get("usage") or {}
        return Completion(
            text=str((choice["text"] if "text" in choice else choice["message"].get("content")) or ""),
            finish_reason=str(choice.get("finish_reason") or "stop"),
            prompt_tokens=int(usage.get("prompt_tokens") or 0),
            cached_tokens=_cached_tokens(answer, usage),
            completion_tokens=int(usage.get("completion_tokens") or 0),
        )
    except (KeyError, IndexError, TypeError, AttributeError) as error:
        raise ValueError("there is no message in it") from error


def _batches(order: Sequence[int], requests: Sequence[ScoreRequest]) -> Iterator[list[int]]:
    """`order` in pieces of about `SCORE_BATCH` characters."""
    batch: list[int] = []
    size = 0
    for position in order:
        request = requests[position]
        cost = len(request.context) + sum(map(len, request.continuations))
        if not batch or requests[batch[-1]].prefix != request.prefix:
            cost += len(request.prefix)
        if batch and size + cost > SCORE_BATCH:
            yield batch
            batch, size = [], 0
        batch.append(position)
        size += cost
    if batch:
        yield batch


def _row(request: ScoreRequest) -> dict[str, Any]:
    return {"prefix": request.prefix, "context": request.context, "continuations": list(request.continuations)}


def _scores_of(answer: Any) -> list[list[TokenScore]]:
    try:
        return [
            [TokenScore(logprob=float(cell["logprob"]), tokens=int(cell["tokens"])) for cell in row]
            for row in answer["scores"]
        ]
    except (KeyError, TypeError, ValueError) as error:
        raise TeacherError("the scoring engine sent an answer that is not scores") from error


def _cached_tokens(answer: dict[str, Any], usage: dict[str, Any]) -> int:
    """Prompt tokens that the server had in its cache, in the OpenAI spelling or in llama.cpp's."""
    details = usage.get("prompt_tokens_details") or {}
    timings = answer.get("timings") or {}
    return int(details.get("cached_tokens") or timings.get("cache_n") or 0)
