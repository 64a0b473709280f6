"""The journals in the cache as files: whose answers they hold, how large they are, and how old answers are let go.

A journal is named after the digest of its teacher's identity. Beside it stands `<digest>.json`, which `using` writes:

    {"teacher": "...", "used": "2026-01-05T10:00:00Z", "marks": [{"at": "...", "size": 4096}]}

Answers have no time of their own, but a journal only grows: what lies before the size of a mark was given before that
moment. A journal without such a file was made by an older version; its answers count as old as its last change.

While a run uses a journal it holds a shared lock on `<digest>.lock`. `prune` takes that lock alone: a journal is never
rewritten under a run, and a run that begins meanwhile waits.
"""

from __future__ import annotations

import fcntl
import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ilab.base import atomic, clock
from ilab.errors import RunError


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalFile:
    """One journal. `teacher` is empty where it is not known; `used` is the last time that a run had it open."""

    path: Path
    teacher: str
    answers: int
    size: int
    used: datetime

    def to_json(self) -> dict[str, Any]:
        """The facts as JSON."""
        return {
            "path": str(self.path),
            "teacher": self.teacher,
            "answers": self.answers,
            "size": self.size,
            "used": self.used.isoformat(timespec="seconds").replace("+00:00", "Z"),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Old:
    """The old answers of a journal: so many, in its first `size` bytes."""

    journal: JournalFile
    answers: int
    size: int

    def to_json(self) -> dict[str, Any]:
        """The facts as JSON."""
        return {
            "path": str(self.journal.path),
            "teacher": self.journal.teacher,
            "answers": self.answers,
            "size": self.size,
        }


def listed(folder: Path) -> list[JournalFile]:
    """The journals in `folder`, the one used last first. A folder that is not there has none."""
    found = [_facts(path) for path in sorted(folder.glob("*.jsonl"))] if folder.is_dir() else []
    return sorted(found, key=lambda one: one.used, reverse=True)


@contextmanager
def using(journal: Path, *, teacher: str) -> Iterator[None]:
    """While the block runs nobody prunes `journal`; `teacher`, as people know it, and the time are noted beside it."""
    with _locked(journal, fcntl.LOCK_SH):
        _mark(journal, teacher)
        try:
            yield
        finally:
            _mark(journal, teacher)


def old(folder: Path, *, before: datetime) -> list[Old]:
    """What `prune` would take out of the journals in `folder`: answers given before a moment."""
    found = []
    for journal in listed(folder):
        if size := _old_size(journal.path, before):
            found.append(Old(journal=journal, answers=_answers(journal.path, end=size), size=size))
    return found


def prune(journal: Path, *, before: datetime) -> Old | None:
    """Take out the answers given before a moment; the rest is written anew in one step. None where there were none.

    Raises `RunError` while a run uses the journal. A journal of which nothing is left goes with what stands beside it.
    """
    with _locked(journal, fcntl.LOCK_EX | fcntl.LOCK_NB):
        size = _old_size(journal, before)
        if not size:
            return None
        taken = Old(journal=_facts(journal), answers=_answers(journal, end=size), size=size)
        if size >= journal.stat().st_size:
            journal.unlink()
            _note(journal).unlink(missing_ok=True)
        else:
            note = _noted(journal)
            # First, and too low: a crash after it makes old answers seem young, not young ones old.
            marks = [mark | {"size": mark["size"] - size} for mark in _marks(note) if mark["size"] > size]
            atomic.write_json(_note(journal), note | {"marks": marks})
            with atomic.replacing(journal) as fresh, journal.open("rb") as source, fresh.open("wb") as target:
                source.seek(size)
                shutil.copyfileobj(source, target)
        return taken


@contextmanager
def _locked(journal: Path, how: int) -> Iterator[None]:
    """Hold the lock of a journal. The file stays: who waits for one that is gone would hold a lock on nothing."""
    path = journal.with_suffix(".lock")
    with atomic.disk_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.open("ab")
    with file:
        try:
            fcntl.flock(file, how)
        except BlockingIOError as error:
            hint = "wait for it, or stop it with `ilab run stop`"
            raise RunError(f"a run uses the answers of {_teacher(journal) or journal}", hint=hint) from error
        yield


def _mark(journal: Path, teacher: str) -> None:
    """Note the moment, and the size of the journal if it has grown."""
    note, now = _noted(journal), clock.stamp()
    marks = _marks(note)
    size = journal.stat().st_size if journal.exists() else 0
    if not marks and size:  # from before there were marks: no older than its last change, as far as we know
        marks.append({"at": _changed(journal).isoformat(), "size": size})
    if size > max((mark["size"] for mark in marks), default=0):
        marks.append({"at": now, "size": size})
    atomic.write_json(_note(journal), {"teacher": teacher, "used": now, "marks": marks})


def _old_size(journal: Path, before: datetime) -> int:
    """Bytes of whole lines at the beginning that were given before a moment."""
    size, marks = journal.stat().st_size, _marks(_noted(journal))
    if not marks:
        return size if _changed(journal) < before else 0
    end = max((mark["size"] for mark in marks if datetime.fromisoformat(mark["at"]) < before), default=0)
    if end >= size:
        return size
    with journal.open("rb") as file:  # a line that a crash tore was cut off, and a mark may lie within the next one
        file.seek(max(0, end - 1))
        return end if not end or file.read(1) == b"\n" else end + len(file.readline())


def _answers(journal: Path, *, end: int) -> int:
    """How many lines begin in the first `end` bytes."""
    count, place = 0, 0
    with journal.open("rb") as file:
        for line in file:
            if place >= end:
                break
            count += bool(line.strip())
            place += len(line)
    return count


def _facts(path: Path) -> JournalFile:
    size = path.stat().st_size
    noted = _noted(path).get("used")
    try:
        used = datetime.fromisoformat(noted) if noted else _changed(path)
    except (ValueError, TypeError):
        used = _changed(path)
    return JournalFile(
        path=path, teacher=_teacher(path), answers=_answers(path, end=size), size=size, used=max(used, _changed(path))
    )


def _changed(path: Path) -> datetime:
    return datetime.fromtimestamp(path.stat().st_mtime, UTC)


def _teacher(journal: Path) -> str:
    return str(_noted(journal).get("teacher", ""))


def _noted(journal: Path) -> dict[str, Any]:
    """What stands beside the journal; nothing where that is damaged or not there."""
    try:
        return dict(json.loads(_note(journal).read_bytes()))
    except (OSError, ValueError, TypeError):
        return {}


def _marks(note: Mapping[str, Any]) -> list[dict[str, Any]]:
    found = note.get("marks", [])
    return [dict(mark) for mark in found] if isinstance(found, list) else []


def _note(journal: Path) -> Path:
    return journal.with_suffix(".json")
