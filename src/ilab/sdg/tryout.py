"""Try-out: the first units of each path done for real, to see what they cost and give. It writes no files."""

from __future__ import annotations

import math
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from ilab.base.report import Reporter
from ilab.llm import ability
from ilab.llm.pool import Pool, run_ordered
from ilab.llm.port import ChatModel, Completion, GenerationParams, RequestRefused, ScoreRequest, TokenScore, TokenScorer
from ilab.records.messages import Message
from ilab.sdg import flow, pilot
from ilab.sdg.blocks.base import Tools, run_block, whole
from ilab.sdg.calls import BYTES_PER_TOKEN, Asked, Render, Request, Wrapped, asks, key_of, tokens_of
from ilab.sdg.row import Box
from ilab.sdg.settings import SdgSettings
from ilab.sdg.units import Unit, Way, in_turn


@dataclass(slots=True, kw_only=True)
class Tried:
    """What one unit of the pilot cost and gave; a call counts as well when its answer was remembered from earlier work.
    A request that another unit made is not counted again."""

    way: Way
    calls: int = 0
    prompt: int = 0
    answer: int = 0
    samples: int = 0
    judge_seconds: float = 0.0


@dataclass(slots=True, kw_only=True)
class Pace:
    """How fast the teacher was: seconds that a call takes away from the others, by path and in the mean; None if not
    a single call had to be made."""

    asked: int = 0
    by_way: dict[Way, float] = field(default_factory=dict)
    mean: float | None = None


class Watch:
    """Times the teacher's calls over all threads, and tells which of them are new."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._seen: set[str] = set()
        self._spans: list[tuple[float, float, Way]] = []

    def asked(self, began: float, ended: float, way: Way) -> None:
        """A call that somebody had to answer."""
        with self._lock:
            self._spans.append((began, ended, way))

    def new(self, messages: Sequence[Message], params: GenerationParams) -> bool:
        """Whether nobody has made this request before."""
        key = key_of(messages, params)
        with self._lock:
            found = key not in self._seen
            self._seen.add(key)
        return found

    @property
    def calls(self) -> int:
        """Calls so far that somebody had to answer."""
        return len(self._spans)

    def pace(self) -> Pace:
        """What a call costs. Calls that overlap share the time in which there was any."""
        busy, end = 0.0, -math.inf
        for began, ended, _ in sorted(self._spans):
            busy += max(0.0, ended - max(began, end))
            end = max(end, ended)
        waited = sum(ended - began for began, ended, _ in self._spans)
        if not waited:
            return Pace()
        seconds: dict[Way, float] = {}
        calls: Counter[Way] = Counter()
        for began, ended, way in self._spans:
            seconds[way] = seconds.get(way, 0.0) + (ended - began) * busy / waited
            calls[way] += 1
        by_way = {way: seconds[way] / calls[way] for way in calls}
        return Pace(asked=len(self._spans), by_way=by_way, mean=busy / len(self._spans))


class _Measured(Wrapped):
    """The teacher for one unit of the pilot: counts into `unit`, and tells `watch` of calls that took time."""

    def __init__(self, inner: ChatModel, unit: Tried, watch: Watch) -> None:
        super().__init__(inner)
        self._unit = unit
        self._watch = watch
        self._lock = threading.Lock()

    def chat(self, messages: Sequence[Message], params: GenerationParams) -> Completion:
        """Answer `messages`."""
        began = time.monotonic()
        answer = self._inner.chat(messages, params)
        if not answer.remembered:
            self._watch.asked(began, time.monotonic(), self._unit.way)
        if self._watch.new(messages, params):
            with self._lock:
                self._unit.calls += 1
                # a server may not say how many tokens there were
                self._unit.prompt += answer.prompt_tokens or tokens_of(messages)
                self._unit.answer += answer.completion_tokens or len(answer.text.encode()) // BYTES_PER_TOKEN
        return answer

    def stream(self, messages: Sequence[Message], params: GenerationParams) -> Iterator[str]:
        """The answer in one piece."""
        yield self.chat(messages, params).text


class _Timed:
    """The judge for one unit: one unit at a time, as when it counts; its seconds go into `unit`."""

    def __init__(self, inner: TokenScorer, unit: Tried, lock: threading.Lock) -> None:
        self._inner = inner
        self._unit = unit
        self._lock = lock

    def score(self, requests: Sequence[ScoreRequest]) -> list[list[TokenScore]]:
        """The scores of `requests`."""
        with self._lock:
            began = time.monotonic()
            scores = self._inner.score(requests)
            self._unit.judge_seconds += time.monotonic() - began
            return scores


def try_out(
    units: Sequence[Unit],
    teacher: ChatModel,
    scorer: TokenScorer,
    *,
    settings: SdgSettings,
    render: Render,
    report: Reporter,
    watch: Watch,
    mute: frozenset[str] = frozenset(),
) -> list[Tried]:
    """Do the first units of each path; what they were asked is the teacher's to remember.

    Raises `NothingGenerated` when no path gave anything because the teacher could not be read.
    """
    first, _ = pilot.parted(in_turn(units))
    pool, lock = Pool(settings.workers), threading.Lock()
    able = _Measured(teacher, Tried(way=("", "")), Watch())
    if settings.structured == "auto" and any(map(_wants_records, first)):
        ability.keeps_to_schemas(able)  # once, and for no unit
    report.progress("pilot", 0, len(first))
    done = 0

    def work(unit: Unit) -> tuple[Tried, dict[str, Any]]:
        tried, box = Tried(way=unit.way), Box()
        tools = Tools(
            teacher=_Measured(teacher, tried, watch),
            scorer=_Timed(scorer, tried, lock),
            render=render,
            settings=settings,
            seeds=unit.seeds,
            pool=pool,
            mute=mute,
        )
        rows = [dict(row) for row in unit.rows]
        for spec in unit.blocks:
            rows = run_block(spec.block, rows, box, tools, **spec.options)
        tried.samples = len(whole(rows, *unit.way))
        return tried, {"kept": rows, "rejected": box.rejected}

    def tell(_position: int, _outcome: object) -> None:
        nonlocal done
        done += 1
        report.progress("pilot", done, len(first))

    try:
        outcomes = run_ordered(first, work, workers=2 * settings.workers, on_done=tell)
    finally:
        pool.close()
    pilot.check([(unit, shard) for unit, (_, shard) in zip(first, outcomes, strict=True)], report)
    return [tried for tried, _ in outcomes]


def probe(asked: Asked, teacher: ChatModel, *, workers: int, watch: Watch) -> int:
    """Ask a few requests that wait, so that the teacher's pace is known with `workers` calls at once; how many."""
    waiting = list(asked.waiting)[-max(0, workers - watch.calls) :] if watch.calls < workers else []

    def call(job: tuple[Way, Request]) -> None:
        way, (messages, params) = job
        try:
            _Measured(teacher, Tried(way=way), watch).chat(messages, params)
        except RequestRefused:
            return

    run_ordered(waiting, call, workers=workers)
    return len(waiting)


def _wants_records(unit: Unit) -> bool:
    """Whether a teacher's answers may be kept to a JSON schema: those of prompts of the old kinds are not."""
    return any(
        spec.block != "ask" or flow.prompt(spec.options["prompt"]).get("parse") == "records"
        for spec in unit.blocks
        if asks(spec) and spec.block != "reference"
    )
