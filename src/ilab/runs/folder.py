"""Create, open and lock a run folder.

The lock is an flock on `lock` that the kernel drops with the process, so a killed run is never locked. The file also
names pid, host and boot for people and for `ilab run stop`.
"""

from __future__ import annotations

import fcntl
import json
import os
import platform
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any, BinaryIO

from ilab.base import atomic, clock
from ilab.errors import IlabError, Interrupted, RunError
from ilab.runs import events, log, manifest
from ilab.runs.events import EventLog, RunState, StageReporter
from ilab.runs.manifest import RunManifest

Listener = Callable[[dict[str, Any]], None]

_INSTANT = 0.5
"""Seconds in which whoever only looks at a lock has let go of it, and whoever took it has written its name."""
_POLL = 0.02


class RunFolder:
    """One run on disk. `listener` receives every event as it happens (the terminal's view)."""

    def __init__(self, folder: Path, *, listener: Listener | None = None) -> None:
        self.folder = folder
        self.listener = listener
        self.events = EventLog(folder / "events.jsonl")
        self.manifest: RunManifest = manifest.read(folder)

    @property
    def id(self) -> str:
        """The run's id, which is also its folder's name."""
        return self.manifest.id

    @property
    def stages(self) -> Path:
        """The folder that holds one folder a stage."""
        return self.folder / "stages"

    def say(self, kind: str, *, stage: str = "", **fields: Any) -> None:
        """Write an event and tell the listener."""
        self.events.emit(kind, stage=stage, **fields)
        if self.listener is not None:
            self.listener({"kind": kind, "stage": stage, **fields})

    def reporter(self, stage: str) -> StageReporter:
        """Where work for `stage` that happens before the stage begins (fetching a model) reports."""
        return StageReporter(self.events, stage, listener=self.listener)

    def state(self) -> RunState:
        """The state that the events and the lock add up to."""
        return events.fold(self.events.read(), alive=holder(self.folder) is not None)

    def result(self) -> dict[str, Any] | None:
        """The content of result.json, or None while there is none. `RunError` when it is damaged."""
        if not self.has_result:
            return None
        path = self.folder / "result.json"
        try:
            content: dict[str, Any] = dict(json.loads(path.read_bytes()))
        except (OSError, ValueError, TypeError) as error:
            raise RunError(
                f"{path} cannot be read: {error}",
                hint=f"give the command of the run again, and it is written anew: ilab {' '.join(self.manifest.argv)}",
            ) from error
        return content

    @property
    def has_result(self) -> bool:
        """Whether result.json is there, readable or not."""
        return (self.folder / "result.json").exists()

    def finish(self, result: dict[str, Any]) -> None:
        """Write result.json, the last file of a run."""
        atomic.write_json(self.folder / "result.json", {"schema_version": 1, "run": self.id, **result})

    @contextmanager
    def working(self) -> Iterator[None]:
        """Hold the lock, log to log.txt, turn SIGINT and SIGTERM into `Interrupted`, and record how it ended."""
        with (
            atomic.disk_errors(self.folder),
            _locked(self.folder),
            _signals(),
            log.keeping(self.folder / "log.txt"),
        ):
            try:
                with atomic.disk_errors(self.folder):  # here, so that what is recorded below is what is raised
                    self.say("run_started", pid=os.getpid())
                    yield
                    self.say("run_finished")
            except (Interrupted, KeyboardInterrupt) as error:
                self.say("run_interrupted", error="interrupted")
                raise Interrupted(
                    f"run {self.id} was interrupted; everything finished is kept",
                    hint=f"go on with the same command, or with `ilab run resume {self.id.rsplit('-', 1)[-1]}`",
                ) from error
            except IlabError as error:
                self.say(
                    "run_failed",
                    error=error.message,
                    hint=error.hint,
                    details=list(error.details),
                    exit_code=error.exit_code,
                )
                raise
            except BaseException as error:
                self.say("run_failed", error=f"{type(error).__name__}: {error}", exit_code=1)
                raise


def create(
    root: Path,
    kind: str,
    *,
    argv: list[str],
    settings: dict[str, Any],
    sources: dict[str, str] | None = None,
    inputs: dict[str, Any] | None = None,
    listener: Listener | None = None,
) -> RunFolder:
    """Make a new run folder below `root` and write its manifest before any work.

    A command started in the background is told its run id through `ILAB_RUN_ID`; it counts for one run only.
    """
    run_id = os.environ.pop("ILAB_RUN_ID", "") or clock.run_id(kind)
    folder = root / run_id
    with atomic.disk_errors(folder):
        (folder / "stages").mkdir(parents=True)
    manifest.write(
        folder,
        manifest.new(kind, run_id=run_id, argv=argv, settings=settings, sources=sources or {}, inputs=inputs or {}),
    )
    return RunFolder(folder, listener=listener)


def holder(folder: Path) -> dict[str, Any] | None:
    """Who works in this run now (pid, host, boot), or None when nobody does."""
    path = folder / "lock"
    if not path.exists():
        return None
    with path.open("rb") as file:
        if _take(file, fcntl.LOCK_SH):
            return None
    return _name_in(path)


def _name_in(lock: Path) -> dict[str, Any]:
    """Who holds `lock` by its own words; a process that has only just taken it is given the time to write them."""
    deadline = time.monotonic() + _INSTANT
    while time.monotonic() < deadline:
        try:
            return dict(json.loads(lock.read_bytes()))
        except (ValueError, TypeError):
            time.sleep(_POLL)
    return {}


def wait_for_worker(folder: Path, *, ended: Callable[[], bool], timeout: float = 60) -> None:
    """Return once a process works in this run, or the one that was started for it has ended, as `ended` says."""
    deadline = time.monotonic() + timeout
    while holder(folder) is None and not ended() and time.monotonic() < deadline:
        time.sleep(_POLL)


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    with (folder / "lock").open("a+b") as file:
        if not _take(file, fcntl.LOCK_EX, patience=_INSTANT):
            who = holder(folder) or {}
            raise RunError(
                f"run {folder.name} is being worked on by process {who.get('pid', '?')}",
                hint=f"follow it with `ilab run follow {folder.name.rsplit('-', 1)[-1]}`",
            )
        file.truncate(0)
        file.write(json.dumps({"pid": os.getpid(), "host": platform.node(), "boot": boot_id()}).encode())
        file.flush()
        yield
        file.truncate(0)


def _take(file: BinaryIO, how: int, *, patience: float = 0) -> bool:
    """Lock `file`, if it can be had within `patience` seconds: `holder` keeps it for an instant, a worker for long."""
    deadline = time.monotonic() + patience
    while True:
        try:
            fcntl.flock(file, how | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= deadline:
                return False
            time.sleep(_POLL)
        else:
            return True


def boot_id() -> str:
    """Identifies this boot of this machine; empty where the system does not say."""
    path = Path("/proc/sys/kernel/random/boot_id")
    return path.read_text(encoding="ascii").strip() if path.exists() else ""


@contextmanager
def _signals() -> Iterator[None]:
    def interrupt(number: int, frame: FrameType | None) -> None:
        raise Interrupted("interrupted")

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    numbers = (signal.SIGINT, signal.SIGTERM)
    old = [signal.signal(number, interrupt) for number in numbers]
    try:
        yield
    finally:
        for number, handler in zip(numbers, old, strict=True):
            signal.signal(number, handler)
