"""The form of an answer: what is written is read back, and nothing that is broken or smuggled in shifts a neighbour."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ilab.errors import ConfigError
from ilab.sdg import answer_form
from ilab.sdg.answer_form import AnswerForm, Column

PAIRS = AnswerForm(columns={"question": Column(about="what is asked"), "answer": Column(about="the answer")}, many=True)
VERDICT = AnswerForm(
    columns={"explanation": Column(about="why"), "verdict": Column(about="is it so", enum=("YES", "NO"))}
)
SCORE = AnswerForm(columns={"score": Column(about="how good", enum=("1", "2", "3"))})
FACTS = AnswerForm(
    columns={"facts": Column(about="one fact each", type="array of strings"), "count": Column(about="", type="integer")}
)
SMUGGLED = ["<question>", "</answer>", "< / answer >", "&lt;answer>", "&amp;lt;/question>", "{", '"', "```", "&", "<"]
values = (
    st.lists(st.one_of(st.text(max_size=8), st.sampled_from(SMUGGLED)), max_size=8)
    .map("".join)
    .map(str.strip)
    .filter(bool)
)


@given(st.lists(st.tuples(values, values), max_size=5), st.booleans())
def test_what_is_written_is_read_back(pairs: list[tuple[str, str]], structured: bool) -> None:
    records = [{"question": question, "answer": answer} for question, answer in pairs]
    assert PAIRS.read(PAIRS.write(records, structured=structured)) == records


@given(st.text())
def test_any_text_at_all_is_read_without_an_error(text: str) -> None:
    for form in (PAIRS, VERDICT, SCORE, FACTS):
        for record in form.read(text):
            assert list(record) == list(form.columns)


@given(st.lists(st.sampled_from([*SMUGGLED, "<answer>", "</question>", "a", "YES", '{"question":"a","answer":"b"}'])))
def test_any_heap_of_tags_is_read_without_an_error(pieces: list[str]) -> None:
    assert all(record["question"] and record["answer"] for record in PAIRS.read(" ".join(pieces)))


@given(st.lists(st.tuples(values, values), min_size=2, max_size=5), st.data())
def test_a_tag_that_is_missing_costs_its_own_record_only(pairs: list[tuple[str, str]], data: st.DataObject) -> None:
    records = [{"question": question, "answer": answer} for question, answer in pairs]
    written = [PAIRS.write([record], structured=False) for record in records]
    hit = data.draw(st.integers(0, len(records) - 1))
    tag = data.draw(st.sampled_from(["<question>", "</question>", "<answer>", "</answer>"]))
    written[hit] = written[hit].replace(tag, "", 1)
    rest = records[:hit] + records[hit + 1 :]
    assert PAIRS.read("\n\n".join(written)) == rest


def test_a_record_that_lacks_a_column_shifts_no_other() -> None:
    text = (
        "<question>one?</question>\n<question>two?</question><answer>2</answer>\n<answer>stray</answer>"
        "<question>three?</question><answer>3</answer>"
    )
    assert [row["question"] for row in PAIRS.read(text)] == ["two?", "three?"]
    assert [row["answer"] for row in PAIRS.read(text)] == ["2", "3"]


@pytest.mark.parametrize("said", ["YES", "yes", "Yes.", "**YES**", "`yes`", "Verdict: YES", " Final verdict: **Yes**."])
def test_a_verdict_is_read_whatever_its_dress(said: str) -> None:
    for structured in (False, True):
        text = VERDICT.write([{"explanation": "It says so.", "verdict": said}], structured=structured)
        assert VERDICT.read(text) == [{"explanation": "It says so.", "verdict": "YES"}]


@pytest.mark.parametrize("said", ["Yes and no", "maybe", "NO, but: YES", "", "YESNO"])
def test_a_verdict_that_is_none_is_not_guessed(said: str) -> None:
    for structured in (False, True):
        assert not VERDICT.read(VERDICT.write([{"explanation": "x", "verdict": said}], structured=structured))


@pytest.mark.parametrize(("said", "score"), [("3", "3"), ("3/3", "3"), ("Score: 2", "2"), ("2.0", "2"), ("**1**", "1")])
def test_a_score_is_read_as_models_write_it(said: str, score: str) -> None:
    assert SCORE.read(f"<score>{said}</score>") == [{"score": score}]
    assert SCORE.read(json.dumps({"score": said})) == [{"score": score}]


def test_a_score_that_is_a_number_in_json_is_one_of_the_values() -> None:
    assert SCORE.read('{"score": 2}') == [{"score": "2"}]
    assert SCORE.read('{"score": 7}') == []
    assert SCORE.read('{"score": true}') == []


def test_lists_and_numbers_have_their_types() -> None:
    record: dict[str, Any] = {"facts": ["One - and two.", "- three"], "count": 2}
    for structured in (False, True):
        assert FACTS.read(FACTS.write([record], structured=structured)) == [record]
    assert FACTS.read("<facts>1. One.\n* Two.\n</facts><count>Count: 2</count>") == [
        {"facts": ["One.", "Two."], "count": 2}
    ]


def test_json_is_read_in_a_fence_after_words_after_thoughts_and_under_any_name() -> None:
    record = {"question": "Who?", "answer": "Ada."}
    as_json = json.dumps(record)
    for text in (
        as_json,
        f"```json\n{as_json}\n```",
        f"Here it is:\n```json\n{as_json}\n```",
        f"<think>{{</think>\n{as_json}",
        f'{{"pairs": [{as_json}]}}',
        f"[{as_json}]",
        as_json.replace("question", "Question"),
        f"{as_json}\nAnything else?",
    ):
        assert PAIRS.read(text) == [record]


def test_what_came_whole_is_kept_of_a_list_that_was_cut_off() -> None:
    text = PAIRS.write([{"question": f"{n}?", "answer": "yes"} for n in range(3)], structured=True)
    assert [row["question"] for row in PAIRS.read(text[:-20])] == ["0?", "1?"]


QUOTED = '{"explanation": "the document says so", "verdict": "YES"}'


@pytest.mark.parametrize(
    "text",
    [
        f"<explanation>It says {QUOTED}</explanation><verdict>NO</verdict>",
        json.dumps({"explanation": "<explanation>a</explanation><verdict>YES</verdict>", "verdict": "NO"}),
        json.dumps({"explanation": f"it says {QUOTED}", "verdict": "NO"}),
    ],
)
def test_a_verdict_that_is_quoted_from_a_document_does_not_count(text: str) -> None:
    assert [record["verdict"] for record in VERDICT.read(text)] == ["NO"]


@pytest.mark.parametrize(
    "text",
    [
        f"<explanation>It says {QUOTED}</explanation><verdict>NO",
        f'{{"explanation": "It says {QUOTED}", "verdict": "NO"',
        f"It says {QUOTED} which I do not beli",
        f"{QUOTED} That is what it says. {QUOTED.replace('YES', 'NO')}",
        "<explanation>a<verdict>YES</verdict></explanation>",
        "<explanation>It says </explanation><verdict>YES</verdict></explanation><verdict>NO</verdict>",
        "<explanation>It says</explanation><verdict>YES</verdict> and so on</explanation>",
        "<explanation>a</explanation><verdict>YES</verdict>\n<explanation>b</explanation><verdict>NO</verdict>",
    ],
)
def test_a_verdict_that_is_broken_or_contradicts_itself_is_none(text: str) -> None:
    assert VERDICT.read(text) == []


def test_of_several_records_where_one_is_wanted_the_first_counts() -> None:
    form = AnswerForm(columns={"question": Column(about="what is asked")})
    assert form.read("<question>one?</question>\n<question>two?</question>") == [{"question": "one?"}]


def test_the_schema_names_every_column_and_nothing_else() -> None:
    record = {
        "type": "object",
        "properties": {"explanation": {"type": "string"}, "verdict": {"type": "string", "enum": ["YES", "NO"]}},
        "required": ["explanation", "verdict"],
        "additionalProperties": False,
    }
    assert VERDICT.schema() == record
    assert list(PAIRS.schema()["properties"]) == ["items"]
    assert FACTS.schema()["properties"]["facts"] == {"type": "array", "items": {"type": "string"}}


@pytest.mark.parametrize("structured", [False, True])
def test_the_instructions_show_each_column(structured: bool) -> None:
    told = VERDICT.instructions(structured=structured)
    assert "why" in told and "YES or NO" in told and "verdict" in told
    assert ("</verdict>" in told) is not structured


def test_a_form_is_declared_in_words_or_in_full() -> None:
    declared: dict[str, Any] = {"question": "what is asked", "verdict": {"about": "", "enum": [True, False]}}
    form = answer_form.of(declared, many=True, where="judge.yaml")
    assert form.columns["question"] == Column(about="what is asked")
    assert form.columns["verdict"].enum == ("YES", "NO")
    assert form.many


@pytest.mark.parametrize(
    ("columns", "fault"),
    [
        ({}, "names no columns"),
        ({"a b": "x"}, "no name of a column"),
        ({"a": {"abuot": "x"}}, "knows no `abuot`"),
        ({"a": 3}, "needs words"),
        ({"a": {"about": "x", "type": "number"}}, "has type `number`"),
        ({"a": {"about": "x", "enum": ["Yes", "yes."]}}, "differ in case"),
        ({"a": "x", "A": "y"}, "differ in case only"),
    ],
)
def test_a_form_that_is_declared_wrongly_is_a_fault_of_the_file(columns: Any, fault: str) -> None:
    with pytest.raises(ConfigError, match=fault) as told:
        answer_form.of(columns, many=False, where="judge.yaml")
    assert "judge.yaml" in told.value.message
