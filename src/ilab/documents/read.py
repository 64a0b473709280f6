"""A leaf's documents to Chunks: fetch, convert, cut."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from ilab.base import digest, language
from ilab.base.report import NullReporter, Reporter
from ilab.documents.chunk import chunk
from ilab.documents.convert import convert
from ilab.documents.fetch import fetch
from ilab.documents.settings import DocumentSettings
from ilab.documents.source import DocumentFile, Source
from ilab.documents.tokens import Estimate, TokenCounter
from ilab.errors import MissingExtra
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
    files: Sequence[DocumentFile] | None = None,
    tokens: TokenCounter | None = None,
    report: Reporter | None = None,
) -> Documents:
    """All documents of one leaf and their chunks, with the leaf's domain and outline, numbered through from `#000`.

    `files` are those of `source` that were fetched before; without them they are fetched. The title of a document
    without a first-level heading is made of its file name. `SourceError` when a document cannot be fetched or read.
    """
    report = report or NullReporter()
    whole: list[Document] = []
    found: list[Chunk] = []
    if files is None:
        files = fetch(source, settings=settings, cache_dir=cache_dir, report=report)
    for done, file in enumerate(files, start=1):
        document = convert(file, leaf=source.leaf, cache_dir=cache_dir, report=report)
        whole.append(document)
        pieces = chunk(document, settings=settings, tokens=tokens or Estimate())
        for piece in pieces:
            numbered = replace(
                piece,
                id=f"{source.leaf}#{len(found):03d}",
                title=piece.title or _title(file.name),
                domain=source.domain,
                outline=source.outline,
            )
            found.append(numbered)
        report.progress("documents read", done, len(files))
    return Documents(whole=whole, chunks=found)


def fetch_all(
    sources: Iterable[Source], *, settings: DocumentSettings, cache_dir: Path, report: Reporter | None = None
) -> dict[str, list[DocumentFile]]:
    """The files of several leaves, by leaf."""
    return {source.leaf: fetch(source, settings=settings, cache_dir=cache_dir, report=report) for source in sources}


def files_digest(files: Mapping[str, Sequence[DocumentFile]]) -> str:
    """Digest of the files of several leaves by leaf, name and content; for a stage's key.

    It follows documents that change under one name: files beside the leaf or on the web, branches in place of commits.
    """
    return digest.of_value(
        {leaf: {file.origin: digest.of_file(file.path) for file in own} for leaf, own in files.items()}
    )


def with_languages(read: Documents) -> list[Chunk]:
    """The chunks, each with the language of its document; none where the package that tells them is not installed."""
    try:
        spoken = {document.source: language.detect(document.text) for document in read.whole}
    except MissingExtra:
        return read.chunks
    return [replace(piece, language=spoken[piece.source]) for piece in read.chunks]


def _title(name: str) -> str:
    """`docs/user_guide.md` as `user guide`."""
    return re.sub(r"[_\-\s]+", " ", PurePosixPath(name).stem).strip()
