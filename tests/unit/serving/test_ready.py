"""Waiting for an engine: small real processes that answer, die or do nothing."""

from __future__ import annotations

import os
import signal
import socket
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ilab.base import children
from ilab.base.children import Child
from ilab.errors import EngineError, PortInUse
from ilab.serving import ready
from ilab.serving.launch import Address

HEALTHY = """
import socketserver, sys
from http.server import BaseHTTPRequestHandler
class Handler(BaseHTTPRequestHandler):
    def address_string(self): return "-"
    def do_GET(self):
        found = self.path == sys.argv[2]
        self.send_response(200 if found else 404)
        self.send_header("content-length", "0")
        self.end_headers()
socketserver.UnixStreamServer(sys.argv[1], Handler).serve_forever()
"""


@pytest.fixture
def address() -> Iterator[Address]:
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        yield Address(socket=Path(folder) / "s")


def start(script: str, *arguments: str, log: Path) -> Child:
    return children.start([sys.executable, "-c", script, *arguments], log=log)


@pytest.mark.parametrize("route", ["/health", "/v1/models"])
def test_ready_when_it_answers(route: str, address: Address, tmp_path: Path) -> None:
    child = start(HEALTHY, str(address.socket), route, log=tmp_path / "engine.log")
    ready.wait_ready(child, address, timeout=10, what="the engine")
    assert child.poll() is None
    child.stop()


def test_a_dead_engine_is_noticed_at_once_and_quoted(address: Address, tmp_path: Path) -> None:
    child = start("raise SystemExit('no such tensor')", log=tmp_path / "engine.log")
    child.wait(10)
    began = time.monotonic()
    with pytest.raises(EngineError, match="the engine ended: exit status 1") as caught:
        ready.wait_ready(child, address, timeout=60, what="the engine")
    assert time.monotonic() - began < 0.2
    assert "no such tensor" in "\n".join(caught.value.details)
    assert str(tmp_path / "engine.log") in caught.value.hint


def test_an_exit_with_success_counts_as_dead(address: Address, tmp_path: Path) -> None:
    child = start("pass", log=tmp_path / "engine.log")
    with pytest.raises(EngineError, match="exit status 0"):
        ready.wait_ready(child, address, timeout=60, what="the engine")


def test_an_engine_that_takes_too_long(address: Address, tmp_path: Path) -> None:
    child = start("print('loading 1 %', flush=True); import time; time.sleep(60)", log=tmp_path / "engine.log")
    with pytest.raises(EngineError, match=r"not become ready within 0.3 s") as caught:
        ready.wait_ready(child, address, timeout=0.3, what="the engine")
    assert "startup_timeout" in caught.value.hint
    child.stop()


def test_a_killed_engine_says_by_what(tmp_path: Path) -> None:
    child = start("import time; time.sleep(60)", log=tmp_path / "engine.log")
    os.kill(child.pid, signal.SIGKILL)
    child.wait(10)
    with pytest.raises(EngineError, match="killed by SIGKILL") as caught:
        ready.check_alive(child, "the engine")
    assert "memory" in caught.value.hint


def test_a_port_in_use_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(PortInUse, match=str(port)) as caught:
            ready.check_port("127.0.0.1", port)
        assert "--port" in caught.value.hint
    ready.check_port("127.0.0.1", port)
