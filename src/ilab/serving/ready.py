"""Wait until an engine answers; notice at once when it dies instead."""

from __future__ import annotations

import signal
import socket
import time
from collections.abc import Sequence

import httpx

from ilab.base.children import Child
from ilab.errors import EngineError, PortInUse
from ilab.serving.launch import Address

_POLL = 0.1
_QUOTED_LINES = 12


def check_port(host: str, port: int) -> None:
    """Raise `PortInUse` when another program listens on `port`."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise PortInUse(
                f"cannot listen on {host} port {port}: {error.strerror or error}",
                hint="choose another port with `--port`, or stop the program that listens there",
            ) from error


def wait_ready(child: Child, address: Address, *, timeout: float, what: str) -> None:
    """Return once the engine answers `GET /health` or `GET /v1/models`.

    Raises `EngineError` with the last lines of the log when the child ends first, or after `timeout` seconds. `what`
    names engine and model in messages.
    """
    transport = httpx.HTTPTransport(uds=str(address.socket)) if address.socket else None
    deadline = time.monotonic() + timeout
    with httpx.Client(base_url=address.url, transport=transport, trust_env=False, timeout=2.0) as client:
        while not _answers(client):
            check_alive(child, what)
            if time.monotonic() > deadline:
                raise EngineError(
                    f"{what} did not become ready within {timeout:g} s",
                    hint="allow more time with `serving.startup_timeout`, or choose a smaller model",
                    details=quote(child),
                )
            time.sleep(_POLL)
    check_alive(child, what)  # another program may have answered in its place


def check_alive(child: Child, what: str) -> None:
    """Raise `EngineError` with the last lines of the log when the child has ended."""
    status = child.poll()
    if status is None:
        return
    raise EngineError(f"{what} ended: {_in_words(status)}", hint=_hint(status, child), details=quote(child))


def quote(child: Child) -> Sequence[str]:
    """The last lines of the engine's log, under a heading."""
    lines = child.last_lines(_QUOTED_LINES)
    return ["last lines of the engine:", *(f"  {line[:300]}" for line in lines)] if lines else []


def _answers(client: httpx.Client) -> bool:
    for path in ("/health", "/v1/models"):
        try:
            response = client.get(path)
        except (httpx.TransportError, OSError):
            return False
        if response.status_code != httpx.codes.NOT_FOUND:
            return response.is_success
    return False


def _in_words(status: int) -> str:
    if status >= 0:
        return f"exit status {status}"
    return f"killed by {signal.Signals(-status).name}"


def _hint(status: int, child: Child) -> str:
    log = f"the whole log is {child.log}"
    if status == -signal.SIGKILL:
        return f"the system may have run out of memory; {log}"
    if status == -signal.SIGILL:
        return f"this processor lacks instructions that the engine needs (AVX2); {log}"
    return log
