"""A real OpenAI-compatible server on loopback whose answers are scripted: the teacher of whole-job tests."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


def answer(messages: list[dict[str, str]]) -> str:
    """What the teacher says: sensible questions, one wrong pair, a skill sample."""
    asked = messages[-1]["content"]
    if "Write eight questions" in asked:
        return (
            "Question: Who first mapped the lake called Mirra?\nAnswer: Ada Holm.\n"
            "Question: How deep is the lake near Orrin?\nAnswer: 999 metres.\n"
        )
    if "Sentence:" in asked:
        about = re.search(r"About: (.+)", asked)
        return f"What is said about {about.group(1) if about else 'it'}, and what else is known?"
    if "Context:" in asked:
        return f"Context: At dawn Fay{len(asked)} fed the cat.\nQuestion: Who fed the cat?\nAnswer: Fay{len(asked)}."
    if "Answer:" in asked:
        return "Good day, friend!"
    return f"- friend number {len(asked)}."


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self._send({"object": "list", "data": [{"id": "scripted", "object": "model"}]})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.seen.append(body)  # type: ignore[attr-defined]
        text = answer(body["messages"])
        usage = {"prompt_tokens": 10, "completion_tokens": len(text.split()), "total_tokens": 10}
        choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": text}}
        self._send({"object": "chat.completion", "choices": [choice], "usage": usage})

    def _send(self, value: dict[str, Any]) -> None:
        data = json.dumps(value).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: Any) -> None:
        return


@contextmanager
def serving() -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """The server's base URL, and the list of request bodies that it has seen."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.seen = []  # type: ignore[attr-defined]
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/v1", server.seen  # type: ignore[attr-defined]
    finally:
        server.shutdown()
        server.server_close()
