"""The torch engine's process: load a safetensors folder and serve chat and exact scores over HTTP.

    GET  /health                 {"status": "ok"} once the model is loaded (the port opens only then)
    GET  /v1/models              the one model
    POST /v1/chat/completions    OpenAI chat completions, with `stream`
    POST /v1/score               {"requests": [{"prefix", "context", "continuations"}]} ->
                                 {"scores": [[{"logprob", "tokens"}]]}, nats

One lock guards the model: requests are worked on one after the other, each with every thread.
"""

from __future__ import annotations

import argparse
import logging
import socket
import socketserver
import sys
import threading
from collections.abc import Iterator, Sequence
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import torch
from pydantic import BaseModel, Field, ValidationError
from tokenizers import Tokenizer

from ilab.base import clock, jsonl, logs
from ilab.errors import IlabError
from ilab.llm.chat_templates import read_template
from ilab.llm.port import GenerationParams, ScoreRequest
from ilab.records import messages as records
from ilab.serving.engines import child, torch_scoring
from ilab.serving.engines.torch_generation import Generator, Usage

_LARGEST_BODY = 64 * 2**20
_log = logging.getLogger("ilab.torch_child")


class ChatMessage(BaseModel, frozen=True):
    """One turn of a request."""

    role: str
    content: str


class ChatRequest(BaseModel, frozen=True):
    """The part of an OpenAI chat request that we honour; other fields are ignored."""

    messages: list[ChatMessage] = Field(min_length=1)
    model: str = ""
    max_tokens: int | None = Field(None, ge=1)
    max_completion_tokens: int | None = Field(None, ge=1)
    temperature: float = Field(1.0, ge=0)
    top_p: float = Field(1.0, gt=0, le=1)
    seed: int = 42
    stop: str | list[str] | None = None
    stream: bool = False

    def params(self) -> GenerationParams:
        """The request as our own parameters; without a limit, an answer may fill the context."""
        stops = [self.stop] if isinstance(self.stop, str) else (self.stop or [])
        return GenerationParams(
            max_tokens=self.max_completion_tokens or self.max_tokens or sys.maxsize,
            temperature=self.temperature,
            top_p=self.top_p,
            seed=self.seed,
            stop=tuple(stop for stop in stops if stop),
        )


class ScoreRow(BaseModel, frozen=True):
    """One request of a scoring call."""

    context: str
    continuations: list[str]
    prefix: str = ""


class ScoreBody(BaseModel, frozen=True):
    """The body of a scoring call."""

    requests: list[ScoreRow]


class LoadedModel:
    """A model with its tokenizer and template, behind one lock."""

    def __init__(self, folder: Path, *, name: str, context: int) -> None:
        from transformers import AutoModelForCausalLM

        device = "cuda" if torch.cuda.is_available() else "cpu"
        loaded: Any = AutoModelForCausalLM.from_pretrained(
            folder, dtype=torch.float32, attn_implementation="sdpa", local_files_only=True
        )
        self.model = loaded.to(device).eval()
        self.name = name
        self.tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self.template = read_template(folder)
        remember = torch_scoring.packable(self.model.config)
        self.generator = Generator(self.model, self.tokenizer, context=context, remember=remember)
        self.lock = threading.Lock()

    def answer(self, request: ChatRequest) -> tuple[Iterator[str], Usage]:
        """The answer in pieces; the caller holds the lock while it reads them."""
        conversation = records.from_json(message.model_dump() for message in request.messages)
        prompt = self.template.render(conversation, add_generation_prompt=True)
        return self.generator.start(prompt, request.params())

    def score(self, body: ScoreBody) -> list[list[dict[str, Any]]]:
        """Scores as JSON rows."""
        requests = [
            ScoreRequest(context=row.context, continuations=tuple(row.continuations), prefix=row.prefix)
            for row in body.requests
        ]
        with self.lock:
            scores = torch_scoring.score(self.model, self.tokenizer, requests)
        return [[{"logprob": score.logprob, "tokens": score.tokens} for score in row] for row in scores]


class _Handler(BaseHTTPRequestHandler):
    """Routes of the engine."""

    protocol_version = "HTTP/1.1"
    loaded: LoadedModel

    def address_string(self) -> str:
        """A name for logs: a client on a Unix socket has no address."""
        return "client"

    def log_message(self, format: str, *args: Any) -> None:
        """Log requests at debug level only."""
        _log.debug(format, *args)

    def do_GET(self) -> None:
        """Health and the list of models."""
        if self.path == "/health":
            self._send(200, {"status": "ok"})
        elif self.path == "/v1/models":
            row = {"id": self.loaded.name, "object": "model", "owned_by": "openilab"}
            self._send(200, {"object": "list", "data": [row]})
        else:
            self._fail(404, f"no route {self.path}")

    def do_POST(self) -> None:
        """Chat and scores."""
        size = int(self.headers.get("content-length", 0))
        if size > _LARGEST_BODY:
            self.close_connection = True
            self._fail(413, "the request is too large")
            return
        data = self.rfile.read(size)
        try:
            if self.path == "/v1/chat/completions":
                self._chat(ChatRequest.model_validate_json(data))
            elif self.path == "/v1/score":
                self._send(200, {"scores": self.loaded.score(ScoreBody.model_validate_json(data))})
            else:
                self._fail(404, f"no route {self.path}")
        except ValidationError as error:
            first = error.errors()[0]
            self._fail(400, f"{'.'.join(map(str, first['loc']))}: {first['msg']}")
        except IlabError as error:
            self._fail(400, error.message)
        except ValueError as error:
            self._fail(400, str(error))

    def _chat(self, request: ChatRequest) -> None:
        if request.model not in ("", self.loaded.name):
            self._fail(404, f"model `{request.model}` is not served here; `{self.loaded.name}` is")
            return
        with self.loaded.lock:
            pieces, usage = self.loaded.answer(request)
            if request.stream:
                self._send_stream(pieces, usage)
                return
            text = "".join(pieces)
        choice = {
            "index": 0,
            "message": {"role": "assistant", "content": text},
            "finish_reason": usage.finish_reason,
        }
        self._send(200, self._head("chat.completion") | {"choices": [choice], "usage": _usage(usage)})

    def _send_stream(self, pieces: Iterator[str], usage: Usage) -> None:
        self.close_connection = True
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        head = self._head("chat.completion.chunk")
        try:
            for piece in pieces:
                self._event(head | {"choices": [_delta({"content": piece}, None)]})
            self._event(head | {"choices": [_delta({}, usage.finish_reason)], "usage": _usage(usage)})
            self.wfile.write(b"data: [DONE]\n\n")
        except (BrokenPipeError, ConnectionResetError):  # the client hung up: stop generating
            return

    def _event(self, row: dict[str, Any]) -> None:
        self.wfile.write(f"data: {jsonl.dumps(row)}\n\n".encode())
        self.wfile.flush()

    def _head(self, kind: str) -> dict[str, Any]:
        created = int(clock.now().timestamp())
        return {"id": f"chatcmpl-{created}", "object": kind, "created": created, "model": self.loaded.name}

    def _fail(self, status: int, message: str) -> None:
        self._send(status, {"error": {"message": message, "code": status}})

    def _send(self, status: int, body: dict[str, Any]) -> None:
        data = jsonl.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


class _UnixServer(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True
    request_queue_size = 128


class _TcpServer(socketserver.ThreadingMixIn, socketserver.TCPServer):
    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 128


def _usage(usage: Usage) -> dict[str, Any]:
    return {
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": usage.completion_tokens,
        "total_tokens": usage.prompt_tokens + usage.completion_tokens,
        "prompt_tokens_details": {"cached_tokens": usage.cached_tokens},
    }


def _delta(delta: dict[str, str], finish_reason: str | None) -> dict[str, Any]:
    return {"index": 0, "delta": delta, "finish_reason": finish_reason}


def _listen(options: argparse.Namespace, handler: type[_Handler]) -> socketserver.BaseServer:
    if options.socket:
        return _UnixServer(options.socket, handler)
    if ":" in options.host:
        _TcpServer.address_family = socket.AF_INET6
    return _TcpServer((options.host, options.port), handler)


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until SIGTERM or SIGINT; 1 when the model cannot be loaded or the address not be used."""
    options = child.parser("serve a safetensors model with torch").parse_args(arguments)
    child.end_with_parent()
    logs.setup()
    torch.set_num_threads(options.threads)
    try:
        loaded = LoadedModel(Path(options.model), name=options.name, context=options.context)
        handler = type("Handler", (_Handler,), {"loaded": loaded})
        server = _listen(options, handler)
    except (OSError, ValueError, RuntimeError, IlabError) as error:
        sys.stderr.write(f"cannot serve {options.model}: {error}\n")
        return 1
    threading.Thread(target=server.serve_forever, daemon=True).start()
    child.wait_for_signal()
    return 0


if __name__ == "__main__":
    sys.exit(main())
