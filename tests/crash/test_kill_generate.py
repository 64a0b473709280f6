"""kill -9 while the teacher answers: what it answered is never asked again, and the samples are those of one run."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest
from tests import teacher_server
from tests.faulty_server import Script, saying, serving, slow
from tests.whole_job import PAIRS, TAXONOMY, tiny_student

pytestmark = pytest.mark.timeout(600)

WORKERS = 2


def teacher() -> Script:
    """A slow teacher of one model; `asked` has every request."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        if handler.command == "GET":
            slow(0, {"data": [{"id": "scripted"}]})(handler)
            return
        messages = handler.body["messages"]  # type: ignore[attr-defined]
        slow(0.1, saying(teacher_server.answer(messages)))(handler)

    return Script(answer)


def questions(script: Script) -> list[str]:
    """What the teacher was asked, without requests for the list of models."""
    return [json.dumps(body, sort_keys=True) for path, body, _ in script.asked if path.endswith("completions")]


class Generation:
    """`ilab data generate` on the fixtures, in its own home."""

    def __init__(self, home: Path, student: Path, url: str) -> None:
        self.home, self.student, self.url = home, student, url

    def start(self, *more: str) -> subprocess.Popen[str]:
        settings = {"models.judge": self.student, "models.student": self.student, "serving.threads": 1}
        flags = [word for name, value in settings.items() for word in ("--set", f"{name}={value}")]
        taxonomy = ["--taxonomy-path", str(TAXONOMY), "--taxonomy-base", "empty"]
        teacher = ["--endpoint-url", self.url, "--teacher-model", "scripted", "--pipeline", str(PAIRS)]
        size = ["--num-cpus", str(WORKERS), "--sdg-scale-factor", "12"]
        return subprocess.Popen(
            [sys.executable, "-m", "ilab", "data", "generate", *taxonomy, *teacher, *size, *flags, *more],
            env={**os.environ, "ILAB_HOME": str(self.home), "OMP_NUM_THREADS": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def finish(self, *more: str) -> None:
        process = self.start(*more)
        _, err = process.communicate(timeout=300)
        assert process.returncode == 0, err

    def kill_at(self, answers: int) -> None:
        """Start it, and kill it once the journal has so many lines."""
        process = self.start()
        deadline = time.monotonic() + 120
        while self.remembered() < answers:
            assert process.poll() is None and time.monotonic() < deadline, process.communicate()[1]
            time.sleep(0.005)
        process.send_signal(signal.SIGKILL)
        process.communicate(timeout=60)

    def remembered(self) -> int:
        """Whole lines of the journal."""
        return sum(file.read_bytes().count(b"\n") for file in self.home.rglob("journal/*.jsonl"))

    def outcome(self) -> list[tuple[bytes, bytes]]:
        """Samples and rejected rows of each run, oldest first."""
        stages = sorted(self.home.glob("data/runs/*/stages/02-generate"))
        return [((stage / "samples.jsonl").read_bytes(), (stage / "rejected.jsonl").read_bytes()) for stage in stages]


def test_what_was_answered_before_a_kill_is_not_asked_again_and_a_replay_asks_nothing(tmp_path: Path) -> None:
    student = tiny_student(tmp_path / "student")
    script = teacher()
    with serving(script) as url:
        plain = Generation(tmp_path / "plain", student, url)
        plain.finish()
        needed = len(questions(script))
        assert needed == len(set(questions(script))) == plain.remembered() > 20

        script.asked.clear()
        broken = Generation(tmp_path / "broken", student, url)
        for answers in (needed // 3, needed - 5):
            broken.kill_at(answers)
            kept, asked = broken.remembered(), len(questions(script))
            assert asked - kept <= WORKERS * 2, "only requests in flight are lost"
        broken.finish()
        assert len(questions(script)) - asked == needed - kept, "none that was answered is asked again"
        assert broken.outcome() == plain.outcome()
        script.asked.clear()
    broken.finish("--replay")
    assert questions(script) == []
    assert broken.outcome() == plain.outcome() * 2
