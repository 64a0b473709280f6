"""HttpChatModel and HttpTokenScorer against real servers on loopback and on a Unix socket."""

from __future__ import annotations

import json
import socketserver
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from ilab.errors import ConfigError, EngineError, TeacherError
from ilab.llm.http import HttpChatModel, HttpTokenScorer
from ilab.llm.port import GenerationParams, ScoreRequest
from ilab.llm.transport import normalise
from ilab.records.messages import user

OK = {
    "choices": [{"message": {"role": "assistant", "content": "Ankaa"}, "finish_reason": "length"}],
    "usage": {"prompt_tokens": 11, "completion_tokens": 3, "prompt_tokens_details": {"cached_tokens": 7}},
}
Answer = tuple[int, dict[str, str], Any]
HELLO = [user("hi")]
PARAMS = GenerationParams()


class Script:
    """What a test server answers, request by request (the last answer repeats), and what it was asked."""

    def __init__(self, *answers: Answer | Callable[[BaseHTTPRequestHandler], None]) -> None:
        self.answers = list(answers)
        self.asked: list[tuple[str, dict[str, Any], dict[str, str]]] = []

    def next(self) -> Answer | Callable[[BaseHTTPRequestHandler], None]:
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


def handler_for(script: Script) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def address_string(self) -> str:
            return "local"

        def log_message(self, *_: object) -> None:
            return

        def answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            script.asked.append((self.path, json.loads(body or b"{}"), dict(self.headers)))
            step = script.next()
            if callable(step):
                step(self)
                return
            status, headers, content = step
            data = content.encode() if isinstance(content, str) else json.dumps(content).encode()
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("content-length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_POST = answer  # noqa: N815 - names that http.server asks for

    return Handler


@contextmanager
def serving(script: Script) -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler_for(script))
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()


def stream_of(*pieces: bytes) -> Callable[[BaseHTTPRequestHandler], None]:
    def send(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("content-type", "text/event-stream")
        handler.end_headers()
        for piece in pieces:
            handler.wfile.write(piece)
            handler.wfile.flush()
            time.sleep(0.005)

    return send


def test_goes_on_after_429_and_500_and_a_lost_connection() -> None:
    def hang_up(handler: BaseHTTPRequestHandler) -> None:
        handler.close_connection = True

    script = Script((429, {"Retry-After": "0"}, {"error": "slow down"}), (500, {}, "oops"), hang_up, (200, {}, OK))
    with serving(script) as url:
        answer = HttpChatModel(url, model="m").chat(HELLO, GenerationParams(stop=("\n",), temperature=0.5, seed=7))
    assert (answer.text, answer.finish_reason) == ("Ankaa", "length")
    assert (answer.prompt_tokens, answer.cached_tokens, answer.completion_tokens) == (11, 7, 3)
    assert len(script.asked) == 4
    path, body, _ = script.asked[-1]
    assert path == "/v1/chat/completions"
    assert (body["model"], body["stop"], body["temperature"], body["seed"]) == ("m", ["\n"], 0.5, 7)
    assert body["messages"] == [{"role": "user", "content": "hi"}]


def test_retry_after_is_honoured() -> None:
    with serving(Script((429, {"Retry-After": "0.5"}, ""), (200, {}, OK))) as url:
        began = time.monotonic()
        HttpChatModel(url, model="m").chat(HELLO, PARAMS)
        assert time.monotonic() - began >= 0.5


def test_a_refusal_is_not_retried_and_carries_the_message_of_the_server() -> None:
    script = Script((400, {}, {"error": {"message": "request (3031 tokens) exceeds the context size"}}))
    with serving(script) as url, pytest.raises(TeacherError, match=r"400: request \(3031 tokens\) exceeds"):
        HttpChatModel(url, model="m").chat(HELLO, PARAMS)
    assert len(script.asked) == 1


def test_gives_up_after_the_retries() -> None:
    script = Script((503, {"Retry-After": "0"}, "busy"))
    with serving(script) as url, pytest.raises(TeacherError, match="503: busy after 3 tries"):
        HttpChatModel(url, model="m", retries=2).chat(HELLO, PARAMS)
    assert len(script.asked) == 3


def test_a_time_out_is_retried_then_explained() -> None:
    def sleep(handler: BaseHTTPRequestHandler) -> None:
        time.sleep(0.5)

    with serving(Script(sleep)) as url, pytest.raises(TeacherError, match="within 0.1 s after 2 tries") as caught:
        HttpChatModel(url, model="m", retries=1, timeout=0.1).chat(HELLO, PARAMS)
    assert "allow more time" in caught.value.hint


def test_nobody_listens() -> None:
    with serving(Script((200, {}, OK))) as url:
        pass
    with pytest.raises(TeacherError, match="cannot reach") as caught:
        HttpChatModel(url, model="m", retries=0).chat(HELLO, PARAMS)
    assert caught.value.hint


def test_a_dead_engine_ends_the_retries_at_once() -> None:
    def watch() -> None:
        raise EngineError("the engine died")

    script = Script((500, {}, "boom"))
    with serving(script) as url, pytest.raises(EngineError, match="died"):
        HttpChatModel(url, model="m", watch=watch).chat(HELLO, PARAMS)
    assert len(script.asked) == 1


def test_the_key_is_sent_and_never_shown() -> None:
    script = Script((401, {}, {"error": {"message": "wrong key"}}))
    with serving(script) as url:
        model = HttpChatModel(url, model="m", api_key="secret-key")
        with pytest.raises(TeacherError) as caught:
            model.chat(HELLO, PARAMS)
    assert script.asked[0][2]["Authorization"] == "Bearer secret-key"
    assert "secret-key" not in f"{model!r} {caught.value} {caught.value.hint} {vars(model)}"


def test_a_password_in_the_address_is_never_shown() -> None:
    with serving(Script((401, {}, "no"))) as url:
        model = HttpChatModel(url.replace("://", "://me:hidden@"), model="m")
        with pytest.raises(TeacherError) as caught:
            model.chat(HELLO, PARAMS)
    assert "hidden" not in f"{model!r} {model.base_url} {caught.value} {vars(model)}"


def test_the_only_model_is_chosen_and_one_of_many_is_not() -> None:
    one, two = ({"data": [{"id": name} for name in names]} for names in (["a"], ["a", "b"]))
    script = Script((200, {}, one), (200, {}, OK))
    with serving(script) as url:
        HttpChatModel(url).chat(HELLO, PARAMS)
    assert [entry[0] for entry in script.asked] == ["/v1/models", "/v1/chat/completions"]
    assert script.asked[1][1]["model"] == "a"
    with serving(Script((200, {}, two))) as url, pytest.raises(TeacherError, match="2 models") as caught:
        HttpChatModel(url).chat(HELLO, PARAMS)
    assert "a, b" in caught.value.hint


@pytest.mark.parametrize("content", ["<html>", {"choices": []}, [1], {"choices": [{"message": None}]}])
def test_answers_that_make_no_sense_are_reported(content: Any) -> None:
    with serving(Script((200, {}, content))) as url, pytest.raises(TeacherError):
        HttpChatModel(url, model="m").chat(HELLO, PARAMS)


def test_a_stream_is_put_together_from_any_pieces() -> None:
    def chunk(text: str) -> bytes:
        row = {"choices": [{"delta": {"content": text}, "index": 0}]}
        return b"data: " + json.dumps(row, ensure_ascii=False).encode() + b"\r\n\r\n"

    whole = (
        b": ping\n\n" + chunk("Best\u2028") + chunk("ätigt") + b'data: {"choices": [], "usage": {}}\n\ndata: [DONE]\n\n'
    )
    pieces = [whole[start : start + 7] for start in range(0, len(whole), 7)]
    script = Script((500, {}, "not yet"), stream_of(*pieces))
    with serving(script) as url:
        assert list(HttpChatModel(url, model="m").stream(HELLO, PARAMS)) == ["Best\u2028", "ätigt"]
    assert script.asked[-1][1]["stream"] is True


def test_an_error_inside_a_stream_is_raised() -> None:
    script = Script(
        stream_of(b'data: {"choices":[{"delta":{"content":"a"}}]}\n\ndata: {"error":{"message":"full"}}\n\n')
    )
    with serving(script) as url:
        pieces = HttpChatModel(url, model="m").stream(HELLO, PARAMS)
        assert next(pieces) == "a"
        with pytest.raises(TeacherError, match="full"):
            next(pieces)


def test_closing_a_stream_hangs_up() -> None:
    broken = threading.Event()

    def endless(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.end_headers()
        try:
            while True:
                handler.wfile.write(b'data: {"choices":[{"delta":{"content":"a"}}]}\n\n')
                time.sleep(0.005)
        except OSError:
            broken.set()

    with serving(Script(endless)) as url:
        pieces = HttpChatModel(url, model="m").stream(HELLO, PARAMS)
        next(pieces)
        pieces.close()  # type: ignore[attr-defined]
        assert broken.wait(3)


def test_proxies_are_bypassed_on_loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")
    with serving(Script((200, {}, OK))) as url:
        assert HttpChatModel(url, model="m", retries=0).chat(HELLO, PARAMS).text == "Ankaa"


def test_a_unix_socket_and_the_scorer(tmp_path: Path) -> None:
    class UnixServer(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
        daemon_threads = True

    def score(handler: BaseHTTPRequestHandler) -> None:
        rows = script.asked[-1][1]["requests"]
        scores = [[{"logprob": -float(len(text)), "tokens": 1} for text in row["continuations"]] for row in rows]
        data = json.dumps({"scores": scores}).encode()
        handler.send_response(200)
        handler.send_header("content-length", str(len(data)))
        handler.end_headers()
        handler.wfile.write(data)

    script = Script(score)
    path = tmp_path / "s"
    with UnixServer(str(path), handler_for(script)) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        scorer = HttpTokenScorer("http://engine", socket=path)
        requests = [
            ScoreRequest(context="c" * 500, continuations=("x" * (number + 1),), prefix=str(number % 3))
            for number in range(100)
        ]
        scores = scorer.score(requests)
        server.shutdown()
    assert [row[0].logprob for row in scores] == [-float(number + 1) for number in range(100)]
    batches = [body["requests"] for _, body, _ in script.asked]
    assert [sum(map(len, batches)), len(batches)] == [100, 2]
    prefixes = [row["prefix"] for batch in batches for row in batch]
    assert prefixes == sorted(prefixes)


def test_addresses_are_normalised() -> None:
    assert normalise("http://h:8000") == "http://h:8000/v1"
    assert normalise("http://h:8000/") == "http://h:8000/v1"
    assert normalise("h:8000") == "http://h:8000/v1"
    assert normalise("https://h/api/v3/") == "https://h/api/v3"


@pytest.mark.parametrize("text", ["", "ftp://h/v1", "http://", "http://me:hidden@h:port", "http://[::1/v1"])
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="not the address of a model server") as caught:
        HttpChatModel(text)
    assert "hidden" not in str(caught.value)


def test_a_certificate_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="certificates"):
        HttpChatModel("https://h", verify=str(tmp_path / "none.pem"))
