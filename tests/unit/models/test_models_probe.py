"""What headers say about a model."""

import json
from pathlib import Path

import gguf
import numpy as np
import pytest
from safetensors.numpy import save_file

from ilab.errors import MissingModel, UserFileError
from ilab.models.probe import probe


def write_safetensors(folder: Path, **config: object) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps({"model_type": "llama", "max_position_embeddings": 256, **config}))
    save_file({"a": np.zeros((3, 4), dtype=np.float32)}, folder / "model.safetensors")
    return folder


def write_gguf(path: Path) -> Path:
    writer = gguf.GGUFWriter(path, "granite")
    writer.add_context_length(512)
    writer.add_tensor("a", np.zeros((2, 32), dtype=np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def test_safetensors_folder(tmp_path: Path) -> None:
    model = probe(write_safetensors(tmp_path / "m"))
    assert (model.name, model.format, model.architecture) == ("m", "safetensors", "llama")
    assert (model.parameters, model.context_length) == (12, 256)
    assert model.size == (tmp_path / "m" / "model.safetensors").stat().st_size
    assert model.path == tmp_path / "m"


def test_gguf_file(tmp_path: Path) -> None:
    model = probe(write_gguf(tmp_path / "m.gguf"))
    assert (model.name, model.format, model.architecture) == ("m", "gguf", "granite")
    assert (model.parameters, model.context_length) == (64, 512)
    assert model.size == model.path.stat().st_size


def test_a_folder_with_both_gives_the_format_asked_for(tmp_path: Path) -> None:
    write_gguf(write_safetensors(tmp_path / "m") / "m.gguf")
    assert probe(tmp_path / "m").format == "safetensors"
    assert probe(tmp_path / "m", prefer="safetensors").path == tmp_path / "m"
    assert probe(tmp_path / "m", prefer="gguf").path == tmp_path / "m" / "m.gguf"


def test_a_folder_with_one_format_gives_that(tmp_path: Path) -> None:
    assert probe(write_safetensors(tmp_path / "a"), prefer="gguf").format == "safetensors"
    (tmp_path / "b").mkdir()
    write_gguf(tmp_path / "b" / "x.gguf")
    assert probe(tmp_path / "b", prefer="safetensors").format == "gguf"


def test_context_length_of_a_nested_configuration(tmp_path: Path) -> None:
    folder = write_safetensors(tmp_path / "m", max_position_embeddings=None, text_config={"n_positions": 77})
    assert probe(folder).context_length == 77


def test_a_missing_shard_is_noticed(tmp_path: Path) -> None:
    folder = write_safetensors(tmp_path / "m")
    weights = {"a": "model.safetensors", "b": "model-00002.safetensors"}
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": weights}))
    with pytest.raises(UserFileError) as caught:
        probe(folder)
    assert "model-00002.safetensors" in caught.value.details[0]


@pytest.mark.parametrize("text", ["", "[]", "{", '"x"'])
def test_a_broken_configuration_is_a_clear_error(tmp_path: Path, text: str) -> None:
    folder = write_safetensors(tmp_path / "m")
    (folder / "config.json").write_text(text)
    with pytest.raises(UserFileError) as caught:
        probe(folder)
    assert "config.json" in caught.value.message


def test_two_gguf_files_are_ambiguous(tmp_path: Path) -> None:
    write_gguf(tmp_path / "a.gguf")
    write_gguf(tmp_path / "b.gguf")
    with pytest.raises(UserFileError) as caught:
        probe(tmp_path)
    assert "a.gguf" in caught.value.hint


def test_no_model(tmp_path: Path) -> None:
    with pytest.raises(MissingModel, match="holds no model"):
        probe(tmp_path)
    with pytest.raises(MissingModel, match="no model at"):
        probe(tmp_path / "absent")
