"""Run one stage: skip it if its result is still valid, else work in its own folder, then write DONE.json last.

key  = digest(stage name and version, settings, digests of the input files)
DONE with the same key       skip
STARTED with the same key    work again in place; the room reuses what it finished
another key                  the old folder is set aside as `<stage>.stale-N`, and work starts clean
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from ilab.base import atomic, digest, hardware
from ilab.base.report import Reporter
from ilab.errors import IlabError
from ilab.runs.events import StageReporter
from ilab.runs.folder import RunFolder

OUTSIDE_KEY = {"json_schema_extra": {"outside_key": True}}
"""Field options of a setting that cannot change results (workers, ports): `Field(2, **OUTSIDE_KEY)`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StageBox:
    """What a stage works with: its folder, where it reports, and its key."""

    folder: Path
    report: Reporter
    key: str


def key_of(settings: BaseModel | Mapping[str, Any]) -> dict[str, Any]:
    """The part of `settings` that can change results, as JSON-like data."""
    if not isinstance(settings, BaseModel):
        return dict(settings)
    kept: dict[str, Any] = {}
    for name, field in type(settings).model_fields.items():
        extra = field.json_schema_extra
        if isinstance(extra, dict) and extra.get("outside_key"):
            continue
        value = getattr(settings, name)
        kept[name] = key_of(value) if isinstance(value, BaseModel) else settings.model_dump(mode="json")[name]
    return kept


def run_stage(
    run: RunFolder,
    name: str,
    *,
    settings: BaseModel | Mapping[str, Any],
    inputs: Mapping[str, Path | str],
    work: Callable[[StageBox], Mapping[str, Any] | None],
    version: int = 1,
) -> Path:
    """Do `work` once for these settings and inputs; return the stage's folder.

    `inputs` maps a name to a path (its content counts, not its place) or to a digest. What `work` returns is kept in
    DONE.json as `summary`, beside the seconds of all attempts and the largest resident size of a process so far.
    """
    digests = {label: value if isinstance(value, str) else digest.of_path(value) for label, value in inputs.items()}
    key = digest.of_value({"stage": name, "version": version, "settings": key_of(settings), "inputs": digests})
    folder = run.stages / name
    if done_key(folder) == key:
        run.say("stage_skipped", stage=name)
        return folder
    _prepare(folder, key, digests)
    run.say("stage_started", stage=name)
    began = time.monotonic()
    box = StageBox(folder=folder, report=StageReporter(run.events, name, listener=run.listener), key=key)
    try:
        with atomic.disk_errors(folder):
            summary = dict(work(box) or {})
            seconds = round(time.monotonic() - began + _seconds_before(folder), 3)
            _finish(folder, key, summary, seconds)
    except BaseException as error:
        _remember_seconds(folder, time.monotonic() - began)
        message = error.message if isinstance(error, IlabError) else f"{type(error).__name__}: {error}"
        run.say("stage_failed", stage=name, error=message, seconds=round(time.monotonic() - began, 3))
        raise
    run.say("stage_finished", stage=name, seconds=seconds)
    return folder


def done_key(folder: Path) -> str | None:
    """The key under which a stage finished, or None when it has not."""
    path = folder / "DONE.json"
    return str(json.loads(path.read_bytes())["key"]) if path.exists() else None


def done(folder: Path) -> dict[str, Any]:
    """The content of a finished stage's DONE.json."""
    content: dict[str, Any] = json.loads((folder / "DONE.json").read_bytes())
    return content


def _prepare(folder: Path, key: str, digests: Mapping[str, str]) -> None:
    started = folder / "STARTED.json"
    if folder.exists() and not (started.exists() and json.loads(started.read_bytes()).get("key") == key):
        _set_aside(folder)
    with atomic.disk_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
    if not started.exists():
        atomic.write_json(started, {"schema_version": 1, "key": key, "inputs": dict(digests)})


def _set_aside(folder: Path) -> None:
    number = 1
    while (stale := folder.with_name(f"{folder.name}.stale-{number}")).exists():
        number += 1
    folder.rename(stale)


def _finish(folder: Path, key: str, summary: dict[str, Any], seconds: float) -> None:
    outputs = {
        name: digest.of_file(path)
        for name, path in digest.files_below(folder).items()
        if "checkpoints/" not in name and name not in ("STARTED.json", "spent.json") and not name.endswith(".log")
    }
    record = {
        "schema_version": 1,
        "key": key,
        "seconds": seconds,
        "peak_memory": hardware.peak_memory(),
        "summary": summary,
        "outputs": outputs,
    }
    atomic.write_json(folder / "DONE.json", record | {"digest": digest.of_value(outputs)})


def _seconds_before(folder: Path) -> float:
    path = folder / "spent.json"
    return float(json.loads(path.read_bytes())["seconds"]) if path.exists() else 0.0


def _remember_seconds(folder: Path, seconds: float) -> None:
    """Keep the time of a broken attempt; on a full disk even this small file may fail, which changes nothing."""
    try:
        atomic.write_json(folder / "spent.json", {"seconds": _seconds_before(folder) + seconds})
    except (OSError, IlabError):
        return
