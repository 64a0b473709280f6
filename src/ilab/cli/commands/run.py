"""`ilab run`: list, show, follow, resume, stop, prune."""

from __future__ import annotations

import json
import os
import platform
import signal
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import click

from ilab.base import clock
from ilab.base.report import NullReporter
from ilab.cli import output, report
from ilab.cli.options import json_option, paths, screen, session, with_run
from ilab.errors import Interrupted, RunError
from ilab.runs import folder as folders
from ilab.runs import index
from ilab.runs.events import RunState, StageState
from ilab.runs.folder import RunFolder

_ENDS = ("run_finished", "run_failed", "run_interrupted")
_STATES = ("running", "finished", "failed", "interrupted")
_POLL_SECONDS = 0.2


class _Warnings(NullReporter):
    """Shows warnings on stderr."""

    def warning(self, message: str) -> None:
        """Show one."""
        report.warn(message)


@click.command("list")
@click.option("--state", "states", multiple=True, type=click.Choice(_STATES), help="Only runs in this state.")
@json_option
def list_runs(states: tuple[str, ...], as_json: bool) -> None:
    """Lists all runs and their states.

    A run that cannot be read is told on standard error with the reason.
    """
    found = [(run, run.state()) for run in index.all_runs(paths().runs, report=_Warnings())]
    found = [(run, state) for run, state in found if not states or state.state in states]
    if as_json:
        output.print_json([_summary(run, state) for run, state in found])
    elif found:
        rows = [_row(run, state) for run, state in found]
        output.print_table(["Run", "Kind", "Started", "State", "Stage", "Time"], rows)
    else:
        output.tell("there are no runs yet" if not states else "no run is in such a state")


def _row(run: RunFolder, state: RunState) -> list[str]:
    seconds = sum(_seconds(stage, state) for stage in state.stages.values())
    started = run.manifest.started[:19].replace("T", " ")
    return [run.id, run.manifest.kind, started, state.state, _stage(state), clock.human_duration(seconds)]


def _stage_state(stage: StageState, run: RunState) -> str:
    """The state of a stage; a killed process could not say that it was interrupted."""
    return "interrupted" if stage.state == "running" and run.state != "running" else stage.state


def _seconds(stage: StageState, run: RunState) -> float:
    """Time spent on a stage; of one that works, the time since it began."""
    if _stage_state(stage, run) == "running" and stage.started:
        return (clock.now() - datetime.fromisoformat(stage.started)).total_seconds()
    return stage.seconds


def _stage(state: RunState) -> str:
    """The stage that works or came last, with its progress."""
    if not state.stages:
        return "-"
    stage = list(state.stages.values())[-1]
    done, total = stage.progress.get("done"), stage.progress.get("total")
    share = f" {100 * done // total} %" if stage.state != "finished" and done and total else ""
    return stage.name + share


def _summary(run: RunFolder, state: RunState) -> dict[str, Any]:
    return {
        "id": run.id,
        "kind": run.manifest.kind,
        "started": run.manifest.started,
        "state": state.state,
        "error": state.error,
        "folder": str(run.folder),
        "stages": [
            {
                "name": stage.name,
                "state": _stage_state(stage, state),
                "seconds": round(_seconds(stage, state), 3),
                "progress": stage.progress,
            }
            for stage in state.stages.values()
        ],
    }


@click.command("show")
@click.argument("run", default="last")
@click.option("--log", "log", metavar="NAME", help="Print a log instead: `run`, or one of a stage such as `engine`.")
@json_option
def show(run: str, log: str | None, as_json: bool) -> None:
    """Displays one run: stages, times, result, files.

    RUN is the beginning or the end of a run's id, or `last`.
    """
    found = index.find(paths().runs, run)
    if log:
        _print_log(found, log)
        return
    state = found.state()
    if as_json:
        facts = {"manifest": found.manifest.model_dump(mode="json"), "result": found.result()}
        output.print_json(_summary(found, state) | {"warnings": state.warnings} | facts)
        return
    _print_heading(found, state)
    rows = [
        [stage.name, _stage_state(stage, state), clock.human_duration(_seconds(stage, state)), _count(stage.progress)]
        for stage in state.stages.values()
    ]
    if rows:
        output.print_table(["Stage", "State", "Time", "Done"], rows)
    for warning in state.warnings:
        click.echo(f"warning: {warning}")
    _print_result(found.result())
    _print_files(found)


def _print_heading(run: RunFolder, state: RunState) -> None:
    click.echo(f"run:      {run.id}")
    click.echo(f"state:    {state.state}{f' ({state.error})' if state.error else ''}")
    click.echo(f"started:  {run.manifest.started}")
    if state.ended:
        click.echo(f"ended:    {state.ended}")
    click.echo(f"command:  ilab {' '.join(run.manifest.argv)}")
    click.echo(f"folder:   {run.folder}")


def _count(progress: dict[str, Any]) -> str:
    if not progress:
        return ""
    done, total = progress.get("done") or 0, progress.get("total") or 0
    return f"{output.number(done)}{f'/{output.number(total)}' if total else ''} {progress.get('what', '')}"


def _print_result(result: dict[str, Any] | None) -> None:
    """The headline: the plain values of result.json."""
    if result is None:
        return
    click.echo("result:")
    for name, value in result.items():
        if name not in ("schema_version", "run") and isinstance(value, (str, int, float, bool)):
            click.echo(f"  {name}: {value}")


def _print_files(run: RunFolder) -> None:
    """What there is to read in the folder, without markers and without the inside of checkpoints."""
    click.echo("files:")
    for file in sorted(run.folder.rglob("*")):
        name = file.relative_to(run.folder)
        hidden = file.name in ("STARTED.json", "DONE.json", "lock", "spent.json") or "checkpoints" in name.parts
        if file.is_file() and not hidden:
            click.echo(f"  {name}  {output.size(file.stat().st_size)}")
        elif file.is_dir() and file.parent.name == "checkpoints":
            click.echo(f"  {name}/")


def _print_log(run: RunFolder, name: str) -> None:
    wanted = {f"{name}.log", f"{name}.txt", name} | ({"log.txt"} if name == "run" else set())
    logs = [file for file in sorted(run.folder.rglob("*")) if file.is_file() and _is_log(file)]
    chosen = [file for file in logs if file.name in wanted]
    if not chosen:
        known = ", ".join(str(file.relative_to(run.folder)) for file in logs)
        raise RunError(f"run {run.id} has no log `{name}`", hint=f"it has: {known}" if known else "it has none yet")
    for file in chosen:
        if len(chosen) > 1:
            click.echo(f"==> {file.relative_to(run.folder)} <==")
        click.echo(file.read_text(encoding="utf-8", errors="replace"), nl=False)


def _is_log(file: Path) -> bool:
    return file.suffix == ".log" or file.name == "log.txt"


@click.command("follow")
@click.argument("run", default="last")
@json_option
@click.pass_context
def follow(ctx: click.Context, run: str, as_json: bool) -> None:
    """Shows the progress of a run until it ends.

    Ctrl-C ends the watching, not the run. The exit status is that of the run.
    """
    found = index.find(paths().runs, run)
    view = screen(ctx)
    last: dict[str, Any] = {}
    for event in _events(found):
        last = event if str(event.get("kind", "")).startswith("run_") else last
        if as_json:
            click.echo(json.dumps(event, ensure_ascii=False))
        else:
            view(event)
    view.close()
    _tell_end(found, last)


def _events(run: RunFolder) -> Iterator[dict[str, Any]]:
    """Every event so far and to come, until the run ends or nobody works on it any more."""
    path = run.folder / "events.jsonl"
    place, rest = 0, b""
    while True:
        working = folders.holder(run.folder) is not None  # asked before reading: an end after this is read next time
        if path.exists():
            with path.open("rb") as file:
                file.seek(place)
                new = file.read()
            place += len(new)
            *lines, rest = (rest + new).split(b"\n")
            for line in lines:
                try:
                    yield json.loads(line)
                except ValueError:
                    continue  # a torn line of a killed process
        if not working:
            return
        time.sleep(_POLL_SECONDS)


class _RunFailed(RunError):
    """A run that was watched has failed; the error is the one that the run ended with, exit status included."""

    def __init__(self, run_id: str, event: dict[str, Any]) -> None:
        message = f"run {run_id} failed: {event.get('error', '')}"
        super().__init__(message, hint=str(event.get("hint", "")), details=event.get("details", ()))
        self.exit_code = int(event.get("exit_code", 1))  # runs of older versions did not record it


def _tell_end(run: RunFolder, last: dict[str, Any]) -> None:
    short = run.id.rsplit("-", 1)[-1]
    if last.get("kind") == "run_finished":
        output.tell(f"run {run.id} finished; `ilab run show {short}` shows the result")
    elif last.get("kind") == "run_failed":
        raise _RunFailed(run.id, last)
    elif not last and (run.folder / "detached.log").exists():
        raise RunError(f"run {run.id} did not begin", hint=f"`ilab run show {short} --log detached` says why")
    else:
        raise Interrupted(f"run {run.id} was interrupted", hint=f"go on with `ilab run resume {short}`")


@click.command("resume")
@click.argument("run", default="last")
@click.option("-dt", "--detached", is_flag=True, help="Work in the background; print the run id and return.")
@click.pass_context
def resume(ctx: click.Context, run: str, detached: bool) -> None:
    """Goes on with a run that was interrupted or failed.

    The command that started the run is given again, in the folder where it was given and with the settings it had.
    """
    found = index.find(paths().runs, run)
    if found.result() is not None:
        raise RunError(f"run {found.id} is finished", hint=f"`ilab run show {found.id}` shows the result")
    if folders.holder(found.folder) is not None:
        raise RunError(f"run {found.id} is being worked on", hint=f"follow it with `ilab run follow {found.id}`")
    argv = with_run(found.manifest.argv, found.id) + (["--detached"] if detached else [])
    if found.manifest.cwd and Path(found.manifest.cwd).is_dir():
        os.chdir(found.manifest.cwd)
    output.tell(f"resuming {found.id}: ilab {' '.join(argv)}")
    root = ctx.find_root().command
    status = root.main([*["-v"] * session(ctx).verbosity, *argv], standalone_mode=False)
    ctx.exit(status if isinstance(status, int) else 0)


@click.command("stop")
@click.argument("run", default="last")
@click.option(
    "--timeout",
    type=click.FLOAT,
    default=60,
    metavar="SECONDS",
    show_default=True,
    help="How long to wait for the end.",
)
def stop(run: str, timeout: float) -> None:
    """Stops a run; everything finished is kept."""
    found = index.find(paths().runs, run)
    who = folders.holder(found.folder)
    if who is None:
        raise RunError(f"run {found.id} is not running", hint="`ilab run list` shows the states")
    if not who:
        raise RunError(f"run {found.id} is just beginning or ending", hint="give the same command again")
    if who.get("host") != platform.node() or who.get("boot") != folders.boot_id():
        raise RunError(f"run {found.id} is worked on by another machine", hint="stop it there")
    os.kill(int(who["pid"]), signal.SIGINT)
    deadline = time.monotonic() + timeout
    while folders.holder(found.folder) is not None:
        if time.monotonic() > deadline:
            raise RunError(
                f"run {found.id} did not end within {timeout:.0f} s (process {who['pid']})",
                hint="wait and look again with `ilab run list`",
            )
        time.sleep(_POLL_SECONDS)
    output.tell(f"run {found.id} was stopped; go on with `ilab run resume {found.id.rsplit('-', 1)[-1]}`")


@click.command("prune")
@click.option(
    "--older",
    "days",
    type=click.FLOAT,
    default=30,
    show_default=True,
    metavar="DAYS",
    help="Only runs older than this.",
)
@click.option(
    "--state", "states", multiple=True, type=click.Choice(_STATES[1:]), help="Only runs in this state; may be repeated."
)
@click.option("-f", "--force", is_flag=True, help="Do not ask.")
@json_option
def prune(days: float, states: tuple[str, ...], force: bool, as_json: bool) -> None:
    """Removes old runs.

    A run that is being worked on is never removed. Models that a run put into the store stay.
    """
    found = index.prunable(paths().runs, older_days=days, states=states, report=_Warnings())
    if found and not force:
        output.tell("Runs to be removed:")
        for run in found:
            output.tell(f"  {run.id}")
        if not click.confirm("Remove them?", err=True):
            raise RunError("nothing was removed")
    for run in found:
        index.remove(run)
    if as_json:
        output.print_json([run.id for run in found])
    else:
        output.tell(f"removed {len(found)} runs" if found else "there is nothing to remove")
