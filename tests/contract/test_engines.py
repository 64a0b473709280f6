"""One suite for every engine: start, answer, stream, refuse, die, stop. Real processes, real (if small) models.

Both engines run a tiny model made here; llama.cpp runs the GGUF file that ILAB_TEST_GGUF names, if it names one.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from tests.tiny_model import make_tiny_model

from ilab.base import lazy
from ilab.errors import ConfigError, EngineError, MissingExtra, MissingModel, PortInUse, TeacherError
from ilab.llm import ability
from ilab.llm.http import HttpChatModel
from ilab.llm.pool import run_ordered
from ilab.llm.port import GenerationParams, ScoreRequest
from ilab.models.convert import safetensors_to_gguf
from ilab.records.messages import Message, user
from ilab.records.models import GGUF, SAFETENSORS, ModelDir
from ilab.serving.engine import RunningEngine, serve_forever, start_engine
from ilab.serving.settings import ServeSettings
from ilab.serving.state import find_served

TEXTS = ["Phoenix is a minor constellation in the southern sky.", "What is 2+2? The answer is 4. Ankaa."] * 10
SETTINGS = ServeSettings(context_size=512, threads=1, parallel=2)
QUESTION = [user("What is 2+2?")]
SHORT = GenerationParams(max_tokens=8)


def torch_model(root: Path) -> ModelDir:
    for module in ("torch", "transformers"):
        pytest.importorskip(module, reason="needs the train extra")
    folder = make_tiny_model(root / "tiny", texts=TEXTS)
    return ModelDir(name="org/tiny", path=folder, format=SAFETENSORS, context_length=2048)


def llama_model(root: Path) -> ModelDir:
    try:
        lazy.check("xllamacpp", feature="llama.cpp", extra="serve")
    except MissingExtra:
        pytest.skip("needs the serve extra")
    given = os.environ.get("ILAB_TEST_GGUF")
    path = Path(given) if given else safetensors_to_gguf(make_tiny_model(root / "tiny", texts=TEXTS), root / "t.gguf")
    return ModelDir(name="org/small", path=path, format=GGUF, context_length=8192 if given else 2048)


@pytest.fixture(scope="module", params=["torch", "llama-cpp"])
def model(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> ModelDir:
    make = torch_model if request.param == "torch" else llama_model
    return make(tmp_path_factory.mktemp("models"))


@pytest.fixture(scope="module")
def engine(model: ModelDir, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningEngine]:
    with start_engine(model, settings=SETTINGS, folder=tmp_path_factory.mktemp("engine")) as running:
        yield running


@pytest.fixture(scope="module")
def chat(engine: RunningEngine) -> HttpChatModel:
    return engine.chat_model()


def test_it_says_what_it_serves(engine: RunningEngine, chat: HttpChatModel, model: ModelDir) -> None:
    assert engine.alive()
    assert engine.endpoint.log.exists()
    assert engine.endpoint.base_url.endswith("/v1")
    assert "chat" in engine.endpoint.capabilities
    assert chat.models() == [model.name]


def test_greedy_answers_repeat_and_the_prompt_is_cached(chat: HttpChatModel) -> None:
    first = chat.chat(QUESTION, SHORT)
    again = chat.chat(QUESTION, SHORT)
    assert first.text == again.text
    assert first.prompt_tokens > 5
    assert 0 < first.completion_tokens <= 8
    assert again.cached_tokens > 0


def test_the_stream_adds_up_to_the_answer(chat: HttpChatModel) -> None:
    pieces = list(chat.stream(QUESTION, SHORT))
    assert len(pieces) > 1
    assert "".join(pieces) == chat.chat(QUESTION, SHORT).text


def test_max_tokens_and_stop_end_the_answer(chat: HttpChatModel) -> None:
    cut = chat.chat([user("Count from 1 to 100.")], GenerationParams(max_tokens=3))
    assert (cut.finish_reason, cut.completion_tokens) == ("length", 3)
    whole = chat.chat(QUESTION, SHORT).text
    stop = whole[len(whole) // 2 :][:2]
    stopped = chat.chat(QUESTION, GenerationParams(max_tokens=8, stop=(stop,)))
    assert stopped.text == whole[: whole.find(stop)]
    assert stopped.finish_reason == "stop"


def test_a_seed_repeats_a_sampled_answer(chat: HttpChatModel) -> None:
    params = GenerationParams(max_tokens=8, temperature=1.0, seed=7)
    assert chat.chat(QUESTION, params).text == chat.chat(QUESTION, params).text


def test_a_json_schema_is_kept_by_the_engine_that_can(chat: HttpChatModel, model: ModelDir) -> None:
    # The other passes over it; that is found out, and it is asked for tags instead.
    assert ability.keeps_to_schemas(chat) is (model.format == GGUF)


def test_many_callers_at_once(chat: HttpChatModel) -> None:
    questions = [[user(f"What is {number}+1?")] for number in range(8)]
    answers = run_ordered(questions, lambda messages: chat.chat(messages, SHORT), workers=8)
    assert all(answer.completion_tokens for answer in answers)


def test_a_prompt_beyond_the_context_is_refused_and_the_engine_lives(
    engine: RunningEngine, chat: HttpChatModel
) -> None:
    with pytest.raises(TeacherError, match="context"):
        chat.chat([user("one two three " * 1000)], SHORT)
    assert engine.alive()
    assert chat.chat(QUESTION, SHORT).completion_tokens


def test_hanging_up_frees_the_engine(chat: HttpChatModel) -> None:
    pieces = chat.stream([user("Tell a long story.")], GenerationParams(max_tokens=400))
    next(pieces)
    pieces.close()  # type: ignore[attr-defined]
    assert chat.chat(QUESTION, SHORT).completion_tokens


def test_web_pages_of_others_may_not_read_answers(engine: RunningEngine) -> None:
    transport = httpx.HTTPTransport(uds=str(engine.endpoint.socket))
    with httpx.Client(transport=transport, base_url=engine.endpoint.base_url, trust_env=False) as client:
        answer = client.get("models", headers={"Origin": "http://evil.example"})
    assert answer.status_code == 200
    assert answer.headers.get("access-control-allow-origin", "") == ""


def test_scores_come_from_the_engines_that_can(engine: RunningEngine) -> None:
    if "score" not in engine.endpoint.capabilities:
        with pytest.raises(EngineError, match="cannot score"):
            engine.token_scorer()
        return
    request = ScoreRequest(prefix="Phoenix is ", context="a minor", continuations=(" constellation", " sky", ""))
    (row,) = engine.token_scorer().score([request])
    assert all(cell.logprob < 0 and cell.tokens > 0 for cell in row[:2])
    assert (row[2].logprob, row[2].tokens) == (0.0, 0)
    with pytest.raises(TeacherError, match="context of 2048"):
        engine.token_scorer().score([ScoreRequest(context="1 2 3 " * 1000, continuations=("x",))])


def test_a_killed_engine_is_noticed_by_those_who_wait_for_it(model: ModelDir, tmp_path: Path) -> None:
    with start_engine(model, settings=SETTINGS, folder=tmp_path) as running:
        chat = running.chat_model()
        chat.chat(QUESTION, SHORT)
        timer = threading.Timer(0.3, os.kill, (running.child.pid, signal.SIGKILL))
        timer.start()
        conversation: list[Message] = [user("Tell a very long story about the sea.")]
        with pytest.raises(EngineError, match=f"{model.name}.*killed by SIGKILL"):
            for _ in range(1000):
                chat.chat(conversation, GenerationParams(max_tokens=300, temperature=1.0))
        killed = time.monotonic()
        with pytest.raises(EngineError, match="SIGKILL"):
            running.check()
        assert time.monotonic() - killed < 1
        socket = running.endpoint.socket
    assert socket is not None
    assert not socket.parent.exists()


def test_stopping_ends_the_process_and_removes_the_socket(model: ModelDir, tmp_path: Path) -> None:
    running = start_engine(model, settings=SETTINGS, folder=tmp_path)
    socket = running.endpoint.socket
    assert socket is not None
    assert socket.exists()
    running.stop()
    assert not running.alive()
    assert not socket.parent.exists()
    running.stop()


def test_a_broken_model_is_quoted(model: ModelDir, tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    if model.format == GGUF:
        broken.write_bytes(b"GGUF" + bytes(100))
    else:
        broken.mkdir()
    bad = ModelDir(name="broken", path=broken, format=model.format)
    with pytest.raises(EngineError, match="broken.*exit status 1") as caught:
        start_engine(bad, settings=SETTINGS, folder=tmp_path / "engine")
    assert "cannot serve" in "\n".join(caught.value.details)


def test_an_engine_that_is_not_ready_in_time_is_stopped(model: ModelDir, tmp_path: Path) -> None:
    hasty = SETTINGS.model_copy(update={"startup_timeout": 0.001})
    with pytest.raises(EngineError, match=r"within 0.001 s"):
        start_engine(model, settings=hasty, folder=tmp_path)


def test_a_model_that_is_not_there(tmp_path: Path) -> None:
    gone = ModelDir(name="gone", path=tmp_path / "gone.gguf", format=GGUF)
    with pytest.raises(MissingModel, match=r"gone\.gguf"):
        start_engine(gone, settings=SETTINGS, folder=tmp_path)


def test_a_need_that_the_format_cannot_meet(tmp_path: Path) -> None:
    path = tmp_path / "m.gguf"
    path.write_bytes(b"GGUF")
    with pytest.raises(ConfigError, match="score"):
        start_engine(ModelDir(name="m", path=path, format=GGUF), settings=SETTINGS, folder=tmp_path, need="score")


SERVE = """
import sys
from pathlib import Path
from ilab.errors import IlabError
from ilab.records.models import ModelDir
from ilab.serving.engine import serve_forever
from ilab.serving.settings import ServeSettings

name, path, kind, port, root = sys.argv[1:]
settings = ServeSettings(context_size=256, threads=1, port=int(port))
ready = lambda endpoint: print(endpoint.base_url, flush=True)
try:
    model = ModelDir(name=name, path=Path(path), format=kind)
    serve_forever(model, settings=settings, folder=Path(root), state_dir=Path(root) / "engines", on_ready=ready)
except IlabError as error:
    print(type(error).__name__, error, flush=True)
    sys.exit(error.exit_code)
print("stopped", flush=True)
"""


def free_port() -> int:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


@pytest.fixture
def served(model: ModelDir, tmp_path: Path) -> Iterator[tuple[subprocess.Popen[str], str, Path]]:
    command = [sys.executable, "-c", SERVE, model.name, str(model.path), model.format, str(free_port()), str(tmp_path)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    yield process, process.stdout.readline().strip(), tmp_path
    process.kill()
    process.wait()
    process.stdout.close()


def test_serving_on_tcp_until_a_signal(served: tuple[subprocess.Popen[str], str, Path], model: ModelDir) -> None:
    process, url, root = served
    (found,) = find_served(root / "engines")
    assert (found.pid, found.url, found.model) == (process.pid, url, model.name)
    assert HttpChatModel(url).chat(QUESTION, SHORT).completion_tokens
    port = int(url.rpartition(":")[2].removesuffix("/v1"))
    with pytest.raises(PortInUse):
        settings = SETTINGS.model_copy(update={"port": port})
        serve_forever(model, settings=settings, folder=root / "b", state_dir=root / "engines")
    process.send_signal(signal.SIGTERM)
    assert process.wait(10) == 0
    assert process.stdout is not None
    assert process.stdout.read().strip() == "stopped"
    assert find_served(root / "engines") == []


def test_serving_ends_with_an_error_when_the_engine_dies(served: tuple[subprocess.Popen[str], str, Path]) -> None:
    process, _, root = served
    (engine,) = children_of(process.pid)
    os.kill(engine, signal.SIGKILL)
    began = time.monotonic()
    assert process.wait(10) == 1
    assert time.monotonic() - began < 2
    assert process.stdout is not None
    assert "EngineError" in process.stdout.read()
    assert list((root / "engines").iterdir()) == []


def children_of(pid: int) -> list[int]:
    text = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    return [int(child) for child in text.split()]
