"""`ilab taxonomy`: diff."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ilab import __version__
from ilab.base import atomic
from ilab.cli import output
from ilab.cli.excerpt import excerpt, wrapped
from ilab.cli.options import json_option, load_config, screen, set_option, settings_flags
from ilab.errors import ConfigError, Fault
from ilab.taxonomy.check import CheckResult, check

if TYPE_CHECKING:
    from ilab.config.load import Loaded

_WRONG_FILE = 3
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
@click.option("--documents", is_flag=True, help="Fetch and read the documents too, and look for the contexts in them.")
@click.option("--quiet", is_flag=True, help="Print nothing; the exit status tells.")
@json_option
@click.option(
    "--sarif",
    type=click.Path(dir_okay=False, allow_dash=True, path_type=Path),
    metavar="FILE",
    help="Write the findings as SARIF into a file, for code hosts and editors; - is standard output.",
)
@set_option
@click.pass_context
def diff(ctx: click.Context, documents: bool, quiet: bool, as_json: bool, sarif: Path | None) -> None:
    """Lists taxonomy files that you changed and verifies that the taxonomy is valid.

    Every finding is shown as path:line:column. The exit status is 0 for a valid taxonomy and 3 for one with errors.
    """
    to_stdout = sarif == Path("-")
    if as_json and to_stdout:
        raise click.UsageError("--json and --sarif - both write to standard output; give --sarif a file")
    loaded = load_config(ctx)
    settings = loaded.config.taxonomy
    path = Path(settings.path) if settings.path else loaded.paths.taxonomy
    result = check(path, settings=settings, keep_leaves=documents)
    if documents:
        result = _with_documents(ctx, result, loaded)
    findings = [_relative(fault, result.root) for fault in result.faults]
    if sarif is not None:
        _write_sarif(sarif, findings, result.root)
    if as_json:
        output.print_json(_facts(result, findings, base=settings.base))
    elif not quiet and not to_stdout:
        _print(result, findings, path)
    ctx.exit(_WRONG_FILE if result.errors else 0)


def _with_documents(ctx: click.Context, result: CheckResult, loaded: Loaded) -> CheckResult:
    """`result` with what reading the documents of its leaves finds."""
    from ilab.cli import model_choice
    from ilab.pipeline.sources import check_documents
    from ilab.taxonomy.lint import as_errors

    with model_choice.showing(screen(ctx), "diff") as say:
        found = check_documents(
            result.leaves, settings=loaded.config.documents, cache_dir=loaded.paths.cache, report=say
        )
    if loaded.config.taxonomy.strict:
        found = as_errors(found)
    return replace(result, faults=sorted([*result.faults, *found]))


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


def _write_sarif(file: Path, findings: Sequence[Fault], root: Path) -> None:
    from ilab.taxonomy import sarif

    log = sarif.report(findings, root=root, version=__version__)
    if file == Path("-"):
        output.print_json(log)
        return
    try:
        atomic.write_json(file, log)
    except OSError as error:
        message = f"the findings cannot be written to {file}: {error.strerror}"
        raise ConfigError(message, hint="give --sarif a file in a folder that you may write to") from error


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
    """What is wrong and how to mend it, a line each; on a terminal wrapped at words, with the place in the file."""
    live = output.is_terminal(sys.stdout)
    width = shutil.get_terminal_size().columns - 1
    mark = f" {fault.severity} "
    shown = output.style(mark, stream=sys.stdout, fg=_COLOURS.get(fault.severity), bold=True)
    text = wrapped(fault.finding, width) if live else fault.finding
    click.echo(text.replace(mark, shown, 1))
    if live and fault.line and fault.column:
        for line in excerpt(root / fault.path, line=fault.line, column=fault.column, width=width):
            click.echo(line)
    if fault.hint:
        mend = f"  mend: {fault.hint}"
        click.echo(wrapped(mend, width) if live else mend)
