"""Start a model behind an address, watch it, and stop it.

An engine is a child process on a Unix socket, so there is no port to race for; only `serve_forever` listens on TCP.
Start engines from a thread that lives as long as they do: Linux ends a child with the thread that started it.
"""

from __future__ import annotations

import logging
import shutil
import signal
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType, TracebackType
from typing import Self

from ilab.base import children, hardware
from ilab.base.children import Child
from ilab.errors import EngineError, MissingModel
from ilab.llm.http import HttpChatModel, HttpTokenScorer
from ilab.records.models import ModelDir
from ilab.serving import choose, launch, ready, state
from ilab.serving.engines import vllm
from ilab.serving.launch import CHAT, SCORE, Address, Engine
from ilab.serving.settings import ServeSettings

_LONGEST_SOCKET_PATH = 100
"""Bytes; the kernel's limit is 108 with the closing zero on Linux, 104 elsewhere."""
_WATCH = 0.2
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """Where a model answers. `base_url` includes `/v1`; `capabilities` is a subset of {"chat", "score"}."""

    base_url: str
    model: str
    socket: Path | None
    capabilities: frozenset[str]
    log: Path


class RunningEngine:
    """An engine that answers, until it is stopped. A context manager that stops it."""

    def __init__(self, endpoint: Endpoint, child: Child, *, what: str) -> None:
        self.endpoint = endpoint
        self.child = child
        self._what = what

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    def alive(self) -> bool:
        """Whether the process runs."""
        return self.child.poll() is None

    def check(self) -> None:
        """Raise `EngineError` with exit status and the last lines of the log when the process has ended."""
        ready.check_alive(self.child, self._what)

    def stop(self) -> None:
        """End the process and remove its socket with the private folder around it. May be called again."""
        self.child.stop()
        if self.endpoint.socket is not None:
            shutil.rmtree(self.endpoint.socket.parent, ignore_errors=True)

    def chat_model(self, *, timeout: float = 600) -> HttpChatModel:
        """A ChatModel over this engine; its death ends the retries with `EngineError`. `timeout` in seconds."""
        self._need(CHAT)
        endpoint = self.endpoint
        return HttpChatModel(
            endpoint.base_url, model=endpoint.model, socket=endpoint.socket, timeout=timeout, watch=self.check
        )

    def token_scorer(self, *, timeout: float = 600) -> HttpTokenScorer:
        """A TokenScorer over this engine. `timeout` in seconds for each batch."""
        self._need(SCORE)
        return HttpTokenScorer(self.endpoint.base_url, socket=self.endpoint.socket, timeout=timeout, watch=self.check)

    def _need(self, ability: str) -> None:
        if ability not in self.endpoint.capabilities:
            raise EngineError(f"{self._what} cannot {ability}", hint=f"start it with need=`{ability}`")


def start_engine(
    model: ModelDir, *, settings: ServeSettings, folder: Path, need: str = CHAT, threads: int = 0
) -> RunningEngine:
    """Start an engine for `model` and wait until it answers on a Unix socket.

    `folder` gets engine.log; two engines that run at the same time need two folders. `need` is "chat" or "score".
    `threads` is used where the settings leave the number to us; 0 takes every usable core. Raises `MissingModel`,
    `MissingExtra`, `ConfigError` or `EngineError`.
    """
    engine = _engine_for(model, settings, need)
    socket = _socket_path(engine.name)
    try:
        address = Address(socket=socket)
        return _start(engine, model, address, settings=settings, log=folder / "engine.log", threads=threads)
    except BaseException:
        shutil.rmtree(socket.parent, ignore_errors=True)
        raise


def serve_forever(
    model: ModelDir,
    *,
    settings: ServeSettings,
    folder: Path,
    state_dir: Path,
    log: Path | None = None,
    on_ready: Callable[[Endpoint], None] | None = None,
) -> None:
    """Serve `model` on TCP `settings.host`:`settings.port` until SIGINT or SIGTERM, then return.

    `folder` gets engine.log, unless `log` names another file; `state_dir` holds `<port>.json` meanwhile; `on_ready` is
    called once the model answers. Raises `PortInUse`, and `EngineError` within a second when the engine dies.
    """
    engine = _engine_for(model, settings, CHAT)
    ready.check_port(settings.host, settings.port)
    address = Address(host=settings.host, port=settings.port)
    with _until_signal():
        running = _start(engine, model, address, settings=settings, log=log or folder / "engine.log", threads=0)
        endpoint = running.endpoint
        with running, state.announced(state_dir, port=settings.port, model=endpoint.model, url=endpoint.base_url):
            if on_ready is not None:
                on_ready(endpoint)
            while True:
                running.check()
                time.sleep(_WATCH)


def chosen_engine(model: ModelDir, settings: ServeSettings, *, need: str = CHAT) -> tuple[str, str]:
    """Name of the engine that would run `model` on this machine, and the reason. `ConfigError` when none fits."""
    gpus = len(hardware.gpus()) if settings.engine == "auto" else 0
    return choose.choose(
        model, need=need, engine=settings.engine, gpus=gpus, vllm=bool(gpus) and vllm.interpreter() is not None
    )


class _Stopped(BaseException):
    """A signal asked us to end."""


def _engine_for(model: ModelDir, settings: ServeSettings, need: str) -> Engine:
    if not model.path.exists():
        raise MissingModel(f"model `{model.name}` is not at {model.path}", hint="`ilab model list` shows what is there")
    name, reason = chosen_engine(model, settings, need=need)
    _log.debug("engine %s for model %s: %s", name, model.name, reason)
    engine = choose.make(name)
    engine.check()
    return engine


def _start(
    engine: Engine, model: ModelDir, address: Address, *, settings: ServeSettings, log: Path, threads: int
) -> RunningEngine:
    what = f"the {engine.name} engine (model `{model.name}`)"
    resources = launch.resources(model, settings, threads or hardware.usable_cores())
    plan = engine.launch(model, address, resources)
    child = children.start(plan.command, log=log, env=plan.env)
    endpoint = Endpoint(
        base_url=address.url + "/v1",
        model=model.name,
        socket=address.socket,
        capabilities=engine.capabilities,
        log=log,
    )
    running = RunningEngine(endpoint, child, what=what)
    try:
        ready.wait_ready(child, address, timeout=settings.startup_timeout, what=what)
    except BaseException:
        running.stop()
        raise
    return running


def _socket_path(engine: str) -> Path:
    """A path for a Unix socket in a new folder that only this user can enter; short, whatever TMPDIR says."""
    parent = tempfile.gettempdir()
    longest = len(f"{parent}/ilab-12345678/{engine}.sock".encode())
    folder = tempfile.mkdtemp(prefix="ilab-", dir=parent if longest <= _LONGEST_SOCKET_PATH else "/tmp")
    return Path(folder) / f"{engine}.sock"


@contextmanager
def _until_signal() -> Iterator[None]:
    """Leave the body on SIGINT or SIGTERM; only the main thread can receive them."""
    asked = False

    def stop(number: int, frame: FrameType | None) -> None:
        nonlocal asked
        if not asked:  # a second signal must not break off the stopping of the engine
            asked = True
            raise _Stopped

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    numbers = (signal.SIGINT, signal.SIGTERM)
    old = [signal.signal(number, stop) for number in numbers]
    try:
        yield
    except _Stopped:
        return
    finally:
        for number, handler in zip(numbers, old, strict=True):
            signal.signal(number, handler)
