"""`ilab taxonomy import`: all leaves or none, and every row accounted for."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from ilab.cli.main import cli

ROWS = "question,answer,context\n" + "".join(f"What is {n}?,It is {n}.,Text {n % 5}.\n" for n in range(15))
PAIRS = "question,answer\n" + "".join(f"What is {n}?,It is {n}.\n" for n in range(5))


@pytest.fixture
def work(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("taxonomy").mkdir()
    Path("rows.csv").write_text(ROWS)
    Path("pairs.csv").write_text(PAIRS)
    Path("doc.md").write_text("# Texts\n\nText 0. Text 1. Text 2. Text 3. Text 4.\n")
    return tmp_path


def run(*arguments):
    return CliRunner().invoke(
        cli, ["taxonomy", "import", "--taxonomy-path", "taxonomy", "--created-by", "me", *arguments]
    )


def check(*arguments):
    return CliRunner().invoke(cli, ["taxonomy", "diff", "--taxonomy-path", "taxonomy", *arguments])


def test_a_skill(work):
    result = run("pairs.csv", "--into", "math/numbers", "--kind", "skill", "--subject", "Name a number.")
    assert result.exit_code == 0, result.output
    assert result.stdout == "taxonomy/compositional_skills/math/numbers/qna.yaml: 5 rows\n"
    assert "task_description: Name a number." in Path("taxonomy/compositional_skills/math/numbers/qna.yaml").read_text()
    assert check("--strict").exit_code == 0


def test_knowledge_needs_its_document(work):
    refused = run("rows.csv", "--into", "knowledge/texts")
    assert refused.exit_code == 3 and "`path` still has the placeholder" in refused.stderr
    assert not list(Path("taxonomy").rglob("*"))
    result = run("rows.csv", "--into", "knowledge/texts", "--document", "doc.md")
    assert result.exit_code == 0, result.output
    assert Path("taxonomy/knowledge/texts/doc.md").is_file()
    assert check().exit_code == 0


def test_rows_that_are_not_used_are_listed(work):
    Path("pairs.csv").write_text(PAIRS + "What is 9?,\n")
    result = run("pairs.csv", "--into", "compositional_skills/a")
    assert result.exit_code == 0
    assert "pairs.csv:7" in result.stderr and "it has no answer" in result.stderr


def test_too_few_rows_write_nothing_without_force(work):
    Path("pairs.csv").write_text("\n".join(PAIRS.splitlines()[:3]) + "\n")
    refused = run("pairs.csv", "--into", "compositional_skills/a")
    assert refused.exit_code == 3 and "would have 2 examples; 5 are needed" in refused.stderr
    assert not list(Path("taxonomy").rglob("*"))
    assert run("pairs.csv", "--into", "compositional_skills/a", "--force").exit_code == 0
    assert check().exit_code == 3


def test_a_leaf_that_is_there_stays(work):
    Path("pairs.csv").write_text(
        "leaf," + PAIRS.replace("\nWhat", "\na,What") + PAIRS.partition("\n")[2].replace("What", "b,What")
    )
    old = Path("taxonomy/compositional_skills/x/b/qna.yaml")
    old.parent.mkdir(parents=True)
    old.write_text("mine\n")
    refused = run("pairs.csv", "--into", "compositional_skills/x")
    assert refused.exit_code == 3 and "is there already" in refused.stderr
    assert not Path("taxonomy/compositional_skills/x/a").exists() and old.read_text() == "mine\n"
    assert run("pairs.csv", "--into", "compositional_skills/x", "--force").exit_code == 0
    assert check().exit_code == 0


@pytest.mark.parametrize(
    ("content", "says"),
    [("", "the file is empty"), ("a,b\n1,2\n", "no column is called `question`"), ("question,answer\n", "no row of")],
)
def test_files_that_cannot_be_used(work, content, says):
    Path("pairs.csv").write_text(content)
    result = run("pairs.csv", "--into", "compositional_skills/a")
    assert result.exit_code == 3 and says in result.stderr
    assert "cannot be read" in run("nowhere.csv", "--into", "compositional_skills/a").stderr
