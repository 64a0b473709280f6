"""Rows of a whole run are compared before the dear blocks, and the outcome does not hang on which unit came first."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ilab.base import digest, jsonl
from ilab.base.report import NullReporter
from ilab.errors import EngineError, UserFileError
from ilab.llm.pool import Pool
from ilab.llm.port import ScoreRequest
from ilab.llm.scripted import ScriptedChatModel, ScriptedTokenScorer
from ilab.records.chunks import Chunk
from ilab.records.messages import Message
from ilab.records.seeds import KNOWLEDGE, Seed
from ilab.sdg import execute, flow
from ilab.sdg.collect import Results
from ilab.sdg.compare import DUPLICATE, HELD_OUT, OF_SEED, Arrivals, Known, Sketcher
from ilab.sdg.flow import Flow
from ilab.sdg.live import Live
from ilab.sdg.settings import SdgSettings
from ilab.sdg.settle import Settlement
from ilab.sdg.shards import Shards
from ilab.sdg.teaching import Workshop
from ilab.sdg.units import plan

COMPARED: list[dict[str, object]] = [
    {"block": "ask", "prompt": "chunk_pairs"},
    {"block": "distinct", "scope": "run"},
    {"block": "ground", "min_gain": 0.1},
]
LEAF = "knowledge/lake"
SEEDS = [Seed(leaf=LEAF, kind=KNOWLEDGE, question="What is the lake called?", answer="Mirra.", context="c")]
LAKES = ("north", "south", "east", "west", "upper", "lower")
TELL = "tell me at once and in full what is the depth in metres of the"


def chunks(count: int) -> list[Chunk]:
    return [
        Chunk(id=f"{LEAF}#{n}", leaf=LEAF, source="s", text=f"Part number {n}. Depth: {n}.", tokens=5)
        for n in range(count)
    ]


def answer(messages: Sequence[Message]) -> str:
    """Five pairs a chunk; most of them come again, in other words, from other chunks."""
    number = int(re.findall(r"Part number (\d+)", str(messages))[-1])
    lake = LAKES[number % len(LAKES)]
    return "\n".join(
        f"Question: {question}\nAnswer: {text}"
        for question, text in [
            (f"Please {TELL} lake in the {lake}?", f"{number}."),
            (f"Now {TELL} lake in the {lake}?", f"{number}."),
            (f"{TELL} lake in the {LAKES[(number + 1) % len(LAKES)]}?", "five."),
            ("What is the lake called?", "Mirra."),
            (f"Which part has the number that follows {number}?", "the next."),
        ]
    )


def verdict(request: ScoreRequest, continuation: str) -> float:
    """The judge refuses answers with an even number."""
    del continuation
    good = not re.search(r"[02468]", request.context + "".join(request.continuations))
    return -1.0 if good and request.prefix else -2.0


def teachers(calls: list[str] | None = None) -> ScriptedChatModel:
    def heard(messages: Sequence[Message]) -> str:
        if calls is not None:
            calls.append(messages[-1].content)
        return answer(messages)

    return ScriptedChatModel(heard)


def models(scored: list[str] | None = None) -> execute.Models:
    def score(request: ScoreRequest, continuation: str) -> float:
        if scored is not None:
            scored.append(request.context)
        return verdict(request, continuation)

    return execute.Models(
        teacher=teachers(),
        scorer=ScriptedTokenScorer(score),
        render=lambda turns: "".join(turn.content for turn in turns),
        identity="scripted",
    )


def compared() -> Flow:
    return Flow.model_validate({"version": "1.0", "knowledge": {"pairs": COMPARED}})


def generate(out: Path, *, count: int = 12, held_out: Sequence[str] = (), **changes: object) -> dict[str, object]:
    return execute.generate(
        SEEDS,
        chunks(count),
        flow=compared(),
        models=models(),
        settings=SdgSettings(**changes),  # type: ignore[arg-type]
        out=out,
        report=NullReporter(),
        held_out=held_out,
    )


def in_order(
    folder: Path, order: Sequence[int], count: int, *, steps: Flow | None = None, given: execute.Models | None = None
) -> tuple[list[object], list[object]]:
    """(kept, rejected) when units are worked out in `order`."""
    units = plan(SEEDS, chunks(count), flow=steps or compared())
    chosen = SdgSettings(workers=1, structured="never")
    sketcher = Sketcher(SEEDS)
    known = Known(SEEDS, (), sketcher)
    shards = Shards(folder, [], chosen)
    pool = Pool(1)
    taught = given or models()
    workshop = Workshop(taught, chosen, shards, pool=pool, known=known, mute=frozenset(), live=Live(NullReporter()))
    settlement = Settlement(shards, sketcher)
    arrivals = Arrivals(sketcher, settlement.index)
    for number in order:
        workshop.finish([units[number]], arrivals, lambda unit: None)
    settlement.pass_over(units)
    while waiting := settlement.decide():
        workshop.judge(waiting)
    results = Results(SEEDS, shards, settlement)
    results.units += units
    outcomes = list(results)
    for held in (pool, arrivals, settlement, known):
        held.close()
    return [one.kept for one in outcomes], [one.rejected for one in outcomes]


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(order=st.permutations(range(10)))
def test_whatever_comes_first_the_same_rows_stay(order: list[int], tmp_path_factory: pytest.TempPathFactory) -> None:
    expected = in_order(tmp_path_factory.mktemp("plan"), range(10), 10)
    assert in_order(tmp_path_factory.mktemp("other"), order, 10) == expected


JUDGED: list[dict[str, object]] = [
    *COMPARED[:2],
    {"block": "judge", "prompt": "judge_self_contained", "together": 3},
    {"block": "judge", "prompt": "judge_faithful", "together": 2},
    {"block": "reword", "prompt": "other_wordings", "together": 3},
    {"block": "judge", "prompt": "judge_relevant", "origin": "paraphrases", "together": 3},
]


def judged() -> Flow:
    return Flow.model_validate({"version": "1.0", "knowledge": {"pairs": JUDGED}})


def swayed() -> execute.Models:
    """A teacher whose verdict on a row depends on every row that stands beside it."""

    def say(turns: Sequence[Message]) -> str:
        if "<verdict>" not in turns[0].content and "again in other words" not in turns[0].content:
            return answer(turns)
        asked = re.findall(r'(?m)^(\d+)\. "([^"]*)"', turns[-1].content)
        if "again in other words" in turns[0].content:
            return "\n".join(
                f"<number>{number}</number><question>Is it known: {text.lower()}</question>" for number, text in asked
            )
        told = [(number, int(digest.of_value([turns[-1].content, number])[:4], 16) % 4) for number, _ in asked]
        return "\n".join(
            f"<number>{number}</number><explanation>x</explanation><verdict>{'YES' if draw else 'NO'}</verdict>"
            for number, draw in told
            if draw != 3 or len(asked) == 1
        )

    return execute.Models(
        teacher=ScriptedChatModel(say),
        scorer=ScriptedTokenScorer(verdict),
        render=lambda turns: "".join(turn.content for turn in turns),
        identity="swayed",
    )


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(order=st.permutations(range(8)))
def test_a_judge_that_sees_several_rows_sees_the_same_ones_whatever_comes_first(
    order: list[int], tmp_path_factory: pytest.TempPathFactory
) -> None:
    plain, other = (
        in_order(tmp_path_factory.mktemp("run"), one, 8, steps=judged(), given=swayed()) for one in (range(8), order)
    )
    assert other == plain
    assert any(plain[0]) and any("judge" in str(row) for row in plain[1])


def test_a_judge_that_sees_several_rows_gives_the_same_bytes_for_any_number_of_workers(tmp_path: Path) -> None:
    for workers in (1, 8):
        execute.generate(
            SEEDS,
            chunks(12),
            flow=judged(),
            models=swayed(),
            settings=SdgSettings(workers=workers, structured="never"),
            out=tmp_path / str(workers),
            report=NullReporter(),
        )
    for name in ("samples.jsonl", "rejected.jsonl"):
        assert (tmp_path / "1" / name).read_bytes() == (tmp_path / "8" / name).read_bytes()


def test_the_same_bytes_for_one_worker_and_eight(tmp_path: Path) -> None:
    generate(tmp_path / "one", workers=1)
    generate(tmp_path / "eight", workers=8)
    for name in ("samples.jsonl", "rejected.jsonl"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "eight" / name).read_bytes()


def test_a_duplicate_of_a_rejected_row_is_judged_late(tmp_path: Path) -> None:
    generate(tmp_path, workers=1)
    kept = [row["question"] for row in jsonl.read(tmp_path / "samples.jsonl") if row["origin"] != "seed"]
    rejected = list(jsonl.read(tmp_path / "rejected.jsonl"))
    # chunks 1, 3, 5, ... have odd numbers, of which one lake is asked by two chunks and in two wordings
    assert sum("lake in the south" in question for question in kept) == 1
    assert len(kept) == len(set(kept))
    reasons = [row["reason"] for row in rejected]
    assert DUPLICATE in reasons and "the document does not make the answer likelier" in reasons
    assert list((tmp_path / "shards").glob("*-*.json")), "some drafts were judged after the others"
    assert all("draft" not in row for row in rejected)


def test_duplicates_cost_no_judge_and_copies_of_examples_are_out(tmp_path: Path) -> None:
    scored: list[str] = []
    held = "Which part has the number that follows 3?"
    funnel = execute.generate(
        SEEDS,
        chunks(12),
        flow=compared(),
        models=models(scored),
        settings=SdgSettings(workers=1),
        out=tmp_path,
        report=NullReporter(),
        held_out=[held],
    )
    rejected = funnel["rejected"]
    assert rejected[OF_SEED] == 12 and rejected[HELD_OUT] == 1
    assert rejected[DUPLICATE] > 5
    questions = [row["question"] for row in jsonl.read(tmp_path / "samples.jsonl")]
    assert held not in questions
    judged = sum(rejected.values()) - rejected[OF_SEED] - rejected[HELD_OUT] - rejected[DUPLICATE] + len(questions) - 1
    assert len(scored) <= 2 * judged + 2 * 24, "each judged row twice, with the text and without, and the calibration"


class Dying:
    """A judge that dies after some calls."""

    def __init__(self, calls: int) -> None:
        self.left = calls

    def score(self, requests: Sequence[ScoreRequest]) -> list[list[object]]:
        self.left -= 1
        if self.left < 0:
            raise EngineError("the engine died")
        return ScriptedTokenScorer(verdict).score(requests)  # type: ignore[return-value]


@pytest.mark.parametrize("calls", [0, 3, 9, 13])
def test_a_run_that_died_goes_on_to_the_same_files(tmp_path: Path, calls: int) -> None:
    dying = execute.Models(
        teacher=teachers(),
        scorer=Dying(calls),
        render=models().render,
        identity="scripted",  # type: ignore[arg-type]
    )
    with pytest.raises(EngineError):
        execute.generate(
            SEEDS, chunks(12), flow=compared(), models=dying, settings=SdgSettings(), out=tmp_path / "a",
            report=NullReporter(),
        )  # fmt: skip
    assert not (tmp_path / "a" / "samples.jsonl").exists()
    generate(tmp_path / "a")
    generate(tmp_path / "b")
    for name in ("samples.jsonl", "rejected.jsonl"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


@pytest.mark.parametrize(
    ("more", "complaint"),
    [
        ({"block": "distinct", "scope": "run"}, "two blocks `distinct`"),
        ({"block": "distinct"}, "`distinct` compares rows"),
        ({"block": "ground", "per": "fact"}, "`ground` compares rows"),
    ],
)
def test_blocks_that_compare_rows_stand_before_the_comparison(
    tmp_path: Path, more: dict[str, object], complaint: str
) -> None:
    file = tmp_path / "flow.yaml"
    file.write_text(yaml.safe_dump({"version": "1.0", "knowledge": {"pairs": [*COMPARED, more]}}))
    with pytest.raises(UserFileError) as caught:
        flow.load(str(file))
    assert complaint in str(caught.value.faults[0].message)
