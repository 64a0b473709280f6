"""The documents that a user names for a new leaf: files, a folder, a web address, or a git repository at a commit."""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ilab.base import atomic
from ilab.documents.convert import can_read
from ilab.documents.web import is_web, shown
from ilab.errors import ConfigError
from ilab.taxonomy.leaf import DocumentSource
from ilab.taxonomy.tree import absolute

_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://|[^/\s]+@[^/\s:]+:")
_FORMS = "give files, one folder, the web address of a file, or a git repository as URL@COMMIT"
_OWN_FILES = ("qna.yaml", "attribution.txt")


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """`source` is what the leaf says, `read` where the same is found from any folder; `copies` go beside the leaf."""

    source: DocumentSource
    read: tuple[DocumentSource, ...]
    copies: tuple[Path, ...] = field(default=())

    def copy_into(self, folder: Path) -> list[Path]:
        """Copy what belongs beside the leaf into its folder; the files written."""
        written = []
        for file in self.copies:
            target = folder / file.name
            if not (target.exists() and target.samefile(file)):
                atomic.write_bytes(target, file.read_bytes())
                written.append(target)
        return written


def chosen_document(given: Sequence[str], patterns: Sequence[str], *, folder: Path, root: Path) -> Chosen | None:
    """The documents `given` for the leaf in `folder` of the taxonomy `root`; None without any.

    A file outside of the taxonomy is copied beside the leaf, so that both can be shared; a folder stays where it is.
    """
    if not given:
        if patterns:
            raise ConfigError("--pattern needs --document", hint=_FORMS)
        return None
    places = [absolute(Path(each).expanduser()) for each in given]
    if all(place.is_file() for place in places):
        if patterns:
            raise ConfigError("--pattern is for a folder or a repository, not for files", hint="leave it out")
        return _files(places, folder=folder, root=root)
    if len(given) > 1:
        missing = next((each for each, place in zip(given, places, strict=True) if not place.exists()), "")
        message = f"{missing} does not exist" if missing else "several documents must all be files"
        raise ConfigError(message, hint=_FORMS)
    if places[0].is_dir():
        wanted = tuple(patterns)
        source = DocumentSource(path=os.path.relpath(places[0], folder), patterns=wanted)
        return Chosen(source=source, read=(DocumentSource(path=str(places[0]), patterns=wanted),))
    source = _elsewhere(given[0], tuple(patterns) or ("**/*.md",))
    return Chosen(source=source, read=(source,))


def _files(files: Sequence[Path], *, folder: Path, root: Path) -> Chosen:
    names = [file.name for file in files]
    twice = next((name for name in names if names.count(name) > 1 or name in _OWN_FILES), "")
    if twice:
        raise ConfigError(f"{twice} cannot lie beside the leaf under its name", hint="rename the document")
    read = tuple(DocumentSource(path=str(file)) for file in files)
    if len(files) == 1 and files[0].is_relative_to(root):
        return Chosen(source=DocumentSource(path=os.path.relpath(files[0], folder)), read=read)
    source = (
        DocumentSource(path=names[0])
        if len(names) == 1
        else DocumentSource(path=".", patterns=tuple(map(glob.escape, names)))
    )
    return Chosen(source=source, read=read, copies=tuple(files))


def _elsewhere(given: str, patterns: tuple[str, ...]) -> DocumentSource:
    """A file of the web, or a repository."""
    if is_web(given) and can_read(shown(given)):
        return DocumentSource(path=given)
    repo, at, commit = given.rpartition("@")
    local = absolute(Path(repo).expanduser()) if repo else Path("/nowhere")
    if not at or "/" in commit or ":" in commit or not commit:
        if _URL.match(given):
            hint = f"write {given}@COMMIT; `git ls-remote {given} HEAD` prints the newest one"
            raise ConfigError(f"{given} has no commit, and a repository can change", hint=hint)
        raise ConfigError(f"the document {given} does not exist", hint=_FORMS)
    if local.is_dir():
        return DocumentSource(repo=str(local), commit=commit, patterns=patterns)
    if not _URL.match(repo):
        raise ConfigError(f"the document {given} does not exist", hint=_FORMS)
    return DocumentSource(repo=repo, commit=commit, patterns=patterns)
