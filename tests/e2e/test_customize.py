"""The whole job on a tiny model: every stage leaves its files, the model is registered, a second call does nothing."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests import teacher_server
from tests.whole_job import STAGES, Job, tiny_student

pytestmark = pytest.mark.timeout(900)


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Job:
    home = tmp_path_factory.mktemp("whole")
    with teacher_server.serving() as (url, _):
        job = Job(home=home / "home", student=tiny_student(home / "student"), teacher=url)
        status, out, err = job.finish()
        assert status == 0, err
        assert "report.html" in out
        (home / "stdout.txt").write_text(out)
        again, _, err = job.finish()
        assert again == 0
        assert err.count("done before") == len(STAGES), "a second call skips every stage"
    return job


def ilab(job: Job, *arguments: str) -> subprocess.CompletedProcess[str]:
    environ = {**os.environ, "ILAB_HOME": str(job.home)}
    command = [sys.executable, "-m", "ilab", *arguments]
    return subprocess.run(command, env=environ, capture_output=True, text=True, timeout=120)


def test_every_stage_is_done_and_the_result_names_the_files_behind_it(done: Job) -> None:
    folder = done.run_folder()
    assert tuple(sorted(path.name for path in (folder / "stages").iterdir())) == STAGES
    result = done.result()
    assert result["model"] == "local/tiny"
    assert {"keep"} <= set(result["accuracy"])
    for name in result["reports"]:
        assert "general questions" in (folder / name).read_text()


def test_training_files_hold_documents_questions_and_skills_in_the_message_format(done: Job) -> None:
    mixed = done.run_folder() / "stages" / "04-mix"
    rows = [json.loads(line) for line in (mixed / "phase1.jsonl").read_text().splitlines()]
    kinds = {json.loads(row["metadata"])["kind"] for row in rows}
    assert kinds == {"document", "sentence", "knowledge", "keep"} or kinds == {"document", "sentence", "knowledge"}
    assert {"messages", "metadata", "id", "unmask"} <= set(rows[0])
    skills = [json.loads(line) for line in (mixed / "phase2.jsonl").read_text().splitlines()]
    assert {"freeform_skill", "grounded_skill"} <= {json.loads(row["metadata"])["kind"] for row in skills}


def test_wrong_teacher_answers_are_rejected_with_their_reason(done: Job) -> None:
    rejected = (done.run_folder() / "stages/02-generate/rejected.jsonl").read_text()
    assert "999 metres" in rejected and "a number of the answer is not in the document" in rejected


def test_the_model_is_listed_holds_both_forms_and_answers(done: Job) -> None:
    listed = json.loads(ilab(done, "model", "list", "--json").stdout)
    assert any("tiny" in json.dumps(entry) for entry in listed)
    stored = done.home / "data" / "models" / "local" / "tiny"
    assert {"model.gguf", "model.safetensors", "MODEL.json"} <= {path.name for path in stored.iterdir()}
    # Each of some forty tokens is as likely as the others to be the first one, and one of them ends the answer.
    said = [_asked(done, seed) for seed in (1, 2, 3)]
    assert any(one.returncode == 0 for one in said), said[0].stderr
    assert all("Traceback" not in one.stderr for one in said)


def _asked(job: Job, seed: int) -> subprocess.CompletedProcess[str]:
    question = ["-t", "1.5", "--max-tokens", "8", "--qq", "What is Lake Mirra?"]
    return ilab(job, "model", "chat", "-m", "tiny", "--set", f"chat.seed={seed}", *question)


def test_the_run_can_be_listed_and_shown(done: Job) -> None:
    run = done.run_folder().name
    listed = json.loads(ilab(done, "run", "list", "--json").stdout)
    assert [entry["id"] for entry in listed] == [run]
    assert listed[0]["state"] == "finished"
    assert "05-train-1" in ilab(done, "run", "show", run[-4:]).stdout


def test_no_secret_and_no_absolute_surprise_in_the_manifest(done: Job) -> None:
    manifest = json.loads((done.run_folder() / "manifest.json").read_text())
    assert manifest["settings"]["training"]["seed"] == 42
    assert "teacher_api_key" not in json.dumps(manifest["settings"].get("models", {})) or not manifest["settings"][
        "models"
    ].get("teacher_api_key")


def test_single_commands_run_the_same_rooms(done: Job, tmp_path: Path) -> None:
    data = done.run_folder() / "stages/04-mix/phase2.jsonl"
    trained = ilab(
        done, "model", "train", "--data-path", str(data), "--model-path", str(done.student), "--num-epochs", "1"
    )  # fmt: skip
    assert trained.returncode == 0, trained.stderr
    assert "Training finished! Best final checkpoint: samples_" in trained.stdout
    with teacher_server.serving() as (url, _):
        made = ilab(
            done, "data", "generate", "--taxonomy-path", str(Path(__file__).parent.parent / "fixtures/taxonomy"),
            "--taxonomy-base", "empty", "--endpoint-url", url, "--sdg-scale-factor", "1",
            "--set", f"models.judge={done.student}", "--output-dir", str(tmp_path / "datasets"),
        )  # fmt: skip
    assert made.returncode == 0, made.stderr
    names = sorted(path.name.split("_2")[0] for path in (tmp_path / "datasets").iterdir())
    assert {"knowledge_train_msgs", "node_datasets", "skills_recipe", "skills_train_msgs"} <= set(names)
    assert "Mixed Dataset saved to" in made.stdout
