"""Append typed events to events.jsonl, and fold them into a RunState.

The state of a run is derived, never stored: what the events say, plus whether a living process holds the lock.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ilab.base import clock, jsonl
from ilab.runs import log

KINDS = (
    "run_started",
    "stage_started",
    "stage_skipped",
    "progress",
    "metric",
    "warning",
    "stage_finished",
    "stage_failed",
    "run_finished",
    "run_failed",
    "run_interrupted",
)
"""The closed list of event kinds."""

SCHEMA_VERSION = 1


class EventLog:
    """The one writer of a run's events.jsonl."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def emit(self, kind: str, *, stage: str = "", **fields: Any) -> None:
        """Append one event, and say it in log.txt too."""
        assert kind in KINDS, kind
        row = {"v": SCHEMA_VERSION, "time": clock.stamp(), "kind": kind, "stage": stage, **fields}
        jsonl.append(self.path, row)
        log.write(kind, stage, fields)

    def read(self) -> Iterator[dict[str, Any]]:
        """All events so far; a torn last line is passed over."""
        return jsonl.read(self.path, skip_torn=True) if self.path.exists() else iter(())


@dataclass(slots=True, kw_only=True)
class StageState:
    """What is known of one stage: state is running, finished, skipped, failed or interrupted."""

    name: str
    state: str = "running"
    started: str = ""
    ended: str = ""
    seconds: float = 0.0
    progress: dict[str, Any] = field(default_factory=dict)
    error: str = ""


@dataclass(slots=True, kw_only=True)
class RunState:
    """What is known of a run: state is running, finished, failed or interrupted."""

    state: str = "interrupted"
    stages: dict[str, StageState] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    error: str = ""
    ended: str = ""


def fold(events: Iterable[dict[str, Any]], *, alive: bool) -> RunState:
    """The state that `events` add up to; `alive` says whether a process holds the run's lock."""
    state = RunState()
    for event in events:
        _apply(state, event)
    if alive:
        state.state = "running"
        return state
    if state.state == "running":
        state.state = "interrupted"
    for stage in state.stages.values():
        if stage.state == "running":
            stage.state = "interrupted"
    return state


def _apply(state: RunState, event: dict[str, Any]) -> None:
    kind, stage, at = event.get("kind"), event.get("stage", ""), event.get("time", "")
    if kind == "run_started":
        state.state, state.error, state.ended = "running", "", ""
    elif kind in ("run_finished", "run_failed", "run_interrupted"):
        state.state, state.ended = str(kind).removeprefix("run_"), at
        state.error = event.get("error", "")
    elif kind == "stage_started":
        state.stages[stage] = StageState(name=stage, started=at)
    elif kind == "stage_skipped":
        old = state.stages.get(stage)
        state.stages[stage] = StageState(
            name=stage,
            state="skipped",
            seconds=old.seconds if old else 0.0,
            ended=at,
            progress=old.progress if old else {},
        )
    elif kind == "warning":
        state.warnings.append(event.get("message", ""))
    elif stage in state.stages:
        _apply_to_stage(state.stages[stage], event)


def _apply_to_stage(stage: StageState, event: dict[str, Any]) -> None:
    kind = event.get("kind")
    if kind == "progress":
        stage.progress = {name: event.get(name) for name in ("what", "done", "total", "rate", "eta")}
    elif kind in ("stage_finished", "stage_failed"):
        stage.state = str(kind).removeprefix("stage_")
        stage.ended = event.get("time", "")
        stage.seconds = float(event.get("seconds", 0.0))
        stage.error = event.get("error", "")


class StageReporter:
    """Turns what a room reports into events, and hands each event to a listener (the terminal).

    Progress is thinned: at most one event in `interval` seconds for each kind of unit, and always the last one.
    """

    def __init__(self, log: EventLog, stage: str, *, listener: Any = None, interval: float = 1.0) -> None:
        self.log = log
        self.stage = stage
        self.listener = listener
        self.interval = interval
        self._began: dict[str, tuple[float, int]] = {}
        self._said: dict[str, float] = {}

    def progress(self, what: str, done: int, total: int, **fields: Any) -> None:
        """Write a progress event with rate and ETA measured since the first one, unless `fields` has better ones."""
        now = time.monotonic()
        began, first = self._began.setdefault(what, (now, done))
        if done < total and now - self._said.get(what, -1e9) < self.interval:
            return
        self._said[what] = now
        elapsed = now - began
        rate = (done - first) / elapsed if elapsed > 0.5 and done > first else 0.0
        eta = (total - done) / rate if rate else None
        timing = {"rate": round(rate, 3), "eta": None if eta is None else round(eta, 1)}
        self._emit("progress", what=what, done=done, total=total, **(timing | fields))

    def metric(self, name: str, value: float, **fields: Any) -> None:
        """Write a metric event."""
        self._emit("metric", name=name, value=value, **fields)

    def warning(self, message: str) -> None:
        """Write a warning event."""
        self._emit("warning", message=message)

    def _emit(self, kind: str, **fields: Any) -> None:
        self.log.emit(kind, stage=self.stage, **fields)
        if self.listener is not None:
            self.listener({"kind": kind, "stage": self.stage, **fields})
