"""An adaptive limit on requests in flight: it grows while answers come, and is halved when the server is too busy."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

_START = 8
"""Requests at once before we know the server."""


class Limit:
    """Lets in at most so many requests at once, for all threads that share it; never fewer than one.

    Until the server is too busy for the first time, each answer makes room for one more; after that, a whole round of
    answers does. `ceiling` is never passed.
    """

    def __init__(self, ceiling: int) -> None:
        self.ceiling = max(1, ceiling)
        self._room = float(min(self.ceiling, _START))
        self._in_flight = 0
        self._halvings = 0
        self._changed = threading.Condition()

    @property
    def room(self) -> int:
        """How many requests may be in flight now."""
        return int(self._room)

    @contextmanager
    def slot(self) -> Iterator[Slot]:
        """A place among the requests in flight, waited for; free again on leaving."""
        with self._changed:
            while self._in_flight >= self.room:
                self._changed.wait()
            self._in_flight += 1
            slot = Slot(self, self._halvings)
        try:
            yield slot
        finally:
            with self._changed:
                self._in_flight -= 1
                self._changed.notify_all()

    def grow(self) -> None:
        """An answer has come."""
        with self._changed:
            step = 1 / self._room if self._halvings else 1.0
            self._room = min(float(self.ceiling), self._room + step)
            self._changed.notify_all()

    def halve(self, started: int) -> None:
        """The server was too busy for a request that came in after `started` halvings; one burst counts once."""
        with self._changed:
            if started == self._halvings:
                self._room = max(1.0, self._room / 2)
                self._halvings += 1


class Slot:
    """The place of one request in flight; it is told how that went."""

    def __init__(self, limit: Limit, halvings: int) -> None:
        self._limit = limit
        self._halvings = halvings

    def answered(self) -> None:
        """The answer has come."""
        self._limit.grow()

    def too_busy(self) -> None:
        """The server was too busy: 429, 503, or no answer in time."""
        self._limit.halve(self._halvings)
