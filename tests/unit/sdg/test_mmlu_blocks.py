"""Questions with choices: fair ones only, balanced letters, and a key that the teacher finds twice."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ilab.llm.scripted import ScriptedChatModel, ScriptedTokenScorer
from ilab.records.messages import Message
from ilab.sdg.blocks.base import Tools
from ilab.sdg.blocks.judge import NO_VERDICT
from ilab.sdg.blocks.llm import ask
from ilab.sdg.blocks.mmlu import choices, verify_key
from ilab.sdg.measures import plain
from ilab.sdg.row import Box, Row
from ilab.sdg.settings import SdgSettings

ROW: Row = {
    "leaf": "knowledge/lake",
    "kind": "mmlu",
    "chunk": "lake#0",
    "title": "Lake Mirra",
    "text": "Lake Mirra is 412 metres deep. It was mapped by Ada Holm.",
    "question": "Who mapped Lake Mirra?",
    "answer": "Ada Holm",
    "wrong": ["Piet Brun", "Ines Kool", "Otto Lind"],
    "language": "",
}


def tools(answer: Callable[[Sequence[Message]], str]) -> Tools:
    return Tools(
        teacher=ScriptedChatModel(answer),
        scorer=ScriptedTokenScorer(lambda request, text: 0.0),
        render=lambda turns: "",
        settings=SdgSettings(structured="never"),
    )


def nobody(turns: Sequence[Message]) -> str:
    raise AssertionError("nobody is asked")


def made(**changes: Any) -> tuple[list[Row], str]:
    box = Box()
    rows = choices([{**ROW, **changes}], box, tools(nobody))
    return rows, box.rejected[0]["reason"] if box.rejected else ""


def test_the_key_is_the_place_of_the_right_choice() -> None:
    [row], reason = made()
    assert reason == "" and len(row["choices"]) == 4
    assert row["choices"][row["key"]] == "Ada Holm" == row["answer"]


def test_labels_of_the_teacher_are_taken_off() -> None:
    [row], _ = made(answer="B) Ada Holm.", wrong=["A) Piet Brun", "(C) Ines Kool", "D. Otto Lind"])
    assert sorted(row["choices"]) == ["Ada Holm", "Ines Kool", "Otto Lind", "Piet Brun"]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"wrong": ["Piet Brun", "piet brun.", "Otto Lind"]}, "there are not four different choices"),
        ({"wrong": ["Ada Holm", "Piet Brun", "Otto Lind"]}, "there are not four different choices"),
        ({"wrong": ["Piet Brun", "Ines Kool", "None of the above"]}, "a choice speaks of the other choices"),
        ({"wrong": ["Piet Brun", "Ines Kool", "A and B"]}, "a choice speaks of the other choices"),
        (
            {"answer": "Ada Holm, who had come to the north to map lakes"},
            "the right choice is much longer than the others",
        ),
        ({"question": "Who mapped it according to the passage?"}, "question is not self-contained"),
        (
            {"question": "Wer hat den See Mirra zum ersten Mal auf einer Karte gezeichnet?", "language": "en"},
            "written in another language than the document",
        ),
        ({"question": "Who was Ada Holm?"}, "answer stands in the question"),
        (
            {"answer": "500 metres", "wrong": ["412 metres", "1 metre", "2 metres"]},
            "a number of the answer is not in the document",
        ),
    ],
)
def test_unfair_questions_are_rejected_with_the_reason(changes: dict[str, Any], reason: str) -> None:
    assert made(**changes) == ([], reason)


def test_letters_are_balanced_in_a_chunk_and_over_chunks() -> None:
    rows = [{**ROW, "chunk": f"c{n % 7}", "question": f"Who mapped lake number {n} first?"} for n in range(70)]
    by_chunk = [choices([row for row in rows if row["chunk"] == f"c{n}"], Box(), tools(nobody)) for n in range(7)]
    for kept in by_chunk:
        counts = Counter(row["key"] for row in kept)
        assert max(counts.values()) - min(counts[key] for key in range(4)) <= 1
    assert len({kept[0]["key"] for kept in by_chunk}) > 1


@given(st.text(max_size=30), st.text(max_size=20), st.lists(st.text(max_size=20), max_size=5))
def test_whatever_a_teacher_writes_gives_four_choices_or_a_reason(question: str, answer: str, wrong: list[str]) -> None:
    rows, reason = made(question=question, answer=answer, wrong=wrong)
    assert bool(rows) != bool(reason)
    for row in rows:
        assert len({plain(choice) for choice in row["choices"]}) == 4
        assert row["choices"][row["key"]] == row["answer"]


def letter_of(name: str) -> Callable[[Sequence[Message]], str]:
    """A teacher that takes the choice `name`, wherever it stands."""

    def say(turns: Sequence[Message]) -> str:
        found = re.search(rf"([A-D])\) {name}", turns[1].content)
        return f"<explanation>x</explanation><verdict>{found[1] if found else 'none'}</verdict>"

    return say


def always_where_the_key_is(turns: Sequence[Message]) -> str:
    """A teacher that takes a place, whatever stands there."""
    [row], _ = made()
    return f"<explanation>x</explanation><verdict>{'ABCD'[row['key']]}</verdict>"


def verified(answer: Callable[[Sequence[Message]], str]) -> tuple[list[Row], Box]:
    [row], _ = made()
    box = Box()
    return verify_key([row], box, tools(answer)), box


def test_a_key_that_is_found_in_both_orders_stays_and_is_too_easy_when_it_is_known_anyway() -> None:
    [row], box = verified(letter_of("Ada Holm"))
    assert row["too_easy"] is True and box.usage.calls == 4

    def needs_the_text(turns: Sequence[Message]) -> str:
        return letter_of("Ada Holm" if "412 metres" in turns[1].content else "Otto Lind")(turns)

    [row], box = verified(needs_the_text)
    assert row["too_easy"] is False
    assert box.usage.calls == 3, "it did not know the answer: nobody asks it in the other order"


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (letter_of("Otto Lind"), "the teacher gives another answer than the key"),
        (always_where_the_key_is, "the teacher's answer depends on the order"),
        (lambda turns: "I do not know.", NO_VERDICT),
    ],
)
def test_a_key_that_is_not_found_twice_is_rejected(answer: Callable[[Sequence[Message]], str], reason: str) -> None:
    rows, box = verified(answer)
    assert rows == []
    assert box.rejected[0]["reason"].startswith(reason)


def test_from_the_prompt_to_the_key_with_a_teacher_in_between() -> None:
    def teacher(turns: Sequence[Message]) -> str:
        if "questions with four choices, of which" in turns[0].content:
            return letter_of("Ada Holm")(turns)
        return (
            "<question>Who mapped Lake Mirra?</question><answer>Ada Holm</answer>"
            "<wrong>- Piet Brun\n- Ines Kool\n- Otto Lind</wrong>\n"
            "<question>How deep is this?</question><answer>412 metres</answer><wrong>- 1\n- 2\n- 3</wrong>"
        )

    chunk = {name: value for name, value in ROW.items() if name not in ("question", "answer", "wrong")}
    own, box = tools(teacher), Box()
    rows = verify_key(choices(ask([chunk], box, own, prompt="mmlu_questions"), box, own), box, own)
    assert [row["question"] for row in rows] == ["Who mapped Lake Mirra?"]
    assert [row["reason"] for row in box.rejected] == ["question is not self-contained"]
