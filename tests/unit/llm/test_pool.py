"""run_ordered: order, bound on concurrency, and what an error does."""

from __future__ import annotations

import threading
import time

import pytest

from ilab.errors import TeacherError
from ilab.llm.pool import run_ordered


def test_results_follow_the_input_whatever_ends_first() -> None:
    def slow_start(number: int) -> int:
        time.sleep(0.05 if number == 0 else 0.0)
        return number * 10

    ends: list[int] = []
    results = run_ordered(range(6), slow_start, workers=3, on_done=lambda position, result: ends.append(position))
    assert results == [0, 10, 20, 30, 40, 50]
    assert sorted(ends) == [0, 1, 2, 3, 4, 5]
    assert ends[-1] == 0 or ends.index(0) > 0


def test_never_more_calls_at_once_than_workers() -> None:
    running, most, lock = 0, 0, threading.Lock()

    def call(number: int) -> int:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        time.sleep(0.01)
        with lock:
            running -= 1
        return number

    run_ordered(range(12), call, workers=3)
    assert most == 3


def test_the_first_error_stops_the_rest_and_keeps_what_was_done() -> None:
    started: list[int] = []
    kept: list[int] = []

    def call(number: int) -> int:
        started.append(number)
        if number == 2:
            raise TeacherError("the teacher is gone")
        return number

    with pytest.raises(TeacherError, match="gone"):
        run_ordered(range(1000), call, workers=1, on_done=lambda position, result: kept.append(result))
    assert kept == [0, 1]
    assert len(started) == 3


def test_no_items_give_no_results() -> None:
    assert run_ordered([], lambda item: item, workers=4) == []


def test_done_is_told_in_the_thread_of_the_caller() -> None:
    threads = set()
    run_ordered(range(4), lambda n: n, workers=2, on_done=lambda *_: threads.add(threading.current_thread()))
    assert threads == {threading.current_thread()}
