"""The adaptive limit: how it grows, when it shrinks, and that nobody gets past it."""

from __future__ import annotations

import threading
import time

from ilab.llm.limit import Limit
from ilab.llm.pool import run_ordered


def answer(limit: Limit, times: int) -> None:
    for _ in range(times):
        with limit.slot() as slot:
            slot.answered()


def test_it_grows_with_every_answer_up_to_the_ceiling() -> None:
    limit = Limit(12)
    before = limit.room
    answer(limit, 2)
    assert limit.room == before + 2
    answer(limit, 50)
    assert limit.room == 12


def test_after_it_was_too_busy_a_whole_round_of_answers_makes_room_for_one() -> None:
    limit = Limit(8)
    with limit.slot() as slot:
        slot.too_busy()
    assert limit.room == 4
    answer(limit, 2)
    assert limit.room == 4
    answer(limit, 3)
    assert limit.room == 5


def test_one_burst_halves_it_once_and_it_never_falls_below_one() -> None:
    limit = Limit(8)
    with limit.slot() as first, limit.slot() as second:
        first.too_busy()
        second.too_busy()
    assert limit.room == 4
    for _ in range(5):
        with limit.slot() as slot:
            slot.too_busy()
    assert limit.room == 1
    answer(limit, 1)


def test_no_more_requests_are_in_flight_than_there_is_room_for() -> None:
    limit, lock, running, most = Limit(3), threading.Lock(), 0, 0

    def call(number: int) -> None:
        nonlocal running, most
        with limit.slot() as slot:
            with lock:
                running += 1
                most = max(most, running)
            time.sleep(0.005)
            with lock:
                running -= 1
            slot.answered()

    run_ordered(range(30), call, workers=10)
    assert most == 3


def test_a_slot_is_free_again_after_an_error() -> None:
    limit = Limit(1)
    for _ in range(3):
        try:
            with limit.slot():
                raise ValueError
        except ValueError:
            continue
    answer(limit, 1)
