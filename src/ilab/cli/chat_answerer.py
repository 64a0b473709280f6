"""Who answers a chat: a given endpoint, a model that is being served, or an engine started for this chat."""

from __future__ import annotations

import os
import shutil
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Self

import httpx

from ilab.cli import model_choice, output, report
from ilab.cli.chat_input import quiet_keys
from ilab.config.load import Loaded
from ilab.errors import ConfigError, MissingModel, TeacherError
from ilab.llm.http import HttpChatModel
from ilab.models.store import ModelStore
from ilab.serving import launch, state
from ilab.serving.engine import RunningEngine, start_engine
from ilab.serving.state import ServedModel

_TIMEOUT = 600.0
_PROBE_TIMEOUT = 5.0
_NAMES_SHOWN = 12
_CLEAR = "\r\x1b[K"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What the user asked for: the model by name (empty: our choice), and an endpoint with its key (empty: ours)."""

    loaded: Loaded
    named: str = ""
    endpoint_url: str = ""
    api_key: str = ""

    def other(self, named: str) -> Wish:
        """The same wish for another model."""
        return replace(self, named=named)


class Answerer:
    """A model that answers until it is closed. A context manager that closes it.

    `line` says in one line who answers; `context_size` is in tokens, 0 when unknown.
    """

    def __init__(
        self, model: HttpChatModel, *, name: str, line: str, context_size: int = 0, engine: RunningEngine | None = None
    ) -> None:
        self.model = model
        self.name = name
        self.line = line
        self.context_size = context_size
        self._engine = engine

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    @property
    def short_name(self) -> str:
        """The last part of the name, for titles."""
        return self.name.rstrip("/").rpartition("/")[2] or self.name

    @property
    def alive(self) -> bool:
        """Whether there is sense in asking again: an engine of ours still runs."""
        return self._engine is None or self._engine.alive()

    def close(self) -> None:
        """Close the connections and stop an engine of ours. Its log is kept when it died by itself."""
        self.model.close()
        if self._engine is None:
            return
        alive = self._engine.alive()
        self._engine.stop()
        if alive:
            shutil.rmtree(self._engine.endpoint.log.parent, ignore_errors=True)


def find(wish: Wish) -> Answerer:
    """The given endpoint; else the newest model that is being served and fits; else an engine of our own.

    Raises `TeacherError`, `MissingModel`, `MissingExtra`, `ConfigError` or `EngineError`.
    """
    if wish.endpoint_url:
        return _at_endpoint(wish)
    return _served(wish) or _started(wish)


def _at_endpoint(wish: Wish) -> Answerer:
    model = HttpChatModel(wish.endpoint_url, model=wish.named, api_key=wish.api_key, timeout=_TIMEOUT, retries=1)
    name = wish.named or _only_model(model)
    if wish.named:
        _check_listed(model, name)
    return Answerer(model, name=name, line=f"model: {name} (at {model.base_url})")


def _only_model(model: HttpChatModel) -> str:
    try:
        names = model.models()
    except TeacherError as error:
        hint = error.hint or "name the model with --model if the server does not list its models"
        raise TeacherError(error.message, hint=hint) from error
    if len(names) != 1:
        known = f"name one with --model: {', '.join(names[:_NAMES_SHOWN])}" if names else "name it with --model"
        raise ConfigError(f"{model.base_url} offers {len(names)} models", hint=known)
    return names[0]


def _check_listed(model: HttpChatModel, name: str) -> None:
    """Warn when the server does not list the model: some answer with another one, whatever name they are given."""
    try:
        names = model.models()
    except TeacherError as error:
        if isinstance(error.__cause__, httpx.TransportError):
            raise  # it is not there
        return  # it has no list
    if names and name not in names:
        more = ", ..." if len(names) > _NAMES_SHOWN else ""
        report.warn(f"{model.base_url} does not list `{name}`, but {', '.join(names[:_NAMES_SHOWN])}{more}")


def _served(wish: Wish) -> Answerer | None:
    wanted = _full_name(wish) if wish.named else ""
    for served in state.find_served(wish.loaded.paths.engines):
        if served.model == (wanted or served.model) and _answers(served):
            model = HttpChatModel(served.url, model=served.model, timeout=_TIMEOUT, retries=1)
            line = f"model: {served.model} (served at {served.url})"
            return Answerer(model, name=served.model, line=line)
    return None


def _full_name(wish: Wish) -> str:
    """The store's name for what the user typed, under which it would be served."""
    try:
        return ModelStore(wish.loaded.paths.models).find(wish.named).name
    except MissingModel:
        return wish.named


def _answers(served: ServedModel) -> bool:
    """Whether the model is really there: a state file may outlive its process, and the process id be given again."""
    probe = HttpChatModel(served.url, timeout=_PROBE_TIMEOUT, retries=0)
    try:
        return served.model in probe.models()
    except TeacherError:
        return False
    finally:
        probe.close()


def _started(wish: Wish) -> Answerer:
    loaded = wish.loaded
    chosen = model_choice.choose(loaded, named=wish.named)
    settings = loaded.config.serving
    folder = _log_folder(loaded)
    live = output.is_terminal(sys.stderr)
    if live:
        sys.stderr.write(f"loading {chosen.model.name} ...")
        sys.stderr.flush()
    try:
        with quiet_keys():
            engine = start_engine(chosen.model, settings=settings, folder=folder)
    except (KeyboardInterrupt, SystemExit):
        shutil.rmtree(folder, ignore_errors=True)  # nobody will read a log of a start that was broken off
        raise
    finally:
        if live:
            sys.stderr.write(_CLEAR)
            sys.stderr.flush()
    line = f"model: {chosen.model.name}"
    return Answerer(
        engine.chat_model(timeout=_TIMEOUT),
        name=chosen.model.name,
        line=f"{line} ({chosen.why})" if chosen.why else line,
        context_size=launch.resources(chosen.model, settings, 0).context,
        engine=engine,
    )


def _log_folder(loaded: Loaded) -> Path:
    """A folder for the log of this chat's engine; a chat that switches models has several."""
    parent = loaded.paths.logs
    number = 1
    while (folder := parent / f"chat-{os.getpid()}-{number}").exists():
        number += 1
    return folder
