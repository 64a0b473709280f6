"""`ilab taxonomy fix` on real files."""

import json
import os

import pytest
from click.testing import CliRunner

from ilab.cli.main import cli

EXAMPLES = "".join(f"  - question: What is {n}?\n    answer: It is {n}.\n" for n in range(5))
TIDY = f"version: 3\ncreated_by: me\ntask_description: Say it.\nseed_examples:\n{EXAMPLES}"
UNTIDY = TIDY.replace("me\n", "me  \n").replace("What is 1?", "What is one, " + "please tell me, " * 10 + "?") + "\n\n"
NAME = "compositional_skills/a/qna.yaml"


@pytest.fixture
def file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    file = tmp_path / NAME
    file.parent.mkdir(parents=True)
    file.write_text(UNTIDY)
    file.with_name("attribution.txt").write_text("Title of work: none\n")
    return file


def fix(*arguments):
    return CliRunner().invoke(cli, ["taxonomy", "fix", "--taxonomy-path", ".", *arguments])


def test_findings_are_mended_and_counted(file):
    pytest.importorskip("yamllint")
    result = fix()
    assert (result.exit_code, result.stdout) == (0, f"{NAME}: 3 findings mended\n")
    assert CliRunner().invoke(cli, ["diff", "--taxonomy-path", ".", "--strict"]).exit_code == 0
    assert (fix().exit_code, fix().stdout) == (0, "Nothing to mend.\n")


def test_check_and_diff_write_nothing(file):
    check = fix("--check")
    assert check.exit_code == 3 and check.stdout.startswith(f"{NAME}: ") and "to mend" in check.stdout
    diff = fix("--diff")
    assert diff.exit_code == 0
    assert f"--- {NAME} (now)\n+++ {NAME} (mended)\n" in diff.stdout
    assert "\n-created_by: me  \n+created_by: me\n" in diff.stdout
    assert file.read_text() == UNTIDY
    assert fix().exit_code == 0 and fix("--check").exit_code == 0 and fix("--diff").stdout == ""


def test_what_is_left_is_counted(file):
    file.with_name("attribution.txt").unlink()
    result = fix(str(file.parent))
    assert "mended, 1 left" in result.stdout and "ilab taxonomy diff" in result.stderr
    assert fix("compositional_skills").stdout == f"{NAME}: nothing to mend, 1 left\n"
    (facts,) = json.loads(fix("--json").stdout)
    assert (facts["changed"], facts["left"]) == (False, 1) and "attribution" in facts["findings"][0]


def test_links_and_modes_stay(file, tmp_path):
    real = tmp_path / "real.yaml"
    file.rename(real)
    file.symlink_to(real)
    real.chmod(0o664)
    assert fix().exit_code == 0
    assert file.is_symlink() and file.readlink() == real
    assert real.stat().st_mode & 0o777 == 0o664
    assert real.read_text() != UNTIDY


@pytest.mark.parametrize("content", [b"a: b: c  \n", b"\xff\xfe", b"", b"x" * (2**20 + 10)])
def test_what_cannot_be_read_is_left(file, content):
    file.write_bytes(content)
    result = fix()
    assert result.exit_code == 0 and "nothing to mend, " in result.stdout
    assert file.read_bytes() == content


def test_line_ends_alone_are_a_change(file):
    file.write_bytes(TIDY.replace("\n", "\r\n").encode())
    assert "line ends" in fix("--diff").stdout
    assert fix().stdout == f"{NAME}: 1 finding mended\n"
    assert file.read_bytes() == TIDY.encode()


def test_a_path_that_is_not_there(file):
    result = fix("nowhere")
    assert result.exit_code == 3 and "nowhere does not exist" in result.stderr


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_cannot_be_written(file):
    file.parent.chmod(0o555)
    try:
        result = fix()
    finally:
        file.parent.chmod(0o755)
    assert result.exit_code == 1 and "cannot be written" in result.stderr
