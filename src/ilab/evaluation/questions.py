"""Question files: facts with several phrasings, a right answer and wrong answers of the same type.

One format serves three kinds of file: `questions` (about the document: tiers `taught` and `untaught`), `placebo` (about
a page that is never trained) and `keepset` (general knowledge that must not be forgotten).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from importlib import resources
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, Field, ValidationError

from ilab.errors import Fault, UserFileError

Kind = Literal["questions", "placebo", "keepset"]
Tier = Literal["taught", "untaught", "placebo", "keep"]

TIERS_OF: dict[str, tuple[str, ...]] = {
    "questions": ("taught", "untaught"),
    "placebo": ("placebo",),
    "keepset": ("keep",),
}
SCHEMA_VERSION = 1
_HINTS = {
    "string_type": "put the value in quotes",
    "extra_forbidden": "remove it, or check the spelling",
    "missing": "add it",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """One thing to know: asked in one or more phrasings, with one right answer and wrong ones of the same type."""

    id: str
    tier: str
    questions: tuple[str, ...]
    answer: str
    distractors: tuple[str, ...]
    kind: str = ""
    source: str = ""

    @property
    def options(self) -> tuple[str, ...]:
        """The right answer first, then the wrong ones."""
        return (self.answer, *self.distractors)


@dataclass(frozen=True, slots=True, kw_only=True)
class QuestionSet:
    """The facts of one file, in the order of the file."""

    kind: str
    facts: tuple[Fact, ...]
    title: str = ""
    document: str = ""
    licence: str = ""
    provenance: str = ""

    def __len__(self) -> int:
        return sum(len(fact.questions) for fact in self.facts)

    def __iter__(self) -> Iterator[Fact]:
        return iter(self.facts)

    def to_json(self) -> dict[str, Any]:
        """The set as it stands in a question file; also valid YAML."""
        return {"schema_version": SCHEMA_VERSION} | asdict(self)


class _FactFile(BaseModel, extra="forbid", strict=True):
    id: str = Field(min_length=1)
    tier: Tier
    kind: str = ""
    source: str = ""
    questions: list[str] = Field(min_length=1)
    answer: str = Field(min_length=1)
    distractors: list[str] = Field(min_length=1)


class _File(BaseModel, extra="forbid", strict=True):
    schema_version: Literal[1]
    kind: Kind
    title: str = ""
    document: str = ""
    licence: str = ""
    provenance: str = ""
    facts: list[_FactFile] = Field(min_length=1)


def read(path: Path, *, kind: str = "") -> QuestionSet:
    """The questions in `path`, of the kind that is wanted there. Raises `UserFileError` with every fault of the file.

    `kind` is empty where every kind will do.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8 text"
        raise UserFileError(
            f"cannot read the questions file {path}", [Fault(path=str(path), message=str(reason))]
        ) from error
    return parse(text, path=str(path), kind=kind)


def shipped_keepset() -> QuestionSet:
    """The general questions that come with the package."""
    file = resources.files("ilab.evaluation").joinpath("data/keepset.yaml")
    return parse(file.read_text(encoding="utf-8"), path="keepset.yaml")


def parse(text: str, *, path: str = "questions.yaml", kind: str = "") -> QuestionSet:
    """The questions in `text`; `path` is used in messages. Raises `UserFileError` with every fault.

    A file of another `kind` than the one that is wanted is refused; empty takes every kind.
    """
    try:
        tree = yaml.compose(text, Loader=yaml.SafeLoader)
        content = yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        reason = f"not valid YAML: {getattr(error, 'problem', None) or error}"
        fault = Fault(path=path, line=mark.line + 1 if mark else 0, message=reason)
        raise UserFileError(f"{path} is not a questions file", [fault]) from error
    try:
        file = _File.model_validate(content)
    except ValidationError as error:
        faults = [_fault(path, tree, one["loc"], one["msg"], _HINTS.get(one["type"], "")) for one in error.errors()]
        raise UserFileError(f"{path} is not a valid questions file", faults) from error
    faults = [_fault(path, tree, loc, message) for loc, message in _inconsistencies(file)]
    if kind and file.kind != kind:
        message = f"this is a file of kind `{file.kind}`, and one of kind `{kind}` is wanted here"
        faults.insert(0, _fault(path, tree, ("kind",), message))
    if faults:
        raise UserFileError(f"{path} is not a valid questions file", faults)
    return QuestionSet(
        kind=file.kind,
        title=file.title,
        document=file.document,
        licence=file.licence,
        provenance=file.provenance.strip(),
        facts=tuple(_fact(row) for row in file.facts),
    )


def halves(questions: QuestionSet, *, every: int = 2) -> tuple[QuestionSet, QuestionSet]:
    """Split into a part that selects and a part that reports; every phrasing of a fact stays together.

    Within each tier, in the order of the file, the first of every `every` facts goes to selection: 2 gives halves, 3
    one third for selection. The same file always gives the same split.
    """
    seen: dict[str, int] = defaultdict(int)
    selection: list[Fact] = []
    report: list[Fact] = []
    for fact in questions.facts:
        (report if seen[fact.tier] % every else selection).append(fact)
        seen[fact.tier] += 1
    return replace(questions, facts=tuple(selection)), replace(questions, facts=tuple(report))


def _fact(row: _FactFile) -> Fact:
    return Fact(
        id=row.id,
        tier=row.tier,
        kind=row.kind,
        source=" ".join(row.source.split()),
        questions=tuple(question.strip() for question in row.questions),
        answer=row.answer.strip(),
        distractors=tuple(option.strip() for option in row.distractors),
    )


def _inconsistencies(file: _File) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """What is wrong across fields: (where, message)."""
    ids: dict[str, int] = {}
    asked: dict[str, str] = {}
    for number, fact in enumerate(file.facts):
        where = ("facts", number)
        if fact.id in ids:
            yield (*where, "id"), f"fact id `{fact.id}` is used twice"
        ids[fact.id] = number
        if fact.tier not in TIERS_OF[file.kind]:
            allowed = " or ".join(f"`{tier}`" for tier in TIERS_OF[file.kind])
            yield (*where, "tier"), f"tier `{fact.tier}` does not fit a file of kind `{file.kind}`; use {allowed}"
        for position, question in enumerate(fact.questions):
            key = _same(question)
            if not key:
                yield (*where, "questions", position), "the question is empty"
            elif key in asked:
                yield (*where, "questions", position), f"the question stands already in fact `{asked[key]}`"
            asked[key] = fact.id
        options = {_same(fact.answer)}
        for position, option in enumerate(fact.distractors):
            if not _same(option) or _same(option) in options:
                yield (*where, "distractors", position), f"distractor `{option}` is empty or not different"
            options.add(_same(option))


def _same(text: str) -> str:
    """What makes two texts equal for a reader: case and spaces do not count."""
    return " ".join(text.casefold().split())


def _fault(path: str, tree: yaml.Node | None, loc: Sequence[str | int], message: str, hint: str = "") -> Fault:
    where = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in loc).lstrip(".")
    return Fault(path=path, line=_line(tree, loc), message=f"{where}: {message}" if where else message, hint=hint)


def _line(node: yaml.Node | None, loc: Sequence[str | int]) -> int:
    """The line of the deepest part of `loc` that exists in the file; 0 when it is empty."""
    line = node.start_mark.line + 1 if node else 0
    for part in loc:
        found = None
        if isinstance(node, yaml.MappingNode):
            found = next(((key, value) for key, value in node.value if key.value == part), None)
        elif isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
            found = (node.value[part], node.value[part])
        if found is None:
            return line
        line, node = found[0].start_mark.line + 1, found[1]
    return line
