"""`ilab model convert` on a tiny model, in the store and out of it."""

import json

import numpy as np
import pytest
from click.testing import CliRunner
from tests.tiny_model import make_tiny_model

from ilab.cli.main import cli
from ilab.models import gguf_header, safetensors_file
from ilab.models.store import ModelStore

TEXTS = ["Lake Mirra is 412 metres deep.", "It was first mapped in 1887."] * 3


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    return make_tiny_model(tmp_path_factory.mktemp("model") / "tiny", texts=TEXTS)


@pytest.fixture
def store(tmp_path, monkeypatch, tiny):
    """A store that holds the tiny model as local/tiny."""
    monkeypatch.setenv("ILAB_HOME", str(tmp_path / "home"))
    found = ModelStore(tmp_path / "home" / "data" / "models")
    found.add_folder(
        "tiny", tiny, provenance={"source": "made", "licence": "MIT", "run": "r1", "base_model": "org/base"}
    )
    return found


def convert(*arguments):
    return CliRunner().invoke(cli, ["model", "convert", *map(str, arguments)])


def weights(folder):
    return {name: safetensors_file.load(tensor) for name, tensor in safetensors_file.tensors_of(folder).items()}


def test_a_model_of_the_store_becomes_gguf_and_says_where_it_comes_from(store):
    made = convert("--model", "tiny")
    assert made.exit_code == 0, made.output
    file = store.root / "local" / "tiny-gguf" / "tiny-Q8_0.gguf"
    assert made.stdout == f"local/tiny-gguf {file}\n"
    assert "convert: tensors" in made.stderr and "100 %" in made.stderr
    assert {tensor.type_name for tensor in gguf_header.read(file).tensors} == {"F32", "Q8_0"}
    (entry,) = [entry for entry in store.list() if entry.name == "local/tiny-gguf"]
    assert (entry.record.provenance["source"], entry.record.provenance["licence"]) == (
        "converted from local/tiny",
        "MIT",
    )
    written = file.stat().st_mtime_ns
    assert convert("--model", "local/tiny").stdout == made.stdout
    assert file.stat().st_mtime_ns == written, "made once"


def test_there_and_back_in_full_precision_changes_nothing(store, tiny):
    there = convert("--model-path", "tiny", "--type", "f32", "--model-name", "org/exact", "--json")
    assert json.loads(there.stdout)["name"] == "org/exact", there.output
    back = CliRunner().invoke(cli, ["convert", "--model-path", "org/exact", "--json"])
    facts = json.loads(back.stdout)
    assert (facts["name"], facts["format"]) == ("org/exact-safetensors", "safetensors")
    before, after = weights(tiny), weights(store.root / "org" / "exact-safetensors")
    assert before.keys() == after.keys()
    assert all(np.array_equal(before[name], after[name]) for name in before)


def test_a_place_of_ones_own_is_written_whole_and_never_replaced(store, tiny, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    assert convert("--model-dir", tiny, "--output", out, "--type", "f16").stdout == f"{out / 'tiny-F16.gguf'}\n"
    file = out / "tiny-F16.gguf"
    folder = tmp_path / "new" / "folder"
    assert convert("--model", file, "--output", folder, "--type", "f16").exit_code == 0
    assert {"config.json", "model.safetensors", "tokenizer.json"} <= {path.name for path in folder.iterdir()}
    for source, place in ((tiny, file), (file, folder)):
        refused = convert("--model", source, "--output", place)
        assert refused.exit_code == 1 and f"{place} exists already" in refused.stderr
    assert [path.name for path in folder.parent.iterdir()] == ["folder"], "nothing half done is left"
    assert convert("--model", tiny, "--output", tmp_path / "x").exit_code == 3
    assert convert("--model", tiny, "--output", file / "below.gguf").exit_code == 3
    assert [entry.name for entry in store.list()] == ["local/tiny"]


def test_what_cannot_be_converted_says_why(store, tiny, tmp_path):
    assert "safetensors already" in convert("--model", "tiny", "--to", "safetensors").stderr
    assert convert("--model", "tiny", "--to", "safetensors").exit_code == 3
    assert convert("--model", "nosuch").exit_code == 4
    assert "cannot be written as q8_0" in convert("--model", _gguf(tiny, tmp_path), "--type", "q8_0").stderr
    assert convert("--model", "tiny", "--model-name", "a", "--output", tmp_path / "b").exit_code == 2
    other = tmp_path / "other"
    other.mkdir()
    (other / "config.json").write_text('{"model_type": "bert"}')
    (other / "model.safetensors").write_bytes((tiny / "model.safetensors").read_bytes())
    refused = convert("--model", other)
    assert refused.exit_code == 3 and "architecture 'bert' cannot be converted" in refused.stderr
    assert not (store.root / "converted").exists()


def _gguf(tiny, folder):
    return convert("--model", tiny, "--output", folder / "made.gguf").stdout.strip()


def test_a_name_that_is_taken_is_not_replaced(store, tiny, tmp_path):
    store.add_folder("taken", tiny, provenance={"source": "made"})
    for name in ("taken", "tiny"):
        refused = convert("--model", "tiny", "--model-name", name)
        assert refused.exit_code == 3 and f"there is another model local/{name} in the store" in refused.stderr
    assert {entry.name for entry in store.list()} == {"local/taken", "local/tiny"}


def test_a_model_in_both_forms_asks_which_one_to_make(store, tiny, tmp_path):
    with store.building("both", provenance={"source": "made"}) as folder:
        for file in tiny.iterdir():
            (folder / file.name).write_bytes(file.read_bytes())
        convert("--model", tiny, "--output", folder / "model.gguf")
    refused = convert("--model", "both")
    assert refused.exit_code == 3 and "has both forms" in refused.stderr and "--to" in refused.stderr
    assert convert("--model", "both", "--to", "gguf", "--type", "f16").exit_code == 0
