"""log.txt: what a run did, for people: its events, and our own log lines of every level."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from ilab.base import logs

_events = logging.getLogger("ilab.run")
# Events reach log.txt only. Stderr has its own view of them, and would show each one twice.
_events.propagate = False
_events.setLevel(logging.DEBUG)
_events.addHandler(logging.NullHandler())

_LEVELS = {
    "progress": logging.DEBUG,
    "metric": logging.DEBUG,
    "warning": logging.WARNING,
    "run_interrupted": logging.WARNING,
    "stage_failed": logging.ERROR,
    "run_failed": logging.ERROR,
}
"""Level of an event's line, where it is not INFO."""


def write(kind: str, stage: str, fields: Mapping[str, Any]) -> None:
    """Write an event as a line of log.txt; does nothing while no log is kept."""
    _events.log(_LEVELS.get(kind, logging.INFO), "%s", _line(kind, stage, fields))


def _line(kind: str, stage: str, fields: Mapping[str, Any]) -> str:
    place = f"{stage}: " if stage else ""
    if kind == "progress":
        return f"{place}{fields.get('what', '')} {fields.get('done', 0)}/{fields.get('total', 0)}"
    if kind == "metric":
        return f"{place}{fields.get('name', '')} = {fields.get('value', '')}"
    spent = f" after {fields['seconds']} s" if "seconds" in fields else ""
    said = [str(fields[name]) for name in ("message", "error", "hint") if fields.get(name)]
    details = [str(detail) for detail in fields.get("details", ())]
    return "\n  ".join([place + ": ".join([kind.replace("_", " ") + spent, *said]), *details])


@contextmanager
def keeping(path: Path) -> Iterator[None]:
    """While the block runs, `path` gets the events and our own log lines; stderr shows what it showed before."""
    own, shown = logging.getLogger("ilab"), logging.getLogger().handlers
    level, threshold = own.level, own.getEffectiveLevel()
    levels = [(handler, handler.level) for handler in shown]
    handler = logs.to_file(path)
    # A line that does not fit on a full disk is let go: logging would print a traceback, and the event says it anyway.
    handler.handleError = lambda record: None  # type: ignore[method-assign]
    for other, its_level in levels:
        other.setLevel(max(its_level, threshold))
    own.setLevel(logging.DEBUG)
    _events.addHandler(handler)
    try:
        yield
    finally:
        _events.removeHandler(handler)
        own.removeHandler(handler)
        own.setLevel(level)
        for other, its_level in levels:
            other.setLevel(its_level)
        with suppress(OSError):  # closing writes what did not fit before
            handler.close()
