"""A real HTTP server on loopback that answers as a script says, faults included: busy, cut off, garbage, silent."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

OK = {
    "choices": [{"message": {"role": "assistant", "content": "Ankaa"}, "finish_reason": "length"}],
    "usage": {"prompt_tokens": 11, "completion_tokens": 3, "prompt_tokens_details": {"cached_tokens": 7}},
}
Answer = tuple[int, dict[str, str], Any]


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
            self.body = json.loads(self.rfile.read(int(self.headers.get("content-length", 0))) or b"{}")
            script.asked.append((self.path, self.body, dict(self.headers)))
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
    class Server(ThreadingHTTPServer):
        request_queue_size = 128
        daemon_threads = True

    server = Server(("127.0.0.1", 0), handler_for(script))
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


def hang_up(handler: BaseHTTPRequestHandler) -> None:
    """Close the connection without a word."""
    handler.close_connection = True


def cut_off(handler: BaseHTTPRequestHandler) -> None:
    """Promise a long answer, and stop in the middle of it."""
    handler.send_response(200)
    handler.send_header("content-length", "5000")
    handler.end_headers()
    handler.wfile.write(json.dumps(OK).encode()[:40])
    handler.close_connection = True


def slow(seconds: float, answer: Any = OK) -> Callable[[BaseHTTPRequestHandler], None]:
    """Answer after a while."""

    def send(handler: BaseHTTPRequestHandler) -> None:
        time.sleep(seconds)
        data = json.dumps(answer).encode()
        handler.send_response(200)
        handler.send_header("content-length", str(len(data)))
        handler.end_headers()
        handler.wfile.write(data)

    return send


def saying(text: str, **choice: Any) -> dict[str, Any]:
    """The JSON of an answer."""
    return {"choices": [{"message": {"role": "assistant", "content": text}, "finish_reason": "stop", **choice}]}
