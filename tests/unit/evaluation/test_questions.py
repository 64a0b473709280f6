"""Question files: every fault at once with its line; splits by fact."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from ilab.errors import NothingGenerated, UserFileError
from ilab.evaluation import questions
from ilab.evaluation.heldout import Answers, from_samples, shape
from ilab.records.samples import Sample

GOOD = """\
schema_version: 1
kind: questions
title: A page
document: page.md
facts:
  - id: one
    tier: taught
    kind: star
    source: >-
      Ankaa is
      an orange giant
    questions: ["What is Ankaa?", "Which kind of star is Ankaa?"]
    answer: an orange giant
    distractors: ["a red dwarf", "a blue giant", "a white dwarf"]
  - id: two
    tier: untaught
    questions: ["When?"]
    answer: "1603"
    distractors: ["1756", "1597", "1930"]
"""

BAD = """\
schema_version: 1
kind: questions
colour: blue
facts:
  - id: one
    tier: taught
    questions: ["When?"]
    answer: 1603
    distractors: ["1756"]
  - id: two
    tier: sometimes
    questions: []
    answer: "x"
"""

CLASHING = """\
schema_version: 1
kind: placebo
facts:
  - id: one
    tier: taught
    questions: ["When?", " "]
    answer: "Here"
    distractors:
      - "there"
      - "here "
  - id: one
    tier: placebo
    questions: ["when? "]
    answer: "a"
    distractors: ["b"]
"""


def faults_of(text: str) -> list[str]:
    with pytest.raises(UserFileError) as caught:
        questions.parse(text, path="q.yaml")
    return [str(fault) for fault in caught.value.faults]


def test_a_good_file_becomes_facts() -> None:
    found = questions.parse(GOOD)
    assert [fact.id for fact in found] == ["one", "two"]
    assert found.facts[0].options == ("an orange giant", "a red dwarf", "a blue giant", "a white dwarf")
    assert found.facts[0].source == "Ankaa is an orange giant"
    assert len(found) == 3
    assert questions.parse(yaml.safe_dump(_lists(found.to_json()))) == found


def _lists(value: object) -> object:
    if isinstance(value, dict):
        return {key: _lists(inner) for key, inner in value.items()}
    return [_lists(inner) for inner in value] if isinstance(value, tuple | list) else value


def test_every_fault_of_the_schema_comes_at_once_with_its_line() -> None:
    faults = faults_of(BAD)
    assert [fault.split(": ")[0] for fault in faults] == [
        "q.yaml:8",
        "q.yaml:11",
        "q.yaml:12",
        "q.yaml:10",
        "q.yaml:3",
    ]
    assert "put the value in quotes" in faults[0]
    assert "facts[1].distractors" in faults[3]


def test_every_inconsistency_comes_at_once_with_its_line() -> None:
    faults = faults_of(CLASHING)
    assert [fault.split(": ")[0] for fault in faults] == [
        "q.yaml:5",
        "q.yaml:6",
        "q.yaml:10",
        "q.yaml:11",
        "q.yaml:13",
    ]
    assert "does not fit a file of kind `placebo`" in faults[0]
    assert "used twice" in faults[3]
    assert "stands already in fact `one`" in faults[4]


def test_a_file_of_another_kind_is_refused_with_its_line() -> None:
    with pytest.raises(UserFileError) as caught:
        questions.parse(GOOD, path="q.yaml", kind="placebo")
    (fault,) = caught.value.faults
    assert (fault.line, "`questions`" in fault.message, "`placebo` is wanted" in fault.message) == (2, True, True)
    assert questions.parse(GOOD, kind="questions").kind == "questions"


@pytest.mark.parametrize("text", ["", "- a\n- b\n", "facts: [", "just text"])
def test_files_that_are_no_question_files_are_refused(text: str) -> None:
    assert faults_of(text)


def test_missing_and_undecodable_files_are_named(tmp_path: Path) -> None:
    (tmp_path / "latin.yaml").write_bytes(b"title: caf\xe9\n")
    for name in ("absent.yaml", "latin.yaml"):
        with pytest.raises(UserFileError, match=name):
            questions.read(tmp_path / name)


def test_the_shipped_keepset_is_valid_and_large_enough() -> None:
    keepset = questions.shipped_keepset()
    assert len(keepset.facts) >= 60
    assert {fact.tier for fact in keepset} == {"keep"}


@pytest.mark.parametrize("name", ["questions.yaml", "placebo.yaml"])
def test_the_shipped_example_is_valid(name: str) -> None:
    path = Path(__file__).parents[3] / "examples/phoenix/proof" / name
    found = questions.read(path)
    assert all(len(fact.questions) == 2 and len(fact.distractors) == 3 for fact in found)


def test_halves_keep_facts_whole_and_tiers_balanced() -> None:
    everything = questions.read(Path(__file__).parents[3] / "examples/phoenix/proof/questions.yaml")
    selection, report = questions.halves(everything)
    ids = {fact.id for fact in selection} | {fact.id for fact in report}
    assert len(selection.facts) + len(report.facts) == len(everything.facts) == len(ids)
    for tier in ("taught", "untaught"):
        counts = [sum(fact.tier == tier for fact in half) for half in (selection, report)]
        assert abs(counts[0] - counts[1]) <= 1
    assert questions.halves(everything) == (selection, report)
    third, rest = questions.halves(everything, every=3)
    assert len(third.facts) * 2 == pytest.approx(len(rest.facts), abs=4)


def sample(number: int, question: str, answer: str, chunk: str = "c1") -> Sample:
    return Sample(
        id=str(number), leaf="l", kind="knowledge", question=question, answer=answer, origin="qa", chunk=chunk
    )


ROWS = [
    sample(1, "When was it published?", "1603"),
    sample(2, "In which year did it appear?", "1603"),
    sample(3, "When were the borders set?", "1930"),
    sample(4, "When was it charted?", "1756"),
    sample(5, "When was the globe made?", "1597"),
    sample(6, "Who published it?", "Johann Bayer"),
    sample(7, "Who charted it?", "Nicolas Louis de Lacaille"),
    sample(8, "How bright is it?", "magnitude 2.4"),
]


def test_held_out_rows_become_facts_with_wrong_answers_of_the_same_shape() -> None:
    found = from_samples(ROWS)
    years = found.facts[0]
    assert years.questions == ("When was it published?", "In which year did it appear?")
    assert (years.kind, years.tier) == ("year", "taught")
    assert set(years.distractors) == {"1930", "1756", "1597"}
    assert all(len(fact.distractors) == 3 and fact.answer not in fact.distractors for fact in found)
    assert from_samples(ROWS) == found
    assert from_samples(ROWS, fact_of=lambda row: row.id).facts[0].questions == ("When was it published?",)


def test_too_few_answers_say_what_to_do() -> None:
    with pytest.raises(NothingGenerated) as caught:
        from_samples(ROWS[:3])
    assert "questions file" in caught.value.hint


def test_an_answer_inside_another_is_no_wrong_answer() -> None:
    pool = ["Bayer", "Johann Bayer", "Petrus Plancius", "Lacaille", "Julius Schiller"]
    assert set(Answers(pool).nearest("Johann Bayer", salt="f")) == {"Petrus Plancius", "Lacaille", "Julius Schiller"}


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ("1603", "year"),
        ("2.4", "number"),
        ("7.2 billion light years", "number"),
        ("Nicolas Louis de Lacaille", "name"),
        ("an orange giant", "phrase"),
        ("It was first shown in the star atlas of 1603.", "sentence"),
    ],
)
def test_shapes(answer: str, expected: str) -> None:
    assert shape(answer) == expected
