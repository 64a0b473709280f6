"""`ilab taxonomy diff` over real files and a real git repository."""

import json
import subprocess
import sys

import pytest
from click.testing import CliRunner
from tests.terminal import Terminal

from ilab.cli.main import cli

EXAMPLE = "  - question: What is {number} plus one?\n    answer: It is {next}.\n"
SKILL = "version: 3\ncreated_by: someone\ntask_description: Add one to a number.\nseed_examples:\n" + "".join(
    EXAMPLE.format(number=number, next=number + 1) for number in range(1, 6)
)
NAME = "compositional_skills/math/adding/qna.yaml"


@pytest.fixture
def taxonomy(tmp_path, monkeypatch):
    monkeypatch.setenv("ILAB_HOME", str(tmp_path / "home"))
    folder = tmp_path / "taxonomy"
    write(folder, NAME, SKILL)
    return folder


def write(taxonomy, name, text):
    file = taxonomy / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    file.with_name("attribution.txt").write_text("Title of work: none\n")


def git(folder, *arguments):
    identity = ["-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "init.defaultBranch=main"]
    subprocess.run(["git", *identity, *arguments], cwd=folder, check=True, capture_output=True)


def diff(taxonomy, *arguments):
    return CliRunner().invoke(cli, ["taxonomy", "diff", "--taxonomy-path", str(taxonomy), *arguments])


def test_a_valid_taxonomy_is_told_as_the_reference_does(taxonomy):
    result = diff(taxonomy)
    assert (result.exit_code, result.stdout, result.stderr) == (0, f"{NAME}\nTaxonomy in {taxonomy} is valid :)\n", "")


def test_every_finding_has_its_place_and_the_exit_status_is_that_of_a_wrong_file(taxonomy):
    write(taxonomy, NAME, SKILL.replace("description: Add", "description: now: Add") + "# " + "x" * 130 + "\n")
    write(taxonomy, "knowledge/a/qna.yaml", "version: 3\n")
    result = diff(taxonomy)
    assert result.exit_code == 3
    names, found = result.stdout.splitlines()[:2], result.stdout.splitlines()[2:]
    assert names == [NAME, "knowledge/a/qna.yaml"]
    assert found[0].startswith(f"{NAME}:3:22: error: syntax error: mapping values are not allowed here (")
    assert f"{NAME}:15:121: warning: line too long (132 > 120 characters) (line-length)" in found
    assert any(line.startswith("knowledge/a/qna.yaml:1:1: error: ") for line in found)
    assert result.stderr == "Reading taxonomy failed with the following error: 2 taxonomies with errors! Exiting.\n"


def test_a_leaf_whose_document_is_not_filled_in_is_not_valid(taxonomy):
    document = "document:\n  repo: ${REPO}\n  commit: ${COMMIT}\n  patterns: [a.md]\n"
    write(taxonomy, "knowledge/a/qna.yaml", f"version: 3\n{document}")
    result = diff(taxonomy)
    assert result.exit_code == 3 and "is valid" not in result.stdout
    assert "knowledge/a/qna.yaml:3:9: error: `repo` still has the placeholder `${REPO}` (fill it in)" in result.stdout
    assert "knowledge/a/qna.yaml:4:11: error: `commit` still has the placeholder `${COMMIT}`" in result.stdout


def test_one_file_with_errors_is_counted_as_one(taxonomy):
    write(taxonomy, NAME, "version: 3\n")
    assert "1 taxonomy with errors! Exiting." in diff(taxonomy).stderr


def test_quiet_leaves_the_exit_status(taxonomy):
    assert (diff(taxonomy, "--quiet").exit_code, diff(taxonomy, "--quiet").output) == (0, "")
    write(taxonomy, NAME, "version: 3\n")
    assert (diff(taxonomy, "--quiet").exit_code, diff(taxonomy, "--quiet").output) == (3, "")


def test_json(taxonomy):
    write(taxonomy, NAME, SKILL.replace("seed_examples", "seed_exmples"))
    result = diff(taxonomy, "--json")
    assert result.exit_code == 3
    facts = json.loads(result.stdout)
    assert (facts["changed"], facts["valid"], facts["base"]) == ([NAME], False, "empty")
    (finding,) = facts["findings"]
    assert (finding["path"], finding["line"], finding["column"]) == (NAME, 4, 1)
    assert "seed_examples" in finding["hint"]


def test_only_leaves_changed_since_the_base_are_listed(taxonomy):
    git(taxonomy, "init")
    git(taxonomy, "add", ".")
    git(taxonomy, "commit", "-m", "first")
    other = NAME.replace("adding", "more")
    write(taxonomy, other, SKILL)
    result = diff(taxonomy, "--taxonomy-base", "main")
    assert result.stdout == f"{other}\nTaxonomy in {taxonomy} is valid :)\n"
    unknown = diff(taxonomy, "--taxonomy-base", "nowhere")
    assert unknown.exit_code == 3
    assert "git knows no branch, tag or commit `nowhere`" in unknown.stderr and "`main`" in unknown.stderr


def test_own_rules_and_strictness(taxonomy, tmp_path):
    pytest.importorskip("yamllint")
    rules = tmp_path / "rules.yaml"
    rules.write_text("rules: {line-length: {max: 20, level: error}}\n")
    result = diff(taxonomy, "--yaml-rules", str(rules))
    assert result.exit_code == 0
    assert "warning: line too long" in result.stdout
    assert diff(taxonomy, "--yaml-rules", str(rules), "--strict").exit_code == 3


def test_a_taxonomy_that_is_not_there_or_empty(taxonomy, tmp_path):
    result = diff(tmp_path / "nowhere")
    assert result.exit_code == 3
    assert f"the taxonomy {tmp_path / 'nowhere'} does not exist" in result.stderr and "hint:" in result.stderr
    default = CliRunner().invoke(cli, ["diff"])
    assert default.exit_code == 3
    assert str(tmp_path / "home" / "data" / "taxonomy") in default.stderr
    (tmp_path / "empty").mkdir()
    assert "no qna.yaml found" in diff(tmp_path / "empty").stderr


def test_a_terminal_shows_the_place_in_the_file(taxonomy, tmp_path):
    write(taxonomy, NAME, SKILL.replace("description: Add", "description: now: Add"))
    command = [sys.executable, "-m", "ilab", "diff", "--taxonomy-path", str(taxonomy)]
    with Terminal(command, env={}, cwd=tmp_path) as terminal:
        assert terminal.end() == 3
        lines = terminal.text.splitlines()
        raw = terminal.raw
    place = lines.index("    task_description: now: Add one to a number.")
    assert lines[place + 1] == "                         ^"
    assert lines[place + 1].index("^") - 4 == 22 - 1
    assert all(len(line) <= 80 for line in lines[:-1])  # the last is the one of the reference
    assert "\x1b[31m" in raw
