"""List runs, find one by any unique part of its id, prune old ones."""

from __future__ import annotations

import shutil
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from ilab.base import clock, digest
from ilab.errors import RunError
from ilab.runs import folder as folders
from ilab.runs.folder import Listener, RunFolder


def all_runs(root: Path) -> list[RunFolder]:
    """Every run below `root`, oldest first. There is no registry: the folders are the truth."""
    if not root.exists():
        return []
    return [RunFolder(path) for path in sorted(root.iterdir()) if (path / "manifest.json").exists()]


def find(root: Path, part: str, *, listener: Listener | None = None) -> RunFolder:
    """The one run whose id starts or ends with `part`; `last` is the newest."""
    names = [path.name for path in sorted(root.iterdir()) if (path / "manifest.json").exists()] if root.exists() else []
    if part == "last" and names:
        return RunFolder(root / names[-1], listener=listener)
    matches = [name for name in names if name.startswith(part) or name.endswith(part)]
    if len(matches) == 1:
        return RunFolder(root / matches[0], listener=listener)
    if not names:
        raise RunError("there are no runs yet", hint="`ilab customize` starts one")
    if not matches:
        raise RunError(f"no run matches `{part}`", hint="`ilab run list` shows the ids")
    raise RunError(f"`{part}` matches {len(matches)} runs: {', '.join(matches)}", hint="give more of the id")


def find_same(root: Path, kind: str, *, settings: dict[str, Any], inputs: dict[str, Any]) -> RunFolder | None:
    """The newest run of `kind` that was asked for the same thing; running it again does only what is missing.

    A run without a result goes on even when the user's files changed since (what depends on them is done again). A
    finished run counts only while `inputs["content"]`, the digest of those files, is the same: a result is kept.
    """
    asked = digest.of_value(_request(settings, inputs))
    for run in reversed(all_runs(root)):
        recorded = run.manifest
        if recorded.kind != kind or digest.of_value(_request(recorded.settings, recorded.inputs)) != asked:
            continue
        if run.result() is None or recorded.inputs.get("content") == inputs.get("content"):
            return run
    return None


def _request(settings: dict[str, Any], inputs: dict[str, Any]) -> dict[str, Any]:
    return {"settings": settings, "inputs": {name: value for name, value in inputs.items() if name != "content"}}


def prunable(root: Path, *, older_days: float, states: tuple[str, ...] = ()) -> list[RunFolder]:
    """Runs started more than `older_days` ago, in one of `states` if given; never one that is being worked on."""
    limit = clock.now() - timedelta(days=older_days)
    return [
        run
        for run in all_runs(root)
        if datetime.fromisoformat(run.manifest.started) < limit
        and folders.holder(run.folder) is None
        and (not states or run.state().state in states)
    ]


def remove(run: RunFolder) -> None:
    """Delete a run folder; refused while a process works in it."""
    if folders.holder(run.folder) is not None:
        raise RunError(f"run {run.id} is being worked on", hint="stop it first with `ilab run stop`")
    shutil.rmtree(run.folder)
