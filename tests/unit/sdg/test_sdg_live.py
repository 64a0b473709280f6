"""Live: counts from many threads, a bounded rate of events, and the time left by the pace of the last minutes."""

from __future__ import annotations

import threading
from typing import Any

from ilab.base.report import ListReporter
from ilab.llm.port import Completion, GenerationParams
from ilab.llm.scripted import ScriptedChatModel
from ilab.records import messages
from ilab.records.seeds import KNOWLEDGE
from ilab.runs.events import EventLog, StageReporter
from ilab.sdg.flow import BlockSpec
from ilab.sdg.live import Live, Recent, label
from ilab.sdg.row import Usage
from ilab.sdg.units import Unit

UNIT = Unit(name="a#0", section=KNOWLEDGE, path="facts", rows=({"leaf": "a", "kind": KNOWLEDGE},), blocks=(), seeds=())


class Clock:
    """A clock that goes when it is told."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def last(report: ListReporter) -> dict[str, Any]:
    return report.events[-1]


def told(live: Live, report: ListReporter) -> dict[str, Any]:
    """What is told now."""
    live.progress("units", 0, 1)
    facts: dict[str, Any] = last(report)["live"]
    return facts


def test_the_funnel_adds_up_over_threads() -> None:
    report = ListReporter()
    live = Live(report)

    def work() -> None:
        for _ in range(200):
            live.block(UNIT, "spans", 1, 3, 0)
            live.block(UNIT, "rules", 3, 2, 1)
            live.sample({"question": "Q?", "answer": "A."})

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    facts = told(live, report)
    assert facts["funnel"] == [
        {"kind": KNOWLEDGE, "path": "facts", "blocks": [["spans", 800, 2400, 0], ["rules", 2400, 1600, 800]]}
    ]
    assert (facts["kept"], facts["rejected"], facts["last"]) == (800, 800, {"question": "Q?", "answer": "A."})


def test_events_are_told_at_a_bounded_rate_and_less_often_in_a_long_run() -> None:
    clock, report = Clock(), ListReporter()
    live = Live(report, clock=clock)
    live.progress("units", 0, 100)
    for _ in range(100):
        clock.now += 0.1
        live.block(UNIT, "rules", 1, 1, 0)
    assert len(report.events) == 11  # one at once, then one a second
    clock.now += 5 * 3600
    before = len(report.events)
    for _ in range(100):
        clock.now += 0.5
        live.block(UNIT, "rules", 1, 1, 0)
    assert len(report.events) - before == 10  # one in five seconds
    assert last(report)["what"] == "units" and last(report)["done"] == 0


def test_nothing_is_told_before_the_work_is_known_and_after_its_end() -> None:
    clock, report = Clock(), ListReporter()
    live = Live(report, clock=clock)
    clock.now += 60
    live.block(UNIT, "rules", 1, 1, 0)
    assert report.events == []
    live.progress("units", 4, 4)
    clock.now += 60
    live.block(UNIT, "rules", 1, 1, 0)
    assert len(report.events) == 1


def test_other_progress_passes_as_it_is() -> None:
    report = ListReporter()
    Live(report).progress("drafts", 1, 2, leaf="a")
    assert report.events == [{"kind": "progress", "what": "drafts", "done": 1, "total": 2, "leaf": "a"}]


def test_the_time_left_follows_the_last_minutes() -> None:
    clock, report = Clock(), ListReporter()
    live = Live(report, clock=clock)
    live.progress("units", 0, 1000)
    for done in range(1, 301):  # five minutes with a unit a second
        clock.now += 1
        live.progress("units", done, 1000)
    assert abs(last(report)["eta"] - 700) < 10
    for done in range(301, 331):  # five minutes with a unit in ten seconds
        clock.now += 10
        live.progress("units", done, 1000)
    assert abs(last(report)["eta"] - 6700) < 500


def test_a_window_forgets_and_stays_small() -> None:
    clock = Clock()
    recent = Recent(60, clock)
    assert recent.per_second() == 0
    for _ in range(10_000):
        clock.now += 0.01
        recent.add(1)
    assert abs(recent.per_second() - 100) < 3
    assert len(recent._seconds) <= 102
    clock.now += 61
    assert recent.per_second() == 0


def test_calls_are_counted_while_they_go_on_and_what_they_cost_after() -> None:
    report = ListReporter()
    live = Live(report)
    seen: list[int] = []

    def answer(_: Any) -> str:
        seen.append(told(live, report)["in_flight"])
        return "two words"

    teacher = live.watching(ScriptedChatModel(answer))
    teacher.chat([messages.user("four words it has")], GenerationParams())
    live.tokens(Usage(written=100))  # the same tokens again: the teacher is watched
    facts = told(live, report)
    assert seen == [1] and facts["in_flight"] == 0
    assert (facts["cached"], facts["remembered"]) == (0.0, 0.0)
    assert live._usage == Usage(computed=4, written=2, calls=1)


def test_shares_of_the_prefix_cache_and_of_the_journal() -> None:
    report = ListReporter()
    live = Live(report)
    live.asked()
    live.answered(Completion(text="", prompt_tokens=100, cached_tokens=75))
    live.asked()
    live.answered(Completion(text="", prompt_tokens=100, remembered=True))
    live.asked()
    live.answered(None)  # it failed
    facts = told(live, report)
    assert (facts["cached"], facts["remembered"], facts["in_flight"]) == (0.75, 0.5, 0)


def test_a_run_writes_the_better_time_left_into_its_events(tmp_path: Any) -> None:
    log = EventLog(tmp_path / "events.jsonl")
    live = Live(StageReporter(log, "02-generate", interval=0))
    live.progress("units", 1, 3)
    (event,) = log.read()
    assert event["eta"] is None and event["live"]["funnel"] == [] and event["rate"] == 0


def test_steps_are_named_after_what_they_ask() -> None:
    assert label(BlockSpec(block="ask", prompt="chunk_pairs")) == "chunk_pairs"
    assert label(BlockSpec(block="rules")) == "rules"
