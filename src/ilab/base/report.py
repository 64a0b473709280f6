"""How a room says what happens: progress, metrics, warnings. Adapters decide where it goes."""

from __future__ import annotations

from typing import Any, Protocol


class Reporter(Protocol):
    """Receives what a room has to say while it works."""

    def progress(self, what: str, done: int, total: int, **fields: Any) -> None:
        """`done` of `total` units of `what` are finished."""

    def metric(self, name: str, value: float, **fields: Any) -> None:
        """One measured number, for example a training loss."""

    def warning(self, message: str) -> None:
        """Something the user should know that does not stop the work."""


class NullReporter:
    """Hears nothing; for library use and tests."""

    def progress(self, what: str, done: int, total: int, **fields: Any) -> None:
        """Ignore."""

    def metric(self, name: str, value: float, **fields: Any) -> None:
        """Ignore."""

    def warning(self, message: str) -> None:
        """Ignore."""


class ListReporter(NullReporter):
    """Keeps everything said, for tests and notebooks."""

    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []

    def progress(self, what: str, done: int, total: int, **fields: Any) -> None:
        """Keep one progress event."""
        self.events.append({"kind": "progress", "what": what, "done": done, "total": total, **fields})

    def metric(self, name: str, value: float, **fields: Any) -> None:
        """Keep one metric event."""
        self.events.append({"kind": "metric", "name": name, "value": value, **fields})

    def warning(self, message: str) -> None:
        """Keep one warning event."""
        self.events.append({"kind": "warning", "message": message})
