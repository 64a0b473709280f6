"""The git runner: time limits, credentials, a missing program."""

import time
from pathlib import Path

import pytest

from ilab.base import git
from ilab.errors import MissingError


def test_output_names_and_failures_come_back(tmp_path: Path) -> None:
    assert git.run(["init", "-q"], folder=tmp_path).ok
    (tmp_path / "a b").touch()
    (tmp_path / "é").touch()
    listed = git.run(["ls-files", "--others", "-z"], folder=tmp_path)
    assert sorted(listed.names) == ["a b", "é"]
    failed = git.run(["rev-parse", "--verify", "HEAD"], folder=tmp_path)
    assert not failed.ok
    assert "Needed a single revision" in failed.error


def test_a_command_is_ended_with_its_children_when_its_time_is_over(tmp_path: Path) -> None:
    began = time.monotonic()
    slow = ["-c", "alias.slow=!sleep 20 & echo $! > child; sleep 20", "slow"]
    git.run(["init", "-q"], folder=tmp_path)
    answer = git.run(slow, folder=tmp_path, timeout=0.5)
    assert answer.status < 0
    assert answer.error == "no answer within 0.5 seconds"
    assert time.monotonic() - began < 5
    child = Path("/proc") / (tmp_path / "child").read_text().strip() / "cmdline"
    while child.exists() and child.read_bytes():  # a killed process has no command line, and is gone soon
        assert time.monotonic() - began < 10
        time.sleep(0.02)


def test_credentials_are_never_shown(tmp_path: Path) -> None:
    url = "http://someone:secret@127.0.0.1:9/x"
    answer = git.run(["ls-remote", url], folder=tmp_path)
    assert not answer.ok
    assert "secret" not in answer.error
    assert git.without_credentials(f"at {url} and git@host:x") == "at http://127.0.0.1:9/x and git@host:x"


def test_without_git_the_hint_says_to_install_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(MissingError) as caught:
        git.run(["status"], folder=tmp_path)
    assert caught.value.exit_code == 4
    assert "install git" in caught.value.hint
