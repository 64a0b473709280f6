"""A checkpoint folder is whole or not there."""

import json
from pathlib import Path

import pytest

from ilab.base import digest
from ilab.errors import TrainingError
from ilab.training import checkpoints
from ilab.training.checkpoints import Checkpoint


@pytest.fixture
def base(tmp_path: Path) -> Path:
    folder = tmp_path / "base"
    folder.mkdir()
    config = {"model_type": "llama", "torch_dtype": "bfloat16", "quantization_config": {"bits": 4}}
    (folder / "config.json").write_text(json.dumps(config))
    for name in ("tokenizer.json", "chat_template.jinja", "LICENSE", "model.safetensors", "x.gguf", "MODEL.json"):
        (folder / name).write_text(name)
    return folder


def row(out: Path, step: int = 400, samples: int = 1945) -> Checkpoint:
    return Checkpoint(
        path=checkpoints.folder_of(out, step),
        name=f"samples_{samples}",
        step=step,
        epoch=2,
        samples=samples,
        tokens=90_000,
        loss=1.25,
    )


def weights(path: Path) -> str:
    path.write_bytes(b"weights")
    return "abc"


def full_disk(path: Path) -> str:
    path.write_bytes(b"wei")
    raise OSError("the disk went away")


def test_a_checkpoint_is_a_model_folder_with_a_record(tmp_path: Path, base: Path):
    checkpoints.write(tmp_path, row(tmp_path), base=base, weights=weights)
    folder = tmp_path / "checkpoints" / "step-000400"
    assert sorted(path.name for path in folder.iterdir()) == [
        "DONE.json",
        "LICENSE",
        "chat_template.jinja",
        "config.json",
        "model.safetensors",
        "tokenizer.json",
    ]
    assert json.loads((folder / "config.json").read_text()) == {"model_type": "llama", "dtype": "float32"}
    assert checkpoints.find(tmp_path) == [row(tmp_path)]
    assert checkpoints.name_of(folder) == "samples_1945"
    assert digest.of_path(folder) == "abc"


def test_checkpoints_are_found_in_the_order_of_their_steps(tmp_path: Path, base: Path):
    for step in (1_000_000, 20, 300):
        checkpoints.write(tmp_path, row(tmp_path, step=step), base=base, weights=weights)
    assert [one.step for one in checkpoints.find(tmp_path)] == [20, 300, 1_000_000]


def test_a_checkpoint_that_could_not_be_written_leaves_nothing(tmp_path: Path, base: Path):
    with pytest.raises(OSError, match="went away"):
        checkpoints.write(tmp_path, row(tmp_path), base=base, weights=full_disk)
    assert list((tmp_path / "checkpoints").iterdir()) == []
    assert checkpoints.find(tmp_path) == []


def test_a_finished_checkpoint_is_not_written_again(tmp_path: Path, base: Path):
    checkpoints.write(tmp_path, row(tmp_path), base=base, weights=weights)
    checkpoints.write(tmp_path, row(tmp_path), base=base, weights=full_disk)
    assert len(checkpoints.find(tmp_path)) == 1


def test_what_a_crash_left_is_removed(tmp_path: Path, base: Path):
    (tmp_path / "checkpoints" / ".step-000400.tmp").mkdir(parents=True)
    assert checkpoints.find(tmp_path) == []
    checkpoints.remove_unfinished(tmp_path)
    assert list((tmp_path / "checkpoints").iterdir()) == []


def test_a_folder_without_a_record_and_one_of_a_newer_version_are_refused(tmp_path: Path):
    with pytest.raises(TrainingError, match=r"DONE\.json is missing"):
        checkpoints.read(tmp_path)
    (tmp_path / "DONE.json").write_text('{"schema_version": 99}')
    with pytest.raises(TrainingError, match="newer"):
        checkpoints.read(tmp_path)
