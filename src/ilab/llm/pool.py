"""Bounded concurrent calls with results in input order: `run_ordered` for one caller, `Pool` for many that share."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import CancelledError, Future
from typing import Any, Generic, TypeVar

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


class Pool:
    """Threads that many callers share: at most `workers` calls at once, whoever asked for them."""

    def __init__(self, workers: int) -> None:
        self._tasks: queue.SimpleQueue[tuple[Future[Any], Callable[[], Any]] | None] = queue.SimpleQueue()
        self._workers = max(1, workers)
        self._threads = 0
        self._closed = False
        self._lock = threading.Lock()

    def map(self, call: Callable[[Item], Result], items: Iterable[Item]) -> list[Result]:
        """`call` of every item; results in input order. The first error in that order is raised.

        After an error no further item of this call is started. Raises `CancelledError` when the pool is closed.
        """
        failed = threading.Event()

        def guarded(item: Item) -> Result:
            if failed.is_set():
                raise CancelledError
            try:
                return call(item)
            except BaseException:
                failed.set()
                raise

        tasks = [self._start(guarded, item) for item in items]
        return [task.result() for task in tasks]

    def close(self) -> None:
        """Start nothing more; calls in flight go on, and nobody reads what they return."""
        with self._lock:
            self._closed = True
            for waiting in _drained(self._tasks):
                if waiting is not None:
                    waiting[0].cancel()
            for _ in range(self._threads):
                self._tasks.put(None)

    def _start(self, call: Callable[[Item], Result], item: Item) -> Future[Result]:
        task: Future[Result] = Future()
        with self._lock:
            if self._closed:
                task.cancel()
                return task
            self._tasks.put((task, lambda: call(item)))
            if self._threads < self._workers:
                self._threads += 1
                # A daemon, for the same reason as above.
                threading.Thread(target=self._work, daemon=True).start()
        return task

    def _work(self) -> None:
        """Do tasks until the pool is closed; the body of each thread."""
        while (waiting := self._tasks.get()) is not None:
            task, call = waiting
            if not task.set_running_or_notify_cancel():
                continue
            try:
                result = call()
            except BaseException as error:  # noqa: BLE001 - handed to the thread that waits for the result
                task.set_exception(error)
            else:
                task.set_result(result)


def _drained(tasks: queue.SimpleQueue[Item]) -> Iterator[Item]:
    """What waits in the queue, taken out of it."""
    while True:
        try:
            yield tasks.get_nowait()
        except queue.Empty:
            return
