"""Bounded concurrent calls with results in input order."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterable
from typing import Generic, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


class _Work(Generic[Item, Result]):
    """Hands out items to threads and collects what becomes of them."""

    def __init__(self, items: list[Item], call: Callable[[Item], Result]) -> None:
        self.items = items
        self.call = call
        self.outcomes: queue.SimpleQueue[tuple[int, Result | None, BaseException | None]] = queue.SimpleQueue()
        self.stopped = threading.Event()
        self._next = 0
        self._lock = threading.Lock()

    def take(self) -> int | None:
        """The position of the next item, or None when there is none left to start."""
        with self._lock:
            if self.stopped.is_set() or self._next >= len(self.items):
                return None
            self._next += 1
            return self._next - 1

    def run(self) -> None:
        """Work until nothing is left; the body of each thread."""
        while (position := self.take()) is not None:
            try:
                outcome = (position, self.call(self.items[position]), None)
            except BaseException as error:  # noqa: BLE001 - handed to the caller's thread, which raises it
                self.outcomes.put((position, None, error))
                return
            self.outcomes.put(outcome)


def run_ordered(
    items: Iterable[Item],
    call: Callable[[Item], Result],
    *,
    workers: int,
    on_done: Callable[[int, Result], None] | None = None,
) -> list[Result]:
    """Apply `call` to every item, at most `workers` at a time; results in input order.

    `on_done(position, result)` runs in the caller's thread as each call ends, in the order of their ends, so that
    results can be saved and counted at once. The first error stops the rest and is raised: no further item is started,
    and what calls in flight still return is dropped. The same holds when the caller is interrupted.
    """
    work = _Work(list(items), call)
    total = len(work.items)
    for _ in range(min(max(1, workers), total)):
        # Daemon threads: an interrupted program must not wait for answers that nobody reads any more.
        threading.Thread(target=work.run, daemon=True).start()
    results: dict[int, Result] = {}
    try:
        for _ in range(total):
            position, result, error = work.outcomes.get()
            if error is not None:
                raise error
            results[position] = result  # type: ignore[assignment]
            if on_done is not None:
                on_done(position, results[position])
    finally:
        work.stopped.set()
    return [results[position] for position in range(total)]
