"""Content digests: the same content gives the same digest on any machine."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any


def of_bytes(data: bytes) -> str:
    """SHA-256 of `data` in hex."""
    return hashlib.sha256(data).hexdigest()


def of_value(value: Any) -> str:
    """SHA-256 of a JSON-like value, independent of key order."""
    text = json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"), default=str)
    return of_bytes(text.encode())


def of_file(path: Path) -> str:
    """SHA-256 of a file, read in pieces."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def of_path(path: Path) -> str:
    """Digest of a file, or of a folder as (relative name, content) pairs.

    A folder that holds a completion record (`MODEL.json` of the store, `DONE.json` of a checkpoint or a stage) is
    represented by the digest written there, so that gigabytes of weights are read once, when they are written.
    """
    if path.is_file():
        return of_file(path)
    for record in ("MODEL.json", "DONE.json"):
        if (path / record).is_file():
            recorded = json.loads((path / record).read_text(encoding="utf-8")).get("digest")
            if recorded:
                return str(recorded)
    return of_value({name: of_file(file) for name, file in files_below(path).items()})


def files_below(folder: Path) -> dict[str, Path]:
    """Every file below `folder` by its relative POSIX name, sorted; version-control folders are left out."""
    found = {
        file.relative_to(folder).as_posix(): file
        for file in folder.rglob("*")
        if file.is_file() and ".git" not in file.relative_to(folder).parts
    }
    return dict(sorted(found.items()))
