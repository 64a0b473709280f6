"""One request that fails is not the end: how many must fail in a row before the model counts as lost."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence

from ilab.errors import TeacherError
from ilab.llm.port import ChatModel, Completion, GenerationParams, RequestFailed, RequestRefused
from ilab.llm.retry import TryError
from ilab.records.messages import Message

MOST = 20
"""Requests in a row that may fail, each after all its tries."""


class Patient:
    """Asks `inner`; a request that failed for good is a `RequestFailed`, until `most` have failed in a row.

    Then, and for failures that no other request can escape (a wrong key, a wrong model), the failure itself is raised.
    A refusal is an answer: whoever refuses is alive.
    """

    def __init__(self, inner: ChatModel, *, most: int = MOST) -> None:
        self._inner = inner
        self._most = most
        self._failed = 0
        self._lock = threading.Lock()

    def chat(self, messages: Sequence[Message], params: GenerationParams) -> Completion:
        """Answer `messages`."""
        try:
            answer = self._inner.chat(messages, params)
        except RequestRefused:
            self._count(0)
            raise
        except TeacherError as failure:
            if isinstance(failure, TryError) and not failure.passing:
                raise
            failed = self._count(1)
            if failed >= self._most:
                message = f"{failure.message}; the last {failed} requests failed"
                raise TeacherError(message, hint=failure.hint, details=failure.details) from failure
            raise RequestFailed(failure.message, hint=failure.hint, details=failure.details) from failure
        self._count(0)
        return answer

    def stream(self, messages: Sequence[Message], params: GenerationParams) -> Iterator[str]:
        """The answer in pieces."""
        return self._inner.stream(messages, params)

    def _count(self, failed: int) -> int:
        """Failures in a row, after one more (1) or after an answer (0)."""
        with self._lock:
            self._failed = self._failed + failed if failed else 0
            return self._failed
