"""How errors look and what exit status they give."""

import ast
import errno
import json
import os
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from ilab.cli import report
from ilab.cli.main import cli
from ilab.errors import Fault, Interrupted, MissingExtra, MissingModel, TeacherError, UserFileError

TAXONOMY = Path(__file__).parents[1] / "fixtures" / "taxonomy"


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


SPACE = "hint: free some space (`ilab run prune` removes old runs), then run the same command again\n"


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_is_told_wherever_it_is_met(number):
    named = OSError(number, os.strerror(number), "/data/run/lock")
    assert outcome(named) == (4, f"error: no space left on the disk that holds /data/run/lock\n{SPACE}")
    assert outcome(OSError(number, os.strerror(number))) == (4, f"error: no space left on the disk\n{SPACE}")


def test_a_home_that_cannot_be_written_is_told_and_a_missing_file_in_it_is_a_bug(_own_home):
    inside = _own_home / "data" / "runs"
    closed = OSError(errno.EROFS, "Read-only file system", str(inside))
    hint = "hint: make it writable, or set ILAB_HOME to a folder that is\n"
    assert outcome(closed) == (4, f"error: cannot write to {inside.parent}: read-only file system\n{hint}")
    missing = FileNotFoundError(errno.ENOENT, "No such file or directory", str(inside))
    status, text = outcome(missing)
    assert (status, "this is a bug in ilab" in text) == (1, True)


def test_the_traceback_of_a_full_disk_comes_with_v_only():
    status, text = outcome(OSError(errno.ENOSPC, "No space left on device"), verbose=True)
    assert (status, "Traceback (most recent call last)" in text) == (4, True)


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


def run_ilab(*arguments: str, home, env=None, **options):
    environ = {**os.environ, "ILAB_HOME": str(home), "NO_COLOR": "", **(env or {})}
    return subprocess.run([sys.executable, "-m", "ilab", *arguments], env=environ, text=True, check=False, **options)


def test_a_real_process_keeps_data_and_errors_apart(tmp_path):
    done = run_ilab("config", "path", home=tmp_path, capture_output=True)
    assert (done.returncode, done.stderr) == (0, "")
    failed = run_ilab("run", "show", "nothing", home=tmp_path, capture_output=True)
    assert (failed.returncode, failed.stdout) == (4, "")
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


@pytest.mark.parametrize("home", ["/proc/x", "/dev/null/x", "/dev/null"])
@pytest.mark.parametrize(
    "command", [["config", "init", "--non-interactive"], ["customize", "--taxonomy-path", str(TAXONOMY)]]
)
@pytest.mark.skipif(not Path("/proc/self").exists(), reason="needs the folders of Linux")
def test_a_home_that_cannot_be_made_is_no_bug(home, command):
    done = run_ilab(*command, home=home, capture_output=True)
    assert done.returncode == 4, done.stderr
    assert f"error: cannot write to {home}" in done.stderr
    assert "hint: make it writable, or set ILAB_HOME to a folder that is\n" in done.stderr


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_output_to_a_full_disk_is_no_bug(tmp_path):
    with Path("/dev/full").open("w") as full:
        done = run_ilab("config", "show", home=tmp_path, stdout=full, stderr=subprocess.PIPE)
    assert (done.returncode, done.stderr) == (4, f"error: no space left on the disk\n{SPACE}")


@pytest.mark.parametrize("letters", ["ascii", "latin-1"])
def test_a_narrow_locale_reads_and_writes_every_letter(tmp_path, letters):
    narrow = {"PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "LC_ALL": "C", "PYTHONIOENCODING": letters}
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "config.yaml").write_text("taxonomy:\n  path: /to →\n", encoding="utf-8")
    done = run_ilab("config", "show", home=tmp_path, env=narrow, capture_output=True, encoding="utf-8")
    assert (done.returncode, done.stderr) == (0, "")
    # click writes UTF-8 where Python thinks that only ASCII is understood
    assert ("/to →" if letters == "ascii" else r"/to \u2192") in done.stdout
    done = run_ilab("config", "show", "--json", home=tmp_path, env=narrow, capture_output=True, encoding="utf-8")
    assert json.loads(done.stdout)["taxonomy.path"]["value"] == "/to →"


def test_no_file_is_read_or_written_in_the_letters_of_the_locale():
    """`python -X warn_default_encoding` warns of each; this finds them without running every line."""
    source = Path(report.__file__).parents[1]
    bare = [
        f"{file.relative_to(source)}:{node.lineno}"
        for file in sorted(source.rglob("*.py"))
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and _in_the_locale(node)
    ]
    assert bare == []


def _in_the_locale(call: ast.Call) -> bool:
    """A `read_text` or `write_text` of a path without its encoding; `atomic.write_text` has UTF-8 built in."""
    if not isinstance(call.func, ast.Attribute) or call.func.attr not in ("read_text", "write_text"):
        return False
    named = any(keyword.arg == "encoding" for keyword in call.keywords) or "utf-8" in ast.unparse(call)
    return not named and ast.unparse(call.func.value) != "atomic"
