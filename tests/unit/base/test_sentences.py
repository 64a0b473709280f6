"""Sentence splitting: abbreviations, initials, numbers; nothing is lost."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ilab.base.sentences import sentences


@pytest.mark.parametrize(
    "expected",
    [
        ["Phoenix is a constellation.", "It is in the southern sky."],
        ["It collided with ESO 243-49.", "Before its discovery, this class was only hypothesized."],
        ["The U.S. Navy keeps the time.", "Others follow."],
        ["He moved to the U.S.", "The rest stayed."],
        ["Dr. Johann Bayer and J. R. R. Tolkien never met.", "Who did?", "Nobody!"],
        ["Its magnitude is 2.4.", "Next is Beta Phoenicis."],
        ["See Fig. 3 and eq. 4 on pp. 5-6.", "No. 7 is missing.", "The answer is no.", "Ask again."],
        ["Stars, planets, etc. are listed, e.g. Ankaa.", "Vol. 2 follows."],
        ['"Where is it?" he asked.', "She said: “It is there.”", "They left."],
        ["Wait... what?", "Really…", "Yes."],
        ["1. Open the lid.", "2. Close it."],
        ["Born c. 1600 in Amsterdam.", "Died in 1650."],
        ["It stretches to −57 degrees.", "−39 degrees is the other end."],
        ["The show starts at 8 p.m. on Monday.", "Doors open at 7 a.m.", "It is free."],
        ["凤凰座是一个星座。", "它在南天。"],
        ["العنقاء طائر.", "هو أسطوري."],
        ["A title without a stop", "A second paragraph."],
        ["Ankaa Inc. Labs made it.", "Version 3.5 is out."],
    ],
)
def test_splits_where_a_reader_would(expected: list[str]) -> None:
    joiner = "\n\n" if expected[0].startswith("A title") else "" if "。" in expected[0] else " "
    assert sentences(joiner.join(expected)) == expected


def test_hard_wrapped_lines_do_not_split() -> None:
    assert sentences("It is in\nthe sky. It is\nsmall.") == ["It is in\nthe sky.", "It is\nsmall."]


def test_blank_text_has_no_sentences() -> None:
    assert sentences(" \n\n ") == []


pieces = st.sampled_from(
    [". ", "! ", "? ", "U.S. ", "Dr. ", "3.5 ", "…", "\n\n", " ", "。", '" ', "a. ", "J. ", "The ", "x", "No. 5 "]
)


@given(st.one_of(st.text(max_size=200), st.lists(pieces, max_size=40).map("".join)))
def test_nothing_is_lost_or_added(text: str) -> None:
    found = sentences(text)
    assert "".join("".join(found).split()) == "".join(text.split())
    assert all(piece == piece.strip() and piece for piece in found)


def test_long_text_without_a_boundary_is_fast() -> None:
    assert len(sentences("e.g. " * 50_000)) == 1
