"""Sample (a generated pair) and TrainRow (messages with a mask policy)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ilab.records import messages
from ilab.records.messages import Message

AUXILIARY = "auxiliary"
"""The origin of samples whose question is a document with an instruction, and whose answer is made of it: a summary."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """A question and answer made by the teacher (or written by the user), with where it comes from.

    `origin` names the flow step that made it (`seed` for the user's own); `chunk` is the id of its chunk, empty for
    skills; `context` is the text that a grounded skill shows to the model; `source` is the sentence of the document
    that supports the answer; `scores` holds filter values such as the grounding gain in nats. `start` and `end` are the
    span of that sentence in the original of `document`, in characters; 0 and 0 where it is not known. `language` is
    that of the document, as ISO 639-1.
    """

    id: str
    leaf: str
    kind: str
    question: str
    answer: str
    origin: str
    chunk: str = ""
    context: str = ""
    source: str = ""
    document: str = ""
    start: int = 0
    end: int = 0
    language: str = ""
    scores: Mapping[str, float] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """The sample as one row of samples.jsonl."""
        return {name: getattr(self, name) for name in self.__slots__ if name != "scores"} | {
            "scores": dict(self.scores)
        }

    @classmethod
    def from_json(cls, row: Mapping[str, Any]) -> Sample:
        """The sample out of one row of samples.jsonl."""
        return cls(**row)


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainRow:
    """One training row in the message format of the reference.

    Only assistant turns are trained; with `unmask` every turn but the system's; a `pretraining` turn is trained whole.
    `metadata` is free; it is written as a JSON string, as the reference does.
    """

    id: str
    messages: tuple[Message, ...]
    unmask: bool = False
    metadata: str = "{}"

    def to_json(self) -> dict[str, Any]:
        """The row as it stands in `*_train_msgs_*.jsonl`."""
        return {
            "messages": [message.to_json() for message in self.messages],
            "metadata": self.metadata,
            "id": self.id,
            "unmask": self.unmask,
        }

    @classmethod
    def from_json(cls, row: Mapping[str, Any]) -> TrainRow:
        """A row out of a training file; `id`, `metadata` and `unmask` may be absent."""
        metadata = row.get("metadata", "{}")
        return cls(
            id=str(row.get("id", "")),
            messages=messages.from_json(row["messages"]),
            unmask=bool(row.get("unmask", False)),
            metadata=metadata if isinstance(metadata, str) else str(metadata),
        )
