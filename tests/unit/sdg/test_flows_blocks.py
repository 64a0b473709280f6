"""The blocks of the flows for real teachers, one by one: what is dealt, refused, kept and never lost without a word."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ilab.errors import UserFileError
from ilab.llm.scripted import ScriptedChatModel, ScriptedTokenScorer
from ilab.records.messages import Message
from ilab.records.seeds import Seed
from ilab.sdg import flow
from ilab.sdg.blocks.base import BLOCKS, Tools
from ilab.sdg.blocks.fact_questions import KINDS, ask_facts, kinds
from ilab.sdg.blocks.rewrite import improve, prefer, reword
from ilab.sdg.blocks.skills import answered, ask_by, choose, propose
from ilab.sdg.blocks.summaries import INSTRUCTIONS, summaries
from ilab.sdg.row import Box, Row
from ilab.sdg.settings import SdgSettings

TEXT = "Lake Mirra lies in Talland. It was mapped by Ada Holm in 1887. Boats cross it in summer."
STEPS = ["improve_analysis", "improve_critique", "improve_plan", "improve_revision"]


def tools(answer: Callable[[str], str] = lambda said: "", *, scale: int = 6, **changes: Any) -> Tools:
    def answers(messages: Sequence[Message]) -> str:
        return answer(messages[-1].content)

    return Tools(
        teacher=ScriptedChatModel(answers),
        scorer=ScriptedTokenScorer(lambda request, text: 0.0),
        render=lambda turns: "",
        settings=SdgSettings(scale_factor=scale, reasks=0),
        seeds=tuple(Seed(leaf="s", kind="freeform_skill", question=f"Do {n}", answer="Done.") for n in range(4)),
        **changes,
    )


def fact(number: int, chunk: str = "c", **changes: Any) -> Row:
    told = {"leaf": "k", "kind": "knowledge", "origin": "facts_told", "chunk": chunk, "text": TEXT, "title": ""}
    return {**told, "fact": f"Boats cross Lake Mirra in summer, says witness {'abcdefghijklmnop'[number]}.", **changes}


def skill(**changes: Any) -> Row:
    told = {"leaf": "s", "kind": "freeform_skill", "origin": "variations", "task": "greet"}
    return {**told, "question": "Greet Ann.", "answer": "Hello Ann.", **changes}


# --- what a flow may say ---


@pytest.mark.parametrize(
    ("step", "said"),
    [
        (
            {"block": "rules", "max_word": 3},
            "block `rules` has no option `max_word`; it takes `in_its_words`, `max_words`",
        ),
        ({"block": "spans", "per": 2}, "block `spans` has no option `per`; it takes none"),
        ({"block": "rules", "max_words": "many"}, "must be a whole number from 1, not 'many'"),
        ({"block": "ask"}, "block `ask` needs the option `prompt`: the name of a prompt"),
        ({"block": "ask", "prompt": "absent"}, "there is no prompt `absent`; there are answer_creative"),
        ({"block": "ask_by", "by": "persona", "prompts": {"A": "absent"}}, "there is no prompt `absent`"),
        ({"block": "improve", "steps": "improve_plan"}, "must be a list of prompts"),
        ({"block": "judge", "prompt": "chunk_pairs"}, "cannot use the prompt `chunk_pairs`, whose answers have no"),
        ({"block": "ask_facts", "prompt": "chunk_facts"}, "whose answers have no `number` and `question` and `answer`"),
        ({"block": "distinct", "scope": "all"}, "must be `run`, not 'all'"),
    ],
)
def test_a_flow_with_a_mistake_in_it_is_refused_before_anything_is_asked(
    step: dict[str, Any], said: str, tmp_path: Path
) -> None:
    file = tmp_path / "mine.json"
    file.write_text(json.dumps({"version": "1.0", "knowledge": {"mine": [step]}}))
    with pytest.raises(UserFileError) as caught:
        flow.load(str(file))
    assert any(said in fault.message for fault in caught.value.faults), [f.message for f in caught.value.faults]


@pytest.mark.parametrize("name", ["full", "agentic"])
def test_dear_blocks_come_after_the_rows_of_the_run_are_compared(name: str) -> None:
    loaded = flow.load(name)
    for section in ("knowledge", "grounded_skill", "freeform_skill", "cross_chunk", "gaps"):
        for path, steps in loaded.paths(section).items():
            if any(step.block == "judge" for step in steps):
                cut = next(n for n, step in enumerate(steps) if step.compares_run)
                assert not any(step.block in ("judge", "ground") for step in steps[:cut]), path


def test_every_block_that_a_flow_may_name_is_in_the_documentation() -> None:
    page = (Path(__file__).parents[3] / "docs" / "concepts-flows.md").read_text()
    named = set(re.findall(r"`(\w+)`", page))
    assert set(BLOCKS) - {"reference"} <= named
    assert set(flow.shipped()) <= named


# --- facts ---


@given(facts=st.integers(1, 16), per=st.integers(1, 6), chunk=st.text(max_size=4))
def test_kinds_are_dealt_evenly_and_no_fact_gets_one_twice(facts: int, per: int, chunk: str) -> None:
    made = kinds([fact(number, chunk) for number in range(facts)], Box(), tools(), per=per)
    counts = Counter(row["asked_kind"] for row in made)
    assert sum(counts.values()) == facts * per
    assert max(counts.values()) - min(counts[kind] for kind in KINDS) <= 1
    assert len({(row["fact"], row["asked_kind"]) for row in made}) == len(made)


def test_a_further_round_gives_a_fact_other_kinds() -> None:
    dealt = [
        {(row["fact"], row["asked_kind"]) for row in kinds([fact(0, round=n), fact(1, round=n)], Box(), tools(), per=2)}
        for n in range(3)
    ]
    assert len(set.union(*dealt)) == 3 * 2 * 2


def test_a_fact_gets_the_sentence_that_says_it_and_one_with_a_strange_number_is_refused() -> None:
    box = Box()
    told = ["Ada Holm mapped Lake Mirra in 1887.", "Lake Mirra was mapped in 1899.", "Wolves howl."]
    made = kinds([fact(0, fact=each) for each in told], box, tools(), per=1)
    assert [row["statement"] for row in made] == ["It was mapped by Ada Holm in 1887.", ""]
    assert [row["reason"] for row in box.rejected] == ["a number of the fact is not in the document"]


def test_what_the_teacher_left_out_is_told_and_shifts_nothing() -> None:
    def answer(said: str) -> str:
        return (
            "<number>3</number><question>Q3</question><answer>A3</answer>"
            "<number>1</number><question>Q1</question><answer>A1</answer>"
            "<number>1</number><question>Q1 again</question><answer>A</answer>"
            "<number>9</number><question>Q9</question><answer>A9</answer>"
        )

    box = Box()
    rows = kinds([fact(number) for number in range(3)], box, tools(), per=1)
    made = ask_facts(rows, box, tools(answer), prompt="fact_questions", group=5)
    assert [(row["fact"], row["question"], row["answer"]) for row in made] == [
        (rows[2]["fact"], "Q3", "A3"),
        (rows[0]["fact"], "Q1", "A1"),
    ]
    assert Counter(row["reason"] for row in box.rejected) == {
        "the answer belongs to none of the facts": 2,
        "the teacher wrote no question about the fact": 1,
    }


@pytest.mark.parametrize(("facts", "group", "calls"), [(1, 5, 1), (5, 5, 1), (6, 5, 2), (16, 4, 4)])
def test_facts_share_requests(facts: int, group: int, calls: int) -> None:
    heard: list[str] = []

    def answer(said: str) -> str:
        heard.append(said)
        return ""

    rows = kinds([fact(number) for number in range(facts)], Box(), tools(), per=1)
    ask_facts(rows, Box(), tools(answer), prompt="fact_questions", group=group)
    assert len(heard) == calls
    assert sum(each["fact"] in said for each in rows for said in heard) == facts


# --- other wordings ---


@pytest.mark.parametrize(
    ("wording", "reason"),
    [
        ("In what year was Lake Mirra mapped by Ada Holm?", ""),
        ("when was lake mirra mapped by ada holm", "another wording says it in the same words"),
        ("When did Ada Holm map it, the lake?", "another wording leaves out a name or a number"),
        ("When was it mapped by Ada Holm, Lake Mirra?", "question is not self-contained"),
    ],
)
def test_a_wording_must_ask_the_same(wording: str, reason: str) -> None:
    box = Box()
    row = fact(0, question="When was Lake Mirra mapped by Ada Holm?", answer="In 1887.")
    made = reword([row], box, tools(lambda said: worded((1, wording))), prompt="other_wordings")
    assert made[0] == row
    if reason:
        assert [one["reason"] for one in box.rejected] == [reason] and len(made) == 1
    else:
        assert made[1] == {**row, "question": wording, "origin": "paraphrases", "asked_as": row["question"]}


def test_a_wording_with_other_words_asks_something_else() -> None:
    box = Box()
    row = fact(0, question="Who crosses Lake Mirra by boat in the summer months?", answer="Boats.")
    said = worded((1, "Who owns all houses that stand near Lake Mirra?"))
    assert reword([row], box, tools(lambda _: said), prompt="other_wordings") == [row]
    assert [one["reason"] for one in box.rejected] == ["another wording asks something else"]


def worded(*told: tuple[int, str]) -> str:
    return "\n".join(f"<number>{number}</number><question>{text}</question>" for number, text in told)


def test_wordings_of_several_questions_come_in_one_request_and_each_to_its_own() -> None:
    rows = [fact(0, question=f"In which year was Lake Mirra mapped by {who}?", answer=said) for who, said in MAPPED]
    said = worded(
        (2, "Lake Mirra was mapped by Bob in which year?"), (3, "x"), (1, "Ann mapped Lake Mirra in which year?")
    )
    heard: list[str] = []
    box = Box()
    made = reword(rows, box, tools(lambda text: heard.append(text) or said), prompt="other_wordings", together=2)
    assert len(heard) == 2 and '2. "In which year was Lake Mirra mapped by Bob?"' in heard[0]
    assert [(row["answer"], row["question"].split()[0]) for row in made[:4]] == [
        ("In 1887.", "In"),
        ("In 1887.", "Ann"),
        ("In summer.", "In"),
        ("In summer.", "Lake"),
    ]
    assert "the wording belongs to none of the questions" in [row["reason"] for row in box.rejected]


MAPPED = (("Ann", "In 1887."), ("Bob", "In summer."), ("Cleo", "In Talland."))


def test_a_pair_without_another_wording_stays() -> None:
    box = Box()
    row = fact(0, question="When was Lake Mirra mapped?", answer="In 1887.")
    assert reword([row], box, tools(lambda said: "I would rather not."), prompt="other_wordings") == [row]
    assert [one["origin"] for one in box.rejected] == ["paraphrases"]


# --- skills ---


@pytest.mark.parametrize(("scale", "size", "yields", "calls"), [(6, 5, 1, 2), (5, 5, 1, 1), (8, 2, 2, 2), (0, 5, 1, 0)])
def test_as_many_sets_are_asked_for_as_are_needed_and_others_in_a_further_round(
    scale: int, size: int, yields: int, calls: int
) -> None:
    heard: list[str] = []

    def answer(said: str) -> str:
        heard.append(said)
        return "<question>Greet Bob.</question>\n<question>Greet Cleo.</question>"

    options = {"prompt": "skill_instructions", "set": size, "yields": yields}
    made = propose([skill()], Box(), tools(answer, scale=scale), **options)
    assert len(heard) == calls and len(made) == 2 * calls
    assert all(f"Write {size} new items." in said for said in heard)
    first = set(heard)
    propose([skill(round=1)], Box(), tools(answer, scale=scale), **options)
    assert len(heard) == 2 * calls
    assert calls > 2 or not first & set(heard[calls:]), "other examples are shown"


def test_rows_keep_their_order_whichever_prompt_they_get() -> None:
    rows = [skill(question=f"Item {n}", persona=("PRECISE", "CREATIVE")[n % 2]) for n in range(6)]
    prompts = {"PRECISE": "answer_precise", "CREATIVE": "answer_creative"}
    made = ask_by(rows, Box(), tools(lambda said: "<answer>yes</answer>"), by="persona", prompts=prompts)
    assert [row["question"] for row in made] == [row["question"] for row in rows]
    assert "of" not in made[0]
    box = Box()
    assert ask_by([skill()], box, tools(), by="persona", prompts=prompts) == []
    assert [row["reason"] for row in box.rejected] == ["no prompt is named for its persona"]


def test_a_choice_is_made_once_for_all_rows_of_a_leaf() -> None:
    heard: list[str] = []

    def answer(said: str) -> str:
        heard.append(said)
        return "<verdict>creative!</verdict>"

    options = {"prompt": "skill_persona", "column": "persona", "otherwise": "PRECISE"}
    made = choose([skill(question=f"Item {n}") for n in range(5)], Box(), tools(answer), **options)
    assert [row["persona"] for row in made] == ["CREATIVE"] * 5 and len(heard) == 1
    box = Box()
    made = choose([skill()], box, tools(lambda said: "who knows"), **options)
    assert made[0]["persona"] == "PRECISE" and not box.rejected
    assert box.usage.calls == 1


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ("Hello Ann, how are you?", ""),
        ("### Greeting\n\nHello Ann", ""),
        ("", "answer empty or too long"),
        ("word " * 41, "answer empty or too long"),
        ("As an AI, I cannot greet people.", "the answer is a refusal"),
        ("greet ann", "the answer repeats the question"),
        ("Hello [END] Ann", "prompt scaffold leaked into the text"),
    ],
)
def test_what_is_no_answer_is_refused(answer: str, reason: str) -> None:
    box = Box()
    kept = answered([skill(answer=answer)], box, tools(), max_words=40)
    assert (bool(kept), [row["reason"] for row in box.rejected]) == (not reason, [reason] * bool(reason))


# --- improved answers ---


def reviewer(said: str) -> str:
    if "Say what is wanted" in said:
        return "<analysis>A name is wanted.</analysis><rubric>- It is named.\n- It is kind.</rubric>"
    if "Points to judge by" in said:
        return "<critique>It is dull.</critique>" if "- It is kind." in said else ""
    if "Say what is to be changed" in said:
        return "<plan>- Be kind.</plan>" if "It is dull." in said else ""
    return "<revision>Dear Ann, hello.</revision>" if "- Be kind." in said else ""


def test_each_step_sees_what_the_steps_before_it_wrote() -> None:
    made = improve([skill()], Box(), tools(reviewer), steps=STEPS)
    assert made == [skill(revision="Dear Ann, hello.")]


@pytest.mark.parametrize("verdict", ["A", "B"])
def test_the_judge_does_not_learn_which_answer_is_the_older_one(verdict: str) -> None:
    rows = [skill(question=f"Greet number {n}.", revision="Dear Ann, hello.") for n in range(60)]
    judge = tools(lambda said: f"<explanation>So.</explanation><verdict>{verdict}</verdict>")
    made = prefer(rows, Box(), judge, prompt="judge_choice")
    chosen = Counter(row["chosen"] for row in made)
    assert min(chosen["original"], chosen["revision"]) > 15
    assert all((row["answer"] == "Dear Ann, hello.") == (row["chosen"] == "revision") for row in made)
    assert all("revision" not in row for row in made)


@pytest.mark.parametrize("mute", [frozenset(), frozenset({"judge_choice"})])
def test_without_a_verdict_that_counts_the_answer_stays(mute: frozenset[str]) -> None:
    said = "<explanation>So.</explanation><verdict>A</verdict>" if mute else "both are fine"
    rows = [skill(question=f"Greet {n}.", revision="Dear Ann, hello.") for n in range(9)]
    made = prefer(rows, Box(), tools(lambda _: said, mute=mute), prompt="judge_choice")
    assert {row["answer"] for row in made} == {"Hello Ann."}


# --- summaries ---


def test_a_chunk_whose_summaries_cannot_be_read_is_still_asked_about() -> None:
    box = Box()
    made = summaries(
        [fact(0)], box, tools(lambda said: "<summary>- One.\n- Two.</summary>" if "List all" in said else "")
    )
    assert [(row["form"], row["told"]) for row in made] == [("base", TEXT), ("facts", "- One.\n- Two.")]
    assert len(box.rejected) == 2


def test_every_form_of_summary_is_asked_for_in_many_wordings() -> None:
    rows = [fact(0, chunk=f"c{n}") for n in range(200)]
    made = summaries(rows, Box(), tools(lambda said: "<summary>Short.</summary>"), samples=True)
    said = Counter(row["question"].rpartition("\n\n")[2] for row in made)
    assert len(said) == sum(map(len, INSTRUCTIONS.values())) >= 3 * 8
    assert max(said.values()) < 40
