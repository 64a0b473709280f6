"""How errors look and what exit status they give."""

import os
import subprocess
import sys

import click
import pytest
from click.testing import CliRunner

from ilab.cli import report
from ilab.cli.main import cli
from ilab.errors import Fault, Interrupted, MissingExtra, MissingModel, TeacherError, UserFileError


def outcome(error: BaseException, *, verbose: bool = False) -> tuple[int, str]:
    """Exit status and stderr when the work raises `error`."""

    @click.command()
    def command() -> None:
        def work() -> None:
            raise error

        raise SystemExit(report.run(work, verbose=lambda: verbose))

    result = CliRunner().invoke(command)
    assert result.stdout == ""
    return result.exit_code, result.stderr


@pytest.mark.parametrize(
    ("error", "status", "text"),
    [
        (
            TeacherError("the teacher does not answer", hint="is it running?", details=["try 1: timed out"]),
            1,
            "error: the teacher does not answer\n  try 1: timed out\nhint: is it running?\n",
        ),
        (
            UserFileError("the taxonomy has 1 fault", [Fault(path="a/qna.yaml", line=3, message="no `version`")]),
            3,
            "error: the taxonomy has 1 fault\n  a/qna.yaml:3: error: no `version`\n",
        ),
        (
            MissingExtra("training", "train"),
            4,
            "error: training needs packages that are not installed\nhint: pip install 'openilab[train]'\n",
        ),
        (MissingModel("there is no model `x`"), 4, "error: there is no model `x`\n"),
        (Interrupted("stopped", hint="go on"), 130, "error: stopped\nhint: go on\n"),
        (
            ZeroDivisionError("by zero"),
            1,
            "error: ZeroDivisionError: by zero\nhint: this is a bug in ilab; run again with -v to see the traceback\n",
        ),
        (click.ClickException("Could not do it."), 1, "error: could not do it\n"),
        (click.UsageError("No such thing."), 2, "error: no such thing\n"),
        (click.Abort(), 130, "error: interrupted\n"),
    ],
)
def test_message_and_status(error, status, text):
    assert outcome(error) == (status, text)


def test_the_traceback_comes_with_v_only():
    status, text = outcome(ZeroDivisionError("by zero"), verbose=True)
    assert status == 1
    assert "Traceback (most recent call last)" in text
    assert text.endswith("error: ZeroDivisionError: by zero\n")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["cofig"], "error: no such command: cofig; did you mean `config`?\n"),
        (["sysinf"], "did you mean `sysinfo`?"),
        (["config", "shwo"], "error: no such command: shwo; did you mean `show`?\n"),
        (["config", "show", "--jsn"], "error: no such option '--jsn'"),
        (["run", "list", "--state", "odd"], "error: invalid value for '--state'"),
        (["run", "stop", "--timeout", "x"], "error: invalid value for '--timeout'"),
        (["xyzzy"], "error: no such command: xyzzy\n"),
    ],
)
def test_usage_errors_exit_2(arguments, said):
    result = CliRunner().invoke(cli, arguments)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert result.stderr.startswith("Usage: ilab ")
    assert said in result.stderr
    assert "--help` shows what can be given here" in result.stderr


def run_ilab(*arguments: str, home, **options):
    environ = {**os.environ, "ILAB_HOME": str(home), "NO_COLOR": ""}
    return subprocess.run([sys.executable, "-m", "ilab", *arguments], env=environ, text=True, check=False, **options)


def test_a_real_process_keeps_data_and_errors_apart(tmp_path):
    done = run_ilab("config", "path", home=tmp_path, capture_output=True)
    assert (done.returncode, done.stderr) == (0, "")
    failed = run_ilab("run", "show", "nothing", home=tmp_path, capture_output=True)
    assert (failed.returncode, failed.stdout) == (1, "")
    assert failed.stderr == "error: there are no runs yet\nhint: `ilab customize` starts one\n"


def test_a_closed_pipe_is_no_error(tmp_path):
    reader, writer = os.pipe()
    os.close(reader)
    try:
        done = run_ilab("config", "show", home=tmp_path, stdout=writer, stderr=subprocess.PIPE)
    finally:
        os.close(writer)
    assert done.stderr == ""


def test_a_question_without_an_answer_is_told(tmp_path):
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "config.yaml").write_text("")
    done = run_ilab("config", "init", home=tmp_path, stdin=subprocess.DEVNULL, capture_output=True)
    assert done.returncode == 1
    assert "a question was asked, and standard input gave no answer" in done.stderr
