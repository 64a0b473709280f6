"""`ilab data cache`."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ilab.base import clock
from ilab.cli import output
from ilab.cli.options import json_option, paths
from ilab.errors import RunError

if TYPE_CHECKING:
    from ilab.llm.journal_files import Old

_AGE = re.compile(r"(\d+(?:\.\d+)?)\s*([hdw]?)")
_HOURS = {"h": 1, "d": 24, "w": 7 * 24, "": 24}


@click.command("cache")
@click.option("--prune", is_flag=True, help="Remove old answers.")
@click.option(
    "--older-than",
    "age",
    default="30d",
    show_default=True,
    metavar="AGE",
    help="With --prune: only answers given longer ago than this, such as 12h, 30d, 8w.",
)
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@json_option
def cache(prune: bool, age: str, yes: bool, as_json: bool) -> None:
    """Lists the answers of teachers that are kept so that nothing is asked twice, and removes old ones.

    A journal that a run uses is left alone. What is removed is asked again when a run needs it.
    """
    from ilab.llm import journal_files
    from ilab.pipeline import teacher_journal

    folder = paths().cache / teacher_journal.FOLDER
    if prune:
        _prune(folder, age, yes=yes, as_json=as_json)
        return
    found = journal_files.listed(folder)
    if as_json:
        output.print_json([one.to_json() for one in found])
    elif not found:
        output.tell("no answers are kept yet; `ilab data generate` keeps some")
    else:
        rows = [
            [one.teacher or "unknown", output.number(one.answers), output.size(one.size), f"{one.used:%Y-%m-%d %H:%M}"]
            for one in found
        ]
        output.print_table(["Teacher", "Answers", "Size", "Last used"], rows)
        output.tell(f"in {folder}")


def _prune(folder: Path, age: str, *, yes: bool, as_json: bool) -> None:
    from ilab.llm import journal_files

    before = _moment(age)
    found = journal_files.old(folder, before=before)
    if found and not yes:
        output.tell("Answers to be removed:")
        for one in found:
            output.tell(f"  {_told(one)}")
        if not click.confirm("Remove them?", err=True):
            raise RunError("nothing was removed")
    taken = [journal_files.prune(one.journal.path, before=before) for one in found]
    removed = [one for one in taken if one is not None]
    if as_json:
        output.print_json([one.to_json() for one in removed])
        return
    for one in removed:
        output.tell(f"removed {_told(one)}")
    if not removed:
        output.tell("there is nothing to remove")


def _told(old: Old) -> str:
    name = old.journal.teacher or old.journal.path.name
    return f"{output.number(old.answers)} answers of {name}, {output.size(old.size)}"


def _moment(age: str) -> datetime:
    """So long ago."""
    found = _AGE.fullmatch(age.strip().lower())
    if found is None:
        wrong = f"`{age}` is not an age: give a number with h, d or w, such as 30d"
        raise click.BadParameter(wrong, param_hint="--older-than")
    try:
        return clock.now() - timedelta(hours=float(found[1]) * _HOURS[found[2]])
    except OverflowError as error:
        raise click.BadParameter(f"`{age}` ago there was no calendar", param_hint="--older-than") from error
