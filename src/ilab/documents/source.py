"""Source and DocumentFile: where the documents of a leaf come from, and where they lie once fetched."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Where the documents of one knowledge leaf are.

    Either `repo` (a URL, or a path relative to `base_folder`) at `commit`, or `path` (a file or folder relative to
    `base_folder`). `patterns` are globs with `**`; a `path` may leave them empty. `base_folder` is the leaf's own.
    """

    leaf: str
    base_folder: Path
    repo: str = ""
    commit: str = ""
    path: str = ""
    patterns: tuple[str, ...] = ()
    domain: str = ""
    outline: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentFile:
    """A fetched file: `name` is its path inside the source, `origin` names it in chunks, `path` is where it lies."""

    name: str
    origin: str
    path: Path
