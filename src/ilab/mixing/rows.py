"""Rows of training files: read in every spelling that is around, made with an id by content, written as a stream."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ilab.base import digest, jsonl
from ilab.mixing.output_file import output_file
from ilab.records.messages import ROLES, Message
from ilab.records.samples import TrainRow

_NAMESPACE = uuid.UUID("0b7a5d0e-51c4-4c1b-9a53-7f5b4b0e6c22")
_COLUMNS = ("id", "messages", "metadata", "unmask")
_TURN = ("role", "content")


def _refuse(name: str) -> None:
    raise ValueError(f"{name} is no JSON")


_DECODER = json.JSONDecoder(parse_constant=_refuse)


def made(turns: Sequence[Message], *, metadata: Mapping[str, Any], unmask: bool = False) -> TrainRow:
    """A row whose id follows from its content."""
    return TrainRow(
        id=_id_of(turns, metadata),
        messages=tuple(turns),
        unmask=unmask,
        metadata=json.dumps(dict(metadata), ensure_ascii=False, sort_keys=True),
    )


def read(line: bytes) -> TrainRow | None:
    """The row in one line of a file; None for a row that teaches nothing, because a turn is empty.

    Columns beside those of a training row move into its metadata, as the reference does. ValueError says what is wrong.
    """
    row = _object(line)
    turns = _turns(row.get("messages"))
    own_id, unmask = row.get("id"), row.get("unmask")
    if unmask is not None and not isinstance(unmask, bool):
        raise ValueError(f"`unmask` is {_shown(unmask)}, expected true or false")
    if isinstance(own_id, bool) or not isinstance(own_id, str | int | None):
        raise ValueError(f"`id` is {_shown(own_id)}, expected text")
    metadata = {name: value for name, value in row.items() if name not in _COLUMNS} | _metadata(row.get("metadata"))
    found = TrainRow(
        id=_id_of(turns, metadata) if own_id in (None, "") else str(own_id),
        messages=turns,
        unmask=bool(unmask),
        metadata=json.dumps(metadata, ensure_ascii=False, sort_keys=True),
    )
    if b"\\u" in line:  # only so can half of a letter come in
        _encoded(found)
    return found if all(turn.content.strip() for turn in turns) else None


def write(path: Path, rows: Iterable[TrainRow]) -> int:
    """Write `rows` to `path`, one at a time; the file appears whole or not at all. Returns how many."""
    count = 0
    with output_file(path) as temporary, temporary.open("wb") as file:
        for row in rows:
            file.write(_encoded(row))
            count += 1
    return count


def _encoded(row: TrainRow) -> bytes:
    try:
        return jsonl.dumps(row.to_json()).encode() + b"\n"
    except UnicodeEncodeError as error:
        raise ValueError("holds half of a letter (a lone surrogate), which no file can hold") from error


def _id_of(turns: Sequence[Message], metadata: Mapping[str, Any]) -> str:
    content = json.dumps([[turn.to_json() for turn in turns], dict(metadata)], sort_keys=True)
    return str(uuid.uuid5(_NAMESPACE, digest.of_bytes(content.encode())))


def _object(line: bytes) -> dict[str, Any]:
    try:
        text = line.decode().removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        raise ValueError("not UTF-8 text") from error
    row = _json(text, "the row")
    if not isinstance(row, dict):
        raise ValueError("not a JSON object")
    return row


def _json(text: str, what: str) -> Any:
    try:
        return _DECODER.decode(text)
    except RecursionError as error:
        raise ValueError(f"{what} is nested too deeply") from error
    except ValueError as error:
        raise ValueError(f"{what} is not valid JSON: {error}") from error


def _turns(value: Any) -> tuple[Message, ...]:
    """The turns without a system turn that says nothing: the reference writes those with null as their content."""
    if not isinstance(value, list) or not value:
        raise ValueError("no `messages`: expected a list of turns with `role` and `content`")
    turns = [_turn(number, turn) for number, turn in enumerate(value, start=1)]
    found = tuple(turn for turn in turns if turn.role != "system" or turn.content.strip())
    if not found:
        raise ValueError("`messages` has only an empty system turn")
    return found


def _turn(number: int, turn: Any) -> Message:
    if not isinstance(turn, dict):
        raise ValueError(f"turn {number} of `messages` is {_shown(turn)}, expected `role` and `content`")
    role, content = turn.get("role"), turn.get("content")
    if role not in ROLES:
        raise ValueError(f"turn {number}: `role` is {_shown(role)}, expected one of {', '.join(ROLES)}")
    # a tool call that was dropped in silence would leave an answer that nobody gave
    if unknown := [name for name, held in turn.items() if name not in _TURN and held is not None]:
        raise ValueError(f"turn {number} holds what a training row has no place for: {', '.join(unknown)}")
    if content is not None and not isinstance(content, str):
        raise ValueError(f"turn {number}: `content` is {_shown(content)}, expected text")
    return Message(role=role, content=content or "")


def _metadata(value: Any) -> dict[str, Any]:
    if value in (None, ""):
        return {}
    if isinstance(value, str):
        try:
            value = _json(value, "`metadata`")
        except ValueError:
            return {"metadata": value}
    return dict(value) if isinstance(value, dict) else {"metadata": value}


def _shown(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
