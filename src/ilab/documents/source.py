"""Source and DocumentFile: where the documents of a leaf come from, and where they lie once fetched."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Where the documents of one knowledge leaf are.

    Either `repo` (a URL, or a path relative to `base_folder`) at `commit`, or `path` (a file or folder relative to
    `base_folder`, or the web address of one file). `patterns` are globs with `**`; a `path` may leave them empty.
    `sha256` is the digest that a file from the web must have, unless it is empty. `base_folder` is the leaf's own.
    """

    leaf: str
    base_folder: Path
    repo: str = ""
    commit: str = ""
    path: str = ""
    sha256: str = ""
    patterns: tuple[str, ...] = ()
    domain: str = ""
    outline: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentFile:
    """A fetched file: `name` is its path inside the source, `origin` names it in chunks, `path` is where it lies."""

    name: str
    origin: str
    path: Path
