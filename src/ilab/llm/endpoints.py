"""One ChatModel over one or several servers of the same model: each request goes to the one with the least to do.

All requests share one adaptive limit. A server that asks for time (`Retry-After`) is left alone for as long; with
several servers, one that fails three times in a row is left out, and tried with single requests now and then.
"""

from __future__ import annotations

import ssl
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from ilab.errors import TeacherError
from ilab.llm import retry
from ilab.llm.http import HttpChatModel
from ilab.llm.limit import Limit
from ilab.llm.port import Completion, GenerationParams
from ilab.llm.retry import TryError
from ilab.records.messages import Message

if TYPE_CHECKING:
    from ilab.llm.chat_templates import ChatTemplate

_MOST_FAILURES = 3
"""Failures in a row after which a server is left out."""
_FIRST_REST = 1.0
_LONGEST_REST = 30.0
"""Seconds that a server is left out: the first time, doubled each time that it fails again, and at most."""
_POLL = 0.02


@dataclass(slots=True, eq=False)
class _Server:
    """One server, and how it is doing. `rests_until` is a moment of `time.monotonic`."""

    model: HttpChatModel
    in_flight: int = 0
    served: int = 0
    failures: int = 0
    rests_until: float = 0.0
    last_failure: str = ""

    @property
    def broken(self) -> bool:
        """Whether it failed too often in a row."""
        return self.failures >= _MOST_FAILURES

    def ready(self, now: float) -> bool:
        """Whether it may be asked; a broken one is asked by one request at a time."""
        return self.rests_until <= now and not (self.broken and self.in_flight)


@dataclass(slots=True)
class _Asked:
    """What one request met so far: the server that failed it last is not asked again while there is another."""

    failed: _Server | None = field(default=None)


class Endpoints:
    """Answers through `models`, which are servers of one model. Safe to use from many threads at once.

    `retries` counts the tries after the first; another try may go to another server.
    """

    def __init__(self, models: Sequence[HttpChatModel], *, limit: Limit, retries: int = 4) -> None:
        self._servers = [_Server(model) for model in models]
        self._limit = limit
        self._retries = retries
        self._lock = threading.Lock()

    def __repr__(self) -> str:
        return f"Endpoints({', '.join(server.model.base_url for server in self._servers)})"

    def chat(self, messages: Sequence[Message], params: GenerationParams) -> Completion:
        """Answer `messages`. Raises `TeacherError` when no server does after the retries."""
        asked = _Asked()
        return self._retried(lambda: self._chat_once(messages, params, asked))

    def stream(self, messages: Sequence[Message], params: GenerationParams) -> Iterator[str]:
        """The answer in pieces, by the server that has the least to do."""
        with self._limit.slot(), self._chosen(_Asked()) as server:
            yield from server.model.stream(messages, params)

    def close(self) -> None:
        """Close the connections."""
        for server in self._servers:
            server.model.close()

    def _retried(self, once: Callable[[], Completion]) -> Completion:
        try:
            return retry.call(once, retries=self._retries, watch=_nothing)
        except TryError as error:
            if len(self._servers) == 1 or not error.passing:
                raise
            failures = [server.last_failure for server in self._servers if server.last_failure]
            raise TeacherError(error.message, hint=error.hint, details=failures) from error

    def _chat_once(self, messages: Sequence[Message], params: GenerationParams, asked: _Asked) -> Completion:
        with self._limit.slot() as slot, self._chosen(asked) as server:
            try:
                answer = server.model.chat_once(messages, params)
            except TryError as failure:
                asked.failed = server
                if failure.busy:
                    slot.too_busy()
                self._note(server, failure)
                raise
            slot.answered()
            with self._lock:
                server.failures = 0
            return answer

    @contextmanager
    def _chosen(self, asked: _Asked) -> Iterator[_Server]:
        server = self._wait_for_one(asked)
        try:
            yield server
        finally:
            with self._lock:
                server.in_flight -= 1

    def _wait_for_one(self, asked: _Asked) -> _Server:
        """The server to ask, counted as asked; waits while all rest, or while a broken one is being tried.

        Raises `TryError` when all are broken.
        """
        while True:
            with self._lock:
                now = time.monotonic()
                ready = [server for server in self._servers if server.ready(now)]
                if ready:
                    others = [server for server in ready if server is not asked.failed]
                    chosen = min(others or ready, key=lambda server: (server.in_flight, server.served))
                    chosen.in_flight += 1
                    chosen.served += 1
                    return chosen
                rest = max(_POLL, min(server.rests_until for server in self._servers) - now)
                broken = all(server.broken and not server.in_flight for server in self._servers)
            if broken:
                message = f"none of the {len(self._servers)} servers of the teacher answers"
                raise TryError(message, hint="are model servers running there?", passing=True, wait=rest)
            time.sleep(rest)

    def _note(self, server: _Server, failure: TryError) -> None:
        """Remember how `server` failed, and leave it alone for a while where that is due."""
        with self._lock:
            server.last_failure = failure.message
            rest = min(failure.wait or 0.0, retry.LONGEST_PAUSE)
            # A server that is merely busy is alive; and an only one has nobody to stand in for it.
            if len(self._servers) > 1 and failure.passing and failure.wait is None:
                server.failures += 1
                if server.broken:
                    rest = min(_LONGEST_REST, _FIRST_REST * 2 ** min(10, server.failures - _MOST_FAILURES))
            server.rests_until = max(server.rests_until, time.monotonic() + rest)


def connect(
    urls: Sequence[str],
    *,
    model: str,
    flag: str,
    api_key: str,
    limit: Limit,
    verify: bool | ssl.SSLContext = True,
    adapters: Sequence[str] = (),
    raw: bool = False,
    template: ChatTemplate | None = None,
) -> Endpoints:
    """The servers at `urls`; those that cannot be reached now are tried again later, as long as one can.

    Raises `TeacherError` when none can be reached, or they do not serve the same model. The other arguments
    are as in `HttpChatModel`; an empty `model` stands for the only one that the servers have.
    """

    client = partial(
        HttpChatModel, flag=flag, api_key=api_key, verify=verify, adapters=adapters, raw=raw, template=template
    )
    clients: list[HttpChatModel] = []
    names: dict[str, str] = {}
    away: list[TryError] = []
    try:
        for url in urls:
            clients.append(client(url, model=model))
            try:
                names[clients[-1].base_url] = clients[-1].choose()
            except TryError as error:
                if not error.passing:
                    raise
                away.append(error)
        if not names:
            raise away[0]
        if len(set(names.values())) > 1:
            served = [f"{url}: {name}" for url, name in names.items()]
            raise TeacherError(
                "the servers of the teacher do not serve the same model", hint=f"choose one with {flag}", details=served
            )
    except BaseException:
        _close_all(clients)
        raise
    if away:  # those that were away must not choose another model when they come back
        _close_all(clients)
        (name,) = set(names.values())
        clients = [client(url, model=name) for url in urls]
    return Endpoints(clients, limit=limit)


def _close_all(clients: Sequence[HttpChatModel]) -> None:
    for client in clients:
        client.close()


def _nothing() -> None:
    return
