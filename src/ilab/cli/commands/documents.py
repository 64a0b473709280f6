"""`ilab documents`: convert."""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import click

from ilab.base import atomic
from ilab.base.report import NullReporter, Reporter
from ilab.cli import model_choice, output
from ilab.cli.options import json_option, load_config, screen, set_option, settings_flags
from ilab.config.load import Loaded
from ilab.documents.chunk import chunk
from ilab.documents.convert import convert as convert_file
from ilab.documents.fetch import fetch
from ilab.documents.formats import FORMATS
from ilab.documents.source import DocumentFile, Source
from ilab.errors import IlabError, SourceError
from ilab.records.chunks import Chunk, Document

_ROWS = re.compile(r"(?:^\|.*\|$\n?){2,}", re.MULTILINE)
_FIGURES = ("pages", "empty_pages", "unreadable_share", "tables")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Converted:
    """One document with its figures; `shown` is its Markdown."""

    file: DocumentFile
    shown: str
    document: Document
    chunks: Sequence[Chunk]
    figures: dict[str, float]
    seconds: float


@click.command("convert")
@click.argument("sources", metavar="FILE|FOLDER|URL...", nargs=-1, required=True)
@click.option(
    "--output-dir",
    "folder",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="FOLDER",
    help="Write each document as NAME.md into this folder.",
)
@click.option("--chunks", "cut", is_flag=True, help="Show the pieces into which each document is cut.")
@settings_flags({"--chunk-tokens": "documents.chunk_tokens"})
@set_option
@json_option
@click.pass_context
def convert(ctx: click.Context, sources: tuple[str, ...], folder: Path | None, cut: bool, as_json: bool) -> None:
    """Shows a document as it is read, and how it is cut.

    Reads Markdown, text, HTML, EPUB and AsciiDoc, and PDF, Word and PowerPoint with the extra `docs`. Prints Markdown
    on standard output, and a line about each document on standard error. A document that cannot be read does not keep
    the others from being converted; the exit status is 1 then.
    """
    loaded = load_config(ctx)
    failed: list[IlabError] = []
    found: list[_Converted] = []
    with model_choice.showing(screen(ctx), "convert") as say:
        files = list(_files(sources, loaded, say, failed))
        if len(files) > 1 and not (folder or cut or as_json):
            raise click.UsageError(f"{len(files)} documents; write them into a folder with --output-dir")
        targets = _targets(files, folder) if folder else {}
        for place, file in enumerate(files):
            try:
                made = _convert(file, loaded, say, cut=cut)
                if folder:
                    _write(made, targets[place])
                found.append(made)
            except IlabError as error:
                failed.append(error)
    _print(found, targets_given=folder is not None, cut=cut, as_json=as_json)
    for made in found:
        output.tell(_about(made))
    _tell_of(failed, total=len(found) + len(failed))


# --- what is asked for ---


def _files(sources: Sequence[str], loaded: Loaded, say: Reporter, failed: list[IlabError]) -> Iterator[DocumentFile]:
    """Every document that `sources` name; those that cannot be had go to `failed`."""
    for text in sources:
        source = Source(leaf="", base_folder=Path.cwd(), path=text)
        try:
            files = fetch(source, settings=loaded.config.documents, cache_dir=loaded.paths.cache, report=say)
        except IlabError as error:
            failed.append(error)
        else:
            yield from files


def _targets(files: Sequence[DocumentFile], folder: Path) -> dict[int, Path]:
    """Where each document is written: NAME.md, or NAME.ENDING.md where two would have one name."""
    plain = [PurePosixPath(file.name).with_suffix(".md").as_posix() for file in files]
    found: dict[int, Path] = {}
    for place, file in enumerate(files):
        name = plain[place] if plain.count(plain[place]) == 1 else f"{file.name}.md"
        number = 2
        while folder / name in found.values():
            name, number = f"{file.name}-{number}.md", number + 1
        found[place] = folder / name
    return found


# --- one document ---


class _Listening(NullReporter):
    """Hands on what is to be shown, and keeps the figures."""

    def __init__(self, say: Reporter) -> None:
        self.figures: dict[str, float] = {}
        self._say = say

    def progress(self, what: str, done: int, total: int, **fields: Any) -> None:
        """Hand on."""
        self._say.progress(what, done, total, **fields)

    def metric(self, name: str, value: float, **fields: Any) -> None:
        """Keep."""
        self.figures[name] = value

    def warning(self, message: str) -> None:
        """Hand on."""
        self._say.warning(message)


def _convert(file: DocumentFile, loaded: Loaded, say: Reporter, *, cut: bool) -> _Converted:
    listening, began = _Listening(say), time.monotonic()
    document = convert_file(file, leaf="", cache_dir=loaded.paths.cache, report=listening)
    seconds = time.monotonic() - began
    original = document.original or document.text
    shown = original if _is_written_by_us(file.name) else document.text
    figures = {name: listening.figures[name] for name in _FIGURES if name in listening.figures}
    figures.setdefault("tables", len(_ROWS.findall(document.text)))
    return _Converted(
        file=file,
        shown=shown.rstrip("\n") + "\n",
        document=document,
        chunks=chunk(document, settings=loaded.config.documents) if cut else [],
        figures=figures,
        seconds=seconds,
    )


def _is_written_by_us(name: str) -> bool:
    """Whether the original of a document is the Markdown that a converter wrote."""
    return PurePosixPath(name).suffix.lower() in FORMATS


def _write(made: _Converted, target: Path) -> None:
    if target.resolve() == made.file.path.resolve():
        raise SourceError(f"{target} would be written over itself", hint="give another --output-dir")
    atomic.write_text(target, made.shown)


# --- what is said ---


def _print(found: Sequence[_Converted], *, targets_given: bool, cut: bool, as_json: bool) -> None:
    if as_json:
        output.print_json([_facts(made, cut=cut) for made in found])
    elif cut:
        for made in found:
            _print_chunks(made)
    elif not targets_given:
        for made in found:
            click.echo(made.shown, nl=False)


def _print_chunks(made: _Converted) -> None:
    for number, piece in enumerate(made.chunks, start=1):
        of = f"--- {made.file.name} {number}/{len(made.chunks)}: about {piece.tokens} tokens, {piece.start}-{piece.end}"
        click.echo(output.style(f"{of}, {piece.heading}" if piece.heading else of, stream=sys.stdout, fg="cyan"))
        click.echo(piece.text)
        click.echo()


def _facts(made: _Converted, *, cut: bool) -> dict[str, Any]:
    facts: dict[str, Any] = {
        "source": made.document.source,
        "name": made.file.name,
        "words": _words(made),
        **made.figures,
        "seconds": round(made.seconds, 3),
        "markdown": made.shown,
    }
    if cut:
        facts["chunks"] = [
            {name: getattr(piece, name) for name in ("text", "tokens", "start", "end", "title", "heading")}
            for piece in made.chunks
        ]
    return facts


def _words(made: _Converted) -> int:
    return len(re.findall(r"\w+", made.document.text))


def _about(made: _Converted) -> str:
    """`stars.pdf: 12 pages, 3,120 words, 2 tables, 1 page without text, 0.3% unreadable, 1.2 s`."""
    figures = made.figures
    parts = [_counted(figures["pages"], "page")] if "pages" in figures else []
    parts += [_counted(_words(made), "word"), _counted(figures["tables"], "table")]
    if figures.get("empty_pages"):
        parts.append(f"{_counted(figures['empty_pages'], 'page')} without text")
    if figures.get("unreadable_share"):
        parts.append(f"{figures['unreadable_share']:.1%} unreadable")
    if made.chunks:
        parts.append(_counted(len(made.chunks), "chunk"))
    return f"{made.file.name}: {', '.join(parts)}, {made.seconds:.1f} s"


def _counted(count: float, noun: str) -> str:
    return f"{count:,.0f} {noun}" if count == 1 else f"{count:,.0f} {noun}s"


def _tell_of(failed: Sequence[IlabError], *, total: int) -> None:
    """Raise the one error, or one that has all of them."""
    if not failed:
        return
    if total == 1:
        raise failed[0]
    details = [f"{error.message} ({error.hint})" if error.hint else error.message for error in failed]
    raise IlabError(f"{len(failed)} of {total} documents could not be converted", details=details)
