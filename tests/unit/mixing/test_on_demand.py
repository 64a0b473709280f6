"""Sequences that read their items when they are asked for."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ilab.errors import UserFileError
from ilab.mixing import on_demand

TEXTS = ["a", "two\nlines", "Å\u2028", "\ud800", ""]


def test_rows_of_a_file_come_in_any_order_and_again(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text('{"n": 0}\n\n{"n": 1, "t": "å\u2028"}\n  \n{"n": 2}', encoding="utf-8")
    for kept in (0, 2):
        with on_demand.of_file(path, lambda row: row["n"], kept=kept) as rows:
            assert [rows[place] for place in (2, 0, 1, 0, -1)] == [2, 0, 1, 0, 2]
            assert list(rows) == [0, 1, 2] and list(rows[1:]) == [1, 2]
            with pytest.raises(IndexError):
                rows[3]


def test_a_line_that_is_no_row_is_named(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text('{"n": 0}\n\n[1]\n')
    with on_demand.of_file(path, dict) as rows, pytest.raises(UserFileError) as caught:
        list(rows)
    assert [fault.line for fault in caught.value.faults] == [3]


def test_stored_rows_have_no_file_in_the_folder(tmp_path: Path) -> None:
    with on_demand.stored(([text, 1] for text in TEXTS), tmp_path) as rows:
        assert [rows[place][0] for place in range(len(rows))] == TEXTS
        assert not list(tmp_path.iterdir())


def test_sequences_are_put_together() -> None:
    first, empty = on_demand.repeated("ab", 2), on_demand.repeated("ab", 0)
    whole = on_demand.joined(empty, first, "", on_demand.picked("xyz", [2, 0]), empty)
    assert "".join(whole) == "ababzx" and len(empty) == 0 and not empty
    assert len(on_demand.joined()) == 0


@given(st.lists(st.tuples(st.sampled_from(["a", "b"]), st.text(st.characters(exclude_categories=()))), max_size=60))
def test_the_order_is_that_of_texts_however_many_files_it_takes(rows: list[tuple[str, str]]) -> None:
    found = list(on_demand.in_order(iter(rows), at_once=7))
    assert found == sorted(found) and set(found) == set(rows)


def test_files_of_a_sort_are_gone_when_nobody_reads_on(tmp_path: Path) -> None:
    def rows() -> Iterator[tuple[str, ...]]:
        yield from ((str(number),) for number in range(20))

    ordered = on_demand.in_order(rows(), tmp_path, at_once=3)
    assert next(iter(ordered)) == ("0",) and not list(tmp_path.iterdir())
