"""What the system says when nothing can be written, as errors for people: disk full, no permission, no such folder."""

from __future__ import annotations

import errno
import os
from collections.abc import Sequence
from pathlib import Path

from ilab.errors import MissingDisk, MissingError

_FULL = (errno.ENOSPC, errno.EDQUOT)
_CLOSED = (errno.EROFS, errno.EACCES, errno.EPERM)
_NO_FOLDER = (errno.ENOENT, errno.ENOTDIR, errno.EEXIST)


def is_full(error: OSError) -> bool:
    """Whether `error` means that no space is left, or none that we may use."""
    return error.errno in _FULL


def full(path: Path | None) -> MissingDisk:
    """The error of a full disk; `path` is what was written, where that is known."""
    place = f"the disk that holds {path}" if path else "the disk"
    return MissingDisk(
        f"no space left on {place}",
        hint="free some space (`ilab run prune` removes old runs), then run the same command again",
    )


def explain(error: OSError, roots: Sequence[Path]) -> MissingError | None:
    """What stands in the way of writing, or None when `error` is of another kind and so a bug.

    `roots` are the folders that hold everything we write. A file that is not there is the user's affair only where a
    root cannot be made; deeper down it is our mistake.
    """
    path = Path(os.fsdecode(error.filename)) if isinstance(error.filename, str | bytes | os.PathLike) else None
    if is_full(error):
        return full(path)
    if path is None:
        return None
    reason = (error.strerror or str(error)).lower()
    if _stands_at_a_root(error, path, roots):
        hint = "make it writable, or set ILAB_HOME to a folder that is"
    elif error.errno in _CLOSED:
        hint = "change who may read and write it, or name another"
    else:
        return None
    if not _is_there(path) and error.errno in _CLOSED:
        path = path.parent  # it is the folder that lets nothing in
    verb = "write to" if not _is_there(path) or os.access(path, os.R_OK) else "read"
    return MissingError(f"cannot {verb} {path}: {reason}", hint=hint)


def _is_there(path: Path) -> bool:
    return os.access(path, os.F_OK)  # `exists` raises where a folder above is closed


def _stands_at_a_root(error: OSError, path: Path, roots: Sequence[Path]) -> bool:
    above = any(path == root or path in root.parents for root in roots)
    below = [root for root in roots if root in path.parents]
    if error.errno in _CLOSED:
        return above or bool(below)
    # below a root that is no folder the system says ENOTDIR of the whole path
    return error.errno in _NO_FOLDER and (above or (error.errno == errno.ENOTDIR and _no_folder(below)))


def _no_folder(roots: Sequence[Path]) -> bool:
    return any(not root.is_dir() for root in roots)
