"""Conversations in the forms that other programs use, there and back: ShareGPT and Alpaca.

ShareGPT: {"id", "conversations": [{"from": "system|human|gpt|tool", "value"}]}.
Alpaca: {"instruction", "input", "output"}, with "system" and "history" (earlier [question, answer] pairs) where there
are any; the context of a grounded skill is the input.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ilab.mixing import formats
from ilab.records import messages
from ilab.records.messages import Message
from ilab.records.samples import Sample, TrainRow

Item = Sample | TrainRow
Row = dict[str, Any]

_TO_SHAREGPT = {"system": "system", "user": "human", "assistant": "gpt", "tool": "tool"}
_FROM_SHAREGPT = {there: here for here, there in _TO_SHAREGPT.items()} | {"user": "user", "assistant": "assistant"}


def train_row(item: Item) -> TrainRow:
    """A sample as a training row; a training row as it is."""
    return formats.question_row(item) if isinstance(item, Sample) else item


def to_messages(item: Item) -> Row | None:
    """The row of a training file, as the reference spells it."""
    return train_row(item).to_json()


def to_sharegpt(item: Item) -> Row | None:
    """The ShareGPT form; None for text to read, which is no conversation."""
    row = train_row(item)
    if any(turn.role not in _TO_SHAREGPT for turn in row.messages):
        return None
    turns = [{"from": _TO_SHAREGPT[turn.role], "value": turn.content} for turn in row.messages]
    return {"id": row.id, "conversations": turns}


def from_sharegpt(row: Mapping[str, Any]) -> TrainRow:
    """The training row out of the ShareGPT form; ValueError says what is wrong."""
    turns = []
    for turn in _objects(row["conversations"], "conversations"):
        role = _FROM_SHAREGPT.get(str(turn.get("from")))
        if role is None:
            raise ValueError(f"`from` is {turn.get('from')!r}; there are {', '.join(_TO_SHAREGPT.values())}")
        turns.append(Message(role=role, content=_text(turn, "value")))
    return TrainRow(id=str(row.get("id", "")), messages=tuple(turns))


def to_alpaca(item: Item) -> Row | None:
    """The Alpaca form; None for what is not a row of questions and answers in turn."""
    if isinstance(item, Sample):
        return {"instruction": item.question, "input": item.context, "output": item.answer}
    system = [turn.content for turn in item.messages[:1] if turn.role == "system"]
    turns = item.messages[len(system) :]
    if not turns or [turn.role for turn in turns] != ["user", "assistant"] * (len(turns) // 2):
        return None
    pairs = [[asked.content, said.content] for asked, said in zip(turns[::2], turns[1::2], strict=True)]
    row: Row = {"instruction": pairs[-1][0], "input": "", "output": pairs[-1][1]}
    return row | ({"system": system[0]} if system else {}) | ({"history": pairs[:-1]} if pairs[1:] else {})


def from_alpaca(row: Mapping[str, Any]) -> Item:
    """A sample, or a training row where there is a system prompt or a history; ValueError says what is wrong."""
    asked, context, said = _text(row, "instruction"), _text(row, "input", ""), _text(row, "output")
    if not row.get("system") and not row.get("history"):
        kind = "grounded_skill" if context else ""
        return Sample(id="", leaf="", kind=kind, question=asked, answer=said, context=context, origin="file")
    turns = [messages.system(_text(row, "system"))] if row.get("system") else []
    for pair in row.get("history") or ():
        if not isinstance(pair, Sequence) or len(pair) != 2 or not all(isinstance(text, str) for text in pair):
            raise ValueError("`history` is not a list of [question, answer]")
        turns += [messages.user(pair[0]), messages.assistant(pair[1])]
    turns += [messages.user(f"{context}\n\n{asked}" if context else asked), messages.assistant(said)]
    return TrainRow(id="", messages=tuple(turns))


def read_item(row: Mapping[str, Any]) -> Item:
    """One row of a data file in any form that is known; ValueError says what is wrong."""
    if "messages" in row:
        return _from_messages(row)
    if "conversations" in row:
        return from_sharegpt(row)
    if "instruction" in row:
        return from_alpaca(row)
    if "question" in row:
        return _from_sample(row)
    if "user" in row:  # train_*.jsonl and test_*.jsonl of the reference
        turns = [messages.system(_text(row, "system"))] if row.get("system") else []
        return TrainRow(
            id="", messages=(*turns, messages.user(_text(row, "user")), messages.assistant(_text(row, "assistant")))
        )
    raise ValueError("neither a sample (question, answer) nor messages, conversations or instruction")


def _from_messages(row: Mapping[str, Any]) -> TrainRow:
    turns = tuple(
        Message(role=_text(turn, "role"), content=_text(turn, "content"))
        for turn in _objects(row["messages"], "messages")
    )
    metadata = row.get("metadata") or "{}"
    return TrainRow(
        id=str(row.get("id", "")),
        messages=turns,
        unmask=bool(row.get("unmask", False)),
        metadata=metadata if isinstance(metadata, str) else json.dumps(metadata, ensure_ascii=False, sort_keys=True),
    )


_TEXTS = ("id", "leaf", "kind", "origin", "chunk", "context", "source", "document", "language")
_PLACES = ("start", "end")


def _from_sample(row: Mapping[str, Any]) -> Sample:
    scores = row.get("scores") or {}
    if not isinstance(scores, Mapping):
        raise ValueError("`scores` is not an object")
    found: dict[str, Any] = {name: _text(row, name, "") for name in _TEXTS}
    found |= {name: row[name] for name in _PLACES if isinstance(row.get(name), int)}
    return Sample(question=_text(row, "question"), answer=_text(row, "answer"), scores=dict(scores), **found)


def _text(row: Mapping[str, Any], name: str, default: str | None = None) -> str:
    value = row.get(name, default)
    if not isinstance(value, str):
        raise ValueError(f"`{name}` is missing" if name not in row else f"`{name}` is not a text")
    return value


def _objects(value: object, name: str) -> list[Mapping[str, Any]]:
    if not isinstance(value, list) or not value or not all(isinstance(one, Mapping) for one in value):
        raise ValueError(f"`{name}` is not a list of turns")
    return value


FORMS: dict[str, Callable[[Item], Row | None]] = {
    "messages": to_messages,
    "sharegpt": to_sharegpt,
    "alpaca": to_alpaca,
}
"""The forms that are JSON Lines."""
