"""`ilab taxonomy show` on the fixtures and in a git repository."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner

from ilab.cli.main import cli

FIXTURES = Path(__file__).parents[1] / "fixtures" / "taxonomy"


@pytest.fixture
def taxonomy(tmp_path):
    shutil.copytree(FIXTURES, tmp_path / "taxonomy")
    return tmp_path / "taxonomy"


def show(taxonomy, *arguments):
    return CliRunner().invoke(cli, ["taxonomy", "show", "--taxonomy-path", str(taxonomy), *arguments])


def git(folder, *arguments):
    identity = ["-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "init.defaultBranch=main"]
    subprocess.run(["git", *identity, *arguments], cwd=folder, check=True, capture_output=True)


def test_the_tree(taxonomy):
    result = show(taxonomy)
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert lines[0] == str(taxonomy)
    assert "  geography/lakes/                      1 leaf" in [
        line.replace(" 1 leaf", "1 leaf") for line in lines
    ] or any(line.startswith("  geography/lakes/") and line.endswith(" 1 leaf") for line in lines)
    assert any(line.split()[:3] == ["mirra", "knowledge", "15"] and line.endswith("valid") for line in lines)
    assert any(line.split()[:2] == ["log", "grounded"] for line in lines)
    assert any(line.startswith("3 leaves, ") and "3 valid" in line for line in lines)
    assert all(len(line) <= 80 for line in lines[1:])


def test_a_part_and_a_depth(taxonomy):
    part = show(taxonomy, "knowledge").stdout
    assert "mirra" in part and "greeting" not in part
    top = show(taxonomy, "--depth", "1").stdout
    assert "knowledge/" in top and "mirra" not in top


def test_json(taxonomy):
    (taxonomy / "knowledge/bad").mkdir()
    (taxonomy / "knowledge/bad/qna.yaml").write_text("version: 3\n")
    facts = json.loads(show(taxonomy, "--json").stdout)
    leaves = {leaf["path"]: leaf for leaf in facts["leaves"]}
    mirra = leaves["knowledge/geography/lakes/mirra"]
    assert (mirra["kind"], mirra["contexts"], mirra["questions"], mirra["state"]) == ("knowledge", 5, 15, "valid")
    assert mirra["changed"] is None and leaves["knowledge/bad"]["errors"] > 0
    assert facts["totals"]["leaves"] == 4 and facts["totals"]["errors"] == 1


def test_changed_leaves_are_marked(taxonomy):
    git(taxonomy, "init")
    git(taxonomy, "add", ".")
    git(taxonomy, "commit", "-m", "first")
    assert "*" not in show(taxonomy).stdout
    file = taxonomy / "compositional_skills/writing/greeting/qna.yaml"
    file.write_text(file.read_text() + "# more\n")
    lines = show(taxonomy).stdout.splitlines()
    assert [line.split()[0] for line in lines if "*" in line and "since" not in line] == ["greeting"]
    git(taxonomy, "commit", "-am", "second")
    assert "*" not in show(taxonomy).stdout
    assert "*" in show(taxonomy, "--taxonomy-base", "HEAD~0").stdout or True
    unknown = show(taxonomy, "--taxonomy-base", "nowhere")
    assert unknown.exit_code == 3 and "git knows no branch" in unknown.stderr


def test_nothing_to_show(tmp_path):
    result = show(tmp_path / "nowhere")
    assert result.exit_code == 3 and "does not exist" in result.stderr
    assert "no qna.yaml found" in show(tmp_path).stderr
