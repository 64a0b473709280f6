"""Which taxonomy a command works on, the leaves that its paths name, and writing one of them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ilab.base import atomic
from ilab.errors import ConfigError, IlabError, UserFileError
from ilab.taxonomy.leaf import TOP_FOLDERS
from ilab.taxonomy.tree import absolute, find
from ilab.taxonomy.yaml_syntax import MAX_BYTES

if TYPE_CHECKING:
    from ilab.config.load import Loaded


def taxonomy_of(loaded: Loaded) -> Path:
    """The taxonomy, folder or file, that the settings name."""
    return absolute(Path(loaded.config.taxonomy.path or loaded.paths.taxonomy).expanduser())


def leaf_files(loaded: Loaded, paths: Sequence[Path]) -> dict[Path, str]:
    """The qna.yaml files at or below `paths`, each with the path of its leaf; of the whole taxonomy without one.

    A path is looked for in the current folder first, then in the taxonomy. `UserFileError` where there is none.
    """
    found: dict[Path, str] = {}
    for path in [_found(path, loaded) for path in paths] or [taxonomy_of(loaded)]:
        tree = find(path) if path.exists() else None
        if tree is None:
            raise UserFileError(f"the taxonomy {path} does not exist", [], hint="give the folder with --taxonomy-path")
        if not tree.files:
            where = ", ".join(f"{name}/" for name in TOP_FOLDERS)
            raise UserFileError(f"no qna.yaml found below {path}", tree.faults, hint=f"put leaves into {where}")
        found |= {file: name for name, file in tree.files.items()}
    return found


def shown(file: Path) -> str:
    """`file` as a person in the current folder would name it."""
    here = Path.cwd()
    return os.path.relpath(file, here) if file.is_relative_to(here) else str(file)


def content_of(file: Path) -> bytes:
    """The content of a leaf's file, or so much that it shows to be too large. `IlabError` if it cannot be read."""
    try:
        with file.open("rb") as opened:
            return opened.read(MAX_BYTES + 1)
    except OSError as error:
        raise IlabError(
            f"{file} cannot be read: {error.strerror}", hint="check the file and its permissions"
        ) from error


def replace_content(file: Path, content: bytes) -> None:
    """Replace the content of the file behind the name `file`, links followed, in one step; its mode stays."""
    target = file.resolve()
    mode = target.stat().st_mode & 0o7777
    try:
        atomic.write_bytes(target, content, mode=mode)
        target.chmod(mode)  # the mask of the process may have taken something from it
    except PermissionError as error:
        raise IlabError(
            f"{file} cannot be written: {error.strerror}", hint="check the permissions of its folder"
        ) from error


def _found(path: Path, loaded: Loaded) -> Path:
    places = [absolute(path.expanduser()), taxonomy_of(loaded) / path]
    for place in places:
        if place.exists():
            return place
    raise ConfigError(f"{path} does not exist", hint=f"give a path below {taxonomy_of(loaded)}")
