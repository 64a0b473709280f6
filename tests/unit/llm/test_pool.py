"""run_ordered and Pool: order, bound on concurrency, and what an error does."""

from __future__ import annotations

import threading
import time
from concurrent.futures import CancelledError

import pytest

from ilab.errors import TeacherError
from ilab.llm.pool import Pool, run_ordered


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


def test_a_pool_bounds_the_calls_of_all_who_share_it() -> None:
    running, most, lock = 0, 0, threading.Lock()

    def call(number: int) -> int:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        time.sleep(0.01)
        with lock:
            running -= 1
        return number * 10

    pool = Pool(3)
    results = run_ordered(range(4), lambda _: pool.map(call, range(5)), workers=4)
    pool.close()
    assert results == [[0, 10, 20, 30, 40]] * 4
    assert most == 3


def test_an_error_in_a_pool_reaches_the_caller_and_the_others_go_on() -> None:
    pool = Pool(1)
    started: list[int] = []

    def call(number: int) -> int:
        started.append(number)
        if number == 1:
            raise TeacherError("gone")
        return number

    with pytest.raises(TeacherError, match="gone"):
        pool.map(call, range(100))
    assert pool.map(call, [5]) == [5]
    assert started == [0, 1, 5]
    pool.close()


def test_a_closed_pool_starts_nothing_and_lets_nobody_wait() -> None:
    pool, going, ended = Pool(1), threading.Event(), threading.Event()

    def block(_: int) -> None:
        going.wait(5)

    def wait_for_it() -> None:
        with pytest.raises(CancelledError):
            pool.map(block, range(3))
        ended.set()

    threading.Thread(target=wait_for_it, daemon=True).start()
    time.sleep(0.05)
    pool.close()
    going.set()
    assert ended.wait(2)
    with pytest.raises(CancelledError):
        pool.map(block, [1])
