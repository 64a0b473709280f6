"""A whole job small enough for tests: fixture taxonomy, tiny random student, scripted teacher on loopback."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.tiny_model import make_tiny_model

FIXTURES = Path(__file__).parent / "fixtures"
TAXONOMY = FIXTURES / "taxonomy"
PAIRS = FIXTURES / "flows" / "pairs.yaml"
"""A flow for small models that asks in all three ways: a line, labelled lines, pairs."""
STAGES = (
    "01-prepare",
    "02-generate",
    "03-baseline",
    "04-mix",
    "05-train-1",
    "06-select-1",
    "07-train-2",
    "07b-select-2",
    "08-evaluate",
)


def tiny_student(folder: Path) -> Path:
    """A tiny model whose tokenizer knows the fixture's words."""
    texts = [path.read_text() for path in sorted(TAXONOMY.rglob("*")) if path.is_file()]
    return make_tiny_model(folder, texts=texts)


@dataclass(slots=True)
class Job:
    """`ilab customize` on the fixtures, in its own home."""

    home: Path
    student: Path
    teacher: str
    extra: list[str] = field(default_factory=list)
    environ: dict[str, str] = field(default_factory=dict)

    @property
    def command(self) -> list[str]:
        """The command line; the same one resumes."""
        settings = {
            "training.phase1.num_epochs": 1,
            "training.state_every_seconds": 0,
            "training.threads": 1,
            "serving.threads": 1,
            "evaluation.resamples": 200,
            "evaluation.keepset": FIXTURES / "keepset.yaml",
            "evaluation.examples": 1,
            "mixing.keep_rows": 2,
            "mixing.document_repeats": 2,
            "mixing.questions_per_fact": 2,
            "sdg.scale_factor": 2,
            "sdg.flow": PAIRS,
        }
        flags = [word for name, value in settings.items() for word in ("--set", f"{name}={value}")]
        models = ["--student", str(self.student), "--judge", str(self.student)]
        teacher = ["--teacher-endpoint", self.teacher] if self.teacher else ["--teacher", str(self.student)]
        start = [
            sys.executable,
            "-m",
            "ilab",
            "customize",
            "--taxonomy-path",
            str(TAXONOMY),
            "--taxonomy-base",
            "empty",
        ]
        return [*start, *models, *teacher, "--name", "tiny", *flags, *self.extra]

    def start(self) -> subprocess.Popen[str]:
        """Start it; stdout and stderr are pipes."""
        environ = {**os.environ, "ILAB_HOME": str(self.home), "OMP_NUM_THREADS": "1", **self.environ}
        return subprocess.Popen(
            self.command, env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
        )

    def finish(self) -> tuple[int, str, str]:
        """Run it to its end: exit status, stdout, stderr."""
        process = self.start()
        out, err = process.communicate(timeout=600)
        return process.returncode, out, err

    def stop_in(self, stage: str, number: int = signal.SIGKILL, *, delay: float = 0.0) -> tuple[int, str]:
        """Start it and send a signal once `stage` has begun (and `delay` seconds passed); exit status and stderr."""
        before = self._starts()
        process = self.start()
        deadline = time.monotonic() + 300
        while time.monotonic() < deadline and process.poll() is None:
            # Until the new start has said so, the events are those of the one before.
            if self._starts() > before and any(
                event["kind"] == "stage_started" and event["stage"] == stage for event in self.events()
            ):
                time.sleep(delay)
                process.send_signal(number)
                break
            time.sleep(0.02)
        _, err = process.communicate(timeout=120)
        return process.returncode, err

    def run_folder(self) -> Path:
        """The one run of this home."""
        [folder] = (self.home / "data" / "runs").iterdir()
        return folder

    def events(self) -> list[dict[str, Any]]:
        """Its events since the last start."""
        found: list[dict[str, Any]] = []
        for event in self._all_events():
            found = [event] if event["kind"] == "run_started" else [*found, event]
        return found

    def _starts(self) -> int:
        return sum(event["kind"] == "run_started" for event in self._all_events())

    def _all_events(self) -> list[dict[str, Any]]:
        runs = self.home / "data" / "runs"
        path = self.run_folder() / "events.jsonl" if runs.exists() and any(runs.iterdir()) else None
        if path is None or not path.exists():
            return []
        found = []
        for line in path.read_text().splitlines():
            try:
                found.append(json.loads(line))
            except ValueError:  # a line that is being written
                continue
        return found

    def result(self) -> dict[str, Any]:
        """result.json."""
        content: dict[str, Any] = json.loads((self.run_folder() / "result.json").read_text())
        return content
