"""`ilab taxonomy convert`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ilab.base.report import NullReporter
from ilab.cli import output
from ilab.cli.options import load_config, set_option, settings_flags
from ilab.cli.taxonomy_path import content_of, leaf_files, replace_content, shown
from ilab.errors import Fault, IlabError
from ilab.taxonomy.qna import MIN_EXAMPLES, VERSION
from ilab.taxonomy.versions import Passages
from ilab.taxonomy.versions import convert as converted

if TYPE_CHECKING:
    from ilab.config.load import Loaded
    from ilab.taxonomy.leaf import DocumentSource

_TO_DO = 3


@click.command("convert")
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path))
@settings_flags({"--taxonomy-path": "taxonomy.path"})
@click.option("--check", is_flag=True, help="Write nothing; exit with status 3 if something would change.")
@set_option
@click.pass_context
def convert(ctx: click.Context, paths: tuple[Path, ...], check: bool) -> None:
    """Rewrites taxonomy files of versions 1 and 2 as version 3.

    PATHS are qna.yaml files or folders; without one, the whole taxonomy is converted. Comments and order stay. Old
    knowledge gets contexts out of its document where that can be read. The exit status is 3 if there is something
    left that only you can write.
    """
    loaded = load_config(ctx)
    changed, left = 0, 0
    for file, name in leaf_files(loaded, paths).items():
        result = converted(content_of(file), file=file, leaf=name, passages=_passages(loaded, file, name))
        left += len(result.faults)
        if result.content is not None:
            changed += 1
            if not check:
                replace_content(file, result.content)
            click.echo(f"{shown(file)}: {'would become' if check else 'is now'} version {VERSION}")
        elif result.faults:
            click.echo(f"{shown(file)}: left as it is")
        for line in _left(file, result.faults):
            click.echo(f"  {line}")
    if not changed and not left:
        click.echo("Nothing to convert.")
    ctx.exit(_TO_DO if left or (check and changed) else 0)


def _left(file: Path, faults: Sequence[Fault]) -> list[str]:
    """What only the user can do: the placeholders on one line, everything else as a finding each."""
    lines = sorted(fault.line for fault in faults if fault.rule == "placeholder")
    found = [str(replace(fault, path=shown(file))) for fault in faults if fault.rule != "placeholder"]
    if lines:
        found.append(f"replace what stands in <angle brackets>, lines {', '.join(_ranges(lines))}")
    return found


def _ranges(numbers: Sequence[int]) -> list[str]:
    """`[1, 2, 3, 7]` as `["1-3", "7"]`."""
    found: list[list[int]] = []
    for number in numbers:
        if found and number <= found[-1][1] + 1:
            found[-1][1] = number
        else:
            found.append([number, number])
    return [str(first) if first == last else f"{first}-{last}" for first, last in found]


def _passages(loaded: Loaded, file: Path, name: str) -> Passages:
    """Reads the document of a leaf; where that fails it says so, and there are no passages."""

    def read(document: DocumentSource) -> Sequence[str]:
        from ilab.pipeline.passages import passages
        from ilab.pipeline.sources import source_at

        if not (document.path or (document.repo and document.commit)):
            return []
        try:
            return passages(
                [source_at(document, leaf=name, base_folder=file.parent)],
                at_least=MIN_EXAMPLES,
                settings=loaded.config.documents,
                cache_dir=loaded.paths.cache,
                report=NullReporter(),
            )
        except IlabError as error:
            output.tell(f"note: {error.message}; contexts are left to you")
            return []

    return read
