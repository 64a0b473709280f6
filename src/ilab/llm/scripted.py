"""Deterministic ChatModel and TokenScorer: the product's dry run, and the fake that tests put at the port."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from ilab.base import digest
from ilab.llm.port import Completion, GenerationParams, SchemaRefused, ScoreRequest, TokenScore
from ilab.records.messages import Message


class ScriptedChatModel:
    """Answers every conversation with what `answers` returns for it. Words count as tokens.

    `max_tokens` and `stop` are honoured. The function may raise `TeacherError` to play a model that fails. With
    `takes_schema` a JSON schema is not refused; keeping to it is up to the function.
    """

    def __init__(self, answers: Callable[[Sequence[Message]], str], *, takes_schema: bool = False) -> None:
        self.answers = answers
        self.takes_schema = takes_schema

    def chat(self, messages: Sequence[Message], params: GenerationParams) -> Completion:
        """The scripted answer to `messages`."""
        if params.schema is not None and not self.takes_schema:
            raise SchemaRefused("the script knows no JSON schemas")
        text = self.answers(messages)
        for stop in params.stop:
            text = text.partition(stop)[0]
        pieces = _words(text)
        return Completion(
            text="".join(pieces[: params.max_tokens]),
            finish_reason="length" if len(pieces) > params.max_tokens else "stop",
            prompt_tokens=sum(len(message.content.split()) for message in messages),
            completion_tokens=min(len(pieces), params.max_tokens),
        )

    def stream(self, messages: Sequence[Message], params: GenerationParams) -> Iterator[str]:
        """The scripted answer, word by word."""
        yield from _words(self.chat(messages, params).text)


class ScriptedTokenScorer:
    """Scores with `logprob(request, continuation)`, in nats. Words count as tokens."""

    def __init__(self, logprob: Callable[[ScoreRequest, str], float]) -> None:
        self.logprob = logprob

    def score(self, requests: Sequence[ScoreRequest]) -> list[list[TokenScore]]:
        """One list of scores for each request."""
        return [
            [
                TokenScore(logprob=float(self.logprob(request, text)), tokens=max(1, len(text.split())))
                for text in request.continuations
            ]
            for request in requests
        ]


def dry_run_model() -> ScriptedChatModel:
    """A model that needs no weights: it repeats the start of the last user message, marked as a dry run."""
    return ScriptedChatModel(_echo)


def _echo(messages: Sequence[Message]) -> str:
    conversation = [message.to_json() for message in messages]
    said = next((message.content for message in reversed(messages) if message.role == "user"), "")
    return f"[dry run {digest.of_value(conversation)[:8]}] {' '.join(said.split())[:200]}"


def _words(text: str) -> list[str]:
    """`text` in pieces of one word with the blanks before it; joined, they are `text` again."""
    pieces: list[str] = []
    for part in text.split(" "):
        pieces.append(part if not pieces else " " + part)
    return pieces
