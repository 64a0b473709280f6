"""Questions in many wordings: each asks for its fact, none gives the answer away, wrong readings are left out."""

from __future__ import annotations

import pytest

from ilab.records.chunks import Chunk
from ilab.sdg import clauses, question_forms, restatements, spans, statements, verbs, wordings
from ilab.sdg.statements import Statement


def page(text: str, *, title: str = "Mirra (lake)") -> list[Statement]:
    return statements.of_chunk(
        Chunk(id="k#0", leaf="knowledge/x", source="s", text=text, tokens=1, title=title, heading=title)
    )


def asked(text: str, answer: str) -> dict[str, list[str]]:
    """Questions by shape about the span `answer` of the last sentence of `text`."""
    statement = page(text)[-1]
    [span] = [span for span in spans.find(statement.text) if span.text == answer]
    found: dict[str, list[str]] = {}
    for form in question_forms.write(statement, span):
        found.setdefault(form.shape, []).append(form.text)
    return found


@pytest.mark.parametrize(
    ("word", "base"),
    [
        ("established", ("establish", "did")),
        ("included", ("include", "did")),
        ("carried", ("carry", "did")),
        ("stopped", ("stop", "did")),
        ("found", ("find", "did")),
        ("lies", ("lie", "does")),
        ("reaches", ("reach", "does")),
        ("carries", ("carry", "does")),
        ("bus", None),
        ("Mirra", None),
        ("is", None),
    ],
)
def test_base_forms(word: str, base: tuple[str, str] | None) -> None:
    assert verbs.base_form(word) == base


def test_a_date_is_asked_for_with_the_auxiliary_that_the_verb_needs() -> None:
    found = asked("Ada Holm mapped the lake in 1887.", "1887")
    assert "In which year did Ada Holm map Mirra?" in found["direct"]
    assert any(text.endswith("in which year Ada Holm mapped Mirra.") for text in found["indirect"])
    assert "Ada Holm mapped Mirra in which year?" in found["in-place"]


def test_a_participle_before_the_span_makes_a_passive_question() -> None:
    found = asked("Mirra appears on a map printed in 1731 in Orrin.", "1731")
    assert "In which year was a map printed?" in found["direct"]


def test_a_measure_is_asked_for_in_the_words_people_use() -> None:
    found = asked("The tower (built 1880) has a height of 41 metres.", "41 metres")["attribute"]
    assert {"About Mirra: How tall is the tower?", "About Mirra: What height does the tower have?"} <= {*found}
    assert "How far away is Orrin?" in asked("Orrin is 12 miles away.", "12 miles away")["attribute"]


def test_a_name_is_asked_for_with_the_noun_that_stands_before_it() -> None:
    found = asked("Mirra feeds the river Talla.", "Talla")
    assert "Which river does Mirra feed?" in found["direct"]


def test_what_is_said_in_passing_is_asked_for_too() -> None:
    assert "What is Holm?" not in str(asked("The engineer Ada Holm drew it.", "engineer"))
    assert "What is Ada Holm?" in asked("The engineer Ada Holm drew it.", "engineer")["attribute"]
    found = asked("The map was drawn by Danish engineer Ada Holm.", "Danish")["attribute"]
    assert "What was the nationality of Ada Holm?" in found
    found = asked("Olun, a Danish word for eel, is its old name.", "Danish")["attribute"]
    assert "From which language does Olun come?" in found


def test_a_measure_of_another_thing_is_not_taken_for_the_subjects_own() -> None:
    statement = page("Mirra has an island (Big Sister) six times the size of Orrin.")[-1]
    questions = [
        form.text
        for span in spans.find(statement.text)
        for form in question_forms.write(statement, span)
        if span.text == "Orrin"
    ]
    assert not any("size of Mirra" in text for text in questions)
    found = asked("Mirra has an island (Big Sister) six times the size of Orrin.", "six times")["attribute"]
    assert "How many times the size of Orrin is Big Sister?" in found


def test_a_relative_clause_is_about_the_noun_before_it() -> None:
    statement = page("Mirra has a ferry which crosses every 40 minutes.")[-1]
    [span] = [span for span in spans.find(statement.text) if "40" in span.text]
    assert clauses.around(statement, span) is None
    statement = page("Mirra has a ferry (the Holm) which crosses every 40 minutes.")[-1]
    assert page("Mirra is a lake which has 2 islands.")[-1].subject == "Mirra"
    statement = page("Mirra is a lake which has 12 islands.")[-1]
    [span] = [span for span in spans.find(statement.text) if "12" in span.text]
    clause = clauses.around(statement, span)
    assert clause is not None
    assert clause.text == "Mirra has 12 islands"


def test_long_sentences_are_said_in_short_ones() -> None:
    [statement] = page("Mirra is a crater lake, was mapped by Ada Holm in 1887, and feeds the river Talla.")
    found = restatements.of_statement(statement)
    assert {"Mirra was mapped by Ada Holm in 1887.", "Mirra feeds the river Talla."} <= {*found}
    assert statement.text not in found
    [statement] = page("Orrin is 12 miles away and about 300 years old.")
    assert {"The distance to Orrin is 12 miles.", "The age of Orrin is 300 years."} <= {
        *restatements.of_statement(statement)
    }


def test_elided_dates_and_the_pages_own_noun_are_written_out() -> None:
    [statement] = page("Boats cross the lake from July 3 to 18.")
    assert statement.text == "Boats cross Mirra from July 3 to July 18."


def test_he_and_she_mean_the_last_person() -> None:
    found = page("Ada Holm noted the depth. The lake was dry in 1901. She measured it again.")
    assert found[-1].text == "Ada Holm measured it again."


def test_rewording_changes_words_and_never_names() -> None:
    said = wordings.reworded("In which year was the Large Lake discovered?")
    assert said.startswith("In which year was the Large Lake ")
    assert "discovered" not in said
    assert wordings.reworded("What is Mirra?") == ""
    assert wordings.reworded("In which year was it discovered?") == wordings.reworded(
        "In which year was it discovered?"
    )


def test_one_of_two_dates_is_not_asked_for() -> None:
    assert "1597" not in [span.text for span in spans.find("The globe was published in 1597 (or 1598) by Ada Holm.")]


def test_a_search_says_what_it_wants_and_loses_no_word() -> None:
    found = asked("Orrin first appeared on a map in 1887.", "1887")
    assert found["keywords"] == ["Mirra, Orrin: first appeared map, which year?"]
    long = "Orrin is the largest of the twelve northern fishing ports established in 1731 from many old royal letters."
    assert "keywords" not in asked(long, "1731")


def test_of_two_neighbours_on_one_side_none_is_the_answer() -> None:
    text = "Talland is a land bordered by Mirra and Orrin to the north, Una to the west."
    assert not any("side" in question for question in asked(text, "Orrin").get("attribute", []))
    assert any("west" in question for question in asked(text, "Una")["attribute"])


def test_a_member_is_not_asked_for_without_its_whole() -> None:
    found = asked("Orrin is an outlying member of the Sister Towns.", "an outlying member")
    assert not any("member" in question for forms in found.values() for question in forms)
