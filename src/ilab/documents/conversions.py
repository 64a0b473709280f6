"""Converted documents, kept by the content of the file and by what converted it."""

from __future__ import annotations

import importlib.metadata
import json
from pathlib import Path
from typing import Any

from ilab.base import atomic, digest, lazy
from ilab.base.report import Reporter
from ilab.documents.formats import Converter, Format
from ilab.errors import SourceError

_VERSION = 1
"""Raised when a converter of ours writes other Markdown than before."""


def converted(path: Path, *, format: Format, cache_dir: Path, report: Reporter, where: str) -> str:
    """The Markdown of the file at `path`, converted or out of the cache. `where` names the file in errors.

    What the converter had to say is said again when the result comes out of the cache. `SourceError` when the file
    cannot be read, `MissingExtra` when the packages for its format are not installed.
    """
    try:
        content = digest.of_file(path)
    except OSError as error:
        raise SourceError(f"{where} cannot be read: {error.strerror}", hint="check the file's permissions") from error
    kept = cache_dir / "conversions" / f"{_key(content, format)}.json"
    found = _read(kept)
    if found is None:
        convert: Converter = lazy.resolve(format.target)
        said = _Listening(report, where)
        text = convert(path, report=said, where=where)
        atomic.write_json(kept, {"text": text, "said": said.kept})
        return text
    for event in found["said"]:
        if "warning" in event:
            report.warning(event["warning"].format(where=where))
        else:
            report.metric(event["metric"], event["value"])
    return str(found["text"])


def _read(kept: Path) -> dict[str, Any] | None:
    """A conversion out of the cache; None for one that is not there or not whole."""
    try:
        found = json.loads(kept.read_bytes())
    except (FileNotFoundError, ValueError):
        return None
    whole = isinstance(found, dict) and isinstance(found.get("text"), str) and isinstance(found.get("said"), list)
    return found if whole else None


def _key(content: str, format: Format) -> str:
    versions = {package: _version(package) for package in format.packages}
    return digest.of_value([content, format.target, _VERSION, versions])[:40]


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return ""


class _Listening:
    """Hands everything on, and keeps what is to be said again; the same file may have another name then."""

    def __init__(self, report: Reporter, where: str) -> None:
        self.kept: list[dict[str, Any]] = []
        self._report = report
        self._where = where

    def progress(self, what: str, done: int, total: int, **fields: Any) -> None:
        """Hand on."""
        self._report.progress(what, done, total, **fields)

    def metric(self, name: str, value: float, **fields: Any) -> None:
        """Hand on, and keep."""
        self.kept.append({"metric": name, "value": value})
        self._report.metric(name, value, **fields)

    def warning(self, message: str) -> None:
        """Hand on, and keep."""
        template = "{where}".join(part.replace("{", "{{").replace("}", "}}") for part in message.split(self._where))
        self.kept.append({"warning": template})
        self._report.warning(message)
