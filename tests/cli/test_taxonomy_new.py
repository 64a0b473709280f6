"""`ilab taxonomy new`: a leaf out of flags, and out of answers on a terminal."""

import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner
from tests.terminal import Terminal

from ilab.cli.main import cli
from ilab.taxonomy.qna import parse

FIXTURE = Path(__file__).parents[1] / "fixtures" / "taxonomy" / "knowledge" / "geography" / "lakes" / "mirra"
LEAF = "knowledge/science/lakes"


@pytest.fixture
def work(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mirra.md").write_text((FIXTURE / "mirra.md").read_text())
    (tmp_path / "taxonomy" / "knowledge").mkdir(parents=True)
    return tmp_path


def new(*arguments):
    return CliRunner().invoke(cli, ["taxonomy", "new", "--taxonomy-path", "taxonomy", "--created-by", "me", *arguments])


def placeholders(file, leaf=LEAF):
    faults = parse(file, leaf=leaf).faults
    assert {fault.rule for fault in faults} == {"placeholder"}
    return len(faults)


def test_a_document_is_copied_and_gives_the_contexts(work):
    result = new(LEAF, "--document", "mirra.md", "--subject", "geography", "--outline", "A lake.")
    assert result.exit_code == 0, result.output
    folder = f"taxonomy/{LEAF}"
    assert result.stdout.splitlines() == [f"{folder}/{name}" for name in ("attribution.txt", "mirra.md", "qna.yaml")]
    file = work / folder / "qna.yaml"
    assert placeholders(file) == 30  # five contexts with three questions and answers, and nothing else
    assert "domain: geography" in file.read_text() and "path: mirra.md" in file.read_text()
    assert (work / folder / "mirra.md").read_text() == (work / "mirra.md").read_text()
    checked = CliRunner().invoke(cli, ["taxonomy", "diff", "--taxonomy-path", "taxonomy"])
    assert checked.exit_code == 3 and "<question 1 about this context>" in checked.output


def test_nothing_is_overwritten_without_force(work):
    assert new(LEAF).exit_code == 0
    file = work / "taxonomy" / LEAF / "qna.yaml"
    file.write_text("mine\n")
    again = new(LEAF)
    assert again.exit_code == 3 and "is there already" in again.stderr and "--force" in again.stderr
    assert file.read_text() == "mine\n"
    assert new(LEAF, "--force").exit_code == 0 and file.read_text() != "mine\n"


def test_documents_of_all_kinds(work):
    (work / "docs").mkdir()
    (work / "docs" / "a.md").write_text((work / "mirra.md").read_text())
    (work / "other.txt").write_text("Another text about a lake and its fish.\n")
    assert new("knowledge/folder", "--document", "docs", "--pattern", "*.md").exit_code == 0
    text = (work / "taxonomy/knowledge/folder/qna.yaml").read_text()
    assert text.endswith('document:\n  path: ../../../docs\n  patterns:\n    - "*.md"\n')
    assert new("knowledge/files", "--document", "mirra.md", "--document", "other.txt").exit_code == 0
    text = (work / "taxonomy/knowledge/files/qna.yaml").read_text()
    assert text.endswith("document:\n  path: .\n  patterns:\n    - mirra.md\n    - other.txt\n")
    assert (work / "taxonomy/knowledge/files/other.txt").is_file()
    identity = ["-c", "user.name=a", "-c", "user.email=a@example.org"]
    for command in (["init"], ["add", "."], [*identity, "commit", "-m", "first"]):
        subprocess.run(["git", *command], cwd=work / "docs", check=True, capture_output=True)
    head = subprocess.run(["git", "rev-parse", "HEAD"], cwd=work / "docs", check=True, capture_output=True, text=True)
    commit = head.stdout.strip()
    result = new("knowledge/git", "--document", f"docs@{commit}")
    assert result.exit_code == 0, result.output
    file = work / "taxonomy/knowledge/git/qna.yaml"
    assert f'repo: {work / "docs"}\n  commit: {commit}\n  patterns:\n    - "**/*.md"\n' in file.read_text()
    assert "<passage" not in file.read_text()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["birds"], "start it with"),
        (["knowledge/My Birds"], "use knowledge/my_birds"),
        ([LEAF, "--kind", "skill"], "start it with compositional_skills/"),
        ([LEAF, "--document", "nowhere.md"], "nowhere.md does not exist"),
        ([LEAF, "--document", "https://host/x.git"], "git ls-remote https://host/x.git HEAD"),
        ([LEAF, "--document", "mirra.md", "--pattern", "*.md"], "--pattern is for a folder"),
        ([LEAF, "--pattern", "*.md"], "--pattern needs --document"),
        ([LEAF, "--document", "mirra.md", "--document", "taxonomy"], "must all be files"),
        (["compositional_skills/a", "--document", "mirra.md"], "only knowledge has a document"),
    ],
)
def test_what_cannot_be_is_refused_and_nothing_is_written(work, arguments, says):
    result = new(*arguments)
    assert result.exit_code == 3 and says in result.stderr
    assert not list(work.rglob("qna.yaml"))


def test_without_a_terminal_the_path_is_needed(work):
    result = new()
    assert result.exit_code == 2 and "give PATH" in result.stderr


def test_the_guide_asks_on_a_terminal(work, monkeypatch):
    command = [sys.executable, "-m", "ilab", "taxonomy", "new", "--taxonomy-path", "taxonomy"]
    with Terminal(command, env={"ILAB_HOME": str(work / "home")}, cwd=work) as terminal:
        terminal.wait_for("Kind")
        terminal.type("knowledge\r")
        terminal.wait_for("Path of the leaf")
        terminal.type("My Lakes\r")
        terminal.wait_for("use knowledge/my_lakes")
        terminal.type("my_lakes\r")
        terminal.wait_for("Domain")
        terminal.type("geography\r")
        terminal.wait_for("Document:")
        terminal.type("mirra.md\r")
        terminal.wait_for("Your name")
        terminal.type("someone\r")
        terminal.wait_for("my_lakes/qna.yaml")
        assert terminal.process.wait(20) == 0
    file = work / "taxonomy/knowledge/my_lakes/qna.yaml"
    assert placeholders(file) == 31 and "domain: geography" in file.read_text()
