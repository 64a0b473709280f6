"""Leaf: what one valid qna.yaml says."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

KNOWLEDGE = "knowledge"
SKILL = "skill"
TOP_FOLDERS = {"knowledge": KNOWLEDGE, "compositional_skills": SKILL, "foundational_skills": SKILL}
"""The folders at the top of a taxonomy, and the kind of the leaves below each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentSource:
    """Where the document of a knowledge leaf is.

    Either `repo`, `commit` and `patterns` (a git repository: URL, or path relative to the leaf's folder), or `path`
    (a file or folder, relative to the leaf's folder) with optional `patterns`, or `path` (the web address of one file)
    with the digest that its content must have, `sha256`, which may be empty. `line` is where the leaf says so.
    """

    repo: str = ""
    commit: str = ""
    path: str = ""
    sha256: str = ""
    patterns: tuple[str, ...] = ()
    line: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class SeedExample:
    """One question and answer with its context, empty for a freeform skill.

    `line` is where the question stands, `context_line` where the context does.
    """

    question: str
    answer: str
    context: str = ""
    line: int = 0
    context_line: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Leaf:
    """One leaf of the taxonomy.

    `path` is the leaf's folder below the taxonomy, with `/`; `kind` is knowledge or skill; `subject` is the domain
    (knowledge) or the task description (skill); every question of every context is one of `seeds`.
    """

    path: str
    kind: str
    version: int
    created_by: str
    subject: str
    seeds: tuple[SeedExample, ...]
    file: Path
    outline: str = ""
    document: DocumentSource | None = None
