"""Which leaves changed since a git base: a branch, a remote branch, a tag or a commit.

Compared are the working tree (committed, staged, unstaged and untracked alike) and the merge base of HEAD and the base.
Nothing is checked out. A renamed leaf counts as changed at its new path; a deleted one is gone. A leaf also counts as
changed when another file in its folder did, such as a document that lies there; `attribution.txt` does not count.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from ilab.base import git
from ilab.errors import ConfigError

EMPTY = "empty"
"""The base before everything: all leaves count as changed, and no git is needed."""

_USE_EMPTY = f"use the base `{EMPTY}` to take every leaf"


def changed_leaves(root: Path, leaves: Mapping[str, Path], *, base: str) -> list[str]:
    """Those of `leaves` (name to qna.yaml, somewhere below `root`) that changed since `base`, sorted.

    `ConfigError` if `root` is in no git repository, or git does not know `base`.
    """
    if base == EMPTY:
        return sorted(leaves)
    start = _merge_base(root, base)
    # Without rename detection a rename is a deletion and an addition, and only the addition is listed.
    diff = [
        "diff",
        "--name-only",
        "-z",
        "--relative",
        "--no-renames",
        "--no-ext-diff",
        "--ignore-submodules=none",
        "--diff-filter=d",
        start,
        "--",
        ".",
    ]
    untracked = ["ls-files", "--others", "--exclude-standard", "-z", "--", "."]
    files = [name for command in (diff, untracked) for name in _git(root, command).names]
    folders = {file.parent.relative_to(root).as_posix(): name for name, file in leaves.items()}
    found = {owner for name in files if (owner := _owner(PurePosixPath(name), folders)) is not None}
    # A submodule, another repository within this one or a link to a folder is one name for all that lies below it.
    for whole in (name for name in files if (root / name).is_dir()):
        found |= {name for folder, name in folders.items() if PurePosixPath(folder).is_relative_to(whole)}
    return sorted(found)


def _owner(file: PurePosixPath, folders: Mapping[str, str]) -> str | None:
    """The leaf that a file belongs to: the one of the nearest folder above it."""
    if file.name == "attribution.txt":
        return None
    return next((folders[str(folder)] for folder in file.parents if str(folder) in folders), None)


def _merge_base(root: Path, base: str) -> str:
    inside = git.run(["rev-parse", "--show-toplevel"], folder=root)
    if not inside.ok:
        if "dubious ownership" in inside.error:
            raise ConfigError(f"git does not trust the owner of {root}", hint=inside.error.splitlines()[-1].strip())
        raise ConfigError(f"{root} is not in a git repository, so it cannot be compared with `{base}`", hint=_USE_EMPTY)
    if not git.run(["rev-parse", "--verify", "--quiet", "HEAD"], folder=root).ok:
        raise ConfigError(f"the repository of {root} has no commit yet", hint=_USE_EMPTY)
    known = git.run(["rev-parse", "--verify", "--quiet", f"{base}^{{commit}}"], folder=root)
    if not known.ok or base.startswith("-"):
        raise ConfigError(f"git knows no branch, tag or commit `{base}` in {root}", hint=_known_names(root))
    shared = git.run(["merge-base", "HEAD", known.text], folder=root)
    if not shared.ok:
        raise ConfigError(f"`{base}` and the current branch of {root} have no commit in common", hint=_USE_EMPTY)
    return shared.text


def _known_names(root: Path) -> str:
    listed = git.run(["for-each-ref", "--count=12", "--format=%(refname:short)"], folder=root)
    names = ", ".join(f"`{name}`" for name in listed.text.split())
    return f"known: {names}; or {_USE_EMPTY}" if names else _USE_EMPTY


def _git(root: Path, command: list[str]) -> git.Answer:
    answer = git.run(command, folder=root, timeout=120)
    if not answer.ok:
        raise ConfigError(f"git {command[0]} failed in {root}: {answer.error}", hint=_USE_EMPTY)
    return answer
