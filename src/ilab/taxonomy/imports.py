"""Imported rows to leaves: rows of a leaf become its seed examples, knowledge rows are grouped by their context.

Nothing is invented: what a leaf needs and the rows do not have is asked for. Rows that do not fit are findings.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from ilab.errors import ConfigError, Fault
from ilab.taxonomy.draft import Draft, Example
from ilab.taxonomy.import_rows import Row
from ilab.taxonomy.leaf import KNOWLEDGE, SKILL, DocumentSource
from ilab.taxonomy.qna import MIN_EXAMPLES, MIN_PAIRS, parse_bytes
from ilab.taxonomy.skeleton import GROUNDED_SKILL, place, skeleton, words
from ilab.taxonomy.tree import QNA

_SHOWN = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What the user says of the leaves: `kind` may be empty, and is then told by the path and the rows."""

    into: str
    kind: str = ""
    created_by: str = ""
    subject: str = ""
    outline: str = ""
    document: DocumentSource | None = None


@dataclass(slots=True, kw_only=True)
class Imported:
    """Drafts by the path of their leaf, and how many rows each has; `errors` forbid to write, `skipped` are rows."""

    drafts: dict[str, Draft] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)
    skipped: list[Fault] = field(default_factory=list)
    errors: list[Fault] = field(default_factory=list)


def leaves_of(rows: Sequence[Row], *, file: Path, wanted: Wanted) -> Imported:
    """The leaves that `rows` of `file` make. `ConfigError` for a path or kind that cannot be."""
    result = Imported()
    for path, kind, group in _by_leaf(rows, wanted, file, result):
        before = len(result.skipped)
        kept = _different(group, file, result)
        examples = _knowledge(kept, file, path, result) if kind == KNOWLEDGE else _skill(kept, kind, file, path, result)
        result.counts[path] = len(group) - (len(result.skipped) - before)
        draft = replace(_empty(kind, path, wanted), examples=tuple(examples))
        result.drafts[path] = draft
        if not any(fault.path == str(file) for fault in result.errors):
            result.errors += _faults_of(draft, path)
    return result


def _by_leaf(rows: Sequence[Row], wanted: Wanted, file: Path, result: Imported) -> list[tuple[str, str, list[Row]]]:
    """The rows of each leaf with its path and kind, in the order of the file."""
    found: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        given = f"{wanted.into}/{row.leaf}" if row.leaf else wanted.into
        try:
            path, kind = place(given, kind=wanted.kind)
        except ConfigError as error:
            if not row.leaf:
                raise
            result.skipped.append(_skip(file, row, f"{error.message}; {error.hint}"))
            continue
        found.setdefault((path, kind), []).append(row)
    return [(path, kind, group) for (path, kind), group in found.items()]


def _different(rows: Sequence[Row], file: Path, result: Imported) -> list[Row]:
    """The rows without those that say the same as an earlier one."""
    seen: dict[tuple[str, str, str], int] = {}
    kept = []
    for row in rows:
        content = (row.question.strip(), row.answer.strip(), row.context.strip())
        if content in seen:
            result.skipped.append(_skip(file, row, f"it is the same as the one on line {seen[content]}"))
        else:
            seen[content] = row.line
            kept.append(row)
    return kept


def _knowledge(rows: Sequence[Row], file: Path, path: str, result: Imported) -> list[Example]:
    groups: dict[str, list[Row]] = {}
    for row in rows:
        if row.context:
            groups.setdefault(row.context.strip(), []).append(row)
        else:
            result.skipped.append(_skip(file, row, "it has no context, and knowledge needs one"))
    examples = []
    for group in groups.values():
        if len(group) >= MIN_PAIRS:
            pairs = tuple((row.question, row.answer) for row in group)
            examples.append(Example(context=group[0].context, pairs=pairs))
            continue
        for row in group:
            count = "one question" if len(group) == 1 else f"{len(group)} questions"
            result.skipped.append(_skip(file, row, f"its context has {count}, and {MIN_PAIRS} are needed"))
    if len(examples) < MIN_EXAMPLES:
        message = f"{path} would have {_contexts(len(examples))} with {MIN_PAIRS} questions each"
        result.errors.append(_short(file, message, "contexts"))
    return examples


def _skill(rows: Sequence[Row], kind: str, file: Path, path: str, result: Imported) -> list[Example]:
    """All examples with a context, or none: as `kind` says, or as the first row is."""
    grounded = kind == GROUNDED_SKILL or bool(rows and rows[0].context)
    examples = []
    for row in rows:
        if bool(row.context) == grounded:
            examples.append(Example(context=row.context, pairs=((row.question, row.answer),)))
        elif grounded:
            result.skipped.append(_skip(file, row, "it has no context, and the other examples of its leaf have one"))
        else:
            result.skipped.append(_skip(file, row, "it has a context, and the other examples of its leaf have none"))
    if len(examples) < MIN_EXAMPLES:
        message = f"{path} would have {len(examples)} {'example' if len(examples) == 1 else 'examples'}"
        result.errors.append(_short(file, message, "examples"))
    return examples


def _short(file: Path, message: str, what: str) -> Fault:
    hint = f"add {what} to the file, or write it all the same with --force and add them there"
    return Fault(path=str(file), message=f"{message}; {MIN_EXAMPLES} are needed", hint=hint, rule="too-few")


def _contexts(count: int) -> str:
    return "one context" if count == 1 else f"{count} contexts"


def _empty(kind: str, path: str, wanted: Wanted) -> Draft:
    """The draft without its examples. The subject, unless given, is what the path says."""
    return skeleton(
        kind=KNOWLEDGE if kind == KNOWLEDGE else SKILL,
        created_by=wanted.created_by,
        subject=wanted.subject or words(path),
        outline=wanted.outline or (words(path) if kind == KNOWLEDGE else ""),
        document=wanted.document,
    )


def _faults_of(draft: Draft, path: str) -> list[Fault]:
    """The errors of the qna.yaml that would be written; its lines are not there yet, so only the leaf is named."""
    parsed = parse_bytes(draft.text().encode(), file=Path(path, QNA), leaf=path)
    errors = [fault for fault in parsed.faults if fault.severity == "error"][:_SHOWN]
    return [replace(fault, line=0, column=0) for fault in errors]


def _skip(file: Path, row: Row, reason: str) -> Fault:
    return Fault(path=str(file), line=row.line, message=f"row not used: {reason}", severity="warning")
