"""RunManifest: what was asked, written once before any work and never changed."""

from __future__ import annotations

import importlib.metadata
import json
import platform
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from ilab.base import atomic, clock, hardware
from ilab.errors import RunError

SCHEMA_VERSION = 1
_BY_HAND = "if nothing in it is needed, remove the run's folder by hand"
_PACKAGES = ("openilab", "torch", "transformers", "tokenizers", "safetensors", "gguf", "xllamacpp", "pydantic", "httpx")


class RunManifest(BaseModel, extra="ignore", frozen=True):
    """Everything needed to ask for the same run again. Secrets never get here: settings leave them out."""

    schema_version: int = SCHEMA_VERSION
    id: str
    kind: str
    started: str
    argv: list[str]
    cwd: str = ""
    """Folder in which the command was given: relative paths in `argv` start there."""
    settings: dict[str, Any]
    """Resolved settings of each room, as JSON."""
    sources: dict[str, str] = {}
    """Where each setting came from: default, profile, file, environment or flag."""
    inputs: dict[str, Any] = {}
    """Outside inputs: paths, URLs, digests, the taxonomy commit."""
    packages: dict[str, str] = {}
    host: dict[str, Any] = {}


def new(
    kind: str,
    *,
    run_id: str,
    argv: list[str],
    settings: dict[str, Any],
    sources: dict[str, str],
    inputs: dict[str, Any],
) -> RunManifest:
    """A manifest of this moment on this machine."""
    machine = hardware.read()
    return RunManifest(
        id=run_id,
        kind=kind,
        started=clock.stamp(),
        argv=argv,
        cwd=str(Path.cwd()),
        settings=settings,
        sources=dict.fromkeys(_names(settings, sources), "default") | sources,
        inputs=inputs,
        packages=package_versions(),
        host={
            "name": platform.node(),
            "system": machine.system,
            "python": platform.python_version(),
            "cpu": machine.cpu,
            "cores": machine.cores,
            "memory": machine.memory_total,
            "gpus": [gpu.name for gpu in machine.gpus],
        },
    )


def _names(settings: Mapping[str, Any], sources: Mapping[str, str], prefix: str = "") -> Iterator[str]:
    """Dotted names of the settings; one that has a source is a setting even when its value has parts."""
    for key, value in settings.items():
        name = f"{prefix}{key}"
        if isinstance(value, Mapping) and value and name not in sources:
            yield from _names(value, sources, f"{name}.")
        else:
            yield name


def package_versions() -> dict[str, str]:
    """Installed versions of the packages that decide results."""
    found = {}
    for name in _PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def write(folder: Path, manifest: RunManifest) -> None:
    """Write manifest.json; a manifest that is there already is never replaced."""
    path = folder / "manifest.json"
    if path.exists():
        raise RunError(f"{path} exists already")
    atomic.write_text(path, manifest.model_dump_json(indent=2) + "\n")


def read(folder: Path) -> RunManifest:
    """Read manifest.json; a newer schema is refused in plain words."""
    path = folder / "manifest.json"
    try:
        content = json.loads(path.read_bytes())
        # asked before all else: a newer form may lack what this one wants
        if isinstance(content, dict) and content.get("schema_version", 0) > SCHEMA_VERSION:
            raise RunError(f"run {folder.name} was written by a newer ilab", hint="update ilab to read it")
        return RunManifest.model_validate(content)
    except FileNotFoundError as error:
        raise RunError(f"{folder} is not a run folder: manifest.json is missing") from error
    except ValidationError as error:
        first = error.errors()[0]
        why = ": ".join([*(str(part) for part in first["loc"]), first["msg"]])
        raise RunError(f"{path} cannot be read: {why}", hint=_BY_HAND) from error
    except (OSError, ValueError, TypeError) as error:
        raise RunError(f"{path} cannot be read: {error}", hint=_BY_HAND) from error
