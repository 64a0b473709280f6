"""The live view of a run on stderr: one line a stage.

`Screen` is a listener of run events. On a terminal the line of the working stage is updated in place, with more lines
below it while rows are generated; elsewhere one line is written for every 10 % (every minute where the total is
unknown, every half minute while rows are generated), so that a log stays short.
"""

from __future__ import annotations

import shutil
import sys
import threading
import time
from typing import Any, TextIO

from ilab.base.clock import human_duration
from ilab.cli import generation_view, output
from ilab.cli.excerpt import cut

_BAR = 20
_QUIET_SECONDS = 60.0
_LIVE_SECONDS = 30.0
_CLEAR = "\r\x1b[K"
_SPARE_ROWS = 2
"""Rows of the terminal that stay free, so that drawing never scrolls it."""


class Screen:
    """Shows run events to a person. Safe to call from several threads."""

    def __init__(self, stream: TextIO | None = None, *, live: bool | None = None) -> None:
        self.stream = stream or sys.stderr
        self.live = output.is_terminal(self.stream) if live is None else live
        self.unicode = "utf" in (getattr(self.stream, "encoding", None) or "").lower()
        self._lock = threading.Lock()
        self._drawn = 0
        """Lines of the live view that are on the terminal."""
        self._began: dict[str, float] = {}
        self._losses: dict[str, dict[str, float]] = {}
        self._last: dict[str, Any] = {}
        self._said: dict[tuple[str, str], tuple[int, float]] = {}

    def __call__(self, event: dict[str, Any]) -> None:
        """Show one event; kinds that say nothing to a person are passed over."""
        handler = getattr(self, f"_on_{event.get('kind')}", None)
        if handler is not None:
            with self._lock:
                handler(event)

    def close(self) -> None:
        """Leave the cursor on a fresh line."""
        with self._lock:
            self._end_line()

    # --- one method a kind of event ---

    def _on_stage_started(self, event: dict[str, Any]) -> None:
        stage = event["stage"]
        self._began[stage] = time.monotonic()
        self._losses.pop(stage, None)
        self._last = {}
        if self.live:
            self._draw(f"{self._name(stage)} starting")
        else:
            self._line(f"{stage}: started")

    def _on_stage_skipped(self, event: dict[str, Any]) -> None:
        self._line(f"{self._name(event['stage'])} {self._mark('=')} done before")

    def _on_progress(self, event: dict[str, Any]) -> None:
        self._last = event
        if self.live:
            self._draw(*self._live_lines(event))
        elif self._due(event):
            self._line(self._plain_line(event))

    def _on_metric(self, event: dict[str, Any]) -> None:
        name = str(event.get("name", ""))
        if "loss" not in name:
            return
        self._losses.setdefault(event["stage"], {})[name] = float(event["value"])
        if self.live and self._last.get("stage") == event["stage"]:
            self._draw(*self._live_lines(self._last))

    def _on_warning(self, event: dict[str, Any]) -> None:
        self._line(f"{output.style('warning:', stream=self.stream, fg='yellow', bold=True)} {event.get('message', '')}")
        if self.live and self._last:
            self._draw(*self._live_lines(self._last))

    def _on_stage_finished(self, event: dict[str, Any]) -> None:
        stage = event["stage"]
        spent = human_duration(float(event.get("seconds", 0.0)))
        loss = self._loss_text(stage)
        self._last = {}
        self._line(f"{self._name(stage)} {self._mark('+')} done in {spent}{f', {loss}' if loss else ''}")

    def _on_stage_failed(self, event: dict[str, Any]) -> None:
        self._last = {}
        self._line(f"{self._name(event['stage'])} {self._mark('x')} stopped: {event.get('error', '')}")

    def _on_run_finished(self, _event: dict[str, Any]) -> None:
        self._end_line()

    _on_run_failed = _on_run_finished
    _on_run_interrupted = _on_run_finished

    # --- texts ---

    def _live_line(self, event: dict[str, Any]) -> str:
        done, total = int(event.get("done") or 0), int(event.get("total") or 0)
        parts = [self._name(event["stage"]), str(event.get("what", ""))]
        if total:
            parts += [self._bar(done / total), f"{output.number(done)}/{output.number(total)}"]
        else:
            parts.append(output.number(done))
        return " ".join(parts) + "".join(f"  {text}" for text in self._figures(event))

    def _live_lines(self, event: dict[str, Any]) -> list[str]:
        """The line of the stage; while rows are generated, what comes of them below it."""
        found = [self._live_line(event)]
        if live := event.get("live"):
            size = shutil.get_terminal_size()
            found += generation_view.lines(
                live, width=size.columns - 1, height=size.lines - len(found) - _SPARE_ROWS, unicode=self.unicode
            )
        return found

    def _plain_line(self, event: dict[str, Any]) -> str:
        done, total = int(event.get("done") or 0), int(event.get("total") or 0)
        count = (
            f"{output.number(done)}/{output.number(total)} ({100 * done // total} %)" if total else output.number(done)
        )
        more = generation_view.figures(event["live"]) if event.get("live") else []
        return ", ".join([f"{event['stage']}: {event.get('what', '')} {count}", *self._figures(event), *more])

    def _figures(self, event: dict[str, Any]) -> list[str]:
        """Rate, time left and losses, each where it is known."""
        figures = []
        rate, eta = event.get("rate"), event.get("eta")
        if rate:
            figures.append(f"{output.number(rate)}/s" if rate >= 0.1 else f"{output.number(rate * 60)}/min")
        if eta:
            figures.append(f"{human_duration(eta)} left")
        elif self.live and event["stage"] in self._began:
            figures.append(human_duration(time.monotonic() - self._began[event["stage"]]))
        if loss := self._loss_text(event["stage"]):
            figures.append(loss)
        return figures

    def _loss_text(self, stage: str) -> str:
        return ", ".join(f"{name} {value:.3f}" for name, value in self._losses.get(stage, {}).items())

    def _bar(self, share: float) -> str:
        full = round(_BAR * min(1.0, max(0.0, share)))
        filled, empty = ("█", "░") if self.unicode else ("#", "-")
        return filled * full + empty * (_BAR - full)

    def _mark(self, plain: str) -> str:
        return {"+": "✓", "x": "✗", "=": "✓"}[plain] if self.unicode else plain

    def _name(self, stage: str) -> str:
        return output.style(f"{stage:<14}", stream=self.stream, bold=True)

    # --- writing ---

    def _due(self, event: dict[str, Any]) -> bool:
        """Whether a plain line is due: a new tenth of the total, or some time where that says too little.

        Work that begins again under the same name (another checkpoint) counts from its own start.
        """
        place = (event["stage"], str(event.get("what", "")))
        done, total, now = int(event.get("done") or 0), int(event.get("total") or 0), time.monotonic()
        tenth = 10 * done // total if total else 0
        before, at = self._said.get(place, (0, -_QUIET_SECONDS))
        if tenth < before:
            before = 0
        if event.get("live"):
            due = now - at >= _LIVE_SECONDS or (done == total and done > 0)
            self._said[place] = (tenth, now) if due else (before, at)
            return due
        if tenth <= before and (total or now - at < _QUIET_SECONDS):
            self._said[place] = (before, at)
            return False
        self._said[place] = (tenth, now)
        return True

    def _draw(self, *lines: str) -> None:
        """Replace the live view; each line is cut to the width of the terminal."""
        width = shutil.get_terminal_size().columns - 1
        self.stream.write((self._cleared() or _CLEAR) + "\n".join(cut(line, width) for line in lines))
        self.stream.flush()
        self._drawn = len(lines)

    def _line(self, text: str) -> None:
        """Write a line that stays, in place of the live view."""
        self.stream.write(self._cleared() + text + "\n")
        self.stream.flush()
        self._drawn = 0

    def _cleared(self) -> str:
        """What takes the live view off the terminal, and the cursor to where it began."""
        if self._drawn <= 1:
            return _CLEAR if self._drawn else ""
        return f"\r\x1b[{self._drawn - 1}A\x1b[J"

    def _end_line(self) -> None:
        if self._drawn:
            self.stream.write("\n")
            self.stream.flush()
            self._drawn = 0
