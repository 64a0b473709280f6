"""Validation rows: kept out of training by document, so that no question about a document stands on either side."""

from __future__ import annotations

import json
from collections.abc import Sequence

from ilab.base import digest
from ilab.errors import TrainingError
from ilab.records.samples import TrainRow
from ilab.training.token_table import TokenTable

_NAMES = ("document", "chunk", "sdg_document", "raw_document")
"""Where the metadata of a row says what document it is about, or holds its text."""


def document_of(row: TrainRow, *, line: int) -> str:
    """A name for the document that a row is about; a row that names none stands for itself."""
    try:
        metadata = json.loads(row.metadata)
    except ValueError:
        metadata = None
    if isinstance(metadata, dict):
        for name in _NAMES:
            if isinstance(told := metadata.get(name), str) and told:
                return digest.of_value([metadata.get("leaf"), told])
    return f"row {line}"


def divide(table: TokenTable, documents: Sequence[str], *, share: float, seed: int) -> tuple[TokenTable, TokenTable]:
    """(to train, to validate): about `share` of the documents is validated, one at least.

    Which ones depends on the seed and the documents, not on the order of the rows. Raises `TrainingError` when that
    would leave nothing to train.
    """
    names = sorted(set(documents), key=lambda name: digest.of_value([seed, name]))
    count = max(1, round(share * len(names)))
    if count >= len(names):
        raise TrainingError(
            f"all rows are about {len(names)} document{'' if len(names) == 1 else 's'}: "
            "none can be kept for validation",
            hint="set training.validation_share to 0",
        )
    held = set(names[:count])
    places = range(len(table))
    return (
        table.take(place for place in places if documents[place] not in held),
        table.take(place for place in places if documents[place] in held),
    )
