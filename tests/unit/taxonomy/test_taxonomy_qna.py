"""The schemas of knowledge v3 and skills v1-v3: valid files, and a golden line for every rule."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ilab.records.seeds import FREEFORM_SKILL, GROUNDED_SKILL, KNOWLEDGE
from ilab.taxonomy.qna import Parsed, parse, parse_bytes
from ilab.taxonomy.seeds import seeds_of

PAIRS = "".join(f"      - question: Q{{n}}{letter}?\n        answer: A{letter}.\n" for letter in "abc")
CONTEXTS = "".join(
    f"  - context: Context {n}.\n    questions_and_answers:\n{PAIRS.replace('{n}', str(n))}" for n in range(1, 6)
)
KNOWLEDGE_FILE = f"""\
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
EXAMPLES = "".join(f"  - question: Q{n}?\n    answer: A{n}.\n" for n in range(1, 6))
SKILL_FILE = f"version: 3\ncreated_by: someone\ntask_description: Do it.\nseed_examples:\n{EXAMPLES}"


def knowledge(text: str = KNOWLEDGE_FILE, *swaps: tuple[str, str]) -> Parsed:
    return parse_text(text, "knowledge/stars", *swaps)


def skill(text: str = SKILL_FILE, *swaps: tuple[str, str]) -> Parsed:
    return parse_text(text, "compositional_skills/do", *swaps)


def parse_text(text: str, leaf: str, *swaps: tuple[str, str]) -> Parsed:
    for old, new in swaps:
        assert old in text
        text = text.replace(old, new, 1)
    return parse_bytes(text.encode(), file=Path("qna.yaml"), leaf=leaf)


def lines(parsed: Parsed) -> list[str]:
    return [str(fault).removeprefix("qna.yaml:") for fault in parsed.faults]


def test_a_valid_knowledge_file() -> None:
    parsed = knowledge()
    assert parsed.faults == []
    leaf = parsed.leaf
    assert leaf is not None
    assert (leaf.path, leaf.kind, leaf.version, leaf.subject, leaf.outline) == (
        ("knowledge/stars", "knowledge", 3, "astronomy", "About stars.")
    )
    assert leaf.document is not None
    assert leaf.document.patterns == ("*.md",)
    seeds = seeds_of(leaf)
    assert len(seeds) == 15
    assert {seed.kind for seed in seeds} == {KNOWLEDGE}
    assert (seeds[3].question, seeds[3].answer, seeds[3].context) == ("Q2a?", "Aa.", "Context 2.")


def test_block_scalars_lose_their_line_ends_only() -> None:
    parsed = knowledge(KNOWLEDGE_FILE, ("context: Context 1.", "context: |\n\n      - One  two\n      three\n\n"))
    assert parsed.leaf is not None
    assert parsed.leaf.seeds[0].context == "- One  two\nthree"


def test_a_fourth_question_of_a_context_is_used() -> None:
    more = "      - question: More?\n        answer: Yes.\n"
    parsed = knowledge(KNOWLEDGE_FILE, ("    questions_and_answers:\n", "    questions_and_answers:\n" + more))
    assert parsed.leaf is not None
    assert len(parsed.leaf.seeds) == 16


def test_grounded_and_freeform_examples_may_stand_in_one_skill() -> None:
    parsed = skill(SKILL_FILE, ("    answer: A2.\n", "    answer: A2.\n    context: Given.\n"))
    assert parsed.leaf is not None
    kinds = [seed.kind for seed in seeds_of(parsed.leaf)]
    assert kinds == [FREEFORM_SKILL, GROUNDED_SKILL, FREEFORM_SKILL, FREEFORM_SKILL, FREEFORM_SKILL]


@pytest.mark.parametrize("version", ["", "version: 1\n"])
def test_version_1_of_a_skill_needs_one_example_and_may_have_no_description(version: str) -> None:
    text = f"{version}created_by: me\ntask_description: ''\nseed_examples:\n- question: Q\n  answer: A\n"
    parsed = parse_text(text, "foundational_skills/reasoning")
    assert parsed.faults == []
    assert parsed.leaf is not None
    assert (parsed.leaf.version, parsed.leaf.kind) == (1, "skill")


def test_outside_the_top_folders_the_document_decides_the_kind() -> None:
    assert parse_text(KNOWLEDGE_FILE, "stars").leaf is not None
    assert parse_text(SKILL_FILE, "stars").leaf is not None


def test_a_document_may_lie_beside_the_file() -> None:
    text = KNOWLEDGE_FILE[: KNOWLEDGE_FILE.index("  repo:")] + "  path: docs\n  patterns: ['**/*.md']\n"
    parsed = knowledge(text)
    assert parsed.faults == []
    assert parsed.leaf is not None
    assert parsed.leaf.document is not None
    assert (parsed.leaf.document.path, parsed.leaf.document.patterns) == ("docs", ("**/*.md",))


COMMIT = "commit: 0123456789abcdef0123456789abcdef01234567"
KNOWLEDGE_FAULTS = [
    ("version: 3\n", "", "1:1 error `version` is missing; knowledge needs version 3 (knowledge-version) - add the lin"),
    (
        "version: 3",
        "version: 2",
        "1:10 error version 2 is not supported for knowledge; the oldest is 3 (knowledge-version) - set `version: 3`",
    ),
    ("version: 3", "version: 4", "1:10 error version 4 is not known (version) - the newest is `version: 3`"),
    ("version: 3", "version: '3'", "1:10 error `version` must be a whole number, but is `3` (version) - write `versio"),
    ("version: 3", "version:", "1:9 error `version` must be a whole number, but is empty (version) - write `version:"),
    ("created_by: someone\n", "", "1:1 error the file has no `created_by`"),
    ("created_by: someone", "created_by: ' '", "2:13 error `created_by` is empty"),
    ("created_by: someone", "created_by:", "2:12 error `created_by` is empty"),
    (
        "created_by: someone",
        "created_by: 007",
        "2:13 error `created_by` must be text, but is `007`, which YAML reads as",
    ),
    ("created_by: someone", "created_by: yes", 'reads as true or false (value-type) - put it in quotes: "yes"'),
    ("created_by: someone", "created_by: [a]", "2:13 error `created_by` must be text, but is a list"),
    ("created_by: someone", 'created_by: "a\\0"', "2:13 error `created_by` contains the character U+0000"),
    ("created_by: someone", 'created_by: "\\ud800"', "2:13 error `created_by` contains the character U+D800"),
    (
        "created_by: someone",
        "created_by: <your name>",
        "2:13 warning `created_by` still has the placeholder `<your name>`",
    ),
    (
        "created_by:",
        "creatd_by:",
        "2:1 error unknown key `creatd_by` in a knowledge leaf (unknown-key) - did you mean `created_by`?",
    ),
    ("domain:", "subject:", "3:1 error unknown key `subject` in a knowledge leaf (unknown-key) - known: version, crea"),
    ("domain: astronomy\n", "domain: a\ntask_description: b\n", " (unknown-key) - only skills have it; knowledge has"),
    ("domain: astronomy\n", "", "1:1 error the file has no `domain`"),
    ("document_outline: About stars.\n", "", "1:1 error the file has no `document_outline`"),
    (CONTEXTS, " x\n", "5:1 error `seed_examples` must be a list, but is text (value-type) - start each seed example"),
    (CONTEXTS[CONTEXTS.index("  - context: Context 5") :], "", "`seed_examples` has 4 entries; at least 5 are needed"),
    (
        "  - context: Context 1.",
        "  - x\n  - context: Context 1.",
        "error a seed example must be a mapping of keys, but is",
    ),
    ("Context 1.", "''", "6:14 error `context` is empty"),
    ("  - context: Context 1.\n    questions", "  - questions", "6:5 error this seed example has no `context`"),
    ("    questions_and_answers:", "    question_and_answers:", "7:5 error unknown key `question_and_answers`"),
    ("Q1b?", "''", "10:19 error `question` is empty"),
    (
        "      - question: Q1b?\n        answer: Ab.\n",
        "",
        "`questions_and_answers` has 2 entries; at least 3 are needed",
    ),
    (
        "      - question: Q1b?\n        answer: Ab.",
        "      - question: Q1a?\n        answer: Aa.",
        "10:9 error this question",
    ),
    (
        "        answer: Aa.\n",
        "        answer: Aa.\n        note: x\n",
        "10:9 warning the key `note` is not used here",
    ),
    ("        answer: Aa.\n", "", "8:9 error this pair has no `answer`"),
    ("Context 1.", "word " * 501, "6:5 warning `context` has 501 words; at most 500 are advised"),
    ("Q1a?", "word " * 251, "8:9 warning `question` has 251 words; at most 250 are advised"),
    ('    - "*.md"\n', "", "error `patterns` must be a list, but is empty"),
    (
        'patterns:\n    - "*.md"',
        "patterns: a.md",
        "error `patterns` must be a list, but is text (value-type) - write `patterns: [a.md]`",
    ),
    ('- "*.md"', "- ../a.md", "error the pattern `../a.md` leaves the source"),
    ('- "*.md"', "- a.md\n    - a.md", "error this pattern is the same as the one on line"),
    ('- "*.md"', "- 5", "error `patterns` must be text, but is `5`"),
    ("  repo: https://example.com/stars\n", "", "error `document` has no `repo`"),
    ("https://example.com/stars", "https://x/<name> /(8)", "error `https://x/<name> /(8)` is not a URL"),
    (
        "https://example.com/stars",
        "https://x/<name>",
        "error `repo` still has the placeholder `<name>` (placeholder) - fill it in",
    ),
    (COMMIT, "commit: <hash> (9)", "error `<hash> (9)` is not a commit id"),
    (COMMIT, "commit: ${COMMIT}", "error `commit` still has the placeholder `${COMMIT}` (placeholder) - fill it in"),
    ('- "*.md"', "- ${NAME}.md", "error `patterns` still has the placeholder `${NAME}` (placeholder) - fill it in"),
    (
        KNOWLEDGE_FILE[KNOWLEDGE_FILE.index("document:\n") :],
        "document: {path: '${PAGE}.md'}\n",
        "error `path` still has the placeholder `${PAGE}` (placeholder) - fill it in",
    ),
    (COMMIT, "commit: 1234567", "error `commit` must be text, but is `1234567`, which YAML reads as a whole number"),
    (COMMIT, "branch: main", "error unknown key `branch` in `document` (unknown-key) - known: repo, commit, patterns,"),
    (COMMIT, "path: docs", "error `document` has both `path` and `repo` (document-place) - keep `path`, or the others"),
    (KNOWLEDGE_FILE[KNOWLEDGE_FILE.index("document:\n") :], "", "1:1 error the file has no `document`"),
    (KNOWLEDGE_FILE, "- a\n", "1:1 error a qna.yaml must be a mapping of keys, but is a list"),
    (KNOWLEDGE_FILE, "# nothing\n", "1 error the file is empty"),
]


@pytest.mark.parametrize(("old", "new", "expected"), KNOWLEDGE_FAULTS)
def test_every_rule_of_knowledge(old: str, new: str, expected: str) -> None:
    parsed = knowledge(KNOWLEDGE_FILE, (old, new))
    found = [line for line in lines(parsed) if expected in line]
    assert len(found) == 1, lines(parsed)
    assert (parsed.leaf is None) == any(fault.severity == "error" for fault in parsed.faults)


SKILL_FAULTS = [
    ("task_description: Do it.\n", "", "1:1 error the file has no `task_description`"),
    ("task_description: Do it.", "task_description: ''", "3:19 error `task_description` is empty"),
    (
        "task_description: Do it.",
        "task_description: a\ndomain: b",
        "4:1 error unknown key `domain` in a skill leaf (unknown-key) - only",
    ),
    ("created_by: someone", "document: {}\ncreated_by: me", "move this leaf below the folder knowledge/"),
    (
        EXAMPLES[EXAMPLES.index("  - question: Q5") :],
        "",
        "4:1 error `seed_examples` has 4 entries; at least 5 are needed",
    ),
    (
        "  - question: Q5?\n    answer: A5.",
        "  - question: Q1?\n    answer: A1.",
        "13:5 error this seed example is the same as",
    ),
    (
        "  - question: Q1?\n",
        "  - questions_and_answers: []\n    question: Q1?\n",
        " (unknown-key) - only knowledge has it; a skill has one",
    ),
    ("    answer: A1.\n", "    answer: A1.\n    context: ''\n", "7:14 error `context` is empty"),
    (
        "    answer: A1.\n",
        "    anser: A1.\n",
        "6:5 error unknown key `anser` in a seed example (unknown-key) - did you mean `answer`?",
    ),
    ("version: 3", "version: 0", "1:10 error version 0 is not known"),
]


@pytest.mark.parametrize(("old", "new", "expected"), SKILL_FAULTS)
def test_every_rule_of_skills(old: str, new: str, expected: str) -> None:
    parsed = skill(SKILL_FILE, (old, new))
    assert len([line for line in lines(parsed) if expected in line]) == 1, lines(parsed)
    assert parsed.leaf is None


def test_old_knowledge_is_refused_with_one_line_that_says_what_to_do() -> None:
    old = "created_by: me\ntask_description: t\ndomain: d\nseed_examples:\n- question: a\n  answer: b\n"
    found = lines(knowledge("version: 1\n" + old))
    assert len(found) == 1
    assert "replace `task_description` by `document_outline`" in found[0]
    assert len(lines(knowledge(old))) == 1


def test_a_misspelt_key_does_not_hide_the_faults_below_it() -> None:
    parsed = skill(SKILL_FILE, ("seed_examples", "seed_example"), ("A3.", "''"))
    assert [fault.line for fault in parsed.faults] == [4, 10]


def test_all_faults_of_a_file_come_at_once_in_the_order_of_lines() -> None:
    swaps = ("created_by: someone", "created_by:"), ("A2.", "12"), ("Q4?", "~")
    found = skill(SKILL_FILE, *swaps).faults
    assert [fault.line for fault in found] == [2, 8, 11]


def test_a_file_that_cannot_be_read_is_a_fault(tmp_path: Path) -> None:
    assert "cannot be read" in str(parse(tmp_path / "qna.yaml", leaf="knowledge/x").faults[0])
    (tmp_path / "qna.yaml").mkdir()
    assert "it is not a file" in str(parse(tmp_path / "qna.yaml", leaf="knowledge/x").faults[0])


values = st.recursive(
    st.sampled_from(["a", "''", "1", "~", "|\n  x", "[]", "{}", "yes", '"\\0"', "&a b", "*a"]),
    lambda inner: st.lists(inner, max_size=3).map(lambda items: "[" + ", ".join(items) + "]"),
    max_leaves=4,
)
keys = st.sampled_from(
    ["version", "created_by", "domain", "document", "document_outline", "seed_examples", "task_description", "x", "1"]
)


@settings(max_examples=60)
@given(st.lists(st.tuples(keys, values), max_size=8), st.sampled_from(["knowledge/x", "compositional_skills/x", "x"]))
def test_any_values_give_faults_and_never_raise(pairs: list[tuple[str, str]], leaf: str) -> None:
    parsed = parse_text("".join(f"{key}: {value}\n" for key, value in pairs), leaf)
    assert parsed.leaf is not None or any(fault.severity == "error" for fault in parsed.faults)


@settings(max_examples=60)
@given(st.integers(0, len(KNOWLEDGE_FILE)), st.integers(0, 60), st.binary(max_size=8))
def test_a_damaged_file_gives_faults_and_never_raises(at: int, cut: int, put: bytes) -> None:
    data = KNOWLEDGE_FILE.encode()
    parsed = parse_bytes(data[:at] + put + data[at + cut :], file=Path("qna.yaml"), leaf="knowledge/x")
    assert parsed.leaf is not None or any(fault.severity == "error" for fault in parsed.faults)
