"""Validation: by document, never trained, and looking changes nothing."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ilab.base import jsonl
from ilab.base.report import ListReporter
from ilab.errors import TrainingError
from ilab.records.messages import assistant, user
from ilab.records.samples import TrainRow
from ilab.training import validation
from ilab.training.settings import PhaseSettings, TrainSettings
from ilab.training.token_table import TokenizedRow, TokenTable

ROWS = st.lists(st.integers(0, 5), min_size=1, max_size=30)


def table_of(documents: list[int]) -> TokenTable:
    rows = [(number + 10, 5, 6 + document) for number, document in enumerate(documents)]
    return TokenTable.of(TokenizedRow(id="", ids=ids, labels=(-100, *ids[1:])) for ids in rows)


@given(ROWS, st.floats(0.01, 0.5), st.integers(0, 99))
def test_a_document_is_on_one_side_only_and_no_row_is_lost(documents: list[int], share: float, seed: int):
    table, names = table_of(documents), [str(document) for document in documents]
    if len(set(names)) == 1:
        with pytest.raises(TrainingError, match="none can be kept for validation"):
            validation.divide(table, names, share=share, seed=seed)
        return
    parts = validation.divide(table, names, share=share, seed=seed)
    rows = [[tuple(part.row(place)[0]) for place in range(len(part))] for part in parts]
    assert sorted(rows[0] + rows[1]) == [tuple(table.row(place)[0]) for place in range(len(table))]
    assert rows[0] and rows[1]
    assert not {row[-1] for row in rows[0]} & {row[-1] for row in rows[1]}
    assert parts[0].trained_tokens + parts[1].trained_tokens == table.trained_tokens


@given(ROWS)
def test_the_order_of_the_rows_decides_nothing(documents: list[int]):
    names = [str(document) for document in documents]
    if len(set(names)) == 1:
        return
    assert _held(documents) == _held(documents[::-1])


def _held(documents: list[int]) -> set[int]:
    held = validation.divide(table_of(documents), list(map(str, documents)), share=0.3, seed=1)[1]
    return {held.row(place)[0][-1] for place in range(len(held))}


def row(metadata: str) -> TrainRow:
    return TrainRow(id="a", messages=(user("Q?"), assistant("A.")), metadata=metadata)


def test_the_document_of_a_row_is_what_its_metadata_tells():
    one = validation.document_of(row('{"sdg_document": "Text."}'), line=1)
    assert one == validation.document_of(row('{"sdg_document": "Text.", "domain": "d"}'), line=2)
    assert one != validation.document_of(row('{"sdg_document": "Other."}'), line=1)
    assert validation.document_of(row("no JSON"), line=3) == "row 3"
    assert validation.document_of(row("{}"), line=4) == "row 4"


# --- with a model ---


def training_file(path: Path) -> Path:
    from tests.unit.training.tiny_rows import PAIRS

    rows = [
        TrainRow(
            id=f"{document}-{number}",
            messages=(user(f"{question}"), assistant(answer)),
            metadata=json.dumps({"sdg_document": f"Document {document}."}),
        ).to_json()
        for document in range(4)
        for number, (question, answer) in enumerate(PAIRS)
    ]
    jsonl.write(path, rows)
    return path


def run(folder: Path, out: Path, rows: Path, **changes: Any) -> tuple[list[Any], ListReporter]:
    from ilab.training.train import train

    report = ListReporter()
    settings = TrainSettings(**{"device": "cpu", "threads": 1, "batch_tokens": 64, "warmup_steps": 2, **changes})
    phase = PhaseSettings(num_epochs=2, learning_rate=1e-2)
    return train(model=folder, rows=rows, out=out, phase=phase, settings=settings, report=report), report


def test_the_loss_on_unseen_documents_is_told_and_kept(folder: Path, tmp_path: Path):
    made, report = run(folder, tmp_path / "out", training_file(tmp_path / "rows.jsonl"), validation_share=0.25)
    losses = [event["value"] for event in report.events if event.get("name") == "validation loss"]
    assert len(losses) == 1 + len(made)
    assert [one.validation_loss for one in made] == losses[1:]
    assert losses[-1] < losses[0]  # the documents of this file ask the same questions
    kept = [one for one in jsonl.read(tmp_path / "out" / "metrics.jsonl") if "validation_loss" in one]
    assert [one["step"] for one in kept] == [0, *(one.step for one in made)]
    assert json.loads((tmp_path / "out" / "plan.json").read_text())["rows"] == 15


def test_looking_at_unseen_documents_changes_no_weight(folder: Path, tmp_path: Path):
    from ilab.training import torch_loop
    from ilab.training.plan import Step

    torch = pytest.importorskip("torch")
    model = torch_loop.load_model(folder, torch.device("cpu"))
    table = table_of([0, 1, 2, 3])
    before = {name: one.clone() for name, one in model.state_dict().items()}
    random = torch.get_rng_state()
    loss = torch_loop.loss_on(model, table, TrainSettings())
    assert all(torch.equal(one, before[name]) for name, one in model.state_dict().items())
    assert all(one.grad is None for one in model.parameters())
    assert torch.equal(random, torch.get_rng_state()) and model.training
    step = Step(epoch=0, rows=tuple(range(4)))
    assert loss == pytest.approx(torch_loop.add_gradients(model, table, step, TrainSettings())[0], rel=1e-5)


def test_one_document_cannot_be_divided(folder: Path, tmp_path: Path):
    rows = tmp_path / "rows.jsonl"
    jsonl.write(rows, [row('{"sdg_document": "Text."}').to_json() for _ in range(3)])
    with pytest.raises(TrainingError, match="all rows are about 1 document"):
        run(folder, tmp_path / "out", rows, validation_share=0.1)
