"""Parse one qna.yaml: knowledge version 3, skills versions 1 to 3. Every fault is found in one reading.

Beyond the published schemas, a knowledge document may lie beside the qna.yaml without git (`document: {path: ...}`),
`repo` may be a path relative to the leaf's folder, and all questions of a context are used, not three.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from ilab.errors import Fault
from ilab.taxonomy import rules
from ilab.taxonomy.fields import PLACEHOLDER, Fields
from ilab.taxonomy.leaf import KNOWLEDGE, SKILL, TOP_FOLDERS, DocumentSource, Leaf, SeedExample
from ilab.taxonomy.yaml_syntax import MAX_BYTES
from ilab.taxonomy.yaml_tree import Node, read

_WEB = re.compile(r"https?://", re.IGNORECASE)
VERSION = 3
"""The newest version of the format, for knowledge and skills alike."""
CONTEXT_WORDS = 500
PAIR_WORDS = 250
SKILL_WORDS = 2300
"""Of all seed examples of a skill together."""
MIN_EXAMPLES = 5
MIN_PAIRS = 3

_COMMON = ("version", "created_by", "seed_examples")
_KEYS = {KNOWLEDGE: (*_COMMON, "domain", "document_outline", "document"), SKILL: (*_COMMON, "task_description")}
_ELSEWHERE = {
    KNOWLEDGE: {"task_description": "only skills have it; knowledge has `domain` and `document_outline`"},
    SKILL: {
        "domain": "only knowledge has it; a skill has `task_description`",
        "document_outline": "only knowledge has it; a skill has `task_description`",
        "document": "only knowledge has it; move this leaf below the folder knowledge/",
    },
}
_EXAMPLE_KEYS = {KNOWLEDGE: ("context", "questions_and_answers"), SKILL: ("question", "answer", "context")}
_EXAMPLE_ELSEWHERE = {
    KNOWLEDGE: {
        "question": "put question and answer into the list `questions_and_answers` of their context",
        "answer": "put question and answer into the list `questions_and_answers` of their context",
    },
    SKILL: {"questions_and_answers": "only knowledge has it; a skill has one `question` and `answer` per example"},
}
_OLD_KNOWLEDGE = (
    "set `version: 3`, replace `task_description` by `document_outline`, and give each seed example a `context` with "
    "at least 3 `questions_and_answers`"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Parsed:
    """What one file gave: `leaf` is None if `faults` has an error; `version` is 0 when unknown."""

    leaf: Leaf | None
    faults: list[Fault]
    lines: list[str]
    version: int = 0
    plain: bool = False
    """Whether the file is valid YAML without odd characters."""


def parse(file: Path, *, leaf: str) -> Parsed:
    """Read `file` as the leaf at the path `leaf`. Raises nothing for what the file holds."""
    try:
        if not file.is_file():
            raise FileNotFoundError(0, "it is not a file")
        with file.open("rb") as opened:
            data = opened.read(MAX_BYTES + 1)
    except OSError as error:
        message = f"the file cannot be read: {error.strerror}"
        fault = rules.fault("unreadable-file", path=str(file), line=1, message=message, hint="check what it is")
        return Parsed(leaf=None, faults=[fault], lines=[])
    return parse_bytes(data, file=file, leaf=leaf)


def parse_bytes(data: bytes, *, file: Path, leaf: str) -> Parsed:
    """The same for the content of `file`."""
    content = read(data, path=str(file))
    fields = Fields(str(file), content.faults)
    found, version = None, 0
    if content.root is not None:
        if fields.mapping(content.root, "a qna.yaml"):
            found, version = _leaf(fields, content.root, file=file, path=leaf)
    elif not fields.faults or all(fault.severity != "error" for fault in fields.faults):
        hint = "write the leaf into it, or delete it"
        fault = rules.fault("empty-file", path=str(file), line=1, message="the file is empty", hint=hint)
        fields.faults.append(fault)
    if any(fault.severity == "error" for fault in fields.faults):
        found = None
    return Parsed(leaf=found, faults=sorted(fields.faults), lines=content.lines, version=version, plain=content.plain)


def _leaf(fields: Fields, root: Node, *, file: Path, path: str) -> tuple[Leaf | None, int]:
    kind = TOP_FOLDERS.get(path.partition("/")[0]) or (KNOWLEDGE if "document" in root.entries else SKILL)
    old = kind == KNOWLEDGE and "task_description" in root.entries
    version = _version(fields, root, kind)
    if old and version < VERSION:
        return None, version
    fields.only(root, _KEYS[kind], f"a {kind} leaf", elsewhere=_ELSEWHERE[kind])
    created_by = fields.text(root, "created_by", "the file")
    if "created_by" in root.entries and (left := PLACEHOLDER.search(created_by)):
        at = root.entries["created_by"][1]
        fields.add("author-placeholder", at, _left_over("created_by", left[0]), "fill it in")
    knowledge = kind == KNOWLEDGE
    subject_key = "domain" if knowledge else "task_description"
    subject = fields.prose(root, subject_key, "the file", may_be_empty=not knowledge and version == 1)
    outline = fields.prose(root, "document_outline", "the file") if knowledge else ""
    document = _document(fields, root) if knowledge else None
    minimum = 1 if kind == SKILL and version == 1 else MIN_EXAMPLES
    unique = version > 1
    examples = fields.entries(root, "seed_examples", "the file", minimum=minimum, of="seed example", unique=unique)
    seeds = tuple(seed for example in examples for seed in _example(fields, example, kind))
    if kind == SKILL and "seed_examples" in root.entries:
        _whole_skill(fields, root.entries["seed_examples"][0], seeds)
    leaf = Leaf(
        path=path,
        kind=kind,
        version=version,
        created_by=created_by,
        subject=subject,
        outline=outline,
        document=document,
        seeds=seeds,
        file=file,
    )
    return leaf, version


def _version(fields: Fields, root: Node, kind: str) -> int:
    """The version to check against. Knowledge below 3 is refused, but checked as 3 if it looks like that."""
    if "version" not in root.entries:
        if kind == KNOWLEDGE:
            hint = _OLD_KNOWLEDGE if "task_description" in root.entries else "add the line `version: 3`"
            fields.add("knowledge-version", root, "`version` is missing; knowledge needs version 3", hint)
        return 1
    node = root.entries["version"][1]
    digits = node.text.strip()[:1] if node.kind == "text" else node.text
    if node.kind != "whole number" or not node.text.isdecimal() or len(node.text) > 9:
        shown = f"`{node.text}`" if node.text else "empty"
        message = f"`version` must be a whole number, but is {shown}"
        fields.add("version", node, message, f"write `version: {VERSION}`")
        return int(digits) if digits in ("1", "2", "3") else VERSION
    version = int(node.text)
    if not 1 <= version <= VERSION:
        fields.add("version", node, f"version {version} is not known", f"the newest is `version: {VERSION}`")
    elif kind == KNOWLEDGE and version < VERSION:
        message = f"version {version} is not supported for knowledge; the oldest is {VERSION}"
        fields.add("knowledge-version", node, message, _OLD_KNOWLEDGE)
    return version if 1 <= version <= VERSION else VERSION


def _example(fields: Fields, node: Node, kind: str) -> Iterator[SeedExample]:
    if fields.mapping(node, "a seed example") is None:
        return
    fields.only(node, _EXAMPLE_KEYS[kind], "a seed example", elsewhere=_EXAMPLE_ELSEWHERE[kind])
    context = ""
    if kind == KNOWLEDGE or "context" in node.entries:
        context = fields.prose(node, "context", "this seed example", words=CONTEXT_WORDS)
    context_line = node.entries["context"][0].line if context else 0
    if kind == SKILL:
        yield _pair(fields, node, "this seed example", context, context_line)
        return
    what = "question and answer"
    pairs = fields.entries(node, "questions_and_answers", "this seed example", minimum=MIN_PAIRS, of=what)
    for pair in pairs:
        if fields.mapping(pair, "a question with its answer"):
            for name in pair.entries.keys() - {"question", "answer"}:
                message, hint = f"the key `{name}` is not used here", "known: question, answer"
                fields.add("unused-key", pair.entries[name][0], message, hint)
            yield _pair(fields, pair, "this pair", context, context_line)


def _whole_skill(fields: Fields, key: Node, seeds: Sequence[SeedExample]) -> None:
    """What is advised for all examples of a skill together."""
    text = " ".join(f"{seed.context} {seed.question} {seed.answer}" for seed in seeds)
    if len(text) > 2 * SKILL_WORDS and (words := len(text.split())) > SKILL_WORDS:
        message = f"the seed examples have {words} words in all; at most {SKILL_WORDS} are advised"
        fields.add("seed-length", key, message, "shorten the examples, or split the skill into two leaves")
    grounded = sum(bool(seed.context) for seed in seeds)
    if 0 < grounded < len(seeds):
        message = f"{grounded} of {len(seeds)} seed examples have a context, the others have none"
        fields.add("mixed-skill", key, message, "each is used as it is; two leaves keep both kinds balanced")


def _pair(fields: Fields, node: Node, what: str, context: str, context_line: int) -> SeedExample:
    question = fields.prose(node, "question", what, words=PAIR_WORDS)
    answer = fields.prose(node, "answer", what, words=PAIR_WORDS)
    return SeedExample(question=question, answer=answer, context=context, line=node.line, context_line=context_line)


def _document(fields: Fields, root: Node) -> DocumentSource | None:
    found = fields.entry(root, "document", "the file", hint="it says where the document is: repo, commit, patterns")
    if found is None or fields.mapping(found[1], "`document`") is None:
        return None
    key, node = found
    fields.only(node, ("repo", "commit", "patterns", "path", "sha256"), "`document`")
    if "path" in node.entries:
        for name in {"repo", "commit"} & node.entries.keys():
            message = f"`document` has both `path` and `{name}`"
            fields.add("document-place", node.entries[name][0], message, "keep `path`, or the others")
        path = fields.text(node, "path", "`document`")
        _refuse_placeholder(fields, node.entries["path"][1], "path", path)
        patterns = _patterns(fields, node) if "patterns" in node.entries else ()
        if _WEB.match(path) and patterns:
            message = "a web address names one file, so there is nothing for `patterns`"
            fields.add("document-place", node.entries["patterns"][0], message, "remove `patterns`")
        return DocumentSource(path=path, sha256=_sha256(fields, node, path), patterns=patterns, line=key.line)
    _sha256(fields, node, "")
    repo, commit = fields.text(node, "repo", "`document`"), fields.text(node, "commit", "`document`")
    for name, value in (("repo", repo if "://" in repo else ""), ("commit", commit)):
        if len(value.split()) > 1 or value.startswith("-"):
            rule, what = ("document-url", "a URL") if name == "repo" else ("document-commit", "a commit id")
            hint = "it contains a space" if " " in value else ""
            fields.add(rule, node.entries[name][1], f"`{value}` is not {what}", hint)
        elif name in node.entries:
            _refuse_placeholder(fields, node.entries[name][1], name, node.entries[name][1].text)
    return DocumentSource(repo=repo, commit=commit, patterns=_patterns(fields, node), line=key.line)


def _sha256(fields: Fields, node: Node, path: str) -> str:
    """The digest that pins a document of the web."""
    if "sha256" not in node.entries:
        return ""
    key, value = node.entries["sha256"]
    digest = value.text.strip().lower()  # a digest of digits alone is a number for YAML
    if not _WEB.match(path):
        message = "`sha256` is for a web address in `path`"
        fields.add("document-digest", key, message, "remove it; a commit pins a repository")
    elif not re.fullmatch("[0-9a-f]{64}", digest):
        message = f"`{value.text}` is no SHA-256 digest"
        fields.add("document-digest", value, message, "it has 64 digits from 0 to f; `sha256sum FILE` prints it")
    return digest


def _patterns(fields: Fields, node: Node) -> tuple[str, ...]:
    found = node.entries.get("patterns")
    if found and found[1].kind == "text" and found[1].text.strip():
        value = found[1].text.strip()
        message = "`patterns` must be a list, but is text"
        fields.add("value-type", found[1], message, f"write `patterns: [{value}]`")
        return ()
    items = fields.entries(node, "patterns", "`document`", minimum=1, of="pattern")
    patterns = tuple(fields.string(item, "patterns") for item in items)
    for item, pattern in zip(items, patterns, strict=True):
        _refuse_placeholder(fields, item, "patterns", pattern)
        if PurePosixPath(pattern).is_absolute() or ".." in PurePosixPath(pattern).parts:
            message = f"the pattern `{pattern}` leaves the source"
            fields.add("pattern-outside", item, message, "give paths inside the repository or folder")
    return patterns


def _refuse_placeholder(fields: Fields, at: Node, name: str, value: str) -> None:
    """An error, because no document can be fetched from a place that is not filled in."""
    if left := PLACEHOLDER.search(value):
        fields.add("placeholder", at, _left_over(name, left[0]), "fill it in")


def _left_over(name: str, placeholder: str) -> str:
    return f"`{name}` still has the placeholder `{placeholder}`"
