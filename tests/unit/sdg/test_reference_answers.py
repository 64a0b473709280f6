"""What a teacher writes is read: records by tags or pattern, verdicts and scores, a question and its answer."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ilab.sdg.reference import pairs, values
from ilab.sdg.reference.answers import by_pattern, by_tags
from ilab.sdg.reference.columns import Unfit, keep_by_value

TAGS = [("[Q]", "[/Q]"), ("[A]", "[/A]")]
PATTERN = r"\[(?:Question|QUESTION)\]\s*(.*?)\s*\[ANSWER\]\s*(.*?)\s*(?=\[QUESTION\]|$)"


def read(text: str, *, cut: bool = False) -> list[tuple[str, str]]:
    return [(record["q"], record["a"]) for record in by_tags(text, ["q", "a"], TAGS, cut=cut)]


@pytest.mark.parametrize(
    ("text", "records"),
    [
        ("[Q]q1[/Q][A]a1[/A]\n[Q] q2 [/Q] [A]\na2\n[/A]", [("q1", "a1"), ("q2", "a2")]),
        ("[Q]q1[/Q] [Q]q2[/Q][A]a2[/A]", [("q2", "a2")]),  # a missing answer is not taken from the next
        ("[Q]q1[/Q][A]a1[/A][A]a2[/A][Q]q3[/Q][A]a3[/A]", [("q1", "a1"), ("q3", "a3")]),
        ("[Q]q1 [A]a1 [Q]q2[/Q][A]a2", [("q1", "a1"), ("q2", "a2")]),  # nothing is closed, nothing is swallowed
        ("[Q]q1[Q][A]a1[/A]", [("q1", "a1")]),  # closed by its opening tag
        ("[A]a1[/A][Q]q1[/Q]", [("q1", "a1")]),  # each once: order does not matter
        ("[q]q1[/q] and [ A ]a1", []),
        ("[q]q1[/q] and [a]a1[/A] bye", [("q1", "a1")]),
        ("[Q][/Q][A]a1[/A]", []),
        ("no tags", []),
        ("", []),
    ],
)
def test_records_by_tags(text: str, records: list[tuple[str, str]]) -> None:
    assert read(text) == records


def test_the_last_value_of_a_cut_answer_is_not_taken() -> None:
    text = "[Q]q1[/Q][A]a1[/A][Q]q2[/Q][A]half of"
    assert read(text) == [("q1", "a1"), ("q2", "half of")]
    assert read(text, cut=True) == [("q1", "a1")]


def test_without_tags_the_whole_answer_is_the_value() -> None:
    assert by_tags(" all of it\n", ["a"], [("", "")]) == [{"a": "all of it"}]
    assert by_tags("text [A]1[/A]", ["all", "a"], [("", ""), TAGS[1]]) == [{"all": "text [A]1[/A]", "a": "1"}]


words = st.text(alphabet="abc é\n?.", min_size=1).filter(str.strip)


@given(st.lists(st.tuples(words, words)), st.sets(st.integers(0, 9)))
def test_records_come_back_whatever_their_neighbours_lack(wanted: list[tuple[str, str]], halved: set[int]) -> None:
    text = "".join(
        f"[Q]{question}[/Q]" + ("" if number in halved else f"[A]{answer}[/A]")
        for number, (question, answer) in enumerate(wanted)
    )
    kept = [(q.strip(), a.strip()) for number, (q, a) in enumerate(wanted) if number not in halved]
    assert read(text) == kept


@given(st.text(alphabet="[]/QAqa x\n"), st.booleans())
def test_any_answer_is_read_without_an_error(text: str, cut: bool) -> None:
    assert all(all(record.values()) for record in by_tags(text, ["q", "a"], TAGS, cut=cut))


def test_a_pattern_pairs_and_cleans_up() -> None:
    text = "[QUESTION]\nq1\n[ANSWER]\na1\n[END]\n\n[QUESTION]q2[ANSWER][END]\n[QUESTION]q3[ANSWER]a3"
    found = by_pattern(text, ["q", "a"], PATTERN, ["[END]"])
    assert found == [{"q": "q1", "a": "a1"}, {"q": "q3", "a": "a3"}]
    assert by_pattern("1. one\n2. two", ["q"], r"\d\. (\w+)", ()) == [{"q": "one"}, {"q": "two"}]
    assert by_pattern("one two", ["q"], r"\w+", ()) == [{"q": "one"}, {"q": "two"}]


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("3", 3),
        ("3/3", 3),
        ("**2**", 2),
        ("Score: 3", 3),
        ("2 (clear and short)", 2),
        ("- A: 1\n- B: 0\nTotal Score: 1.", 1),
        ("1.0", 1),
        ("2 out of 3", 2),
        ("-1", -1),
        ("either 1 or 2", None),
        ("good", None),
        ("", None),
        (2, 2),
    ],
)
def test_numbers(text: Any, number: float | None) -> None:
    assert values.number(text) == number


@pytest.mark.parametrize("text", ["YES", "Yes.", "**YES**", " yes\n", "YES, it is.", "Answer: YES", '"yes"', "[YES]"])
def test_a_verdict_is_understood(text: str) -> None:
    assert values.same(text, "YES") and values.truth(text) is True


@pytest.mark.parametrize("text", ["NO", "No, not YES", "yesterday", "", "maybe YES"])
def test_another_verdict_is_not(text: str) -> None:
    assert not values.same(text, "YES")


@pytest.mark.parametrize(
    ("value", "choice"),
    [("_A_", "_A_"), (" _B_.", "_B_"), ("Assistant A", None), ("route: _A_", "_A_"), ("_A_ or _B_", None), ("", None)],
)
def test_choices(value: str, choice: str | None) -> None:
    assert values.choose(value, ["_A_", "_B_"]) == choice


def passes(value: Any, wanted: Any, operation: str, to: str = "", default: Any = None) -> bool:
    options = {
        "filter_column": "x",
        "filter_value": wanted,
        "operation": operation,
        "convert_dtype": to,
        "default_value": default,
    }
    try:
        return bool(keep_by_value({"x": value}, options))
    except Unfit:
        return False


def test_filters() -> None:
    assert passes("3/3", 3.0, "eq", "float") and passes("2", [1, 2], "eq", "int")
    assert passes("2", 1, "gt") and not passes("2", 3, "ge") and passes("9", 10, "lt")
    assert passes("no", "YES", "ne") and not passes("Yes!", "YES", "ne")
    assert passes("true", True, "eq", "bool") and passes("false", False, "eq", "bool")
    assert passes("in New York", ["Boston", "New York"], "contains")
    assert passes("unclear", 0, "eq", "float", default="0") and not passes("unclear", 0, "eq", "float")
    assert not passes(None, "x", "ne")


def test_a_score_that_cannot_be_read_is_told_apart_from_a_bad_one() -> None:
    options = {
        "filter_column": "x", "filter_value": 2, "operation": "ge", "convert_dtype": "float", "default_value": None
    }  # fmt: skip
    with pytest.raises(Unfit, match="no number can be read in `x`"):
        keep_by_value({"x": "hm"}, options)
    with pytest.raises(Unfit, match="`x` is not at least 2"):
        keep_by_value({"x": "1"}, options)
    with pytest.raises(Unfit, match="no column `x`"):
        keep_by_value({}, options)


@pytest.mark.parametrize(
    ("text", "pair"),
    [
        ("Question: What is it?\nAnswer: A lake.", ("What is it?", "A lake.")),
        ("**Question:** Is it? Really?\n\n**Answer:** Yes.", ("Is it? Really?", "Yes.")),
        ("[Question]\nWhat?\n[Answer]\nThat.", ("What?", "That.")),
        ("Q: a? A: b", ("a?", "b")),
        ("What is it? A lake.", ("What is it?", "A lake.")),
        ("Open http://a.b/?q=1 and read it? Yes.", ("Open http://a.b/?q=1 and read it?", "Yes.")),
        ("Write a poem.\n\nShall I? I shall.", ("Write a poem.", "Shall I? I shall.")),
        ("Name a lake.\nMirra", ("Name a lake.", "Mirra")),
        ("Question: a?\nAnswer: b\nQuestion: c?\nAnswer: d", ("a?", "b")),
        ("only this", None),
        ("What is it?", None),
        ("", None),
    ],
)
def test_a_question_is_parted_from_its_answer(text: str, pair: tuple[str, str] | None) -> None:
    assert pairs.split(text) == pair


@given(st.text())
def test_any_text_is_parted_or_not(text: str) -> None:
    found = pairs.split(text)
    assert found is None or all(part.strip() for part in found)
