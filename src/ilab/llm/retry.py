"""Try again: the one place that decides whether a failed request is sent once more, and when."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import TypeVar

from ilab.errors import TeacherError

LONGEST_PAUSE = 60.0
"""Seconds that we wait at most before a retry, whatever the server asks for."""
_FIRST_PAUSE = 0.25

Result = TypeVar("Result")


class TryError(TeacherError):
    """A failed request. `passing` when another try may do better; `busy` when fewer requests at once may help.

    `wait` is the seconds that the server asks for; `status` is that of HTTP, 0 where there is none.
    """

    def __init__(
        self,
        message: str,
        *,
        hint: str = "",
        passing: bool = False,
        busy: bool = False,
        wait: float | None = None,
        status: int = 0,
    ) -> None:
        super().__init__(message, hint=hint)
        self.passing = passing
        self.busy = busy
        self.wait = wait
        self.status = status


def call(once: Callable[[], Result], *, retries: int, watch: Callable[[], None]) -> Result:
    """`once()`, then again after growing pauses while the failure may pass; `retries` counts the tries after the first.

    `watch` is called before each retry; it raises when there is no sense in trying again.
    """
    attempt = 0
    while True:
        try:
            return once()
        except TryError as failure:
            if not failure.passing or attempt >= retries:
                tries = f" after {attempt + 1} tries" if attempt else ""
                message = failure.message + tries
                told = TryError(message, hint=failure.hint, passing=failure.passing, status=failure.status)
                raise told from failure.__cause__
            time.sleep(pause(attempt, failure.wait))
            watch()
            attempt += 1


def pause(attempt: int, asked: float | None) -> float:
    """Seconds to wait: what the server asked for, else doubling from 0.25; jitter keeps callers apart."""
    seconds = _FIRST_PAUSE * 2**attempt if asked is None else asked
    return min(LONGEST_PAUSE, seconds * random.uniform(1.0, 1.5))
