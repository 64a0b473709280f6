"""A leaf's documents to Chunks: fetch, convert, cut."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path, PurePosixPath

from ilab.base import digest
from ilab.base.report import NullReporter, Reporter
from ilab.documents.chunk import Count, chunk, estimate_tokens
from ilab.documents.convert import convert
from ilab.documents.fetch import fetch
from ilab.documents.settings import DocumentSettings
from ilab.documents.source import Source
from ilab.records.chunks import Chunk, Document


def read_documents(
    source: Source,
    *,
    settings: DocumentSettings,
    cache_dir: Path,
    count: Count = estimate_tokens,
    report: Reporter | None = None,
) -> list[Chunk]:
    """The chunks of all documents of one leaf, with the leaf's domain and outline, numbered through from `#000`.

    The title of a document without a first-level heading is made of its file name. `SourceError` when a document
    cannot be fetched or read.
    """
    report = report or NullReporter()
    found: list[Chunk] = []
    for document, name in _documents(source, settings, cache_dir, report):
        pieces = chunk(document, settings=settings, count=count)
        for piece in pieces:
            numbered = replace(
                piece,
                id=f"{source.leaf}#{len(found):03d}",
                title=piece.title or _title(name),
                domain=source.domain,
                outline=source.outline,
            )
            found.append(numbered)
    return found


def documents(
    source: Source, *, settings: DocumentSettings, cache_dir: Path, report: Reporter | None = None
) -> list[Document]:
    """The documents of one leaf as text, uncut."""
    return [document for document, _ in _documents(source, settings, cache_dir, report or NullReporter())]


def sources_digest(
    sources: Iterable[Source], *, settings: DocumentSettings, cache_dir: Path, report: Reporter | None = None
) -> str:
    """Digest of all documents of several leaves by leaf, name and content, fetched if need be; for a stage's key.

    It follows documents that change under one name: files beside the leaf, and branches in place of commits.
    """
    content = {
        source.leaf: {
            file.origin: digest.of_file(file.path)
            for file in fetch(source, settings=settings, cache_dir=cache_dir, report=report)
        }
        for source in sources
    }
    return digest.of_value(content)


def _documents(
    source: Source, settings: DocumentSettings, cache_dir: Path, report: Reporter
) -> Iterator[tuple[Document, str]]:
    files = fetch(source, settings=settings, cache_dir=cache_dir, report=report)
    for done, file in enumerate(files, start=1):
        text = convert(file, leaf=source.leaf)
        yield Document(leaf=source.leaf, source=file.origin, text=text), file.name
        report.progress("documents read", done, len(files))


def _title(name: str) -> str:
    """`docs/user_guide.md` as `user guide`."""
    return re.sub(r"[_\-\s]+", " ", PurePosixPath(name).stem).strip()
