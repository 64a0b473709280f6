"""Small files that say which models are being served: `<port>.json` while `ilab model serve` lives."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from ilab.base import atomic, clock


@dataclass(frozen=True, slots=True, kw_only=True)
class ServedModel:
    """A model that process `pid` of this machine serves at `url` (with `/v1`) since `started` (UTC)."""

    pid: int
    model: str
    url: str
    started: str


@contextmanager
def announced(state_dir: Path, *, port: int, model: str, url: str) -> Iterator[ServedModel]:
    """Keep `<state_dir>/<port>.json` while the body runs."""
    served = ServedModel(pid=os.getpid(), model=model, url=url, started=clock.stamp())
    path = state_dir / f"{port}.json"
    atomic.write_json(path, asdict(served))
    try:
        yield served
    finally:
        path.unlink(missing_ok=True)


def find_served(state_dir: Path) -> list[ServedModel]:
    """The models served now, newest first. Files left by processes that were killed are passed over."""
    found = []
    for path in state_dir.glob("*.json") if state_dir.is_dir() else ():
        try:
            served = ServedModel(**json.loads(path.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):  # removed meanwhile, torn, or written by another version
            continue
        if _alive(served.pid):
            found.append(served)
    return sorted(found, key=lambda served: served.started, reverse=True)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
