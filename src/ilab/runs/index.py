"""List runs, find one by any unique part of its id, prune old ones."""

from __future__ import annotations

import shutil
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from ilab.base import clock, digest
from ilab.base.report import NullReporter, Reporter
from ilab.errors import MissingError, RunError
from ilab.runs import folder as folders
from ilab.runs.folder import Listener, RunFolder

_NOT_ASKED = ("content", "commit", "name")
"""Inputs that may change while the request stays the same: the state of the user's files, the name of the result."""


def all_runs(root: Path, *, report: Reporter | None = None) -> list[RunFolder]:
    """Every run below `root`, oldest first. There is no registry: the folders are the truth.

    A folder that cannot be read is told to `report` as a warning, and left out.
    """
    found = []
    for folder in _folders(root):
        try:
            found.append(RunFolder(folder))
        except RunError as error:
            hint = f" ({error.hint})" if error.hint else ""
            (report or NullReporter()).warning(f"run {folder.name} is left out: {error.message}{hint}")
    return found


def _folders(root: Path) -> list[Path]:
    return [path for path in sorted(root.iterdir()) if (path / "manifest.json").exists()] if root.exists() else []


def find(root: Path, part: str, *, listener: Listener | None = None) -> RunFolder:
    """The one run whose id starts or ends with `part`; `last` is the newest that can be read."""
    if part == "last" and (runs := all_runs(root)):
        runs[-1].listener = listener
        return runs[-1]
    names = [folder.name for folder in _folders(root)]
    matches = [name for name in names if name.startswith(part) or name.endswith(part)]
    if len(matches) == 1:
        return RunFolder(root / matches[0], listener=listener)
    if not names:
        raise MissingError("there are no runs yet", hint="`ilab customize` starts one")
    if not matches:
        raise MissingError(f"no run matches `{part}`", hint="`ilab run list` shows the ids")
    raise RunError(f"`{part}` matches {len(matches)} runs: {', '.join(matches)}", hint="give more of the id")


def find_same(root: Path, kind: str, *, settings: dict[str, Any], inputs: dict[str, Any]) -> RunFolder | None:
    """The newest run of `kind` that was asked for the same thing; running it again does only what is missing.

    A run without a result goes on even when the user's files changed since (what depends on them is done again). A
    finished run counts only while `inputs["content"]`, the digest of those files, is the same: a result is kept. The
    name of the result decides only among several, so that a run goes on under a better one. A folder that cannot be
    read is passed over.
    """
    asked = digest.of_value(_request(settings, inputs))
    same = [run for run in reversed(all_runs(root)) if run.manifest.kind == kind and _goes_on(run, asked, inputs)]
    named = [run for run in same if run.manifest.inputs.get("name") == inputs.get("name")]
    return next(iter(named or same), None)


def _goes_on(run: RunFolder, asked: str, inputs: dict[str, Any]) -> bool:
    recorded = run.manifest
    if digest.of_value(_request(recorded.settings, recorded.inputs)) != asked:
        return False
    return not run.has_result or recorded.inputs.get("content") == inputs.get("content")


def _request(settings: dict[str, Any], inputs: dict[str, Any]) -> dict[str, Any]:
    kept = {name: value for name, value in inputs.items() if name not in _NOT_ASKED}
    return {"settings": settings, "inputs": kept}


def prunable(
    root: Path, *, older_days: float, states: tuple[str, ...] = (), report: Reporter | None = None
) -> list[RunFolder]:
    """Runs started more than `older_days` ago, in one of `states` if given; never one that is being worked on."""
    limit = clock.now() - timedelta(days=older_days)
    return [
        run
        for run in all_runs(root, report=report)
        if datetime.fromisoformat(run.manifest.started) < limit
        and folders.holder(run.folder) is None
        and (not states or run.state().state in states)
    ]


def remove(run: RunFolder) -> None:
    """Delete a run folder; refused while a process works in it."""
    if folders.holder(run.folder) is not None:
        raise RunError(f"run {run.id} is being worked on", hint="stop it first with `ilab run stop`")
    shutil.rmtree(run.folder)
