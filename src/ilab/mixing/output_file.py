"""The file that a user asked for: it appears whole or not at all, and a place that cannot be written is told."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ilab.base import atomic
from ilab.errors import UserFileError


@contextmanager
def output_file(path: Path) -> Iterator[Path]:
    """A file to write in the place of `path`; see `atomic.replacing`."""
    try:
        with atomic.replacing(path) as temporary:
            yield temporary
    except OSError as error:
        raise UserFileError(f"{path} cannot be written: {error.strerror}", [], hint="name another place") from error
