"""Draft: a leaf that is to be written, and its text as a qna.yaml."""

from __future__ import annotations

from dataclasses import dataclass, field

from ilab.taxonomy.leaf import KNOWLEDGE, DocumentSource
from ilab.taxonomy.qna import VERSION
from ilab.taxonomy.scalars import written


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """Questions with their answers, and the context they are asked about; a freeform skill has none."""

    pairs: tuple[tuple[str, str], ...]
    context: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """One leaf. `subject` is the domain (knowledge) or the task description (skill); only knowledge has a document."""

    kind: str
    created_by: str
    subject: str
    examples: tuple[Example, ...]
    outline: str = ""
    document: DocumentSource = field(default_factory=DocumentSource)

    def text(self) -> str:
        """The qna.yaml: every text in it is read back exactly as it is here."""
        lines = [f"version: {VERSION}"]
        knowledge = self.kind == KNOWLEDGE
        if knowledge:
            lines += [_entry("domain", self.subject, 0), _entry("created_by", self.created_by, 0), "seed_examples:"]
        else:
            lines += [_entry("created_by", self.created_by, 0), _entry("task_description", self.subject, 0)]
            lines.append("seed_examples:")
        for example in self.examples:
            lines += _knowledge_example(example) if knowledge else _skill_examples(example)
        if knowledge:
            lines += [_entry("document_outline", self.outline, 0), *_document(self.document)]
        return "\n".join(lines) + "\n"


def _knowledge_example(example: Example) -> list[str]:
    lines = [_entry("context", example.context, 4, dash=True), "    questions_and_answers:"]
    for question, answer in example.pairs:
        lines += [_entry("question", question, 8, dash=True), _entry("answer", answer, 8)]
    return lines


def _skill_examples(example: Example) -> list[str]:
    lines = []
    for question, answer in example.pairs:
        lines.append(_entry("question", question, 4, dash=True))
        if example.context:
            lines.append(_entry("context", example.context, 4))
        lines.append(_entry("answer", answer, 4))
    return lines


def _document(document: DocumentSource) -> list[str]:
    lines = ["document:"]
    for name in ("repo", "commit", "path"):
        if value := getattr(document, name):
            lines.append(_entry(name, value, 2))
    if document.patterns:
        lines += ["  patterns:", *(f"    - {written(each, column=6, indent=6)}" for each in document.patterns)]
    return lines


def _entry(key: str, value: str, column: int, *, dash: bool = False) -> str:
    """`key: value` with the key at `column`; `dash` makes it the first of a list entry."""
    start = (" " * (column - 2) + "- " if dash else " " * column) + f"{key}: "
    return start + written(value, column=len(start), indent=column + 2)
