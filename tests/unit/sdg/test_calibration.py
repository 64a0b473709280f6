"""Judges are tried on the user's examples: cases made by rule, AUC, which judges are believed, and what is kept."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ilab.base import jsonl
from ilab.base.report import ListReporter
from ilab.errors import EngineError
from ilab.llm.port import ScoreRequest
from ilab.llm.scripted import ScriptedChatModel, ScriptedTokenScorer
from ilab.records.chunks import Chunk
from ilab.records.messages import Message
from ilab.records.seeds import FREEFORM_SKILL, KNOWLEDGE, Seed
from ilab.sdg import calibration, judge_cases, trial
from ilab.sdg.calibration import Calibration, calibrate
from ilab.sdg.execute import generate
from ilab.sdg.flow import Flow
from ilab.sdg.judge_cases import SPOILS
from ilab.sdg.settings import SdgSettings
from ilab.sdg.teaching import Models

LAKES = {
    "Mirra": ("1887", "412", "Ada Holm"),
    "Sorva": ("1790", "61", "Piet Brun"),
    "Talla": ("1903", "88", "Ines Kool"),
    "Verin": ("1655", "240", "Otto Lind"),
}
SEEDS = [
    Seed(
        leaf="knowledge/lakes",
        kind=KNOWLEDGE,
        question=question,
        answer=answer,
        context=f"Lake {name} is {depth} metres deep. It was mapped by {who} in {year}.",
        subject="geography",
    )
    for name, (year, depth, who) in LAKES.items()
    for question, answer in (
        (f"How deep is Lake {name}?", f"Lake {name} is {depth} metres deep, as was found long ago."),
        (f"When was Lake {name} mapped?", f"Lake {name} was mapped in {year} by {who} on a ship."),
    )
]


def steps(*blocks: dict[str, object]) -> Flow:
    return Flow.model_validate({"version": "1.0", "knowledge": {"facts": list(blocks)}})


GROUND = steps({"block": "ground", "min_gain": 0.1}, {"block": "ground", "min_gain": 5.0})
FAITHFUL = steps({"block": "judge", "prompt": "judge_faithful", "keep": ["YES"]})


class Teacher:
    """A judge that compares words: right when all words of the answer stand in the document, or always of one mind."""

    def __init__(self, always: str = "") -> None:
        self.always = always
        self.calls = 0
        self.model = ScriptedChatModel(self._say)

    def _say(self, turns: Sequence[Message]) -> str:
        self.calls += 1
        document, pair = (
            part.split("\n--- end")[0].partition("---\n")[2] for part in turns[1].content.split("--- begin ")[1:]
        )
        question, answer = (json.loads(said) for said in re.findall(r'"(?:[^"\\]|\\.)*"', pair))
        known = set(document.replace(".", "").split()) | set("as was found long ago deep, on a ship".split())
        right = set(answer.replace(".", "").split()) <= known and " not " not in answer and answer.endswith(".")
        verdict = self.always or ("YES" if right else "NO")
        return f"<explanation>{question}</explanation><verdict>{verdict}</verdict>"


def likes(document_counts: float) -> ScriptedTokenScorer:
    def logprob(request: ScoreRequest, text: str) -> float:
        known = set(request.prefix.replace(".", "").split())
        words = text.replace(".", "").replace(",", "").split()
        return document_counts * sum(word in known for word in words) - len(words)

    return ScriptedTokenScorer(logprob)


def models(teacher: object = None, scorer: object = None) -> Models:
    return Models(
        teacher=(teacher or Teacher()).model if not hasattr(teacher, "chat") else teacher,  # type: ignore[union-attr, arg-type]
        scorer=scorer or likes(1.0),  # type: ignore[arg-type]
        render=lambda turns: turns[-1].content,
        identity="scripted",
    )


def tried(
    folder: Path, flow: Flow, given: Models, seeds: Sequence[Seed] = SEEDS, **changes: object
) -> tuple[Calibration, list[str]]:
    report = ListReporter()
    settings = SdgSettings(structured="never", **changes)  # type: ignore[arg-type]
    found = calibrate(flow, seeds, given, settings, None, folder, report)
    return found, [event["message"] for event in report.events if event["kind"] == "warning"]


def test_a_judge_that_knows_right_from_wrong_filters(tmp_path: Path) -> None:
    found, warnings = tried(tmp_path, FAITHFUL, models())
    [judge] = found.to_json().values()
    assert judge["auc"] == 1.0 and judge["filters"] and not judge["missed"]
    assert set(judge["by_kind"]) == {"swapped", "number", "negated", "truncated"}
    assert judge["thresholds"] == [{"options": {"keep": ["YES"]}, "right_kept": 1.0, "wrong_kept": 0.0}]
    assert (found.mute, warnings) == (frozenset(), [])
    assert judge["right"] <= judge_cases.GOOD and judge["wrong"] <= judge_cases.BAD


@pytest.mark.parametrize("always", ["YES", "NO"])
def test_a_judge_of_one_mind_does_not_filter_and_a_warning_says_so(tmp_path: Path, always: str) -> None:
    found, [warning] = tried(tmp_path, FAITHFUL, models(Teacher(always)))
    assert found.mute == {"judge_faithful"}
    assert found.to_json()["judge_faithful"]["auc"] == 0.5
    assert "`judge_faithful` does not filter" in warning and "0.50" in warning
    assert {case["wrong"] for case in found.to_json()["judge_faithful"]["missed"]} == (
        {""} if always == "NO" else {"swapped", "number", "negated", "truncated"}
    )


def test_the_least_auc_is_a_setting_that_needs_no_new_trial(tmp_path: Path) -> None:
    teacher = Teacher("YES")
    tried(tmp_path, FAITHFUL, models(teacher))
    asked = teacher.calls
    found, warnings = tried(tmp_path, FAITHFUL, models(teacher), judge_min_auc=0.4)
    assert (found.mute, warnings, teacher.calls) == (frozenset(), [], asked)
    assert calibration.read(tmp_path) == found.to_json()


def test_likelihoods_are_tried_on_what_they_can_see(tmp_path: Path) -> None:
    found, _ = tried(tmp_path, GROUND, models())
    judge = found.to_json()["ground"]
    assert judge["decided_by"] == ["swapped", "number"]
    assert {"negated", "truncated"} <= set(judge["by_kind"])
    assert [one["options"] for one in judge["thresholds"]] == [{"min_gain": 0.1}, {"min_gain": 5.0}]
    assert judge["thresholds"][0]["right_kept"] == 1.0
    assert judge["thresholds"][1]["right_kept"] == 0.0
    assert judge["filters"]


def test_likelihoods_that_do_not_see_the_document_do_not_filter(tmp_path: Path) -> None:
    found, [warning] = tried(tmp_path, GROUND, models(scorer=likes(0.0)))
    assert found.mute == {"ground"} and "AUC 0.50" in warning


def test_with_too_few_examples_a_judge_filters_untested(tmp_path: Path) -> None:
    teacher = Teacher("NO")
    found, [warning] = tried(tmp_path, FAITHFUL, models(teacher), SEEDS[:3])
    assert found.mute == frozenset() and "filters untested" in warning
    assert found.to_json()["judge_faithful"]["auc"] is None
    assert teacher.calls == 0


def test_a_judge_that_cannot_be_read_does_not_filter_and_is_not_asked_on(tmp_path: Path) -> None:
    teacher = Teacher("perhaps")
    found, [warning] = tried(tmp_path, FAITHFUL, models(teacher), reasks=0)
    assert found.mute == {"judge_faithful"} and "could not be read" in warning
    assert teacher.calls == 3


def test_a_resumed_run_asks_nothing_twice(tmp_path: Path) -> None:
    flow = steps({"block": "ground", "min_gain": 0.1}, {"block": "judge", "prompt": "judge_faithful", "keep": ["YES"]})

    class Dead:
        def score(self, requests: object) -> list[object]:
            raise AssertionError("the scorer is not asked again")

        def chat(self, turns: object, params: object) -> None:
            raise EngineError("the engine died")

        stream = chat

    with pytest.raises(EngineError):
        tried(tmp_path / "a", flow, models(Dead()))
    whole, _ = tried(tmp_path / "b", flow, models())
    teacher = Teacher()
    resumed, _ = tried(tmp_path / "a", flow, models(teacher, Dead()))
    assert resumed.to_json() == whole.to_json() and resumed.usage == whole.usage and teacher.calls
    again, _ = tried(tmp_path / "a", flow, models(Dead(), Dead()))
    assert again.to_json() == whole.to_json()
    assert (tmp_path / "a" / calibration.FILE).read_bytes() == (tmp_path / "b" / calibration.FILE).read_bytes()


@pytest.mark.parametrize("content", ["", "[]", "{", '{"version": 99}', '{"version": 1, "judges": 3}'])
def test_a_broken_file_of_an_earlier_try_counts_for_nothing(tmp_path: Path, content: str) -> None:
    (tmp_path / calibration.FILE).write_text(content)
    found, _ = tried(tmp_path, FAITHFUL, models())
    assert found.to_json()["judge_faithful"]["auc"] == 1.0
    assert json.loads((tmp_path / calibration.FILE).read_text())["judges"]["judge_faithful"]["filters"]


def test_a_flow_without_judges_asks_nothing_and_writes_nothing(tmp_path: Path) -> None:
    found, warnings = tried(tmp_path, steps({"block": "rules"}), models(Teacher("NO")))
    assert (found.to_json(), warnings, list(tmp_path.iterdir())) == ({}, [], [])


def test_a_choice_between_two_answers_is_tried_with_either_as_the_better_one(tmp_path: Path) -> None:
    seeds = [
        Seed(
            leaf="s/x", kind=FREEFORM_SKILL, question=f"Say {word} twice", answer=f"I say {word} and then {word} again."
        )
        for word in ("moon", "tree", "wall", "road", "lamp", "bird")
    ]
    flow = Flow.model_validate(
        {"version": "1.0", "freeform_skill": {"better": [{"block": "prefer", "prompt": "judge_choice"}]}}
    )

    def honest(turns: Sequence[Message]) -> str:
        asked, first, second = (part.split("\n--- end")[0] for part in turns[1].content.split("--- begin ")[1:])
        word = asked.split("Say ")[1].split()[0]
        return (
            f"<explanation>x</explanation><verdict>{'A' if first.count(word) > second.count(word) else 'B'}</verdict>"
        )

    def first_always(turns: Sequence[Message]) -> str:
        return "<explanation>x</explanation><verdict>A</verdict>"

    found, _ = tried(tmp_path / "a", flow, models(ScriptedChatModel(honest)), seeds)
    assert found.to_json()["judge_choice"]["auc"] == 1.0
    found, _ = tried(tmp_path / "b", flow, models(ScriptedChatModel(first_always)), seeds)
    assert found.mute == {"judge_choice"}


@pytest.mark.parametrize("always", ["", "NO"])
def test_in_a_run_only_a_judge_that_is_trusted_rejects(tmp_path: Path, always: str) -> None:
    text = "Lake Mirra is a crater lake in the north of Talland. It is 412 metres deep, and was mapped in 1887."
    chunk = Chunk(id="lakes#0", leaf="knowledge/lakes", source="s", text=text, tokens=30, title="Lake Mirra")
    flow = steps(
        {"block": "spans"},
        {"block": "questions", "shapes": ["direct", "attribute", "in-place"]},
        {"block": "rules"},
        {"block": "judge", "prompt": "judge_faithful", "keep": ["YES"]},
    )
    report = ListReporter()
    funnel = generate(
        SEEDS,
        [chunk],
        flow=flow,
        models=models(Teacher(always)),
        settings=SdgSettings(structured="never"),
        out=tmp_path,
        report=report,
    )
    made = [row for row in jsonl.read(tmp_path / "samples.jsonl") if row["origin"] == "facts"]
    assert made and all(row["scores"]["judge_faithful"] == (0.0 if always else 1.0) for row in made)
    judge = funnel["judges"]["judge_faithful"]
    assert judge["filters"] is (not always)
    assert any("`judge_faithful` does not filter" in event.get("message", "") for event in report.events) is bool(
        always
    )
    assert funnel["teacher_tokens"]["calls"] == judge["usage"]["calls"] + sum(
        json.loads(shard.read_bytes())["usage"]["calls"] for shard in (tmp_path / "shards").glob("*.json")
    )


# --- cases ---


def test_spoilt_cases_are_wrong_in_the_way_they_say() -> None:
    by_kind = {kind: [spoil(seed, SEEDS) for seed in SEEDS] for kind, spoil in SPOILS.items()}
    assert next(one.answer for one in by_kind["negated"] if one) == (
        "Lake Mirra is not 412 metres deep, as was found long ago."
    )
    for seed, changed in zip(SEEDS, by_kind["number"], strict=True):
        assert changed and changed.answer != seed.answer
        [new] = set(changed.answer.split()) - set(seed.answer.split())
        assert new not in seed.context
    for seed, swapped in zip(SEEDS, by_kind["swapped"], strict=True):
        assert swapped and swapped.answer in {one.answer for one in SEEDS if one.context != seed.context}
    assert all(
        one and seed.answer.startswith(one.answer) for seed, one in zip(SEEDS, by_kind["truncated"], strict=True)
    )
    assert {one.question for one in by_kind["pronoun"] if one} >= {"How deep is it?", "When was it mapped?"}


def test_rules_that_need_grammar_leave_german_alone() -> None:
    answer = "Der See ist das, was von den großen Gletschern der Eiszeit im Norden des Landes geblieben ist."
    seed = Seed(
        leaf="a", kind=KNOWLEDGE, question="Was ist der Mirra für ein See im Norden?", answer=answer, context="x"
    )
    assert judge_cases.negated(seed, [seed]) is None
    assert judge_cases.pronoun(seed, [seed]) is None
    assert judge_cases.truncated(seed, [seed]) is not None


def test_cases_are_bounded_spread_and_always_the_same() -> None:
    kinds = ("swapped", "number", "negated", "truncated")
    cases = judge_cases.cases(SEEDS * 1, kinds)
    assert cases == judge_cases.cases(SEEDS, kinds)
    wrong = [case.wrong for case in cases if case.wrong]
    assert len(wrong) == judge_cases.BAD and max(map(wrong.count, kinds)) - min(map(wrong.count, kinds)) <= 1
    assert len({case.row["context"] for case in cases[:4]}) == 4, "the first few show every context"


@given(
    st.lists(
        st.builds(
            Seed,
            leaf=st.sampled_from(["a", "b"]),
            kind=st.sampled_from([KNOWLEDGE, FREEFORM_SKILL]),
            question=st.text(max_size=40),
            answer=st.text(max_size=60),
            context=st.text(max_size=40),
        ),
        max_size=6,
    )
)
def test_any_seeds_make_cases_that_differ_from_the_right_ones(seeds: list[Seed]) -> None:
    for kind in SPOILS:
        for case in judge_cases.cases(seeds, (kind,)):
            assert case.wrong in ("", kind)
        for case in judge_cases.revisions(seeds, (kind,)):
            assert {"answer", "revision"} <= case.row.keys()


@given(st.lists(st.sampled_from([0.0, 0.5, 1.0]), min_size=1), st.lists(st.sampled_from([0.0, 0.5, 1.0]), min_size=1))
def test_auc_is_a_share_and_turns_round_with_its_sides(right: list[float], wrong: list[float]) -> None:
    forward, backward = trial.auc(right, wrong), trial.auc(wrong, right)
    assert forward is not None and backward is not None
    assert 0 <= forward <= 1 and forward + backward == pytest.approx(1)
    assert trial.auc(right, right) == pytest.approx(0.5)
