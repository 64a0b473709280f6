"""UTC time and run ids."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime


def now() -> datetime:
    """The present moment in UTC."""
    return datetime.now(UTC)


def stamp() -> str:
    """The present moment as ISO 8601 with milliseconds and `Z`."""
    return now().isoformat(timespec="milliseconds").replace("+00:00", "Z")


def file_stamp() -> str:
    """The present moment as it stands in data file names: `2024-08-13T20_54_21`."""
    return now().strftime("%Y-%m-%dT%H_%M_%S")


def run_id(kind: str) -> str:
    """A new run id: UTC time, kind, four hex digits."""
    return f"{now().strftime('%Y%m%dT%H%M%S')}-{kind}-{secrets.token_hex(2)}"


def human_duration(seconds: float) -> str:
    """Seconds for people: `8 s`, `3 min 05 s`, `2 h 10 min`."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min"
