"""The name of the user, as git knows it."""

from __future__ import annotations

from pathlib import Path

from ilab.base import git
from ilab.errors import MissingError


def user_name(folder: Path) -> str:
    """git's `user.name` as it counts in `folder`, or in the nearest folder above that is there; empty without one."""
    there = next((each for each in (folder, *folder.parents) if each.is_dir()), Path("/"))
    try:
        answer = git.run(["config", "user.name"], folder=there)
    except MissingError:
        return ""
    return answer.text if answer.ok else ""
