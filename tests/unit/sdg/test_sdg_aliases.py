"""Other names of a thing, and questions asked under them."""

from __future__ import annotations

from ilab.records.chunks import Chunk
from ilab.sdg import aliases, question_forms, spans, statements


def statements_of(text: str) -> list[statements.Statement]:
    chunk = Chunk(id="k#0", leaf="knowledge/x", source="s", text=text, tokens=1, title="Mirra")
    return statements.of_chunk(chunk)


def test_names_are_paired_in_both_directions() -> None:
    found = aliases.find(["The brightest star, Alpha Mirrae, is named Olun.", "Big Gus, or officially AC-1, is old."])
    assert found == {"Alpha Mirrae": "Olun", "Olun": "Alpha Mirrae", "Big Gus": "AC-1", "AC-1": "Big Gus"}


def test_a_question_is_asked_under_the_other_name_unless_that_is_the_answer() -> None:
    names = {"Olun": "Alpha Mirrae", "Alpha Mirrae": "Olun"}
    assert aliases.other_names("How bright is Olun?", names, answer="2.4") == "How bright is Alpha Mirrae?"
    assert aliases.other_names("What is Alpha Mirrae called?", names, answer="Olun") == ""
    assert aliases.other_names("How far is it?", names, answer="2") == ""


def test_an_unnamed_subject_takes_the_name_that_its_sentence_gives() -> None:
    [found] = statements_of("A small shower peaks in May; this shower is referred to as the Mirrids.")
    assert found.text.startswith("The Mirrids (a small shower) peaks in May")
    assert found.subject == "Mirrids"


def test_values_given_respectively_are_not_asked_for() -> None:
    [found] = statements_of("Mirra and Orrin lie 7.2 and 5.7 miles away respectively.")
    assert all(not question_forms.write(found, span) for span in spans.find(found.text))
