"""Seed: one question and answer that a person wrote in a taxonomy leaf."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

KNOWLEDGE = "knowledge"
GROUNDED_SKILL = "grounded_skill"
FREEFORM_SKILL = "freeform_skill"


@dataclass(frozen=True, slots=True, kw_only=True)
class Seed:
    """One seed example.

    `leaf` is the leaf's folder path joined by `/`; `kind` is knowledge, grounded_skill or freeform_skill;
    `context` is empty for freeform skills; `subject` is the domain or the task description. The context of knowledge
    is plain text; `written` is what the person wrote where that has markup.
    """

    leaf: str
    kind: str
    question: str
    answer: str
    context: str = ""
    subject: str = ""
    outline: str = ""
    written: str = ""

    def to_json(self) -> dict[str, Any]:
        """The seed as one row of seeds.jsonl."""
        return {name: getattr(self, name) for name in self.__slots__}

    @classmethod
    def from_json(cls, row: dict[str, Any]) -> Seed:
        """The seed out of one row of seeds.jsonl."""
        return cls(**row)
