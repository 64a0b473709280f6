"""Every rule has a tree that keeps it and one that breaks it, and the check knows no other rules."""

import os
import re
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from ilab.errors import Fault
from ilab.taxonomy.lint import lint
from ilab.taxonomy.rules import CONTEXT, DOCUMENT, ERROR, RULES, STYLE, VALIDITY, WARNING

Files = Mapping[str, bytes | None]
"""The files of a tree by path; None is a folder."""

EXAMPLES = "".join(f"  - question: Q{n}?\n    answer: A{n}.\n" for n in range(1, 6))
SKILL = f"version: 3\ncreated_by: me\ntask_description: Do it.\nseed_examples:\n{EXAMPLES}"
PAIRS = "".join(f"      - question: Q{letter}?\n        answer: A{letter}.\n" for letter in "abc")
CONTEXTS = "".join(f"  - context: Context {n}.\n    questions_and_answers:\n{PAIRS}" for n in range(1, 6))
KNOWLEDGE = f"""\
version: 3
created_by: someone
domain: astronomy
document_outline: About stars.
seed_examples:
{CONTEXTS}document:
  repo: https://example.com/stars
  commit: 0123456789abcdef0123456789abcdef01234567
  patterns:
    - "*.md"
"""
GIT_DOCUMENT = KNOWLEDGE[KNOWLEDGE.index("  repo:") :]
WEB_DOCUMENT = f"  path: https://example.com/stars.md\n  sha256: {'0a' * 32}\n"
SKILL_LEAF, KNOWLEDGE_LEAF = "compositional_skills/a", "knowledge/stars"
BOMB = "a: &a [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{name}: &{name} [{', '.join([f'*{before}'] * 10)}]\n" for before, name in zip("abcdefg", "bcdefgh", strict=True)
)


def leaf(text: str | bytes, path: str = SKILL_LEAF, attribution: bytes = b"mine") -> Files:
    content = text if isinstance(text, bytes) else text.encode()
    return {f"{path}/qna.yaml": content, f"{path}/attribution.txt": attribution}


def skill(*swaps: tuple[str, str]) -> Files:
    return leaf(swapped(SKILL, swaps))


def knowledge(*swaps: tuple[str, str]) -> Files:
    return leaf(swapped(KNOWLEDGE, swaps), KNOWLEDGE_LEAF)


def swapped(text: str, swaps: tuple[tuple[str, str], ...]) -> str:
    for old, new in swaps:
        assert old in text
        text = text.replace(old, new, 1)
    return text


SKILL_TREE, KNOWLEDGE_TREE = leaf(SKILL), leaf(KNOWLEDGE, KNOWLEDGE_LEAF)
CONTEXT_1 = "    answer: A1.\n    context: "
Trees = dict[str, tuple[Files, Files]]
FILES: Trees = {
    "no-leaf": (SKILL_TREE, {"knowledge": None}),
    "unreadable-file": (SKILL_TREE, {f"{SKILL_LEAF}/qna.yaml": b"-> nowhere"}),
    "unreadable-folder": (SKILL_TREE, {**SKILL_TREE, "compositional_skills/shut": None}),
    "file-name": (SKILL_TREE, {**SKILL_TREE, "knowledge/b/qna.yml": SKILL.encode()}),
    "top-folder": (SKILL_TREE, {**SKILL_TREE, "skills/b/qna.yaml": SKILL.encode()}),
    "path-encoding": (
        {"compositional_skills/é/qna.yaml": SKILL.encode()},
        {os.fsdecode(b"compositional_skills/\xe9/qna.yaml"): SKILL.encode()},
    ),
    "name-collision": (
        {**leaf(SKILL, "knowledge/a/b_c"), **leaf(SKILL, "knowledge/a/b")},
        {**leaf(SKILL, "knowledge/a/b_c"), **leaf(SKILL, "knowledge/a_b/c")},
    ),
    "attribution": (SKILL_TREE, leaf(SKILL, attribution=b"")),
    "too-large": (leaf(SKILL + "# " + "x" * 2**19 + "\n"), leaf(SKILL + "# " + "x" * 2**20 + "\n")),
    "encoding": (skill(("Do it", "Tu é")), leaf(SKILL.replace("Do it", "Tu \xe9").encode("latin-1"))),
    "empty-file": (SKILL_TREE, leaf("# nothing\n")),
}
YAML: Trees = {
    "syntax": (skill(("Do it.", "'Do: it.'")), skill(("Do it.", "Do: it."))),
    "unprintable": (skill(("Do it.", '"Do\\tit."')), skill(("Do it.", "Do\x07it."))),
    "one-document": (leaf("---\n" + SKILL), leaf(SKILL + "---\na: 1\n")),
    "nesting": (skill(), leaf(SKILL + "x: " + "[" * 33 + "]" * 33 + "\n")),
    "undefined-alias": (skill(("Do it.", "&x Do it."), ("Q1?", "*x")), skill(("Do it.", "*x"))),
    "recursive-alias": (skill(("Do it.", "&x Do it."), ("Q1?", "*x")), leaf("a: &x [*x]\n")),
    "alias-size": (skill(("Do it.", "&x Do it."), ("Q1?", "*x")), leaf(BOMB)),
    "key-text": (skill(("Do it.", "'{{ it }}'")), skill(("Do it.", "{{ it }}"))),
    "merge-key": (skill(("Do it.", "'<<'")), skill(("    answer: A1.", "    <<: [A1.]"))),
    "key-duplicates": (skill(), leaf(SKILL + "version: 3\n")),
    "tag": (skill(("Do it.", "!!str 1")), skill(("Do it.", "!mine it"))),
}
CONTENT: Trees = {
    "value-type": (skill(("Do it.", "'1'")), skill(("Do it.", "1"))),
    "unknown-key": (skill(), leaf(SKILL + "domain: x\n")),
    "missing-key": (skill(), skill(("created_by: me\n", ""))),
    "empty-value": (skill(("Do it.", "' x'")), skill(("Do it.", "' '"))),
    "too-few": (skill(), skill(("  - question: Q1?\n    answer: A1.\n", ""))),
    "duplicate-entry": (skill(("Q1?", "Q2?")), skill(("Q1?", "Q2?"), ("A1.", "A2."))),
    "near-duplicate": (skill(("Q1?", "Q2?")), skill(("Q1?", "'Q2? '"), ("A1.", "A2."))),
    "placeholder": (skill(("Q1?", "Is <title> a tag?")), skill(("Q1?", "<a question about it>"))),
    "author-placeholder": (skill(("me", "<me")), skill(("me", "<your name>"))),
    "version": (skill(("version: 3", "version: 2")), skill(("version: 3", "version: 4"))),
    "knowledge-version": (KNOWLEDGE_TREE, knowledge(("version: 3", "version: 2"))),
    "unused-key": (KNOWLEDGE_TREE, knowledge(("        answer: Aa.", "        note: x\n        answer: Aa."))),
    "document-place": (KNOWLEDGE_TREE, knowledge(("  commit:", "  path: a.md\n  commit:"))),
    "document-digest": (
        knowledge((GIT_DOCUMENT, WEB_DOCUMENT)),
        knowledge((GIT_DOCUMENT, WEB_DOCUMENT.replace("0a" * 32, "'12'"))),
    ),
    "document-url": (KNOWLEDGE_TREE, knowledge(("com/stars", "com/my stars"))),
    "document-commit": (KNOWLEDGE_TREE, knowledge(("commit: 0123", "commit: main 0123"))),
    "pattern-outside": (knowledge(('"*.md"', '"../*.md"'.replace("../", "a/"))), knowledge(('"*.md"', '"../*.md"'))),
    "context-length": (
        knowledge(("Context 1.", "word " * 500)),
        knowledge(("Context 1.", "word " * 501)),
    ),
    "pair-length": (skill(("A1.", "word " * 250)), skill(("A1.", "word " * 251))),
    "seed-length": (
        skill(*((f"A{n}.", "word " * 249 + str(n)) for n in range(1, 6))),
        skill(*((f"A{n}.", "word " * 249 + str(n)) for n in range(1, 6)), (f"Q{1}?", "word " * 1050)),
    ),
    "mixed-skill": (
        skill(*((f"    answer: A{n}.\n", f"    answer: A{n}.\n    context: C{n}\n") for n in range(1, 6))),
        skill(("    answer: A1.\n", CONTEXT_1 + "C1\n")),
    ),
}
STYLE_TREES: Trees = {
    "line-length": (skill(("A1.", "x" * (120 - 12))), skill(("A1.", "x" * (121 - 12)))),
    "trailing-spaces": (skill(), skill(("A1.", "A1. "))),
    "new-lines": (skill(), leaf(SKILL.replace("\n", "\r\n"))),
    "braces": (leaf("version: 3\nx: {a: 1}\n"), leaf("version: 3\nx: {  a: 1}\n")),
    "brackets": (leaf("version: 3\nx: [a]\n"), leaf("version: 3\nx: [  a]\n")),
    "colons": (skill(), skill(("answer: A1.", "answer:  A1."))),
    "commas": (leaf("version: 3\nx: [a, b]\n"), leaf("version: 3\nx: [a,  b]\n")),
    "empty-lines": (skill(("seed_examples", "\n\nseed_examples")), leaf(SKILL + "\n")),
    "hyphens": (skill(), skill(("  - question: Q1?\n    answer", "  -  question: Q1?\n     answer"))),
    "indentation": (skill(), knowledge(('    - "*.md"', '      - "*.md"'))),
    "new-line-at-end-of-file": (skill(), leaf(SKILL.rstrip("\n"))),
}
TREES: Trees = {**FILES, **YAML, **CONTENT, **STYLE_TREES}


@contextmanager
def tree(files: Files) -> Iterator[Path]:
    """A folder with `files`, which every user may enter."""
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        root.chmod(0o755)
        for path, content in files.items():
            file = root / path
            (file if content is None else file.parent).mkdir(parents=True, exist_ok=True)
            if content is not None and content.startswith(b"-> "):
                file.symlink_to(content.removeprefix(b"-> ").decode())
            elif content is not None:
                file.write_bytes(content)
        yield root


@contextmanager
def as_nobody() -> Iterator[None]:
    """Permissions do not bind the superuser; nobody's do."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


def findings(files: Files) -> list[Fault]:
    with tree(files) as root:
        shut = root / "compositional_skills/shut"
        if not shut.is_dir():
            return lint(root)
        shut.chmod(0)
        with as_nobody():
            found = lint(root)
        shut.chmod(0o755)
        return found


def test_every_rule_has_its_trees() -> None:
    with_documents = {DOCUMENT, CONTEXT}  # their files are in test_pipeline_sources.py
    assert list(TREES) == [name for name in RULES if name not in with_documents]


@pytest.mark.parametrize("name", TREES)
def test_a_rule_is_kept_by_one_tree_and_broken_by_another(name: str) -> None:
    if name in ("braces", "brackets", "colons", "commas", "empty-lines", "hyphens", "indentation"):
        pytest.importorskip("yamllint")
    valid, invalid = TREES[name]
    assert name not in [fault.rule for fault in findings(valid)]
    broken = [fault for fault in findings(invalid) if fault.rule == name]
    assert broken
    assert {fault.severity for fault in broken} == {RULES[name].severity}
    assert all(fault.hint or RULES[name].mend for fault in broken)


@pytest.mark.parametrize("name", TREES)
def test_every_finding_of_every_tree_names_a_rule(name: str) -> None:
    for files in TREES[name]:
        for fault in findings(files):
            assert fault.rule in RULES
            assert fault.severity == RULES[fault.rule].severity
            assert fault.line or RULES[fault.rule].severity == WARNING or fault.rule == "no-leaf"


@pytest.mark.parametrize(("name", "rule"), RULES.items())
def test_a_rule_says_what_and_how(name: str, rule: object) -> None:
    found = RULES[name]
    assert re.fullmatch(r"[a-z]+(-[a-z]+)*", name) and found.name == name
    assert found.severity in (ERROR, WARNING) and found.about in (VALIDITY, STYLE)
    assert found.about == VALIDITY or found.severity == WARNING
    assert found.sentence.endswith(".") and found.mend.endswith(".")


def test_valid_trees_that_break_no_rule_have_no_findings() -> None:
    for files in (SKILL_TREE, KNOWLEDGE_TREE, leaf(SKILL, "foundational_skills/x")):
        assert findings(files) == []


def test_own_yaml_rules_are_named_as_yamllint_names_them(tmp_path: Path) -> None:
    pytest.importorskip("yamllint")
    (tmp_path / "rules.yaml").write_text("rules: {document-start: enable, line-length: {max: 20}}\n")
    with tree(SKILL_TREE) as root:
        found = lint(root, yaml_rules=str(tmp_path / "rules.yaml"))
    assert {(fault.rule, fault.severity) for fault in found} == {
        ("document-start", "warning"),
        ("line-length", "warning"),
    }


@pytest.mark.parametrize("version", ["version: 1\n", ""])
def test_the_first_version_of_a_skill_may_repeat_itself(version: str) -> None:
    same = "- {question: a, answer: b}\n"
    text = f"{version}created_by: me\ntask_description: x\nseed_examples:\n{same}{same}"
    assert [fault.rule for fault in findings(leaf(text)) if fault.severity == "error"] == []


def test_a_folder_named_like_the_file_is_told() -> None:
    found = findings({**SKILL_TREE, "knowledge/x/qna.yaml/qna.yaml": KNOWLEDGE.encode()})
    assert [(fault.rule, fault.message) for fault in found if fault.rule != "attribution"] == [
        ("file-name", "this is a folder, not a qna.yaml")
    ]
