"""`ilab taxonomy import`."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import click

from ilab.cli import output
from ilab.cli.options import load_config, set_option, settings_flags
from ilab.cli.taxonomy_documents import chosen_document
from ilab.cli.taxonomy_path import shown, taxonomy_of
from ilab.cli.user_name import user_name
from ilab.errors import ConfigError, Fault, UserFileError
from ilab.taxonomy import import_rows, imports
from ilab.taxonomy.skeleton import KINDS, attribution, place, save
from ilab.taxonomy.tree import QNA, root_of

_HINT = "mend these, or write it all the same with --force and fill it in there"


@click.command("import")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--into", required=True, metavar="PATH", help="Leaf to write, such as knowledge/science/birds.")
@click.option("--kind", type=click.Choice(KINDS), default=None, help="Kind of the leaf; default: what PATH says.")
@click.option("--subject", default="", help="Domain (knowledge) or task description (skill); default: out of PATH.")
@click.option("--outline", default="", help="What the document is about (knowledge); default: out of PATH.")
@click.option("--document", "documents", multiple=True, metavar="SOURCE", help="As in `ilab taxonomy new`.")
@click.option("--pattern", "patterns", multiple=True, metavar="GLOB", help="Files of a folder or repository.")
@click.option("--created-by", default="", help="Your name; default: git's user.name.")
@click.option("--encoding", default="", help="Encoding of FILE; default: UTF-8, or UTF-16 with a byte order mark.")
@click.option("--force", is_flag=True, help="Overwrite leaves, and write also what is not valid yet.")
@settings_flags({"--taxonomy-path": "taxonomy.path"})
@set_option
@click.pass_context
def import_file(
    ctx: click.Context,
    file: Path,
    into: str,
    kind: str | None,
    subject: str,
    outline: str,
    documents: tuple[str, ...],
    patterns: tuple[str, ...],
    created_by: str,
    encoding: str,
    force: bool,
) -> None:
    """Makes leaves out of questions and answers in CSV, JSON lines or JSON.

    CSV has a header with question, answer and, if wanted, context and leaf (a path below PATH). JSON objects have
    these keys, or those of Alpaca (instruction, input, output), `messages`, or `conversations` (ShareGPT);
    conversations with more than one question are not read. Rows that cannot be used are listed. Either all leaves are
    written or none.
    """
    loaded = load_config(ctx)
    root = root_of(taxonomy_of(loaded))
    rows = import_rows.read(file, encoding=encoding)
    path, _ = place(into, kind=kind or "")
    chosen = chosen_document(documents, patterns, folder=root / path, root=root)
    result = imports.leaves_of(
        rows.found,
        file=file,
        wanted=imports.Wanted(
            into=into,
            kind=kind or "",
            created_by=created_by or user_name(root),
            subject=subject,
            outline=outline,
            document=chosen.source if chosen else None,
        ),
    )
    _tell(rows, result.skipped)
    if not result.drafts:
        raise UserFileError(f"no row of {file} can be used", [], hint="the lines above say why")
    if result.errors and not force:
        raise UserFileError(f"{file} does not make a valid leaf", result.errors, hint=_HINT)
    _refuse_existing(root, result.drafts, force=force)
    for name, draft in result.drafts.items():
        if chosen:
            chosen.copy_into(root / name)
        save(root / name, draft.text(), attribution=attribution(title=file.name, creators=draft.created_by))
        click.echo(f"{shown(root / name / QNA)}: {_count(result.counts[name], 'row')}")
    for fault in result.errors:
        output.tell(str(fault))
    output.tell("next: write the sources into attribution.txt; `ilab taxonomy diff` checks the rest")


def _tell(rows: import_rows.Rows, skipped: Iterable[Fault]) -> None:
    """Everything of the file that is not in the leaves."""
    for fault in sorted([*rows.faults, *skipped]):
        output.tell(str(fault))
    if rows.systems:
        output.tell(f"note: the system prompt of {_count(rows.systems, 'row')} is left out; a leaf has none")
    if rows.unused:
        output.tell(f"note: not used: {', '.join(rows.unused[:8])}")


def _refuse_existing(root: Path, names: Iterable[str], *, force: bool) -> None:
    there = [name for name in names if (root / name / QNA).exists()]
    if there and not force:
        raise ConfigError(
            f"{shown(root / there[0] / QNA)} is there already", hint="choose another --into, or overwrite with --force"
        )


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"
