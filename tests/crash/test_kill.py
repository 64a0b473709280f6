"""kill -9 in every stage, then the same command again: the result equals that of an unbroken run."""

from __future__ import annotations

import json
import signal
from pathlib import Path
from typing import Any

import pytest
from tests import teacher_server
from tests.whole_job import STAGES, Job, tiny_student

from ilab.base import digest

pytestmark = pytest.mark.timeout(900)


def outcome(job: Job) -> dict[str, Any]:
    """What must not differ: samples, training rows, the final weights, the scores."""
    stages = job.run_folder() / "stages"
    weights = job.home / "data/models/local/tiny/model.safetensors"
    return {
        "samples": digest.of_file(stages / "02-generate/samples.jsonl"),
        "phase1": digest.of_file(stages / "04-mix/phase1.jsonl"),
        "weights": digest.of_file(weights),
        "scorecard": json.loads((stages / "08-evaluate/scorecard.json").read_text()),
        "checkpoint": job.result()["checkpoint"],
    }


def skipped(job: Job) -> set[str]:
    """The stages that the last start found done."""
    return {event["stage"] for event in job.events() if event["kind"] == "stage_skipped"}


def test_killed_in_every_stage_it_ends_with_the_same_model_and_numbers(tmp_path: Path) -> None:
    student = tiny_student(tmp_path / "student")
    with teacher_server.serving() as (url, _):
        plain = Job(home=tmp_path / "plain", student=student, teacher=url)
        assert plain.finish()[0] == 0
        broken = Job(home=tmp_path / "broken", student=student, teacher=url)
        for number, stage in enumerate(STAGES):
            last = stage == STAGES[-1]
            status, err = broken.stop_in(stage, signal.SIGKILL, delay=0 if last else 0.05 + 0.4 * (number % 3))
            assert status == -signal.SIGKILL, (stage, err)
            assert skipped(broken) >= set(STAGES[: max(0, number - 1)]), "no finished stage is done again"
        status, _, err = broken.finish()
    assert status == 0, err
    assert skipped(broken) >= set(STAGES[:-1])
    assert outcome(broken) == outcome(plain)


@pytest.mark.parametrize("stage", ["02-generate", "05-train-1"])
def test_control_c_ends_with_130_and_the_same_command_goes_on(stage: str, tmp_path: Path) -> None:
    with teacher_server.serving() as (url, _):
        job = Job(home=tmp_path / "home", student=tiny_student(tmp_path / "student"), teacher=url)
        status, err = job.stop_in(stage, signal.SIGINT, delay=0.3)
        assert status == 130, err
        assert "ilab run resume" in err
        assert "Traceback" not in err
        status, _, err = job.finish()
    assert status == 0, err
    assert skipped(job) >= set(STAGES[: STAGES.index(stage)])
