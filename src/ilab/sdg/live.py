"""Live: what a person wants to see while rows are generated, put together from many threads.

    live = Live(report)                 # a Reporter like `report`; its progress in "units" also tells what is below
    teacher = live.watching(teacher)    # counts calls in flight, tokens, and answers that were remembered
    live.block(unit, label(spec), 8, 7, 1)    # a block has done its work on a unit
    live.sample(row)                    # a row was kept

A progress event in units gets two more fields: `eta`, in seconds, at the pace of the last minutes, and `live`:

    {"in_flight": 8, "tokens_per_second": 41.2, "cached": 0.12, "remembered": 0.3, "kept": 58, "rejected": 62,
     "funnel": [{"kind": "knowledge", "path": "facts", "blocks": [["spans", 10, 20, 0], ...]}],
     "last": {"question": "...", "answer": "..."}}

A block of the funnel is its name, rows in, rows out and rows rejected. Events are bounded: one a second at first, one
in five seconds in a long run.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from ilab.base.report import Reporter
from ilab.llm.port import ChatModel, Completion, GenerationParams
from ilab.records.messages import Message
from ilab.sdg.flow import BlockSpec
from ilab.sdg.row import Row, Usage
from ilab.sdg.units import Unit

UNITS = "units"
"""The progress that tells of the work as a whole."""
_PACE = 180.0
"""Seconds of the past by which the time left is told: long enough for a slow teacher, short enough to follow it."""
_TOKENS = 60.0
"""Seconds of the past over which tokens are counted."""
_OFTEN, _SELDOM = 1.0, 5.0
"""Seconds between two events: at first, and in a run of an hour and more."""
_LONGEST_TEXT = 300
"""Letters of a question or an answer that are told."""

Clock = Callable[[], float]


def label(spec: BlockSpec) -> str:
    """A step in the funnel: the prompt or the name that it was given, else its block; a path may ask several times."""
    return str(spec.options.get("prompt") or spec.options.get("name") or spec.block)


class Recent:
    """The sum of what came in the last `window` seconds; it keeps one number a second, however much comes."""

    def __init__(self, window: float, clock: Clock) -> None:
        self._window = window
        self._clock = clock
        self._began = clock()
        self._seconds: deque[list[float]] = deque()

    def add(self, amount: float) -> None:
        """Something came now."""
        now = float(int(self._clock()))
        if self._seconds and self._seconds[-1][0] == now:
            self._seconds[-1][1] += amount
        else:
            self._seconds.append([now, amount])

    def per_second(self) -> float:
        """The mean over the window, or since the beginning while that is shorter."""
        now = self._clock()
        while self._seconds and self._seconds[0][0] < now - self._window:
            self._seconds.popleft()
        span = min(self._window, now - self._began)
        return sum(amount for _, amount in self._seconds) / span if span >= _OFTEN else 0.0


class Live:
    """Counts what blocks, samples and calls come to, and tells it through `report`. Safe for many threads."""

    def __init__(self, report: Reporter, *, clock: Clock = time.monotonic) -> None:
        self._report = report
        self._clock = clock
        self._lock = threading.Lock()
        self._began = self._told = clock()
        self._done = self._total = 0
        self._pace = Recent(_PACE, clock)
        self._written = Recent(_TOKENS, clock)
        self._usage = Usage()
        self._watched = False
        self._in_flight = 0
        self._kept = self._rejected = 0
        self._funnel: dict[tuple[str, str], dict[str, list[int]]] = {}
        self._last: dict[str, str] = {}

    # --- a Reporter ---

    def progress(self, what: str, done: int, total: int, **fields: Any) -> None:
        """Pass progress on; in units, with the time left and all counts."""
        if what != UNITS:
            self._report.progress(what, done, total, **fields)
            return
        with self._lock:
            if done > self._done:
                self._pace.add(done - self._done)
            self._done, self._total = done, total
            told = self._facts()
            self._told = self._clock()
        self._report.progress(what, done, total, **fields, **told)

    def metric(self, name: str, value: float, **fields: Any) -> None:
        """Pass a metric on."""
        self._report.metric(name, value, **fields)

    def warning(self, message: str) -> None:
        """Pass a warning on."""
        self._report.warning(message)

    # --- what is counted ---

    def watching(self, teacher: ChatModel) -> ChatModel:
        """`teacher`, whose calls are counted from now on."""
        self._watched = True
        return _Watched(teacher, self)

    def block(self, unit: Unit, block: str, rows_in: int, rows_out: int, rejected: int) -> None:
        """`block` has made `rows_out` of `rows_in` rows of `unit`, and rejected some."""
        with self._lock:
            counts = self._funnel.setdefault(unit.way, {}).setdefault(block, [0, 0, 0])
            for place, number in enumerate((rows_in, rows_out, rejected)):
                counts[place] += number
            self._rejected += rejected
        self._tell()

    def sample(self, row: Row) -> None:
        """`row` is kept."""
        with self._lock:
            self._kept += 1
            self._last = {name: str(row.get(name, ""))[:_LONGEST_TEXT] for name in ("question", "answer")}

    def tokens(self, usage: Usage) -> None:
        """Count what was spent on a teacher that is not watched."""
        if self._watched:
            return
        with self._lock:
            for name, value in usage.to_json().items():
                setattr(self._usage, name, getattr(self._usage, name) + value)
            self._written.add(usage.written)

    def asked(self) -> None:
        """A call begins."""
        with self._lock:
            self._in_flight += 1
        self._tell()

    def answered(self, answer: Completion | None) -> None:
        """A call has ended, with an answer or without."""
        with self._lock:
            self._in_flight -= 1
            if answer is not None:
                self._usage.add(answer)
                self._written.add(0 if answer.remembered else answer.completion_tokens)
        self._tell()

    # --- telling ---

    def _tell(self) -> None:
        """Tell how things stand, if that was not done just now."""
        now = self._clock()
        with self._lock:
            if not self._total or self._done >= self._total or now - self._told < self._interval(now):
                return
            self._told = now
            done, total, told = self._done, self._total, self._facts()
        self._report.progress(UNITS, done, total, **told)

    def _interval(self, now: float) -> float:
        return min(_SELDOM, max(_OFTEN, (now - self._began) / 600))

    def _facts(self) -> dict[str, Any]:
        spent = self._usage
        prompt, answers = spent.computed + spent.cached, spent.calls + spent.remembered
        pace = self._pace.per_second()
        return {
            "eta": round((self._total - self._done) / pace, 1) if pace else None,
            "live": {
                "in_flight": self._in_flight,
                "tokens_per_second": round(self._written.per_second(), 1),
                "cached": round(spent.cached / prompt, 3) if prompt else None,
                "remembered": round(spent.remembered / answers, 3) if answers else None,
                "kept": self._kept,
                "rejected": self._rejected,
                "funnel": [
                    {"kind": kind, "path": path, "blocks": [[name, *counts] for name, counts in blocks.items()]}
                    for (kind, path), blocks in self._funnel.items()
                ],
                "last": self._last,
            },
        }


class _Watched:
    """A ChatModel whose calls `live` hears of."""

    def __init__(self, inner: ChatModel, live: Live) -> None:
        self._inner = inner
        self._live = live

    def chat(self, messages: Sequence[Message], params: GenerationParams) -> Completion:
        """Answer `messages`."""
        self._live.asked()
        answer: Completion | None = None
        try:
            answer = self._inner.chat(messages, params)
        finally:
            self._live.answered(answer)
        return answer

    def stream(self, messages: Sequence[Message], params: GenerationParams) -> Iterator[str]:
        """The answer in pieces; they are not counted."""
        return self._inner.stream(messages, params)
