"""Message: one turn of a conversation."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

ROLES = ("system", "user", "assistant", "tool", "pretraining")


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One turn: who says what."""

    role: str
    content: str

    def to_json(self) -> dict[str, str]:
        """The message as the OpenAI API and the training files spell it."""
        return {"content": self.content, "role": self.role}


def system(content: str) -> Message:
    """A system message."""
    return Message(role="system", content=content)


def user(content: str) -> Message:
    """A user message."""
    return Message(role="user", content=content)


def assistant(content: str) -> Message:
    """An assistant message."""
    return Message(role="assistant", content=content)


def from_json(rows: Iterable[Mapping[str, Any]]) -> tuple[Message, ...]:
    """Messages out of `{"role", "content"}` objects."""
    return tuple(Message(role=str(row["role"]), content=str(row["content"])) for row in rows)
