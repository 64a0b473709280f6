"""A leaf's documents to Chunks: fetch, convert, cut."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from ilab.base import digest
from ilab.base.report import NullReporter, Reporter
from ilab.documents.chunk import chunk
from ilab.documents.convert import convert
from ilab.documents.fetch import fetch
from ilab.documents.settings import DocumentSettings
from ilab.documents.source import Source
from ilab.documents.tokens import Estimate, TokenCounter
from ilab.records.chunks import Chunk, Document


@dataclass(frozen=True, slots=True, kw_only=True)
class Documents:
    """The documents of one leaf, whole and in pieces."""

    whole: list[Document]
    chunks: list[Chunk]


def read_documents(
    source: Source,
    *,
    settings: DocumentSettings,
    cache_dir: Path,
    tokens: TokenCounter | None = None,
    report: Reporter | None = None,
) -> Documents:
    """All documents of one leaf and their chunks, with the leaf's domain and outline, numbered through from `#000`.

    The title of a document without a first-level heading is made of its file name. `SourceError` when a document
    cannot be fetched or read.
    """
    report = report or NullReporter()
    whole: list[Document] = []
    found: list[Chunk] = []
    for document, name in _documents(source, settings, cache_dir, report):
        whole.append(document)
        pieces = chunk(document, settings=settings, tokens=tokens or Estimate())
        for piece in pieces:
            numbered = replace(
                piece,
                id=f"{source.leaf}#{len(found):03d}",
                title=piece.title or _title(name),
                domain=source.domain,
                outline=source.outline,
            )
            found.append(numbered)
    return Documents(whole=whole, chunks=found)


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
        yield convert(file, leaf=source.leaf, cache_dir=cache_dir, report=report), file.name
        report.progress("documents read", done, len(files))


def _title(name: str) -> str:
    """`docs/user_guide.md` as `user guide`."""
    return re.sub(r"[_\-\s]+", " ", PurePosixPath(name).stem).strip()
