"""`ilab model serve`, and chats with engines of our own: real processes that run a tiny model."""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from click.testing import CliRunner
from tests.terminal import CTRL_C, Terminal
from tests.tiny_model import make_tiny_model

from ilab.cli.main import cli
from ilab.models.store import ModelStore

SAMPLED = ("--max-tokens", "20", "-t", "1")
"""Greedy, a model of random weights may say nothing but white space."""
TEXTS = ["Phoenix is a minor constellation in the southern sky.", "What is 2+2? The answer is 4. Ankaa."] * 10


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    for module in ("torch", "transformers"):
        pytest.importorskip(module, reason="needs the train extra")
    return make_tiny_model(tmp_path_factory.mktemp("tiny") / "tiny", texts=TEXTS)


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("ILAB_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setenv("ILAB_SERVING__THREADS", "1")
    monkeypatch.chdir(tmp_path)
    return tmp_path / "home"


@pytest.fixture
def store(home, tiny):
    """A store with two tuned models and a newer one that is not tuned."""
    found = ModelStore(home / "data" / "models")
    for name, provenance in [("old", {"run": "run-1"}), ("new", {"run": "run-2"}), ("bare", {})]:
        found.add_folder(name, tiny, provenance=provenance)
        time.sleep(0.002)  # the time of adding counts in milliseconds
    return found


@pytest.fixture
def port():
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return probe.getsockname()[1]


def ilab(*arguments):
    return CliRunner().invoke(cli, list(arguments))


def serve(*arguments):
    return ilab("model", "serve", *arguments)


def test_only_this_machine_is_served(home):
    for host in ("0.0.0.0", "192.0.2.7", "::", "example.org", ""):
        result = serve("--host", host)
        assert result.exit_code == 3
        assert f"will not serve on `{host}`" in result.stderr and "hint: keep 127.0.0.1" in result.stderr


def test_a_port_in_use(home):
    with socket.create_server(("127.0.0.1", 0)) as other:
        result = serve("--port", str(other.getsockname()[1]))
    assert result.exit_code == 1
    assert "cannot listen on 127.0.0.1 port" in result.stderr and "choose another port with `--port`" in result.stderr


def test_what_cannot_be_served(store, port):
    missing = serve("--port", str(port), "--model-path", "nobody")
    assert missing.exit_code == 4
    assert "there is no model 'nobody'" in missing.stderr
    gpus = serve("--port", str(port), "--model-path", "new", "--backend", "torch", "--gpus", "2")
    assert gpus.exit_code == 3
    assert "--gpus is for the vllm engine, and torch would run this model" in gpus.stderr
    format = serve("--port", str(port), "--model-path", "new", "--backend", "llama-cpp")
    assert format.exit_code == 3
    assert "the llama-cpp engine reads gguf models" in format.stderr


def test_serving_in_a_terminal_until_ctrl_c(store, port, tmp_path):
    command = [sys.executable, "-m", "ilab", "serve", "--port", str(port), "--log-file", "serve.log"]
    with Terminal(command, env={}, cwd=tmp_path, columns=200) as terminal:
        first, second, third, *rest = terminal.wait_for("shut down the server.", seconds=150).splitlines()
        assert first == "model: local/new (the newest tuned one, of run run-2)"
        assert second.startswith("INFO 20") and second.endswith(
            "ilab.serve: Using model 'local/new' with the torch engine and 2048 max context size."
        )
        assert third == "Starting server process"
        url = f"http://127.0.0.1:{port}/v1"
        assert rest == [
            f"After application startup complete see {url} for API.",
            "Press CTRL+C to shut down the server.",
        ]
        for words in ([], ["-m", "new"]):  # a chat finds it
            answer = ilab("chat", *words, "--qq", "What is 2+2?", *SAMPLED)
            assert answer.exit_code == 0, answer.output
            assert answer.stderr == f"model: local/new (served at {url})\n"
        terminal.type(CTRL_C)
        assert terminal.end() == 0
        assert terminal.text.endswith("\nServer stopped.\n")
    assert (tmp_path / "serve.log").read_text()
    assert list((tmp_path / "home" / "state" / "engines").iterdir()) == []


def test_an_engine_that_dies_fails_the_command(store, port):
    command = [sys.executable, "-m", "ilab", "serve", "--model-path", "old", "--port", str(port)]
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    said = ""
    while "Press CTRL+C" not in said:
        line = process.stderr.readline()
        assert line, said
        said += line
    assert "Using model 'local/old'" in said and "newest" not in said
    (engine,) = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    os.kill(int(engine), signal.SIGKILL)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "error: the torch engine (model `local/old`) ended: killed by SIGKILL" in errors
    assert "hint:" in errors


def test_a_chat_starts_an_engine_for_the_newest_tuned_model_and_stops_it(store, tmp_path):
    result = ilab("chat", "--qq", "What is 2+2?", *SAMPLED)
    assert result.exit_code == 0, result.output
    assert result.stdout.strip()
    assert result.stderr == "model: local/new (the newest tuned one, of run run-2)\n"
    assert list(tmp_path.glob("ilab-*")) == []
    assert list((tmp_path / "home" / "state" / "logs").iterdir()) == []


def test_switching_models_in_a_chat_and_hanging_up_leaves_nothing_behind(store, tmp_path):
    command = [sys.executable, "-m", "ilab", "chat", "-m", "bare", *SAMPLED]
    with Terminal(command, env={}, cwd=tmp_path) as terminal:
        assert "model: local/bare\n" in terminal.wait_for("[S][default]", seconds=150)
        terminal.line("/a nobody")
        terminal.wait_for("there is no model 'nobody'")
        terminal.wait_for("[S][default]")
        terminal.line("/a old")
        terminal.wait_for("│ model: local/old ", seconds=150)
        terminal.wait_for("[S][default]")
        terminal.line("hello")
        terminal.wait_for(" old ")
        terminal.wait_for("[S][default]", seconds=150)
        (engine,) = Path(f"/proc/{terminal.process.pid}/task/{terminal.process.pid}/children").read_text().split()
        while terminal.process.poll() is None:  # one that comes just before the wait for a key is heard with the next
            os.kill(terminal.process.pid, signal.SIGHUP)
            time.sleep(0.2)
        assert terminal.process.returncode == 128 + signal.SIGHUP
    assert not Path(f"/proc/{engine}").exists()
    assert list(tmp_path.glob("ilab-*")) == []


def test_a_chat_ends_when_its_engine_dies(store, tmp_path):
    command = [sys.executable, "-m", "ilab", "chat", *SAMPLED]
    with Terminal(command, env={}, cwd=tmp_path) as terminal:
        terminal.wait_for("[S][default]", seconds=150)
        (engine,) = Path(f"/proc/{terminal.process.pid}/task/{terminal.process.pid}/children").read_text().split()
        os.kill(int(engine), signal.SIGKILL)
        terminal.line("hello")
        assert terminal.end() == 1
        assert "error: the torch engine (model `local/new`) ended: killed by SIGKILL" in terminal.text.replace("\n", "")
    (log,) = (tmp_path / "home" / "state" / "logs").rglob("engine.log")
    assert log.parent.name.startswith("chat-")
