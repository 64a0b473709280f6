"""Documents of leaves: where they are, whether they can be read, and whether they hold the contexts of the seeds."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from ilab.base.report import NullReporter, Reporter
from ilab.documents.locate import FOUND, Locator, Place
from ilab.documents.read import read_documents
from ilab.documents.settings import DocumentSettings
from ilab.documents.source import Source
from ilab.errors import Fault, IlabError
from ilab.records.chunks import Document
from ilab.taxonomy import rules
from ilab.taxonomy.leaf import DocumentSource, Leaf, SeedExample

_SHOWN = 48


def source_of(leaf: Leaf) -> Source | None:
    """What the documents room needs to know of a leaf; None for a leaf without documents."""
    if leaf.document is None:
        return None
    source = source_at(leaf.document, leaf=leaf.path, base_folder=leaf.file.parent)
    return replace(source, domain=leaf.subject, outline=leaf.outline)


def source_at(document: DocumentSource, *, leaf: str, base_folder: Path | None = None) -> Source:
    """What the documents room needs to know of a document of `leaf`, which may not be written yet."""
    return Source(
        leaf=leaf,
        base_folder=base_folder or Path("/"),
        repo=document.repo,
        commit=document.commit,
        path=document.path,
        sha256=document.sha256,
        patterns=document.patterns,
    )


def check_documents(
    leaves: Iterable[Leaf], *, settings: DocumentSettings, cache_dir: Path, report: Reporter | None = None
) -> list[Fault]:
    """Fetch and read the documents of `leaves`: an error for each leaf where that fails, warnings for lost contexts."""
    report = report or NullReporter()
    found: list[Fault] = []
    for leaf in leaves:
        source = source_of(leaf)
        if source is None or leaf.document is None:
            continue
        try:
            documents = read_documents(source, settings=settings, cache_dir=cache_dir, report=report)
        except IlabError as error:
            at = leaf.document.line
            fault = rules.fault(rules.DOCUMENT, path=str(leaf.file), line=at, column=1, message=error.message)
            found.append(replace(fault, hint=error.hint))
        else:
            found += contexts_not_there(leaf, documents.whole)
    return found


def contexts_not_there(leaf: Leaf, documents: Sequence[Document]) -> list[Fault]:
    """A warning for every context of `leaf` that is neither word for word nor nearly in `documents`."""
    locator = Locator(documents)
    found = []
    for seed in _contexts(leaf):
        place = locator.find(seed.context)
        if place is None or not place.found:
            message = f"the context is not in the leaf's documents{_nearest(place, documents)}"
            fault = rules.fault(
                rules.CONTEXT,
                path=str(leaf.file),
                line=seed.context_line or seed.line,
                column=1,
                message=message,
                hint=f"copy a passage out of the document; {FOUND:.0%} of its words must be found in order",
            )
            found.append(fault)
    return found


def _contexts(leaf: Leaf) -> Iterator[SeedExample]:
    """One seed for each context."""
    seen = set()
    for seed in leaf.seeds:
        if seed.context and seed.context not in seen:
            seen.add(seed.context)
            yield seed


def _nearest(place: Place | None, documents: Sequence[Document]) -> str:
    if place is None:
        return ""
    text = next(document.text for document in documents if document.source == place.source)
    start = " ".join(text[place.start : place.end].split())[:_SHOWN].rstrip()
    return f"; nearest is {place.source} at `{start}`, with {place.share:.0%} of its words"
