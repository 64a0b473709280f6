"""Decisions about samples: the last one counts, undo takes one back, a crash loses none but the one being written."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.made_run import SAMPLES

from ilab.errors import UserFileError
from ilab.records.reviews import Reviews

ONE, TWO, THREE = (sample.id for sample in SAMPLES[1:4])


def test_the_last_decision_counts_and_is_found_again(tmp_path: Path) -> None:
    reviews = Reviews(tmp_path / "reviews.jsonl")
    reviews.decide(ONE, "accept")
    reviews.decide(ONE, "reject")
    reviews.decide(TWO, "edit", answer="About 412 metres.")
    again = Reviews(reviews.path)
    left = list(again.apply(SAMPLES))
    assert [sample.id for sample in left] == [sample.id for sample in SAMPLES if sample.id != ONE]
    assert [sample.answer for sample in left if sample.id == TWO] == ["About 412 metres."]
    assert again.counts([ONE, TWO, THREE]) == {"accept": 0, "reject": 1, "edit": 1, "open": 1}


def test_undo_goes_back_one_decision_at_a_time_over_sessions(tmp_path: Path) -> None:
    path = tmp_path / "reviews.jsonl"
    Reviews(path).decide(ONE, "accept")
    Reviews(path).decide(TWO, "reject")
    Reviews(path).decide(ONE, "reject")
    undone = Reviews(path).undo()
    assert undone is not None and (undone.sample, undone.decision) == (ONE, "reject")
    standing = Reviews(path).of(ONE)
    assert standing is not None and standing.decision == "accept"
    assert [review.sample for review in (Reviews(path).undo(), Reviews(path).undo()) if review] == [TWO, ONE]
    assert Reviews(path).undo() is None
    assert list(Reviews(path).apply(SAMPLES)) == SAMPLES


def test_a_torn_line_is_passed_over_and_the_next_decision_stands(tmp_path: Path) -> None:
    path = tmp_path / "reviews.jsonl"
    Reviews(path).decide(ONE, "reject")
    whole = path.read_bytes()
    for cut in range(1, len(whole)):
        path.write_bytes(whole + whole[:cut])
        Reviews(path).decide(TWO, "accept")
        again = Reviews(path)
        assert again.counts([ONE, TWO]) == {"accept": 1, "reject": 1, "edit": 0, "open": 0}, cut


@pytest.mark.parametrize(
    "line", ['{"sample": "a"}', '{"sample": 1, "decision": "accept"}', '{"sample": "a", "decision": "edit"}']
)
def test_a_line_that_is_no_decision_is_told(tmp_path: Path, line: str) -> None:
    path = tmp_path / "reviews.jsonl"
    path.write_text(line + "\n")
    with pytest.raises(UserFileError, match="cannot be used") as caught:
        Reviews(path)
    assert "not a decision" in str(caught.value.faults[0])


MOVES = st.lists(st.tuples(st.sampled_from([ONE, TWO, THREE]), st.sampled_from(["accept", "reject", "edit", "undo"])))


@given(MOVES)
def test_reading_the_file_gives_what_stood_when_it_was_written(tmp_path_factory, moves) -> None:
    reviews = Reviews(tmp_path_factory.mktemp("reviews") / "reviews.jsonl")
    history: list[tuple[str, str]] = []
    for sample, move in moves:
        if move == "undo":
            reviews.undo()
            history = history[:-1]
        else:
            reviews.decide(sample, move, answer="x" if move == "edit" else "")
            history.append((sample, move))
    for state in (reviews, Reviews(reviews.path)):
        for sample in (ONE, TWO, THREE):
            expected = [move for name, move in history if name == sample][-1:]
            assert [review.decision for review in [state.of(sample)] if review] == expected
