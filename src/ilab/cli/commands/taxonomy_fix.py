"""`ilab taxonomy fix`."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import click

from ilab.cli import output
from ilab.cli.options import json_option, load_config, set_option, settings_flags
from ilab.cli.taxonomy_path import content_of, leaf_files, replace_content, shown
from ilab.errors import Fault
from ilab.taxonomy import qna
from ilab.taxonomy.lint import Linter
from ilab.taxonomy.mend import Mended, mend

_WOULD_CHANGE = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class _Result:
    """One file: what was found before and after, and what it would become."""

    file: Path
    before: list[Fault]
    after: list[Fault]
    mended: Mended | None

    @property
    def changes(self) -> bool:
        return self.mended is not None and self.mended.changed


@click.command("fix")
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path))
@settings_flags({"--taxonomy-path": "taxonomy.path", "--yaml-rules": "taxonomy.yaml_rules"})
@click.option("--check", is_flag=True, help="Write nothing; exit with status 3 if something would change.")
@click.option("--diff", "as_diff", is_flag=True, help="Write nothing; print what would change as a diff.")
@json_option
@set_option
@click.pass_context
def fix(ctx: click.Context, paths: tuple[Path, ...], check: bool, as_diff: bool, as_json: bool) -> None:
    """Mends the style of taxonomy files: line ends, blanks, long lines.

    What a file says, its comments and its order stay. PATHS are qna.yaml files or folders; without one, the whole
    taxonomy is mended. What only you can mend is listed by `ilab taxonomy diff`.
    """
    loaded = load_config(ctx)
    linter = Linter(loaded.config.taxonomy.yaml_rules)
    results = []
    for file, name in leaf_files(loaded, paths).items():
        result = _look_at(file, name, linter)
        if result.mended is not None and not check and not as_diff:
            replace_content(file, result.mended.after.encode())
        if result.changes or result.after:
            results.append(result)
        if as_diff and not as_json:
            for line in _diff(result):
                click.echo(line)
    if as_json:
        output.print_json([_facts(result) for result in results])
    elif not as_diff:
        _print(results, check=check)
    ctx.exit(_WOULD_CHANGE if check and any(result.changes for result in results) else 0)


def _look_at(file: Path, name: str, linter: Linter) -> _Result:
    data = content_of(file)
    before = linter.file(file, leaf=name)[1]
    clean = not before and data.endswith(b"\n") and not data.startswith(b"\xef\xbb\xbf")
    mended = None if clean else mend(data)
    if mended is None or not mended.changed:
        return _Result(file=file, before=before, after=before, mended=None)
    parsed = qna.parse_bytes(mended.after.encode(), file=file, leaf=name)
    beside = [fault for fault in before if fault.rule == "attribution"]  # not about the text
    after = sorted({*linter.findings(parsed, file=file), *beside})
    return _Result(file=file, before=before, after=after, mended=mended)


def _diff(result: _Result) -> Iterator[str]:
    if result.mended is None:
        return
    name = shown(result.file)
    before = result.mended.before.splitlines()
    after = result.mended.after.splitlines()
    lines = list(difflib.unified_diff(before, after, f"{name} (now)", f"{name} (mended)", lineterm=""))
    yield from lines or [f"{name}: line ends or a byte order mark would change"]


def _print(results: Sequence[_Result], *, check: bool) -> None:
    files = 0
    for result in results:
        gone = len(result.before) - len(result.after)
        left = f", {len(result.after)} left" if result.after else ""
        if result.changes:
            files += 1
            click.echo(f"{shown(result.file)}: {_count(max(gone, 1))} {'to mend' if check else 'mended'}{left}")
        else:
            click.echo(f"{shown(result.file)}: nothing to mend{left}")
    left_over = sum(len(result.after) for result in results)
    if not files and not left_over:
        click.echo("Nothing to mend.")
    if left_over:
        output.tell("`ilab taxonomy diff` shows what is left: only you know how to mend it")


def _count(number: int) -> str:
    return "1 finding" if number == 1 else f"{number} findings"


def _facts(result: _Result) -> dict[str, object]:
    return {
        "path": str(result.file),
        "changed": result.changes,
        "before": len(result.before),
        "left": len(result.after),
        "findings": [str(fault) for fault in result.after],
    }
