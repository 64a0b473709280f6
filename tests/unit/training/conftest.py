"""A tiny model and the tokens of its rows, for all tests of training."""

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from ilab.training.token_table import TokenTable


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The model's folder."""
    pytest.importorskip("torch", reason="needs the train extra")
    from tests.unit.training.tiny_rows import tiny_model

    return tiny_model(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture(scope="module")
def table(folder: Path) -> "TokenTable":
    """A document and questions about it."""
    from tests.unit.training.tiny_rows import rows

    from ilab.training.token_table import TokenTable
    from ilab.training.tokenize import RowTokenizer

    tokenizer = RowTokenizer.from_model(folder)
    return TokenTable.of([tokenizer.encode(row) for row in rows()])
