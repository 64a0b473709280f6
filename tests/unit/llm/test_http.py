"""HttpChatModel and HttpTokenScorer against real servers on loopback and on a Unix socket."""

from __future__ import annotations

import json
import socketserver
import threading
import time
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest
from tests.faulty_server import OK, Script, cut_off, handler_for, hang_up, serving, stream_of

from ilab.errors import ConfigError, EngineError, TeacherError
from ilab.llm.http import HttpChatModel, HttpTokenScorer
from ilab.llm.port import ContextExceeded, GenerationParams, RequestRefused, ScoreRequest
from ilab.llm.transport import normalise
from ilab.records.messages import user

HELLO = [user("hi")]
PARAMS = GenerationParams()


def test_goes_on_after_429_and_500_and_a_lost_connection() -> None:
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


@pytest.mark.parametrize(
    "said",
    [
        "request (3031 tokens) exceeds the available context size (2048 tokens), try increasing it",
        "This model's maximum context length is 4096 tokens. However, you requested 5000 tokens",
        "the prompt of 70 tokens exceeds the context of 64 tokens",
    ],
)
def test_a_request_that_is_too_long_is_told_from_other_refusals(said: str) -> None:
    with serving(Script((400, {}, {"error": {"message": said}}))) as url, pytest.raises(ContextExceeded):
        HttpChatModel(url, model="m").chat(HELLO, PARAMS)


def test_a_refusal_for_another_reason_is_no_matter_of_length() -> None:
    script = Script((422, {}, {"error": "temperature must be below 1"}))
    with serving(script) as url, pytest.raises(RequestRefused, match="temperature") as caught:
        HttpChatModel(url, model="m").chat(HELLO, PARAMS)
    assert not isinstance(caught.value, ContextExceeded)


@pytest.mark.parametrize("fault", [cut_off, (200, {}, "<html>"), (200, {}, {"choices": []})])
def test_an_answer_that_is_cut_off_or_garbage_is_asked_for_again(fault: Any) -> None:
    script = Script(fault, (200, {}, OK))
    with serving(script) as url:
        assert HttpChatModel(url, model="m").chat(HELLO, PARAMS).text == "Ankaa"
    assert len(script.asked) == 2


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
    with serving(Script((200, {}, content))) as url, pytest.raises(TeacherError, match="as a model server does"):
        HttpChatModel(url, model="m", retries=1).chat(HELLO, PARAMS)


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
