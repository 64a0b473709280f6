"""Spans, statements and questions made by rule: answers stand in the text, questions do not give them away."""

from __future__ import annotations

import string

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ilab.records.chunks import Chunk
from ilab.sdg import question_forms, restatements, spans, statements
from ilab.sdg.blocks.base import Tools
from ilab.sdg.blocks.filter import rules
from ilab.sdg.row import Box
from ilab.sdg.settings import SdgSettings
from ilab.sdg.statements import Statement

PAGE = (
    "Lake Mirra is a crater lake in the north of Talland. "
    "It is 412 metres deep and was first mapped by Ada Holm in 1887. "
    "The lake has two islands, which are called the Sisters. Located near the eastern shore, the town of Orrin is "
    "a fishing port. Its population is 1,940."
)


def chunk(text: str = PAGE) -> Chunk:
    return Chunk(id="k#0", leaf="knowledge/x", source="s", text=text, tokens=1, title="Lake Mirra (lake)")


def texts(sentence: str) -> list[str]:
    return [span.text for span in spans.find(sentence)]


def test_numbers_names_dates_and_kinds_are_found() -> None:
    assert texts("Lake Mirra is a crater lake in the north of Talland.") == ["Lake Mirra", "a crater lake", "Talland"]
    assert texts("It was mapped by Ada Holm on 3 May 1887.") == ["Ada Holm", "3 May 1887", "1887"]
    assert "412 metres deep" in texts("It is 412 metres deep.")
    assert "two islands" in texts("The lake has two islands.")


def test_a_pronoun_is_replaced_by_the_subject_before() -> None:
    found = [statement.text for statement in statements.of_chunk(chunk())]
    assert found[1].startswith("Lake Mirra is 412 metres deep")
    assert found[-1] == "the town of Orrin's population is 1,940."


def test_questions_about_a_number_name_the_subject() -> None:
    [statement] = statements.of_chunk(chunk("NGC 37 is a lenticular galaxy of apparent magnitude 14.66."))
    [span] = [span for span in spans.find(statement.text) if span.text == "14.66"]
    asked = [form.text for form in question_forms.write(statement, span)]
    assert "What is the apparent magnitude of NGC 37?" in asked
    assert all("14.66" not in question for question in asked)


def test_a_year_is_asked_for_with_a_grammatical_question() -> None:
    [statement] = statements.of_chunk(chunk("The cluster was first discovered in 2010."))
    span = spans.find(statement.text)[-1]
    asked = [form.text for form in question_forms.write(statement, span)]
    assert "About Lake Mirra: in which year was the cluster first discovered?" in asked
    assert "About Lake Mirra: the cluster was first discovered in which year?" in asked


@settings(max_examples=200, deadline=None)
@given(st.text(alphabet=string.ascii_letters + string.digits + " .,;:()'\"—-–°%é字", max_size=300))
def test_any_text_gives_spans_that_stand_in_it(text: str) -> None:
    check(text)


WORDS = (
    "The It They She This These Phoenix Ankaa (HD 2039 b) () WASP-18 is was has which whose, ; : — that respectively "
    "1922 3 December 1956 July 3 to 18 two six times of in by and called discovered Belgian astronomer Ada Holm galaxy "
    "330 light years away old 40% −39° named, an Arabic word less than a day . . ! ?"
).split()


@settings(max_examples=300, deadline=None)
@given(st.lists(st.sampled_from(WORDS), max_size=25))
def test_any_words_give_spans_that_stand_in_them(words: list[str]) -> None:
    check(" ".join(words))


def check(text: str) -> None:
    for statement in statements.of_chunk(chunk(text)):
        assert statement.subject.strip()
        assert all(said.strip() for said in restatements.of_statement(statement))
        for span in spans.find(statement.text):
            assert statement.text[span.start : span.end] == span.text != ""
            for form in question_forms.write(statement, span):
                assert span.text.lower() not in form.text.lower()
                assert form.text.endswith(("?", "."))


@pytest.mark.parametrize("text", ["", "# Heading\n\n| a | b |", "   "])
def test_text_without_sentences_gives_no_statement(text: str) -> None:
    assert statements.of_chunk(chunk(text)) == []


def test_the_topic_is_the_title_without_its_remark() -> None:
    assert statements.topic_of(chunk()) == "Lake Mirra"
    assert isinstance(statements.of_chunk(chunk())[0], Statement)


def test_a_row_that_asks_several_things_is_rejected() -> None:
    row = {
        "kind": "knowledge",
        "text": PAGE,
        "question": "What is Lake Mirra? Where is it?",
        "answer": "A crater lake.",
    }
    tools = Tools(teacher=None, scorer=None, render=str, settings=SdgSettings())  # type: ignore[arg-type]
    box = Box()
    assert rules([row], box, tools) == []
    assert [one["reason"] for one in box.rejected] == ["several questions in one"]
    assert rules([{**row, "question": "What is Lake Mirra?"}], box, tools)


@pytest.mark.parametrize(
    ("question", "kept"),
    [
        ("What is Lake Mirra?", True),
        ("Who first mapped Lake Mirra?", True),
        ("What is Ada Holm?", False),
        ("What is the origin of the story of Lake Mirra?", False),
    ],
)
def test_a_small_teacher_must_ask_in_the_words_of_its_sentence(question: str, kept: bool) -> None:
    sentence = "Lake Mirra is a crater lake that Ada Holm first mapped."
    row = {"kind": "knowledge", "leaf": "knowledge/x", "origin": "sentences", "text": PAGE + " " + sentence}
    row |= {"question": question, "answer": sentence, "statement": sentence}
    tools = Tools(teacher=None, scorer=None, render=str, settings=SdgSettings())  # type: ignore[arg-type]
    assert bool(rules([row], Box(), tools, max_words=70, in_its_words=True)) is kept
