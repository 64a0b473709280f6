"""Adapters by role: a prompt says `adapter: knowledge`, and the user says what that is called at the server."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from ilab.llm.port import ChatModel, Completion, GenerationParams
from ilab.records.messages import Message


class Adapted:
    """Asks `inner` with the adapter that `names` gives for a role; a role without a name is the model itself.

    A pipeline that names an adapter of the server, not a role, gets it if the user's names have it.
    """

    def __init__(self, inner: ChatModel, names: Mapping[str, str]) -> None:
        self._inner = inner
        self._names = dict(names)

    def chat(self, messages: Sequence[Message], params: GenerationParams) -> Completion:
        """Answer `messages`; `params.adapter` is a role."""
        return self._inner.chat(messages, self._named(params))

    def stream(self, messages: Sequence[Message], params: GenerationParams) -> Iterator[str]:
        """The answer in pieces."""
        return self._inner.stream(messages, self._named(params))

    def _named(self, params: GenerationParams) -> GenerationParams:
        if not params.adapter or params.adapter in self._names.values():
            return params
        return replace(params, adapter=self._names.get(params.adapter, ""))
