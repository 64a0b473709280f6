"""Read one of a model folder's JSON files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ilab.models.faults import unusable


def read(path: Path) -> dict[str, Any]:
    """The JSON object in `path`. Raises `UserFileError` when it cannot be read or holds something else."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise unusable(path, f"cannot be read: {error}") from error
    if not isinstance(content, dict):
        raise unusable(path, "it does not hold a JSON object")
    return content


def read_if_there(path: Path) -> dict[str, Any]:
    """The same, or an empty object where there is no such file."""
    return read(path) if path.exists() else {}
