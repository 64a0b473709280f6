"""The error for a model file that is damaged or of a kind that we cannot use."""

from __future__ import annotations

from pathlib import Path

from ilab.errors import Fault, UserFileError


def unusable(path: Path, why: str, *, hint: str = "") -> UserFileError:
    """The error to raise when `path` cannot be used as a model because of `why`."""
    return UserFileError(f"{path} is not a usable model", [Fault(path=str(path), message=why)], hint=hint)
