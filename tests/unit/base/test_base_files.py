"""Atomic writes, JSON Lines and digests."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from ilab.base import atomic, children, clock, digest, jsonl, lazy
from ilab.errors import MissingExtra, UserFileError


def test_a_write_replaces_the_whole_file_or_nothing(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "file.json"
    atomic.write_json(path, {"a": "ä"})
    atomic.write_json(path, {"a": 2})
    assert path.read_text() == '{\n  "a": 2\n}\n'
    assert [file.name for file in path.parent.iterdir()] == ["file.json"]


def test_rows_with_odd_line_separators_survive(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    rows = [{"text": "a\u2028b\u0085c\nd"}, {"text": ""}]
    jsonl.write(path, rows)
    assert list(jsonl.read(path)) == rows
    assert jsonl.count(path) == 2


def test_a_bad_row_is_named_by_line_and_a_torn_one_can_be_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_bytes(b'{"a":1}\n[1]\n{"b"')
    with pytest.raises(UserFileError) as caught:
        list(jsonl.read(path))
    assert str(caught.value.faults[0]).startswith(f"{path}:2")
    assert list(jsonl.read(path, skip_torn=True)) == [{"a": 1}]
    jsonl.append(path, {"c": 3})
    assert list(jsonl.read(path, skip_torn=True)) == [{"a": 1}, {"c": 3}]


def test_a_folder_with_a_completion_record_is_not_read_again(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "weights").write_text("w")
    plain = digest.of_path(folder)
    (folder / "MODEL.json").write_text('{"digest": "recorded"}')
    assert digest.of_path(folder) == "recorded" != plain


def test_a_missing_package_names_the_extra() -> None:
    with pytest.raises(MissingExtra) as caught:
        lazy.check("no_such_package_here", feature="training", extra="train")
    assert caught.value.exit_code == 4
    assert "openilab[train]" in caught.value.hint


def test_a_child_is_stopped_with_everything_it_started(tmp_path: Path) -> None:
    program = "import subprocess,sys,time; p=subprocess.Popen(['sleep','60']); print(p.pid, flush=True); time.sleep(60)"
    child = children.start([sys.executable, "-c", program], log=tmp_path / "log")
    for _ in range(100):
        if child.last_lines():
            break
        import time

        time.sleep(0.05)
    grandchild = int(child.last_lines()[0])
    child.stop(grace=1)
    status = Path(f"/proc/{grandchild}/status")
    assert not status.exists() or "Z (zombie)" in status.read_text()


@pytest.mark.parametrize(("seconds", "text"), [(8, "8 s"), (185, "3 min 05 s"), (7800, "2 h 10 min")])
def test_durations_read_well(seconds: float, text: str) -> None:
    assert clock.human_duration(seconds) == text
