"""Old leaves become version 3 by small edits, or say what is missing."""

from pathlib import Path

import pytest

from ilab.taxonomy.qna import parse_bytes
from ilab.taxonomy.versions import Converted, convert

EXAMPLES = "".join(f"  - question: What is {n}?  # {n}\n    answer: It is {n}.\n" for n in range(5))
SKILL = f"# a skill\ncreated_by: me\ntask_description: Say it.\nseed_examples:\n{EXAMPLES}"
OLD = """\
# old
version: 2
created_by: me
# what it is about
task_description: "What the lake is like"
domain: geography
seed_examples:
  # the lake
  - question: What is Lake Mirra?
    answer: |
      Lake Mirra is a crater lake.
      # not a comment
  - question: Where does Lake Mirra lie?
    answer: Lake Mirra lies in Talland.  # yes
  - context: My own context.
    question: Who?
    answer: Me.
  # the trout
  - answer: The Mirra trout is a silver fish.
    question: What is the Mirra trout?
# the document
document:
  path: mirra.md
"""
PASSAGES = [
    "Lake Mirra is a crater lake. Lake Mirra lies in Talland.",
    "The Mirra trout is a silver fish.",
    "Orrin is a port.",
    "Vessel is a town.",
    "Talland has a king.",
]


def converted(text: str, *, leaf: str = "compositional_skills/a", passages: list[str] | None = None) -> Converted:
    return convert(text.encode(), file=Path("qna.yaml"), leaf=leaf, passages=lambda _: passages or [])


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (SKILL, SKILL.replace("created_by", "version: 3\ncreated_by", 1)),
        (f"version: 1\n{SKILL}", f"version: 3\n{SKILL}"),
        (f"{SKILL}version:   2  # two\n", f"{SKILL}version:   3  # two\n"),
        (SKILL.replace("\n", "\r\n"), SKILL.replace("created_by", "version: 3\ncreated_by", 1).replace("\n", "\r\n")),
        ("\ufeff" + SKILL, "\ufeff" + SKILL.replace("created_by", "version: 3\ncreated_by", 1)),
    ],
)
def test_a_skill_gets_its_version_line_alone(before: str, after: str) -> None:
    result = converted(before)
    assert result.faults == [] and result.content is not None
    assert result.content.decode() == after
    again = converted(after)
    assert (again.content, again.faults) == (None, [])


def test_a_skill_that_would_not_be_valid_stays() -> None:
    result = converted(SKILL[: SKILL.index("  - question: What is 3?")].replace("Say it.", '""'))
    assert result.content is None
    assert [(fault.line, fault.rule) for fault in result.faults] == [(3, "empty-value"), (4, "too-few")]
    assert "3 entries; at least 5" in result.faults[1].message and "convert again" in result.faults[1].hint


@pytest.mark.parametrize("text", ["a: b: c\n", "", "- a\n", "version: 9\n", "version: x\n"])
def test_what_cannot_be_read_stays_and_says_why(text: str) -> None:
    result = converted(text)
    assert result.content is None and result.faults


def test_a_character_that_ends_a_line_for_yaml_alone_is_named() -> None:
    (fault,) = converted(OLD.replace("What the lake is", "What the lake\u2028is"), leaf="knowledge/a").faults
    assert "U+2028" in fault.message


def test_knowledge_gets_contexts_out_of_its_document() -> None:
    result = converted(OLD, leaf="knowledge/a", passages=PASSAGES)
    assert result.content is not None
    text = result.content.decode()
    assert text.startswith("# old\nversion: 3\ncreated_by: me\n# what it is about\ndocument_outline: ")
    for comment in ("# the lake", "# yes", "# the trout", "# the document", "      # not a comment"):
        assert comment in text
    assert {fault.rule for fault in result.faults} == {"placeholder"}
    filled = "\n".join(line.replace("<", f"text {n} ").replace(">", "") for n, line in enumerate(text.split("\n")))
    leaf = parse_bytes(filled.encode(), file=Path("qna.yaml"), leaf="knowledge/a").leaf
    assert leaf is not None and leaf.outline == "What the lake is like"
    contexts = {seed.question: seed.context for seed in leaf.seeds}
    assert contexts["What is Lake Mirra?"] == contexts["Where does Lake Mirra lie?"] == PASSAGES[0]
    assert contexts["What is the Mirra trout?"] == PASSAGES[1]
    assert contexts["Who?"] == "My own context."
    assert leaf.seeds[0].answer == "Lake Mirra is a crater lake.\n# not a comment"
    assert len({seed.context for seed in leaf.seeds}) == 5


def test_without_the_document_the_contexts_are_left_to_the_user() -> None:
    result = converted(OLD.replace("version: 2\n", ""), leaf="knowledge/a")
    assert result.content is not None
    text = result.content.decode()
    assert text.count("<passage ") == 4 and text.count("- context:") == 5
    assert len(result.faults) == text.count("<")
    again = converted(text, leaf="knowledge/a")
    assert (again.content, again.faults) == (None, [])


def test_what_knowledge_does_not_say_is_asked_for() -> None:
    text = "seed_examples:\n- question: q\n  answer: a\n"
    result = converted(text, leaf="knowledge/a")
    assert result.content is not None
    for key in ("domain: <", "document_outline: <", "  path: <", "created_by: <your name>"):
        assert key in result.content.decode()


@pytest.mark.parametrize(
    "examples", ["[{question: a, answer: b}]", "\n- {question: a, answer: b}", "\n- a", "\n-\n  question: a", "[]"]
)
def test_a_layout_without_lines_is_left_to_the_user(examples: str) -> None:
    result = converted(f"created_by: me\ntask_description: x\nseed_examples: {examples}\n", leaf="knowledge/a")
    assert result.content is None
    assert "it cannot be converted: " in result.faults[0].message
