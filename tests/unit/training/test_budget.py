"""The estimate of memory and disk, and the refusal before the start."""

import json
import struct
from pathlib import Path

import pytest

from ilab.errors import MissingDisk, MissingHardware, MissingModel
from ilab.training import budget
from ilab.training.budget import ModelShape
from ilab.training.plan import TrainPlan
from ilab.training.settings import PhaseSettings, TrainSettings

SMALL = ModelShape(parameters=134_515_008, layers=30, hidden=576, intermediate=1536, vocabulary=49152)


def write_header(path: Path, shapes: dict[str, list[int]]) -> None:
    """A safetensors file of any size that has no data."""
    header = {name: {"dtype": "F32", "shape": shape, "data_offsets": [0, 0]} for name, shape in shapes.items()}
    text = json.dumps({"__metadata__": {"format": "pt"}, **header}).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text)


def write_model(folder: Path, *, tied: bool) -> Path:
    config = {
        "hidden_size": 8,
        "intermediate_size": 32,
        "num_hidden_layers": 2,
        "vocab_size": 100,
        "tie_word_embeddings": tied,
    }
    (folder / "config.json").write_text(json.dumps(config))
    write_header(folder / "model-1.safetensors", {"model.embed_tokens.weight": [100, 8], "model.norm.weight": [8]})
    write_header(folder / "model-2.safetensors", {"lm_head.weight": [100, 8]})
    return folder


def plan(out: Path, *, widest: int = 100, saves: int = 4, device: str = "cpu") -> TrainPlan:
    return TrainPlan(
        key="k",
        model="m",
        out=str(out),
        settings=TrainSettings().model_dump(),
        phase=PhaseSettings().model_dump(),
        rows=1,
        tokens=1,
        trained_tokens=1,
        steps=saves,
        saves=list(range(1, saves + 1)),
        widest=widest,
        device=device,
        threads=1,
    )


@pytest.mark.parametrize(("tied", "parameters"), [(True, 808), (False, 1608)])
def test_parameters_are_counted_over_all_files_and_tied_ones_once(tmp_path: Path, tied: bool, parameters: int):
    shape = budget.read_shape(write_model(tmp_path, tied=tied))
    assert shape == ModelShape(parameters=parameters, layers=2, hidden=8, intermediate=32, vocabulary=100)


def test_a_folder_that_is_no_model_is_refused(tmp_path: Path):
    with pytest.raises(MissingModel, match="not a readable model folder"):
        budget.read_shape(tmp_path)
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(MissingModel, match="no safetensors weights"):
        budget.read_shape(tmp_path)
    (tmp_path / "model.safetensors").write_bytes(b"not a model at all")
    with pytest.raises(MissingModel, match="not a readable model folder"):
        budget.read_shape(tmp_path)


def test_a_small_model_needs_four_gigabytes_and_a_large_one_a_hundred_and_more():
    assert 3.5e9 < budget.memory_needed(SMALL, widest=1024) < 5.5e9
    large = ModelShape(parameters=8_000_000_000, layers=32, hidden=4096, intermediate=14336, vocabulary=128256)
    assert budget.memory_needed(large, widest=1024) > 128e9


def test_a_model_too_large_for_this_machine_is_refused_with_the_way_out(tmp_path: Path):
    huge = ModelShape(parameters=10**13, layers=32, hidden=4096, intermediate=14336, vocabulary=128256)
    with pytest.raises(MissingHardware, match="needs about 160") as caught:
        budget.check(plan(tmp_path), huge)
    assert "max_batch_len" in caught.value.hint


def test_checkpoints_that_would_fill_the_disk_are_refused(tmp_path: Path):
    with pytest.raises(MissingDisk, match="free are") as caught:
        budget.check(plan(tmp_path, saves=10**6), SMALL)
    assert "checkpoints_per_phase" in caught.value.hint


def test_a_plan_that_fits_passes(tmp_path: Path):
    tiny = ModelShape(parameters=10_000, layers=2, hidden=8, intermediate=32, vocabulary=100)
    budget.check(plan(tmp_path), tiny)
