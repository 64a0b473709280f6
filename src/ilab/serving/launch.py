"""What an engine needs to be started: an address to listen on, and a command that does it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from ilab.records.models import ModelDir
from ilab.serving.settings import ServeSettings

CHAT = "chat"
SCORE = "score"


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Where an engine listens: a Unix socket, or a TCP host and port."""

    socket: Path | None = None
    host: str = ""
    port: int = 0

    @property
    def url(self) -> str:
        """The address that clients use, without a path. Behind a Unix socket the host is a mere name."""
        if self.socket is not None:
            return "http://engine"
        host = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}.get(self.host, self.host)
        return f"http://[{host}]:{self.port}" if ":" in host else f"http://{host}:{self.port}"

    @property
    def options(self) -> list[str]:
        """The address as options of our own engine programs."""
        if self.socket is not None:
            return ["--socket", str(self.socket)]
        return ["--host", self.host, "--port", str(self.port)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Launch:
    """A command line, and what to add to the environment."""

    command: list[str]
    env: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Resources:
    """What one engine may use.

    `context` counts tokens for each request; `parallel` the requests at once, and `gpus` the accelerators that vLLM
    spreads the model over; 0 leaves either to the engine.
    """

    context: int
    parallel: int
    threads: int
    gpus: int = 0


class Engine(Protocol):
    """One kind of engine: what it can do, and how it is started."""

    name: str
    capabilities: frozenset[str]

    def check(self) -> None:
        """Raise `MissingExtra` when the packages of this engine are not installed."""

    def launch(self, model: ModelDir, address: Address, resources: Resources) -> Launch:
        """The command that serves `model` at `address`."""


def resources(model: ModelDir, settings: ServeSettings, threads: int) -> Resources:
    """The resources that `settings` give to `model`; the context is cut to what the model was trained for."""
    context = min(settings.context_size, model.context_length or settings.context_size)
    return Resources(
        context=context, parallel=settings.parallel, threads=settings.threads or threads, gpus=settings.gpus
    )
