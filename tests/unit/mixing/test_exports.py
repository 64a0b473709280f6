"""Data in the forms of other programs: what goes out comes back, files appear whole, cards say what is known."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from tests.made_run import SAMPLES

from ilab.base import jsonl
from ilab.errors import MissingExtra, UserFileError
from ilab.mixing import card, exports
from ilab.mixing.conversations import FORMS, Item, read_item, to_alpaca, to_sharegpt, train_row
from ilab.records.messages import Message
from ilab.records.samples import TrainRow

TEXT = st.text(max_size=30)
TURN = st.builds(Message, role=st.sampled_from(["user", "assistant", "system", "tool"]), content=TEXT)
ROW = st.builds(
    TrainRow,
    id=TEXT,
    messages=st.lists(TURN, min_size=1, max_size=6).map(tuple),
    unmask=st.booleans(),
    metadata=st.sampled_from(["{}", '{"leaf": "a"}']),
)
EXCHANGES = st.lists(st.tuples(TEXT, TEXT), min_size=1, max_size=4)


def through_json(row: object) -> dict[str, object]:
    content: dict[str, object] = json.loads(jsonl.dumps(row))
    return content


@given(ROW)
def test_messages_come_back_as_they_were(row: TrainRow) -> None:
    assert read_item(through_json(row.to_json())) == row


@given(ROW)
def test_sharegpt_comes_back_with_its_turns(row: TrainRow) -> None:
    back = read_item(through_json(to_sharegpt(row)))
    assert isinstance(back, TrainRow)
    assert (back.id, back.messages) == (row.id, row.messages)


@given(EXCHANGES, st.text(min_size=1, max_size=9) | st.none())
def test_alpaca_comes_back_with_its_turns(pairs: list[tuple[str, str]], system: str | None) -> None:
    turns = [Message(role="system", content=system)] if system else []
    for asked, said in pairs:
        turns += [Message(role="user", content=asked), Message(role="assistant", content=said)]
    row = TrainRow(id="a", messages=tuple(turns))
    assert train_row(read_item(through_json(to_alpaca(row)))).messages == row.messages


def test_the_context_of_a_grounded_skill_is_the_input() -> None:
    grounded = SAMPLES[-1]
    assert to_alpaca(grounded) == {"instruction": "Who saw the comet?", "input": "Ann saw the comet.", "output": "Ann."}
    back = read_item({**(to_alpaca(grounded) or {})})
    assert train_row(back).messages == train_row(grounded).messages


def test_text_to_read_has_no_place_in_chat_formats() -> None:
    text = TrainRow(id="t", messages=(Message(role="pretraining", content="A text."),))
    assert to_sharegpt(text) is None and to_alpaca(text) is None
    assert to_alpaca(TrainRow(id="t", messages=(Message(role="user", content="?"),))) is None


def test_rows_of_the_reference_are_read() -> None:
    row = read_item({"system": "Be brief.", "user": "How deep?", "assistant": "412 m."})
    assert [turn.role for turn in train_row(row).messages] == ["system", "user", "assistant"]
    odd = read_item({"messages": [{"role": "user", "content": "?"}], "metadata": {"a": 1}})
    assert isinstance(odd, TrainRow) and odd.metadata == '{"a": 1}'


@pytest.mark.parametrize(
    ("row", "why"),
    [
        ({"text": "x"}, "neither"),
        ({"question": "x"}, "`answer` is missing"),
        ({"question": None, "answer": "y"}, "`question` is not a text"),
        ({"messages": []}, "not a list of turns"),
        ({"messages": [{"role": "user", "content": None}]}, "`content` is not a text"),
        ({"conversations": [{"from": "elf", "value": "x"}]}, "`from` is 'elf'"),
        ({"instruction": "x", "output": "y", "history": [["a"]]}, "`history`"),
    ],
)
def test_a_row_of_no_known_form_says_what_is_wrong(row: dict[str, object], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        read_item(row)


@pytest.mark.parametrize("form", list(FORMS))
def test_a_file_is_written_and_counted(tmp_path: Path, form: str) -> None:
    text = TrainRow(id="t", messages=(Message(role="pretraining", content="A text.\u2028More."),))
    items: list[Item] = [*SAMPLES, text]
    done = exports.export(items, tmp_path / "new" / "data.jsonl", form=form)
    rows = list(jsonl.read(tmp_path / "new" / "data.jsonl"))
    assert (done.rows, done.left_out) == ((6, 0) if form == "messages" else (5, 1))
    assert len(rows) == done.rows
    assert [train_row(read_item(row)).messages for row in rows[:5]] == [train_row(one).messages for one in SAMPLES]


def test_a_broken_export_leaves_the_old_file(tmp_path: Path) -> None:
    out = tmp_path / "data.jsonl"
    out.write_text("old\n")

    def items() -> Iterator[Item]:
        yield SAMPLES[0]
        raise UserFileError("line 2 is wrong", [])

    with pytest.raises(UserFileError):
        exports.export(items(), out, form="messages")
    assert out.read_text() == "old\n" and [path.name for path in tmp_path.iterdir()] == ["data.jsonl"]


def test_what_is_there_is_never_replaced_unasked(tmp_path: Path) -> None:
    out = tmp_path / "data.jsonl"
    exports.check(out, form="alpaca", force=False)
    out.write_text("")
    with pytest.raises(UserFileError, match="exists already"):
        exports.check(out, form="alpaca", force=False)
    exports.check(out, form="alpaca", force=True)
    with pytest.raises(UserFileError, match="is a folder"):
        exports.check(tmp_path, form="alpaca", force=True)


def test_parquet_keeps_every_row(tmp_path: Path) -> None:
    out = tmp_path / "data.parquet"
    try:
        exports.check(out, form="parquet", force=False)
    except MissingExtra as error:
        assert error.hint == "pip install 'openilab[export]'"
        pytest.skip("pyarrow is not installed; the hint is right")
    assert exports.export(SAMPLES, out, form="parquet").rows == len(SAMPLES)
    table = pytest.importorskip("pyarrow.parquet").read_table(out)
    rows = [{**row, "messages": [dict(turn) for turn in row["messages"]]} for row in table.to_pylist()]
    assert rows == [train_row(one).to_json() for one in SAMPLES]


ATTRIBUTION = """\
Title of work: Lake | Mirra
Link to work: https://example.org/mirra
License of the work: CC-BY-SA-4.0
Creator names: Ann
"""


def facts(*attributions: card.Attribution) -> card.CardFacts:
    return card.CardFacts(
        file="data.jsonl", form="sharegpt", rows=5, kinds={"knowledge": 4, "grounded_skill": 1}, leaves={"a": 5},
        origins={"facts": 5}, attributions=attributions, lineage={"run": "r1", "teacher": "t"}, reviewed={"accept": 2},
    )  # fmt: skip


def test_the_card_says_where_the_data_comes_from() -> None:
    text = card.to_markdown(facts(card.read_attribution("knowledge/lakes", ATTRIBUTION)))
    front = yaml.safe_load(text.split("---\n")[1])
    assert front["license"] == "cc-by-sa-4.0" and front["size_categories"] == ["n<1K"]
    assert front["configs"] == [{"config_name": "default", "data_files": "data.jsonl"}]
    assert "| knowledge/lakes | Lake \\| Mirra https://example.org/mirra | CC-BY-SA-4.0 | Ann |" in text
    assert "- run: r1\n- teacher: t\n" in text and "2 accept" in text and "| knowledge | 4 |" in text


def test_the_licence_is_not_guessed() -> None:
    first = card.read_attribution("a", ATTRIBUTION)
    assert yaml.safe_load(card.to_markdown(facts()).split("---\n")[1])["license"] == "unknown"
    two = card.to_markdown(facts(first, card.read_attribution("b", "")))
    assert yaml.safe_load(two.split("---\n")[1])["license"] == "other"
    assert "| b |  | not given |  |" in two
