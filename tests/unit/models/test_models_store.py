"""The model store: adding, finding, removing, and what a kill leaves behind."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import gguf
import numpy as np
import pytest
from safetensors.numpy import save_file

from ilab.base import digest
from ilab.base.report import ListReporter
from ilab.errors import ConfigError, MissingModel, UserFileError
from ilab.models.store import ModelStore


def make_model(folder: Path, *, value: float = 0.0, with_gguf: bool = False) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps({"model_type": "llama", "max_position_embeddings": 64}))
    save_file({"a": np.full((2, 3), value, dtype=np.float32)}, folder / "model.safetensors")
    if with_gguf:
        writer = gguf.GGUFWriter(folder / "model.gguf", "llama")
        writer.add_context_length(64)
        writer.add_tensor("a", np.full((2, 3), value, dtype=np.float32))
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
        writer.close()
    return folder


@pytest.fixture
def store(tmp_path: Path) -> ModelStore:
    return ModelStore(tmp_path / "store")


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return make_model(tmp_path / "source", with_gguf=True)


def names(store: ModelStore) -> list[str]:
    return [model.name for model in store.list()]


def first_value(folder: Path) -> float:
    from safetensors.numpy import load_file

    return float(load_file(folder / "model.safetensors")["a"][0, 0])


def test_an_empty_or_absent_store_lists_nothing(store: ModelStore) -> None:
    assert store.list() == []
    assert not store.root.exists()


def test_add_and_find_in_both_formats(store: ModelStore, source: Path) -> None:
    added = store.add_folder("org/m", source, provenance={"licence": "Apache-2.0", "run": "r1"})
    assert (added.name, added.format, added.path) == ("org/m", "safetensors", store.root / "org" / "m")
    assert (added.architecture, added.parameters, added.context_length) == ("llama", 6, 64)
    found = store.find("org/m", prefer="gguf")
    assert (found.format, found.path) == ("gguf", store.root / "org" / "m" / "model.gguf")
    (entry,) = store.list()
    assert entry.record.provenance == {"licence": "Apache-2.0", "run": "r1"}
    assert entry.record.created.endswith("Z")
    assert set(entry.record.files) == {"config.json", "model.safetensors", "model.gguf"}
    assert entry.record.files["config.json"] == digest.of_file(source / "config.json")
    assert entry.record.size == sum(path.stat().st_size for path in source.iterdir())
    assert digest.of_path(entry.folder) == entry.record.digest
    assert source.exists()


def test_the_same_content_has_the_same_digest_under_any_name(store: ModelStore, source: Path) -> None:
    store.add_folder("a/m", source, provenance={"run": "1"})
    store.add_folder("b/m", source, provenance={"run": "2"})
    first, second = store.list()
    assert first.record.digest == second.record.digest


def test_a_plain_name_is_local(store: ModelStore, source: Path) -> None:
    store.add_folder("tuned", source, provenance={})
    store.add_folder("other/tuned", source, provenance={})
    assert store.find("tuned").name == "local/tuned"


def test_the_unique_last_part_is_enough(store: ModelStore, source: Path) -> None:
    store.add_folder("org/m", source, provenance={})
    assert store.find("m").name == "org/m"
    store.add_folder("other/m", source, provenance={})
    with pytest.raises(MissingModel) as caught:
        store.find("m")
    assert "org/m, other/m" in caught.value.hint


def test_a_missing_model_names_close_ones(store: ModelStore, source: Path) -> None:
    store.add_folder("embedded/SmolLM2-135M", source, provenance={})
    with pytest.raises(MissingModel) as caught:
        store.find("SmolLM-135M")
    assert "embedded/SmolLM2-135M" in caught.value.hint
    assert "ilab model list" in caught.value.hint
    assert caught.value.exit_code == 4


def test_paths_are_found_too(store: ModelStore, source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert store.find(str(source)).path == source
    assert store.find(str(source / "model.gguf")).format == "gguf"
    assert store.find(source, prefer="gguf").path == source / "model.gguf"
    monkeypatch.chdir(source.parent)
    assert store.find("source").format == "safetensors"
    monkeypatch.setenv("HOME", str(source.parent))
    assert store.find("~/source").path == source
    store.add_folder("org/m", source, provenance={})
    assert store.find(store.root / "org" / "m").name == "org/m"


def test_a_package_reference_is_found_by_its_source(store: ModelStore, source: Path) -> None:
    with pytest.raises(MissingModel):
        store.find("pypi://some-model==1.0")
    store.add_folder("embedded/x", source, provenance={"source": "pypi://some-model==1.0"})
    assert store.find("pypi://some-model==1.0").name == "embedded/x"


def test_replacing_swaps_the_whole_model(store: ModelStore, source: Path, tmp_path: Path) -> None:
    store.add_folder("org/m", source, provenance={})
    store.add_folder("org/m", make_model(tmp_path / "new", value=7.0), provenance={})
    folder = store.find("org/m").path
    assert first_value(folder) == 7.0
    assert not (folder / "model.gguf").exists()
    assert sorted(path.name for path in store.root.iterdir()) == [".lock", "org"]


def test_a_folder_without_a_model_is_refused(store: ModelStore, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(MissingModel):
        store.add_folder("org/m", tmp_path / "empty", provenance={})
    assert names(store) == []


def test_a_damaged_new_model_leaves_the_old_one(store: ModelStore, source: Path, tmp_path: Path) -> None:
    store.add_folder("org/m", source, provenance={})
    bad = make_model(tmp_path / "bad")
    (bad / "model.safetensors").write_bytes(b"\x08\x00\x00")
    with pytest.raises(UserFileError):
        store.add_folder("org/m", bad, provenance={})
    assert store.verify("org/m") == ()
    assert sorted(path.name for path in store.root.iterdir()) == [".lock", "org"]


@pytest.mark.parametrize("name", ["../m", "a/../b", "/abs", ".hidden", "a/b/c"])
def test_names_cannot_leave_the_store(store: ModelStore, source: Path, name: str) -> None:
    with pytest.raises(ConfigError):
        store.add_folder(name, source, provenance={})
    with pytest.raises(ConfigError):
        store.remove(name)


def test_remove_takes_one_model_and_no_sibling(store: ModelStore, source: Path) -> None:
    for name in ("org/m", "org/m2", "other/m"):
        store.add_folder(name, source, provenance={})
    assert store.remove("org/m") == "org/m"
    assert names(store) == ["org/m2", "other/m"]
    assert store.remove("m2") == "org/m2"
    assert not (store.root / "org").exists()
    with pytest.raises(MissingModel):
        store.remove("m2")
    assert names(store) == ["other/m"]
    assert source.exists()


def test_remove_of_a_linked_model_keeps_what_it_points_to(store: ModelStore, source: Path, tmp_path: Path) -> None:
    store.add_folder("org/m", source, provenance={})
    (store.root / "org" / "link").symlink_to(source)
    assert store.remove("org/link") == "org/link"
    assert (source / "config.json").exists()
    assert names(store) == ["org/m"]


def test_verify_names_every_fault(store: ModelStore, source: Path) -> None:
    store.add_folder("org/m", source, provenance={})
    folder = store.root / "org" / "m"
    assert store.verify("org/m") == ()
    content = (folder / "config.json").read_text()
    (folder / "config.json").write_text(content.replace("64", "65"))
    (folder / "extra.txt").write_text("x")
    assert sorted(store.verify("org/m")) == ["config.json has changed", "extra.txt is not part of the model"]


def break_record(folder: Path, text: str) -> None:
    (folder / "MODEL.json").write_text(text)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("{", "MODEL.json"),
        ("{}", "MODEL.json"),
        (
            '{"schema_version": 99, "name": "org/bad", "formats": {"gguf": {}}, "files": {}, "digest": "", "size": 0}',
            "newer",
        ),
        (
            '{"schema_version": 1, "name": "org/bad", "formats": {"gguf": {"file": "../../x"}}, '
            '"files": {}, "digest": "", "size": 0}',
            "leads out",
        ),
    ],
)
def test_an_unreadable_model_is_reported_and_the_rest_is_listed(
    store: ModelStore, source: Path, text: str, why: str
) -> None:
    store.add_folder("org/bad", source, provenance={})
    store.add_folder("org/good", source, provenance={})
    break_record(store.root / "org" / "bad", text)
    report = ListReporter()
    assert [model.name for model in store.list(report=report)] == ["org/good"]
    (warning,) = report.events
    assert "org/bad" in warning["message"]
    assert why in warning["message"]
    with pytest.raises(UserFileError):
        store.find("org/bad")
    assert store.remove("org/bad") == "org/bad"


def test_an_incomplete_model_is_not_listed(store: ModelStore, source: Path) -> None:
    store.add_folder("org/a", source, provenance={})
    store.add_folder("org/b", source, provenance={})
    (store.root / "org" / "a" / "MODEL.json").unlink()
    (store.root / "org" / "b" / "model.safetensors").unlink()
    report = ListReporter()
    assert store.list(report=report) == []
    messages = " ".join(event["message"] for event in report.events)
    assert "MODEL.json is missing" in messages
    assert "model.safetensors is missing" in messages


KILLED_WHILE_BUILDING = """
import os, sys
from pathlib import Path
from ilab.models.store import ModelStore
with ModelStore(Path(sys.argv[1])).building("org/m", provenance={}) as folder:
    (folder / "config.json").write_text("{")
    print("ready", flush=True)
    sys.stdin.read()
"""


def start_building(store: ModelStore) -> subprocess.Popen[str]:
    child = subprocess.Popen(
        [sys.executable, "-c", KILLED_WHILE_BUILDING, str(store.root)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert child.stdout is not None
    assert child.stdout.readline().strip() == "ready"
    return child


def test_a_killed_add_keeps_the_old_model_and_is_swept_by_the_next(store: ModelStore, source: Path) -> None:
    store.add_folder("org/m", source, provenance={})
    child = start_building(store)
    leftovers = list(store.root.glob(".new-*"))
    assert len(leftovers) == 1
    store.add_folder("org/other", source, provenance={})
    assert leftovers[0].exists(), "a living writer's folder must stay"
    child.send_signal(signal.SIGKILL)
    child.communicate()
    assert names(store) == ["org/m", "org/other"]
    assert store.verify("org/m") == ()
    store.add_folder("org/third", source, provenance={})
    assert list(store.root.glob(".new-*")) == []


def test_a_kill_between_the_two_renames_gives_the_old_model_back(store: ModelStore, source: Path) -> None:
    store.add_folder("org/m", source, provenance={})
    (store.root / "org" / "m").rename(store.root / ".old-0123")
    assert store.find("m").name == "org/m"
    assert names(store) == ["org/m"]
    assert list(store.root.glob(".old-*")) == []


def test_a_kill_after_the_second_rename_keeps_the_new_model(store: ModelStore, source: Path, tmp_path: Path) -> None:
    store.add_folder("org/m", source, provenance={})
    (store.root / "org" / "m").rename(store.root / ".old-0123")
    saved = store.root.rename(tmp_path / "saved")
    store.add_folder("org/m", make_model(tmp_path / "new", value=3.0), provenance={})
    (saved / ".old-0123").rename(store.root / ".old-0123")
    assert first_value(store.find("org/m").path) == 3.0
    assert list(store.root.glob(".old-*")) == []


def test_a_failing_block_leaves_nothing(store: ModelStore) -> None:
    with pytest.raises(RuntimeError), store.building("org/m", provenance={}) as folder:
        (folder / "half").write_text("x")
        raise RuntimeError("stop")
    assert [path.name for path in store.root.iterdir()] == [".lock"]
