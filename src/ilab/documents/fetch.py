"""Pinned git commit, web address, folder or file to local files.

A repository is read through the copy in the cache, so a commit fetched once needs neither network nor the repository
again. A document of the web is kept there, too; one beside the leaf is read where it lies.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from ilab.base import git
from ilab.base.report import NullReporter, Reporter
from ilab.documents.git_cache import GitCache
from ilab.documents.patterns import choose
from ilab.documents.settings import DocumentSettings
from ilab.documents.source import DocumentFile, Source
from ilab.documents.web import fetch_web, is_web, shown
from ilab.errors import SourceError

_REMOTE = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://|[^/\s]+@[^/\s:]+:")
"""A URL, or `user@host:path`; anything else is a local path."""
_COMMIT_ID = re.compile(r"[0-9a-fA-F]{4,64}")


def fetch(
    source: Source, *, settings: DocumentSettings, cache_dir: Path, report: Reporter | None = None
) -> list[DocumentFile]:
    """The files that `source` names, sorted by name. `SourceError` names the leaf, the source and how to mend it."""
    report = report or NullReporter()
    if is_web(source.path):
        return _from_web(source, settings, cache_dir, report)
    if source.path:
        return _from_folder(source, settings, report)
    return _from_git(source, settings, cache_dir, report)


def _from_git(source: Source, settings: DocumentSettings, cache_dir: Path, report: Reporter) -> list[DocumentFile]:
    url = _url(source)
    place = _named(git.without_credentials(source.repo), source)
    cache = GitCache(cache_dir, url, place=place, timeout=settings.git_timeout, max_bytes=settings.max_repo_bytes)
    commit = cache.commit_id(source.commit)
    if not _COMMIT_ID.fullmatch(source.commit):
        report.warning(f"`{source.commit}` is no commit id of {place}; it stands for {commit} now and can move")
    entries = {entry.name: entry for entry in cache.entries(commit)}
    at = f"{place} at commit {commit[:12]}"
    chosen = choose(list(entries), source.patterns, place=at, report=report)
    _check_size(sum(entries[name].size for name in chosen), settings, at)
    files = []
    for done, name in enumerate(chosen, start=1):
        path = cache.file(commit, entries[name])
        files.append(DocumentFile(name=name, origin=f"{name}@{commit[:12]}", path=path))
        report.progress("documents fetched", done, len(chosen))
    return files


def _named(place: str, source: Source) -> str:
    """What messages call the source; one that belongs to no leaf is called by its place alone."""
    return f"{place} (leaf {source.leaf})" if source.leaf else place


def _url(source: Source) -> str:
    """What to give to git: the URL, or the absolute path of a local repository."""
    if source.repo.startswith("-"):
        raise SourceError(f"`{source.repo}` (leaf {source.leaf}) is not a repository", hint="check `repo`")
    if _REMOTE.match(source.repo):
        return source.repo
    return str((source.base_folder / Path(source.repo).expanduser()).absolute())


def _from_web(source: Source, settings: DocumentSettings, cache_dir: Path, report: Reporter) -> list[DocumentFile]:
    place = _named(shown(source.path), source)
    if source.patterns:
        raise SourceError(f"{place} is one file, so there is nothing for `patterns`", hint="remove `patterns`")
    file = fetch_web(
        source.path, sha256=source.sha256, place=place, settings=settings, cache_dir=cache_dir, report=report
    )
    return [DocumentFile(name=file.name, origin=f"{file.name}@sha256:{file.sha256[:12]}", path=file.path)]


def _from_folder(source: Source, settings: DocumentSettings, report: Reporter) -> list[DocumentFile]:
    top = source.base_folder / Path(source.path).expanduser()
    place = _named(str(top), source)
    if top.is_file():
        _check_size(top.stat().st_size, settings, place)
        return [DocumentFile(name=top.name, origin=top.name, path=top)]
    if not top.is_dir():
        there = sorted(entry.name for entry in top.parent.iterdir()) if top.parent.is_dir() else []
        hint = f"its folder has: {', '.join(there[:8])}" if there else "its folder does not exist either"
        raise SourceError(f"no document at {place}", hint=hint)
    chosen = choose(_names_below(top), source.patterns, place=place, report=report)
    _check_size(sum((top / name).stat().st_size for name in chosen), settings, place)
    return [DocumentFile(name=name, origin=name, path=top / name) for name in chosen]


def _names_below(top: Path) -> list[str]:
    """Every regular file below `top` by its relative path; hidden folders and linked folders are passed over."""
    found = []
    for folder, subfolders, names in os.walk(top):
        subfolders[:] = [name for name in subfolders if not name.startswith(".")]
        paths = (Path(folder, name) for name in names)
        found += [path.relative_to(top).as_posix() for path in paths if path.is_file()]
    return [name for name in found if name.isprintable()]


def _check_size(size: int, settings: DocumentSettings, place: str) -> None:
    if size > settings.max_bytes:
        raise SourceError(
            f"the documents of {place} have {size:,} bytes; at most {settings.max_bytes:,} are read",
            hint="narrow `patterns`, or raise the setting documents.max_bytes",
        )
