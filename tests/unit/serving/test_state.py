"""State files of served models."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from ilab.serving.state import announced, find_served


def test_there_while_served_and_gone_after(tmp_path: Path) -> None:
    with announced(tmp_path / "engines", port=8000, model="m", url="http://127.0.0.1:8000/v1"):
        (served,) = find_served(tmp_path / "engines")
        assert (served.pid, served.model, served.url) == (os.getpid(), "m", "http://127.0.0.1:8000/v1")
    assert find_served(tmp_path / "engines") == []
    assert list((tmp_path / "engines").iterdir()) == []


def test_the_dead_the_torn_and_the_absent_are_passed_over(tmp_path: Path) -> None:
    assert find_served(tmp_path / "none") == []
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    row = {"pid": ended.pid, "model": "m", "url": "u", "started": "2026-01-01T00:00:00.000Z"}
    (tmp_path / "8000.json").write_text(json.dumps(row))
    (tmp_path / "8001.json").write_text('{"pid"')
    (tmp_path / "8002.json").write_text(json.dumps({"pid": os.getpid(), "future": True}))
    assert find_served(tmp_path) == []


def test_the_newest_comes_first(tmp_path: Path) -> None:
    for port, year in ((1, 2024), (2, 2026), (3, 2025)):
        row = {"pid": os.getpid(), "model": str(port), "url": "u", "started": f"{year}-01-01T00:00:00.000Z"}
        (tmp_path / f"{port}.json").write_text(json.dumps(row))
    assert [served.model for served in find_served(tmp_path)] == ["2", "3", "1"]
