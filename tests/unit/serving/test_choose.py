"""Which engine runs which model."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from ilab.errors import ConfigError, MissingExtra
from ilab.records.models import GGUF, SAFETENSORS, ModelDir
from ilab.serving.choose import ENGINES, choose, make
from ilab.serving.engines import vllm
from ilab.serving.launch import Address, Resources, resources
from ilab.serving.settings import ServeSettings

GGUF_MODEL = ModelDir(name="g", path=Path("/m/g.gguf"), format=GGUF, context_length=2048)
FOLDER_MODEL = ModelDir(name="s", path=Path("/m/s"), format=SAFETENSORS)


@pytest.mark.parametrize(
    ("model", "need", "gpus", "has_vllm", "expected"),
    [
        (GGUF_MODEL, "chat", 0, False, "llama-cpp"),
        (GGUF_MODEL, "chat", 2, True, "llama-cpp"),
        (FOLDER_MODEL, "chat", 0, True, "torch"),
        (FOLDER_MODEL, "chat", 1, False, "torch"),
        (FOLDER_MODEL, "chat", 1, True, "vllm"),
        (FOLDER_MODEL, "score", 1, True, "torch"),
    ],
)
def test_the_table(model: ModelDir, need: str, gpus: int, has_vllm: bool, expected: str) -> None:
    name, reason = choose(model, need=need, gpus=gpus, vllm=has_vllm)
    assert name == expected
    assert reason
    assert "\n" not in reason


def test_the_users_choice_wins_where_it_can() -> None:
    assert choose(FOLDER_MODEL, engine="torch", gpus=1, vllm=True)[0] == "torch"
    with pytest.raises(ConfigError, match="reads gguf models"):
        choose(FOLDER_MODEL, engine="llama-cpp")
    with pytest.raises(ConfigError, match="cannot score"):
        choose(GGUF_MODEL, need="score")


@pytest.mark.parametrize("name", ENGINES)
def test_every_engine_of_the_table_can_be_made(name: str) -> None:
    engine = make(name)
    assert engine.name == name
    assert "chat" in engine.capabilities


def test_command_lines_name_model_address_and_resources() -> None:
    limits = Resources(context=512, parallel=3, threads=2)
    for name in ENGINES:
        command = make(name).launch(FOLDER_MODEL, Address(socket=Path("/run/e.sock")), limits).command
        assert "/m/s" in command
        assert "/run/e.sock" in command
        assert "512" in command
        command = make(name).launch(FOLDER_MODEL, Address(host="127.0.0.1", port=8123), limits).command
        assert command[command.index("--port") + 1] == "8123"


def test_vllm_needs_its_package_or_an_interpreter(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(vllm.PYTHON, raising=False)
    monkeypatch.setitem(sys.modules, "vllm", None)
    with pytest.raises(MissingExtra):
        vllm.Vllm().check()
    monkeypatch.setenv(vllm.PYTHON, "/opt/vllm/bin/python")
    vllm.Vllm().check()
    launch = vllm.Vllm().launch(FOLDER_MODEL, Address(port=1), Resources(context=1, parallel=0, threads=1))
    assert launch.command[0] == "/opt/vllm/bin/python"
    assert "--tensor-parallel-size" not in launch.command


def test_vllm_spreads_a_model_over_gpus() -> None:
    settings = ServeSettings(engine="vllm", gpus=4)
    command = vllm.Vllm().launch(FOLDER_MODEL, Address(port=1), resources(FOLDER_MODEL, settings, 1)).command
    assert command[command.index("--tensor-parallel-size") + 1] == "4"


def test_the_context_is_cut_to_what_the_model_knows() -> None:
    settings = ServeSettings(context_size=4096, threads=3)
    assert resources(GGUF_MODEL, settings, 8).context == 2048
    assert resources(FOLDER_MODEL, settings, 8).context == 4096
    assert resources(GGUF_MODEL, settings, 8).threads == 3
    assert resources(GGUF_MODEL, ServeSettings(), 8).threads == 8


def test_addresses() -> None:
    assert Address(host="0.0.0.0", port=8000).url == "http://127.0.0.1:8000"
    assert Address(host="::1", port=8000).url == "http://[::1]:8000"
    assert Address(socket=Path("/x")).url == "http://engine"
