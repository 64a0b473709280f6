"""`ilab model train --name` keeps a model that `ilab model chat` takes: with its GGUF, and with its run on record."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.whole_job import tiny_student

from ilab.cli.model_choice import newest_tuned
from ilab.models.store import ModelStore

pytestmark = pytest.mark.timeout(600)


def train(home: Path, student: Path, rows: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    settings = ["--num-epochs", "1", "--set", "training.threads=1", "--set", "serving.threads=1"]
    command = [sys.executable, "-m", "ilab", "model", "train", "--data-path", str(rows), "--model-path", str(student)]
    environ = {**os.environ, "ILAB_HOME": str(home), "OMP_NUM_THREADS": "1"}
    return subprocess.run(
        [*command, *settings, *arguments], env=environ, capture_output=True, text=True, timeout=300
    )  # fmt: skip


def test_the_trained_model_is_kept_with_its_gguf_and_its_run_also_under_a_second_name(tmp_path: Path) -> None:
    home, rows = tmp_path / "home", tmp_path / "rows.jsonl"
    student = tiny_student(tmp_path / "student")
    turns = [{"role": "user", "content": "How deep is it?"}, {"role": "assistant", "content": "30 metres"}]
    rows.write_text("".join(json.dumps({"messages": turns, "metadata": "{}"}) + "\n" for _ in range(4)))
    for name in ("first", "second"):
        ended = train(home, student, rows, "--name", name, "--json")
        assert ended.returncode == 0, ended.stderr
        assert json.loads(ended.stdout)["model"] == f"local/{name}"
    assert "05-train-1" in ended.stderr and "done before" in ended.stderr, "another name is no reason to train again"
    [run] = (home / "data" / "runs").iterdir()
    store = ModelStore(home / "data" / "models")
    for model in store.list():
        assert set(model.record.formats) == {"safetensors", "gguf"}
        assert model.record.provenance["run"] == run.name
        assert model.record.provenance["base_model"] == str(student)
    newest = newest_tuned(store)
    assert newest is not None and newest.name == "local/second"
