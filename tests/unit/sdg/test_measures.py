"""What can be said of a question and an answer without a model."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ilab.sdg import measures

TEXT = "Lake Mirra is 412 metres deep.\n\nAda Holm mapped the lake in 1884 with `sonar_map --fast`."
WORDS = st.lists(st.sampled_from("a b c d".split()), max_size=12)


def slow_common_order(first: list[str], second: list[str]) -> int:
    lengths = [[0] * (len(second) + 1) for _ in range(len(first) + 1)]
    for i, one in enumerate(first):
        for j, two in enumerate(second):
            lengths[i + 1][j + 1] = lengths[i][j] + 1 if one == two else max(lengths[i][j + 1], lengths[i + 1][j])
    return lengths[-1][-1]


@given(WORDS, WORDS)
def test_the_fast_common_order_is_that_of_the_text_book(first: list[str], second: list[str]) -> None:
    assert measures.common_order(first, second) == slow_common_order(first, second)


def test_a_true_answer_is_supported_and_drift_is_seen() -> None:
    source = measures.SourceText(TEXT)
    assert source.support("How deep is it?", "412 metres.") == measures.Support(words=1.0, exact=True, order=1.0)
    assert not source.support("How deep is it?", "421 metres.").exact
    assert not source.support("How?", "With `sonar_mop --fast`.").exact
    assert source.support("When was it mapped?", "Holm was mapping lakes in 1884.").words == 1.0, "endings do not count"
    invented = source.support("Who owns it?", "A wealthy merchant family from the southern coast bought everything.")
    assert invented.words < 0.2 and invented.order < 0.3


def test_an_answer_is_as_weak_as_its_weakest_sentence() -> None:
    source = measures.SourceText(TEXT)
    assert source.support("", "Lake Mirra is 412 metres deep. Pigs whistle loudly at noon.").order == 0.0


def test_a_number_of_the_question_may_be_repeated() -> None:
    assert measures.SourceText(TEXT).support("What happened in 1,999?", "1999 is not told.").exact


@pytest.mark.parametrize(
    "question",
    ["What does the document say?", "What is shown in Figure 3?", "Why is it deep?", "What is listed below?"],
)
def test_questions_that_point_elsewhere(question: str) -> None:
    assert measures.points_elsewhere(question)


def test_questions_that_stand_alone() -> None:
    for question in ("How deep is Lake Mirra?", "What is a document?", "Who wrote The Table of Kings?"):
        assert not measures.points_elsewhere(question)


def test_leaks_refusals_and_private_texts() -> None:
    assert measures.leak("412 [End of Answer]") == "[End of Answer]"
    assert measures.leak("{{document}}") and measures.leak("<|user|>") and not measures.leak("a [1] b < c")
    assert measures.refuses("I cannot answer that.") and not measures.refuses("We are sorry for the delay.")
    assert measures.private("write to ann@example.org") and not measures.private("5 @ 3 euros")


def test_signs_without_spaces_are_words_of_their_own() -> None:
    assert measures.words("湖の深さ 412 m") == ["湖", "の", "深", "さ", "412", "m"]
