"""Keep prompt and answer within the model's context: ask for a shorter answer rather than not at all."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace

from ilab.llm.port import ChatModel, Completion, ContextExceeded, GenerationParams
from ilab.records.messages import Message

_BYTES_PER_TOKEN = 4
_TURN = 8
"""Tokens that a chat template puts around a turn, about."""
_SHORTEST = 16
"""Tokens of the shortest answer that is worth asking for."""
_LIMIT = re.compile(r"context (?:length|size|window) (?:is|of) (\d+)|\((\d+) tokens\), try increasing", re.I)
_PROMPT = re.compile(
    r"(\d+) (?:tokens )?in (?:the|your) (?:messages|prompt)|has (\d+) input tokens|request \((\d+) tokens", re.I
)
"""How servers say how long the context and the prompt are."""


class Budgeted:
    """Asks `inner`, a model with a context of `context` tokens; 0 where nobody knows how long it is.

    A prompt that seems to leave less room than `max_tokens` gets what is left. When the model refuses a request for
    being too long, it is asked once more for a shorter answer; `ContextExceeded` says that this did not help either.
    """

    def __init__(self, inner: ChatModel, *, context: int) -> None:
        self._inner = inner
        self._context = context

    def chat(self, messages: Sequence[Message], params: GenerationParams) -> Completion:
        """Answer `messages` in at most `params.max_tokens` tokens."""
        params = self._fitting(messages, params)
        try:
            return self._inner.chat(messages, params)
        except ContextExceeded as refusal:
            room = _room(refusal.message, params.max_tokens)
            if room < _SHORTEST:
                raise
            return self._inner.chat(messages, replace(params, max_tokens=room))

    def stream(self, messages: Sequence[Message], params: GenerationParams) -> Iterator[str]:
        """The answer in pieces."""
        return self._inner.stream(messages, self._fitting(messages, params))

    def _fitting(self, messages: Sequence[Message], params: GenerationParams) -> GenerationParams:
        if not self._context:
            return params
        left = self._context - sum(_TURN + len(turn.content.encode()) // _BYTES_PER_TOKEN for turn in messages)
        # What a prompt takes is an estimate: a server may still find room where we see none.
        return replace(params, max_tokens=max(_SHORTEST, left)) if left < params.max_tokens else params


def _room(refusal: str, asked: int) -> int:
    """Tokens to ask for next: what the server says is left, else half; 0 when the prompt alone is too long."""
    limit, prompt = _LIMIT.search(refusal), _PROMPT.search(refusal)
    if limit is None or prompt is None:
        return asked // 2
    left = int(next(filter(None, limit.groups()))) - int(next(filter(None, prompt.groups())))
    return max(0, min(left, asked - 1))
