"""The forecast: calls counted by rule, ranges where answers decide, and estimates out of a pilot."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from tests import teacher_server

from ilab.base.report import NullReporter
from ilab.errors import NothingGenerated
from ilab.llm.journal import Journal, Journaled
from ilab.llm.port import ChatModel, ScoreRequest
from ilab.llm.scripted import ScriptedChatModel, ScriptedTokenScorer
from ilab.records.chunks import Chunk
from ilab.records.messages import Message
from ilab.records.seeds import FREEFORM_SKILL, KNOWLEDGE, Seed
from ilab.sdg import flow, tryout
from ilab.sdg.calls import Counted, Nobody, count
from ilab.sdg.forecast import Estimate, Outlook, outlook, ratio
from ilab.sdg.settings import SdgSettings
from ilab.sdg.tryout import Pace, Tried, Watch
from ilab.sdg.units import Unit, Way, in_turn, plan

SETTINGS = SdgSettings(scale_factor=4)
NAMES = ("Mirra", "Orrin", "Sella", "Tavi", "Umber", "Varn", "Wessel", "Yarrow")
SEEDS = [
    Seed(leaf="knowledge/lake", kind=KNOWLEDGE, question="What is Lake Mirra?", answer="A lake.", context="A lake."),
    *(
        Seed(leaf="compositional_skills/greet", kind=FREEFORM_SKILL, question=f"Greet {who} now", answer="Hello you!")
        for who in ("Ann", "Bob")
    ),
]
CHUNKS = [
    Chunk(
        id=f"knowledge/lake#{number}",
        leaf="knowledge/lake",
        source="s",
        text=f"Lake {name} is a crater lake in the north of Talland. Ada Holm mapped it first in 18{number}7.",
        tokens=30,
        title=f"Lake {name}",
    )
    for number, name in enumerate(NAMES)
]
GREET = ("freeform_skill", "variations")
SENTENCES, FACTS, PAIRS = ((KNOWLEDGE, path) for path in ("sentences", "facts", "pairs"))
CHECKS = [{"block": "rules", "max_words": 70}, {"block": "ground", "min_gain": 0.3}, {"block": "distinct"}]
FLOW = {
    "version": "1.0",
    "knowledge": {
        "facts": [{"block": "spans"}, {"block": "questions"}, *CHECKS],
        "sentences": [{"block": "statements"}, {"block": "ask", "prompt": "sentence_question"}, *CHECKS],
        "pairs": [{"block": "ask", "prompt": "chunk_pairs"}, *CHECKS],
    },
    "freeform_skill": {
        "variations": [
            {"block": "ask", "prompt": "freeform_question", "each": "scale"},
            {"block": "ask", "prompt": "freeform_answer"},
            {"block": "rules", "max_words": 120},
            {"block": "distinct"},
        ]
    },
}


def render(turns: Sequence[Message]) -> str:
    return "\n\n".join(turn.content for turn in turns)


def said(messages: Sequence[Message]) -> str:
    return teacher_server.answer([message.to_json() for message in messages])


def likes_documents(request: ScoreRequest, continuation: str) -> float:
    return -1.0 * len(continuation) / (4 if request.prefix else 1)


@pytest.fixture
def units(tmp_path: Path) -> list[Unit]:
    file = tmp_path / "flow.yaml"
    file.write_text(json.dumps(FLOW))
    return in_turn(plan(SEEDS, CHUNKS, flow=flow.load(str(file))))


def counted(units: Sequence[Unit], memory: ChatModel) -> dict[Way, list[Counted]]:
    return count(units, memory, settings=SETTINGS, render=render).by_way()


def tried(
    units: Sequence[Unit],
    teacher: ChatModel,
    watch: Watch | None = None,
    likelihood: Callable[[ScoreRequest, str], float] = likes_documents,
    mute: frozenset[str] = frozenset(),
) -> list[Tried]:
    return tryout.try_out(
        units,
        teacher,
        ScriptedTokenScorer(likelihood),
        settings=SETTINGS,
        render=render,
        report=NullReporter(),
        watch=watch or Watch(),
        mute=mute,
    )


def test_what_no_answer_decides_is_counted_exactly(units: list[Unit]) -> None:
    found = counted(units, Nobody())
    assert [(one.sure, one.most) for one in found[FACTS]] == [(0, 0)] * 8
    assert [(one.sure, one.most) for one in found[SENTENCES]] == [(2, 2)] * 8
    assert [(one.sure, one.most) for one in found[PAIRS]] == [(1, 1)] * 8
    assert all(one.size > 10 for ways in found.values() for one in ways)


def test_calls_that_wait_for_answers_are_a_range(units: list[Unit]) -> None:
    (greet,) = counted(units, Nobody())[GREET]
    assert (greet.sure, greet.most) == (4, 8)


def test_nobody_can_tell_how_many_rows_an_answer_has(tmp_path: Path) -> None:
    steps = [{"block": "ask", "prompt": "chunk_pairs"}, {"block": "judge", "prompt": "judge_faithful"}]
    file = tmp_path / "f.yaml"
    file.write_text(json.dumps({"version": "1.0", "knowledge": {"pairs": steps}}))
    found = counted(plan(SEEDS, CHUNKS, flow=flow.load(str(file))), Nobody())
    assert {(one.sure, one.most) for one in found[PAIRS]} == {(1, None)}


def test_the_journal_answers_what_was_asked_before(units: list[Unit], tmp_path: Path) -> None:
    journal = Journal(tmp_path / "j")
    asked: list[str] = []

    def answer(messages: Sequence[Message]) -> str:
        asked.append(messages[-1].content)
        return said(messages)

    tried(units, Journaled(ScriptedChatModel(answer), journal, identity="t"))
    before = len(asked)
    found = counted(units, Journaled(Nobody(), journal, identity="t"))
    assert [one.answered for one in found[PAIRS]] == [1, 1, 1, 0, 0, 0, 0, 0]
    assert [one.answered for one in found[SENTENCES]] == [2, 2, 2, 0, 0, 0, 0, 0]
    (greet,) = found[GREET]
    assert greet.answered == greet.calls == greet.most, "all is known, so it is no range any more"
    assert sum(one.answered for ways in found.values() for one in ways) == before
    assert len(asked) == before, "counting asks nobody"
    tried(units, Journaled(ScriptedChatModel(answer), journal, identity="t"))
    assert len(asked) == before, "nor does a second pilot"


def test_the_pilot_says_what_the_whole_run_then_costs(units: list[Unit]) -> None:
    watch = Watch()
    pilot = tried(units, ScriptedChatModel(said), watch)
    found, pace = counted(units, Nobody()), watch.pace()
    assert pace.asked == watch.calls > 0 and pace.mean is not None

    def ahead(way: Way) -> Outlook:
        return outlook(found[way], [one for one in pilot if one.way == way], pace)

    sentences = ahead(SENTENCES)
    assert round(sentences.calls.value) == 16 and sentences.calls.error < 1
    prompts = sum(len(turn.content.split()) for unit in units if unit.way == SENTENCES for turn in _first_prompts(unit))
    assert abs(sentences.prompt.value - prompts) < 0.03 * prompts
    assert round(ahead(PAIRS).calls.value) == 8
    assert ahead(FACTS).calls.value == 0 and ahead(FACTS).samples.value > 8
    assert ahead(FACTS).teacher_seconds == Estimate()
    greet = ahead(GREET)
    assert greet.calls.error == 0, "a path that was tried as a whole is known"


def _first_prompts(unit: Unit) -> list[Message]:
    seen: list[Message] = []

    class Listening(Nobody):
        def chat(self, messages: Any, params: Any) -> Any:
            seen.extend(messages)
            return super().chat(messages, params)

    count([unit], Listening(), settings=SETTINGS, render=render)
    return seen


def test_a_teacher_that_cannot_be_read_is_told_by_the_pilot(units: list[Unit]) -> None:
    pairs = [unit for unit in units if unit.way == PAIRS]
    with pytest.raises(NothingGenerated, match="could not be read"):
        tried(pairs, ScriptedChatModel(lambda _: "Well, well."))


def test_a_judge_that_is_not_trusted_rejects_nothing_in_the_pilot_either(units: list[Unit]) -> None:
    lost = ScriptedChatModel(lambda _: "")

    def no_difference(request: ScoreRequest, continuation: str) -> float:
        return -1.0

    with pytest.raises(NothingGenerated, match="no path gave a row in its pilot"):
        tried(units, lost, likelihood=no_difference)
    found = tried(units, lost, likelihood=no_difference, mute=frozenset({"ground"}))
    assert all(one.samples > 0 for one in found if one.way == FACTS)


def test_the_probe_finds_the_pace_when_the_pilot_was_remembered(units: list[Unit], tmp_path: Path) -> None:
    journal = Journal(tmp_path / "j")
    teacher = Journaled(ScriptedChatModel(said), journal, identity="t")
    tried(units, teacher)
    watch = Watch()
    tried(units, teacher, watch)
    assert watch.calls == 0 and watch.pace() == Pace()
    asked = count(units, Journaled(Nobody(), journal, identity="t"), settings=SETTINGS, render=render)
    tryout.probe(asked, teacher, workers=4, watch=watch)
    assert watch.calls == 4 and watch.pace().mean is not None
    again = count(units, Journaled(Nobody(), journal, identity="t"), settings=SETTINGS, render=render)
    assert sum(one.answered for one in again.units) == sum(one.answered for one in asked.units) + 4


def test_calls_that_overlap_share_their_time() -> None:
    watch = Watch()
    for began, ended in ((0.0, 2.0), (0.0, 2.0), (1.0, 3.0), (10.0, 11.0)):
        watch.asked(began, ended, PAIRS)
    pace = watch.pace()
    assert pace.mean == pace.by_way[PAIRS] == 1.0  # four seconds in which there was any, four calls


def test_the_ratio_is_exact_for_all_units_and_for_equal_ones() -> None:
    assert ratio([1, 2], [3, 5], total=3, number=2) == Estimate(value=8)
    assert ratio([2, 2, 2], [6, 6, 6], total=20, number=10) == Estimate(value=60)
    assert ratio([1, 1, 1], [0, 3, 6], total=30, number=30).error > 40


def test_the_interval_holds_the_truth_in_four_of_five_cases() -> None:
    dice = random.Random(1)
    held = 0
    for _ in range(2000):
        sizes = [dice.uniform(5, 15) for _ in range(40)]
        figures = [size * dice.gauss(3, 0.6) for size in sizes]
        found = ratio(sizes[:3], figures[:3], total=sum(sizes), number=40)
        held += abs(found.value - sum(figures)) <= found.error
    assert 0.75 < held / 2000 < 0.87
