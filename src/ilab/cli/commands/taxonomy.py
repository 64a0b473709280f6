"""`ilab taxonomy`: diff."""

from __future__ import annotations

import shutil
import sys
import textwrap
import unicodedata
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

import click

from ilab.cli import output
from ilab.cli.options import json_option, load_config, set_option, settings_flags
from ilab.errors import Fault
from ilab.taxonomy.check import CheckResult, check

_WRONG_FILE = 3
_INDENT = "    "
_COLOURS = {"error": "red", "warning": "yellow"}


@click.command("diff")
@settings_flags(
    {
        "--taxonomy-path": "taxonomy.path",
        "--taxonomy-base": "taxonomy.base",
        "--yaml-rules": "taxonomy.yaml_rules",
        "--strict": "taxonomy.strict",
    }
)
@click.option("--quiet", is_flag=True, help="Print nothing; the exit status tells.")
@json_option
@set_option
@click.pass_context
def diff(ctx: click.Context, quiet: bool, as_json: bool) -> None:
    """Lists taxonomy files that you changed and verifies that the taxonomy is valid.

    Every finding is shown as path:line:column. The exit status is 0 for a valid taxonomy and 3 for one with errors.
    """
    loaded = load_config(ctx)
    settings = loaded.config.taxonomy
    path = Path(settings.path) if settings.path else loaded.paths.taxonomy
    result = check(path, settings=settings)
    findings = [_relative(fault, result.root) for fault in result.faults]
    if as_json:
        output.print_json(_facts(result, findings, base=settings.base))
    elif not quiet:
        _print(result, findings, path)
    ctx.exit(_WRONG_FILE if result.errors else 0)


def _relative(fault: Fault, root: Path) -> Fault:
    """`fault` with its path relative to the taxonomy, where it lies in there."""
    path = Path(fault.path)
    return replace(fault, path=path.relative_to(root).as_posix()) if path.is_relative_to(root) else fault


def _facts(result: CheckResult, findings: Sequence[Fault], *, base: str) -> dict[str, object]:
    return {
        "root": str(result.root),
        "base": base,
        "changed": result.changed,
        "valid": not result.errors,
        "findings": [asdict(fault) for fault in findings],
    }


def _print(result: CheckResult, findings: Sequence[Fault], path: Path) -> None:
    for name in result.changed:
        click.echo(name)
    for fault in findings:
        _print_finding(fault, result.root)
    if not result.errors:
        click.echo(output.style(f"Taxonomy in {path} is valid :)", stream=sys.stdout, fg="green"))
        return
    count = len({fault.path for fault in result.errors})
    files = f"{count} {'taxonomy' if count == 1 else 'taxonomies'} with errors! Exiting."
    output.tell(output.style(f"Reading taxonomy failed with the following error: {files}", fg="red"))


def _print_finding(fault: Fault, root: Path) -> None:
    """One line a finding; on a terminal wrapped at words, with the place in the file below it."""
    live = output.is_terminal(sys.stdout)
    width = shutil.get_terminal_size().columns - 1
    text = str(fault)
    if live:
        text = textwrap.fill(text, width, subsequent_indent="  ", break_on_hyphens=False, break_long_words=False)
    mark = f" {fault.severity}:"
    shown = output.style(mark, stream=sys.stdout, fg=_COLOURS.get(fault.severity), bold=True)
    click.echo(text.replace(mark, shown, 1))
    if live and fault.line and fault.column:
        for line in _excerpt(root / fault.path, fault, width=width):
            click.echo(line)


def _excerpt(file: Path, fault: Fault, *, width: int) -> list[str]:
    """The line of a finding with a caret under its place, both cut to `width`; nothing where the line is not there."""
    try:
        lines = file.read_text(encoding="utf-8", errors="replace").split("\n")
    except OSError:
        return []
    if fault.line > len(lines):
        return []
    text = "".join(character if character.isprintable() else " " for character in lines[fault.line - 1])
    place = min(fault.column - 1, len(text))
    room = width - len(_INDENT)
    start = max(0, place - room * 2 // 3)  # a place far to the right is shown with the text before it
    cut = text[start:]
    while _columns(cut) > room:
        cut = cut[:-1]
    caret = " " * _columns(text[start:place]) + output.style("^", stream=sys.stdout, fg="green", bold=True)
    return [_INDENT + cut, _INDENT + caret]


def _columns(text: str) -> int:
    """Columns that `text` takes on a terminal."""
    return sum(
        0 if unicodedata.combining(character) else 2 if unicodedata.east_asian_width(character) in "WF" else 1
        for character in text
    )
