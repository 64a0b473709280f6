"""What was said, on disk: an append-only transcript of each chat, and sessions that can be saved and loaded again."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from ilab.base import atomic, clock, jsonl
from ilab.errors import Fault, UserFileError
from ilab.records import messages as records
from ilab.records.messages import ROLES, Message


class Transcript:
    """One JSONL file for a chat. Each row has time (UTC), model, role and content; nothing is ever rewritten."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @classmethod
    def in_folder(cls, folder: Path) -> Transcript:
        """A transcript named by the present moment; an earlier one of the same second is not touched."""
        stamp = clock.file_stamp()
        path, number = folder / f"chat_{stamp}.jsonl", 1
        while path.exists():
            number += 1
            path = folder / f"chat_{stamp}_{number}.jsonl"
        return cls(path)

    def add(self, turns: Iterable[Message], *, model: str) -> None:
        """Append turns; `model` is the one that answered."""
        for turn in turns:
            jsonl.append(self.path, {"time": clock.stamp(), "model": model, "role": turn.role, "content": turn.content})

    def read(self) -> tuple[Message, ...]:
        """The turns so far."""
        return records.from_json(jsonl.read(self.path, skip_torn=True)) if self.path.exists() else ()


def save_session(path: Path, conversation: Iterable[Message], *, overwrite: bool = False) -> Path:
    """Write a conversation as a JSON list of {role, content}; returns the file, with `.json` added to a bare name.

    Raises `UserFileError` when the file is there already, unless `overwrite`.
    """
    path = path.expanduser()
    path = path if path.suffix else path.with_name(path.name + ".json")
    if path.exists() and not overwrite:
        raise _wrong(path, "exists already", hint="choose another name")
    atomic.write_json(path, [{"role": message.role, "content": message.content} for message in conversation])
    return path


def load_session(path: Path) -> tuple[Message, ...]:
    """Read what `save_session` wrote. Raises `UserFileError` with every fault."""
    path = path.expanduser()
    if not path.exists() and not path.suffix:
        path = path.with_name(path.name + ".json")
    try:
        rows = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise _wrong(path, f"cannot be read: {error}") from error
    if not isinstance(rows, list):
        raise _wrong(path, "is not a list of messages")
    faults = [
        Fault(path=str(path), message=f"message {number} is not {{role, content}} with a known role and text")
        for number, row in enumerate(rows, start=1)
        if not _is_message(row)
    ]
    if faults:
        raise UserFileError(f"{path} is not a saved conversation", faults)
    return records.from_json(rows)


def _is_message(row: object) -> bool:
    return isinstance(row, dict) and row.get("role") in ROLES and isinstance(row.get("content"), str)


def _wrong(path: Path, message: str, *, hint: str = "") -> UserFileError:
    return UserFileError(f"{path} {message}", [Fault(path=str(path), message=message)], hint=hint)
