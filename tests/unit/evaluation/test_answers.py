"""Prompts, scoring, resuming, and answers in words."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from ilab.base.report import ListReporter
from ilab.errors import EngineError
from ilab.evaluation.answers import answer_all, read_answers
from ilab.evaluation.contrast import Prompts, answer_form, gold_share, items, log_mean_exp
from ilab.evaluation.drift import bits_per_byte, neutral_texts
from ilab.evaluation.questions import Fact, QuestionSet, halves
from ilab.evaluation.written import contains_gold, write_answers
from ilab.llm.port import GenerationParams, ScoreRequest, TokenScore
from ilab.llm.scripted import ScriptedChatModel, ScriptedTokenScorer
from ilab.records.messages import Message

FACTS = QuestionSet(
    kind="questions",
    facts=tuple(
        Fact(
            id=f"f{number}",
            tier="taught",
            questions=(f"Question {number}?", f"Again {number}?"),
            answer="an orange giant",
            distractors=("a red dwarf", "a blue giant", "Ünknown"),
        )
        for number in range(20)
    ),
)


def render(messages: Sequence[Message]) -> str:
    return "".join(f"<{one.role}>{one.content}</{one.role}>" for one in messages) + "<assistant>"


PROMPTS = Prompts(render=render)


def per_byte(value: dict[str, float]) -> ScriptedTokenScorer:
    """A scorer that gives each option this log-probability per byte."""
    return ScriptedTokenScorer(lambda request, text: value[text] * len(text.encode()))


LIKES_GOLD = {"An orange giant": -0.5, "A red dwarf": -1.0, "A blue giant": -1.0, "Ünknown": -1.0}


class Counting:
    """Scores everything alike, counts requests, and dies after `limit` of them."""

    def __init__(self, limit: int = 10**6) -> None:
        self.seen: list[ScoreRequest] = []
        self.limit = limit

    def score(self, requests: Sequence[ScoreRequest]) -> list[list[TokenScore]]:
        if len(self.seen) + len(requests) > self.limit:
            raise EngineError("the engine died")
        self.seen.extend(requests)
        return [[TokenScore(logprob=-float(len(text)), tokens=1) for text in one.continuations] for one in requests]


def test_options_are_scored_with_a_capital_and_nothing_after_them(tmp_path: Path) -> None:
    [item, *_] = items(FACTS, PROMPTS)
    assert item.request.context == "<user>Question 0?</user><assistant>"
    assert item.request.prefix == ""
    assert item.request.continuations == ("An orange giant", "A red dwarf", "A blue giant", "Ünknown")
    assert answer_form("289P/Blanpain") == "289P/Blanpain"
    with_system = Prompts(render=render, system="Be brief.")
    assert with_system.closed("Q?")[1] == "<system>Be brief.</system><user>Q?</user><assistant>"


def test_margin_and_pick_use_the_whole_log_probability_of_an_option(tmp_path: Path) -> None:
    likes_gold = {"An orange giant": -7.5, "A red dwarf": -8.0, "A blue giant": -8.0, "Ünknown": -8.0}
    scorer = ScriptedTokenScorer(lambda request, text: likes_gold[text])
    [answer, *_] = answer_all(scorer, FACTS, prompts=PROMPTS, model="m", out=tmp_path / "a.jsonl")
    assert (answer.pick, answer.correct, answer.gold) == (0, True, "an orange giant")
    assert answer.bytes == (15, 11, 12, 8)
    assert answer.margin == pytest.approx(0.5)
    assert answer.gold_bits_per_byte == pytest.approx(0.5 / math.log(2))
    assert gold_share(answer) == pytest.approx(math.exp(-0.5) / (math.exp(-0.5) + 3 * math.exp(-1)))


def test_a_tie_for_the_first_place_counts_as_wrong(tmp_path: Path) -> None:
    scorer = ScriptedTokenScorer(lambda request, text: -3.0)
    [answer, *_] = answer_all(scorer, FACTS, prompts=PROMPTS, model="m", out=tmp_path / "a.jsonl")
    assert (answer.pick, answer.correct) == (-1, False)
    assert answer.margin == pytest.approx(0)
    assert gold_share(answer) == pytest.approx(0.25)


def test_open_book_puts_the_text_first_and_shares_it_as_prefix(tmp_path: Path) -> None:
    texts = {fact.id: "Text A." if number % 2 else "Text B.\n" for number, fact in enumerate(FACTS)}
    found = items(FACTS, PROMPTS, context_of=lambda fact: texts[fact.id])
    assert found[0].request.prefix == "<user>Text B."
    assert found[0].request.context == "\n\nQuestion 0?</user><assistant>"
    assert len({item.request.prefix for item in found}) == 2
    prefixes = [item.request.prefix for item in found]
    assert prefixes == sorted(prefixes, reverse=True), "requests that share a prefix follow one another"
    answers = answer_all(
        Counting(), FACTS, prompts=PROMPTS, model="m", out=tmp_path / "a.jsonl", context_of=lambda fact: texts[fact.id]
    )
    assert [answer.fact for answer in answers] == [fact.id for fact in FACTS for _ in fact.questions]
    assert {answer.condition for answer in answers} == {"open"}


def test_a_template_that_changes_the_text_still_gets_the_whole_prompt() -> None:
    shouting = Prompts(render=lambda messages: render(messages).upper())
    assert shouting.open("What?", "A text.") == ("", "<USER>A TEXT.\n\nWHAT?</USER><ASSISTANT>")


def test_facts_without_a_text_are_left_out_of_the_open_book() -> None:
    found = items(FACTS, PROMPTS, context_of=lambda fact: "Text." if fact.id == "f3" else "")
    assert [(item.fact.id, item.phrasing) for item in found] == [("f3", 0), ("f3", 1)]


def test_a_second_call_asks_only_what_is_missing(tmp_path: Path) -> None:
    out = tmp_path / "answers.jsonl"
    with pytest.raises(EngineError):
        answer_all(Counting(limit=20), FACTS, prompts=PROMPTS, model="m", out=out)
    out.open("a").write('{"key": "torn')
    second, report = Counting(), ListReporter()
    answers = answer_all(second, FACTS, prompts=PROMPTS, model="m", out=out, report=report)
    assert len(second.seen) == 40 - 16
    assert len(answers) == 40
    assert [event["done"] for event in report.events] == [16, 32, 40]
    third = Counting()
    assert answer_all(third, FACTS, prompts=PROMPTS, model="m", out=out) == answers
    assert third.seen == []
    assert answer_all(Counting(), FACTS, prompts=PROMPTS, model="m", out=tmp_path / "whole.jsonl") == answers
    assert sorted(map(str, read_answers(out))) == sorted(map(str, answers))


def test_another_model_condition_or_option_is_another_question(tmp_path: Path) -> None:
    out, scorer = tmp_path / "answers.jsonl", Counting()
    answer_all(scorer, FACTS, prompts=PROMPTS, model="base", out=out)
    answer_all(scorer, FACTS, prompts=PROMPTS, model="tuned", out=out)
    answer_all(scorer, FACTS, prompts=PROMPTS, model="base", out=out, context_of=lambda fact: "Text.")
    assert len(scorer.seen) == 120
    assert {json.loads(line)["model"] for line in out.read_text().splitlines()} == {"base", "tuned"}


def test_every_pass_has_a_name_of_its_own_in_progress(tmp_path: Path) -> None:
    chosen, told = halves(FACTS)
    general = [replace(fact, id=f"k{fact.id}", tier="keep", questions=(f"{fact.id}?", f"{fact.id}!")) for fact in told]
    keep = QuestionSet(kind="keepset", facts=tuple(general))
    out, report = tmp_path / "answers.jsonl", ListReporter()
    for part, model in ((chosen, "base"), (keep, "base"), (told, "base"), (chosen, "samples_9")):
        answer_all(Counting(), part, prompts=PROMPTS, model=model, out=out, report=report)
    answer_all(Counting(), told, prompts=PROMPTS, model="base", out=out, context_of=lambda fact: "Text.", report=report)
    names = list(dict.fromkeys(event["what"] for event in report.events))
    assert names == [
        "document questions, closed book (base)",
        "general questions, closed book (base)",
        "more document questions, closed book (base)",
        "document questions, closed book (samples_9)",
        "document questions, open book (base)",
    ]
    for name in names:
        counts = [event["done"] for event in report.events if event["what"] == name]
        assert counts == [0, 16, 20], "one pass a name, so that rate and time left are its own"


def test_the_name_is_the_same_when_a_pass_goes_on(tmp_path: Path) -> None:
    out, report = tmp_path / "answers.jsonl", ListReporter()
    with pytest.raises(EngineError):
        answer_all(Counting(limit=20), FACTS, prompts=PROMPTS, model="m", out=out, report=report)
    answer_all(Counting(), FACTS, prompts=PROMPTS, model="m", out=out, report=report)
    assert {event["what"] for event in report.events} == {"document questions, closed book (m)"}


def test_bits_per_byte_of_texts() -> None:
    scorer = ScriptedTokenScorer(lambda request, text: -math.log(2) * len(text.encode()) * 2)
    assert bits_per_byte(scorer, ["abc", "äöü"]) == pytest.approx([2, 2])


def test_neutral_texts_come_in_paragraphs(tmp_path: Path) -> None:
    (tmp_path / "own.txt").write_text("One\nline.\n\n\n\nTwo.\n")
    assert neutral_texts(tmp_path / "own.txt") == ["One line.", "Two."]
    assert len(neutral_texts()) >= 10


def test_log_mean_exp_does_not_underflow() -> None:
    assert log_mean_exp([-2000.0, -2000.0]) == pytest.approx(-2000)
    assert log_mean_exp([math.log(1), math.log(3)]) == pytest.approx(math.log(2))


@pytest.mark.parametrize(
    ("text", "gold", "expected"),
    [
        ("It is an Orange Giant.", "an orange giant", True),
        ("It lies 137000 light-years away", "137,000 light years", True),
        ("There are ten of them.", "10", True),
        ("at −57.84 degrees", "-57.84", True),
        ("Eugene Delporte set them", "Eugène Delporte", True),
        ("It is a giant orange.", "an orange giant", False),
        ("in 1930", "193", False),
        ("", "x", False),
    ],
)
def test_contains_gold(text: str, gold: str, expected: bool) -> None:
    assert contains_gold(text, gold) is expected


def test_answers_in_words_are_greedy_and_in_order() -> None:
    model = ScriptedChatModel(lambda messages: f"To {messages[-1].content} I say: an orange giant.")
    report = ListReporter()
    rows = write_answers(model, FACTS.facts[:3], params=GenerationParams(max_tokens=30), workers=2, report=report)
    assert [row.fact for row in rows] == ["f0", "f1", "f2"]
    assert rows[0].text == "To Question 0? I say: an orange giant."
    assert all(row.hit for row in rows)
    assert report.events[-1]["done"] == 3
