"""Passages of documents that can serve as contexts of a new knowledge leaf."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from ilab.base.report import Reporter
from ilab.documents.read import read_documents
from ilab.documents.settings import DocumentSettings
from ilab.documents.source import Source

_TOKENS = (320, 160, 80, 40)
"""Sizes of passages to try, the largest first: a short document is cut into smaller ones, until there are enough."""
_WORD = re.compile(r"\w+")
_FEW_WORDS = 8
"""A shorter passage is a heading without text, or the like."""


def passages(
    sources: Iterable[Source], *, at_least: int, settings: DocumentSettings, cache_dir: Path, report: Reporter
) -> list[str]:
    """The documents as passages, all different and in order: as large as gives `at_least` of them, if any size does.

    Passages of a few words, such as a heading without text, are left out where that leaves enough.
    """
    sources, found = list(sources), list[str]()
    for tokens in _TOKENS:
        smaller = settings.model_copy(update={"chunk_tokens": tokens, "chunk_overlap": 0})
        read = [read_documents(source, settings=smaller, cache_dir=cache_dir, report=report) for source in sources]
        texts = [chunk.text.strip() for documents in read for chunk in documents.chunks]
        found = list(dict.fromkeys(text for text in texts if text))
        prose = [text for text in found if len(_WORD.findall(text)) >= _FEW_WORDS]
        if len(prose) >= at_least:
            return prose
    return found
