"""A small OpenAI-compatible server on loopback that answers by script: a real server without a model."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Script = Callable[[str], Sequence[str]]


@dataclass
class OpenAIServer:
    """Answers the last user message with the pieces that `script` gives for it, `pause` seconds apart.

    `requests` keeps the bodies of chat requests, `keys` their Authorization headers; `broken_off` counts clients that
    hung up while an answer was streamed. A script that raises `ValueError` makes the server answer 400.
    """

    script: Script
    names: Sequence[str] = ("org/tiny",)
    pause: float = 0.0
    url: str = ""
    requests: list[dict[str, Any]] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)
    broken_off: int = 0

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2].removesuffix("/v1"))


@contextmanager
def openai_server(
    script: Script, *, names: Sequence[str] = ("org/tiny",), pause: float = 0.0
) -> Iterator[OpenAIServer]:
    """Serve on a free port of 127.0.0.1 while the body runs."""
    facts = OpenAIServer(script, names, pause)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: object) -> None:
            return

        def do_GET(self) -> None:
            self._json(200, {"data": [{"id": name} for name in facts.names]})

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            facts.requests.append(body)
            facts.keys.append(self.headers.get("Authorization", ""))
            try:
                pieces = facts.script(body["messages"][-1]["content"])
            except ValueError as error:
                self._json(400, {"error": {"message": str(error)}})
                return
            if body.get("stream"):
                self._stream(pieces)
                return
            message = {"role": "assistant", "content": "".join(pieces)}
            self._json(200, {"choices": [{"message": message, "finish_reason": "stop"}]})

        def _stream(self, pieces: Sequence[str]) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/event-stream")
            self.send_header("Connection", "close")
            self.end_headers()
            try:
                for piece in pieces:
                    event = {"choices": [{"delta": {"content": piece}}]}
                    self.wfile.write(f"data: {json.dumps(event)}\n\n".encode())
                    self.wfile.flush()
                    time.sleep(facts.pause)
                self.wfile.write(b"data: [DONE]\n\n")
            except OSError:
                facts.broken_off += 1
            self.close_connection = True

        def _json(self, status: int, value: Any) -> None:
            data = json.dumps(value).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    facts.url = f"http://127.0.0.1:{server.server_address[1]}/v1"
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    try:
        yield facts
    finally:
        server.shutdown()
        server.server_close()
