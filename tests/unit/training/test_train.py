"""The whole of `train` with its real process: results, resuming, refusals and errors."""

import shutil
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="needs the train extra")
pytest.importorskip("transformers", reason="needs the train extra")

from tests.unit.training.tiny_rows import chat_row, rows, tiny_model, write_rows  # noqa: E402

from ilab.base import jsonl  # noqa: E402
from ilab.base.report import ListReporter  # noqa: E402
from ilab.errors import Interrupted, TrainingError  # noqa: E402
from ilab.training.checkpoints import Checkpoint  # noqa: E402
from ilab.training.settings import PhaseSettings, TrainSettings  # noqa: E402
from ilab.training.train import train  # noqa: E402

PHASE = PhaseSettings(num_epochs=30, learning_rate=3e-3)
SETTINGS = TrainSettings(batch_tokens=64, checkpoints_per_phase=3, threads=1, device="cpu", max_seq_len=200)


class Impatient(ListReporter):
    """Interrupts the work as soon as it reports a step."""

    def metric(self, name: str, value: float, **fields: Any) -> None:
        """Keep the metric, then interrupt."""
        super().metric(name, value, **fields)
        raise Interrupted("interrupted")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_model(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture(scope="module")
def training_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    long = chat_row("Tell me more.", "And so on. " * 100, "long")
    return write_rows(tmp_path_factory.mktemp("rows") / "phase1.jsonl", [*rows(), long])


def start(model: Path, rows: Path, out: Path, *, report: Any = None, **settings: Any) -> list[Checkpoint]:
    chosen = SETTINGS.model_copy(update=settings)
    return train(model=model, rows=rows, out=out, phase=PHASE, settings=chosen, report=report or ListReporter())


@pytest.fixture(scope="module")
def finished(model: Path, training_file: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, ListReporter]:
    out = tmp_path_factory.mktemp("finished") / "out"
    report = ListReporter()
    start(model, training_file, out, report=report)
    return out, report


def test_checkpoints_metrics_and_progress(finished: tuple[Path, ListReporter], model: Path, training_file: Path):
    out, report = finished
    found = start(model, training_file, out)
    assert [one.epoch for one in found] == [10, 20, 30]
    assert found[-1].samples == 30 * len(rows())
    assert found[0].loss > found[1].loss > found[2].loss
    metrics = list(jsonl.read(out / "metrics.jsonl"))
    assert [row["step"] for row in metrics] == list(range(1, found[-1].step + 1))
    assert all(row["grad_norm"] > 0 for row in metrics)
    progress = [event for event in report.events if event["kind"] == "progress"]
    assert progress[-1]["done"] == progress[-1]["total"] == found[-1].tokens
    losses = [event for event in report.events if event["kind"] == "metric"]
    assert losses[-1]["name"] == "loss"
    assert losses[-1]["value"] == metrics[-1]["loss"]
    assert losses[-1]["step"] == found[-1].step
    assert not (out / "state").exists()


def test_rows_left_out_are_told(finished: tuple[Path, ListReporter]):
    out, report = finished
    warnings = [event["message"] for event in report.events if event["kind"] == "warning"]
    assert warnings == ["1 training rows are left out: longer than 200 tokens"]
    assert [row["id"] for row in jsonl.read(out / "dropped.jsonl")] == ["long"]


def test_a_finished_training_returns_at_once_and_writes_nothing(
    finished: tuple[Path, ListReporter], model: Path, training_file: Path
):
    out, _ = finished
    before = {path: path.stat().st_mtime_ns for path in out.rglob("*")}
    report = ListReporter()
    assert len(start(model, training_file, out, report=report, state_every_seconds=5.0)) == 3
    assert {path: path.stat().st_mtime_ns for path in out.rglob("*")} == before
    assert report.events == []


def test_other_settings_in_the_same_folder_are_refused(
    finished: tuple[Path, ListReporter], model: Path, training_file: Path
):
    with pytest.raises(TrainingError, match="another model, other rows or other settings"):
        start(model, training_file, finished[0], batch_tokens=128)


def test_an_interrupted_training_goes_on_to_the_same_result(
    finished: tuple[Path, ListReporter], model: Path, training_file: Path, tmp_path: Path
):
    out = tmp_path / "out"
    with pytest.raises(Interrupted):
        start(model, training_file, out, report=Impatient())
    reached = len(list(jsonl.read(out / "metrics.jsonl")))
    report = ListReporter()
    found = start(model, training_file, out, report=report)
    steps = [event["step"] for event in report.events if event["kind"] == "metric"]
    assert steps == sorted(set(steps))
    assert reached <= found[-1].step
    for one in found:
        other = finished[0] / "checkpoints" / one.path.name
        assert (one.path / "DONE.json").read_bytes() == (other / "DONE.json").read_bytes()
        assert (one.path / "model.safetensors").read_bytes() == (other / "model.safetensors").read_bytes()


def test_what_goes_wrong_in_the_process_is_told_here(model: Path, training_file: Path, tmp_path: Path):
    from safetensors.torch import load_file, save_file

    broken = shutil.copytree(model, tmp_path / "broken")
    weights = load_file(broken / "model.safetensors")
    weights["model.norm.weight"].fill_(float("nan"))
    save_file(weights, broken / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(TrainingError, match="other results than single ones"):
        start(broken, training_file, tmp_path / "out")


def test_a_process_that_breaks_is_quoted(model: Path, training_file: Path, tmp_path: Path):
    broken = shutil.copytree(model, tmp_path / "broken")
    config = (broken / "config.json").read_text()
    (broken / "config.json").write_text(config.replace('"llama"', '"no-such-architecture"'))
    with pytest.raises(TrainingError, match="ended with status 1") as caught:
        start(broken, training_file, tmp_path / "out")
    assert any("no-such-architecture" in line for line in caught.value.details)


def test_a_file_without_a_row_to_train_is_refused(model: Path, tmp_path: Path):
    path = write_rows(tmp_path / "rows.jsonl", [chat_row("Hi", "And so on. " * 100, "long")])
    with pytest.raises(TrainingError, match="no row to train"):
        start(model, path, tmp_path / "out")
