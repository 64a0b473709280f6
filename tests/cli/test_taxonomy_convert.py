"""`ilab taxonomy convert` on real files."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from ilab.cli.main import cli

EXAMPLES = "".join(f"  - question: What is {n}?\n    answer: It is {n}.\n" for n in range(5))
SKILL = f"# mine\ncreated_by: me\ntask_description: Say it.\nseed_examples:\n{EXAMPLES}"
KNOWLEDGE = """\
version: 2
created_by: me
domain: geography
task_description: The lake.
seed_examples:
  - question: What is Lake Mirra?
    answer: Lake Mirra is a crater lake in Talland.
document:
  path: lake.md
"""


@pytest.fixture
def work(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name, text in (("compositional_skills/a", SKILL), ("knowledge/b", KNOWLEDGE)):
        Path(name).mkdir(parents=True)
        Path(name, "qna.yaml").write_text(text)
    return tmp_path


def convert(*arguments):
    return CliRunner().invoke(cli, ["taxonomy", "convert", "--taxonomy-path", ".", *arguments])


def test_a_skill(work):
    check = convert("compositional_skills", "--check")
    assert (check.exit_code, check.stdout) == (3, "compositional_skills/a/qna.yaml: would become version 3\n")
    file = Path("compositional_skills/a/qna.yaml")
    assert file.read_text() == SKILL
    result = convert("compositional_skills")
    assert (result.exit_code, result.stdout) == (0, "compositional_skills/a/qna.yaml: is now version 3\n")
    assert file.read_text() == SKILL.replace("created_by", "version: 3\ncreated_by", 1)
    assert convert("compositional_skills").stdout == "Nothing to convert.\n"


def test_knowledge_with_its_document(work):
    town = "\n## Town {n}\n\nTown {n} has {n} houses and a harbour where the boats of the lake lie in winter.\n"
    towns = "".join(town.format(n=n) for n in range(6))
    lake = "# Lake\n\nLake Mirra is a crater lake in Talland, known for trout.\n"
    Path("knowledge/b/lake.md").write_text(lake + towns)
    result = convert("knowledge")
    assert result.exit_code == 3
    assert "replace what stands in <angle brackets>, lines " in result.stdout
    text = Path("knowledge/b/qna.yaml").read_text()
    assert "document_outline: The lake.\n" in text and "Lake Mirra is a crater lake in Talland, known" in text
    assert "<passage" not in text


def test_knowledge_without_its_document(work):
    result = convert("knowledge")
    assert result.exit_code == 3 and "contexts are left to you" in result.stderr
    assert "<passage 5 of the document>" in Path("knowledge/b/qna.yaml").read_text()


def test_what_would_not_be_valid_stays(work):
    file = Path("compositional_skills/a/qna.yaml")
    file.write_text(SKILL.replace(EXAMPLES, EXAMPLES[: EXAMPLES.index("  - question: What is 2?")]))
    before = file.read_text()
    result = convert("compositional_skills")
    assert result.exit_code == 3 and "left as it is" in result.stdout
    assert "`seed_examples` has 2 entries; at least 5 are needed" in result.stdout
    assert "compositional_skills/a/qna.yaml:4" in result.stdout
    assert file.read_text() == before
