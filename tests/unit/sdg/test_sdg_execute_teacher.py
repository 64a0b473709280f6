"""Generation with a teacher that is slow, busy, refusing, unreadable or gone, over a real server on loopback."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest
from tests import teacher_server
from tests.faulty_server import Script, hang_up, saying, serving

from ilab.base import jsonl
from ilab.base.report import ListReporter, NullReporter, Reporter
from ilab.errors import NothingGenerated, TeacherError
from ilab.llm.budget import Budgeted
from ilab.llm.endpoints import Endpoints
from ilab.llm.http import HttpChatModel
from ilab.llm.journal import Journal, Journaled
from ilab.llm.limit import Limit
from ilab.llm.patience import Patient
from ilab.llm.port import ChatModel, Completion, ScoreRequest, TokenScore
from ilab.llm.scripted import ScriptedChatModel, ScriptedTokenScorer
from ilab.records.chunks import Chunk
from ilab.records.messages import Message
from ilab.records.seeds import FREEFORM_SKILL, KNOWLEDGE, Seed
from ilab.sdg import execute, flow
from ilab.sdg.blocks.llm import CUT, FAILED, REFUSED, TOO_LONG, UNREADABLE
from ilab.sdg.row import Usage
from ilab.sdg.settings import SdgSettings
from ilab.sdg.units import in_turn, plan

PAIRS = str(Path(__file__).parents[2] / "fixtures" / "flows" / "pairs.yaml")
FILES = ("samples.jsonl", "rejected.jsonl")
NAMES = ("Mirra", "Orrin", "Sella", "Tavi", "Umber", "Varn", "Wessel", "Yarrow")
SEEDS = [
    Seed(leaf="knowledge/lake", kind=KNOWLEDGE, question="What is Lake Mirra?", answer="A lake.", context="A lake."),
    *(
        Seed(leaf="compositional_skills/greet", kind=FREEFORM_SKILL, question=f"Greet {who} now", answer="Hello you!")
        for who in ("Ann", "Bob")
    ),
]


def chunks(count: int, leaves: int = 1) -> list[Chunk]:
    return [
        Chunk(
            id=f"knowledge/lake{number % leaves}#{number}",
            leaf=f"knowledge/lake{number % leaves}",
            source="s",
            text=f"Lake {name} is a crater lake in the north of Talland. Ada Holm mapped it first in 18{number}7.",
            tokens=30,
            title=f"Lake {name}",
        )
        for number, name in enumerate(NAMES[:count])
    ]


def likes_documents(request: ScoreRequest, continuation: str) -> float:
    return -1.0 * len(continuation) / (4 if request.prefix else 1)


def said(messages: Sequence[Message]) -> str:
    return teacher_server.answer([message.to_json() for message in messages])


def generate(
    out: Path,
    teacher: ChatModel,
    *,
    documents: Sequence[Chunk] = (),
    flow_name: str = PAIRS,
    report: Reporter | None = None,
    scorer: Any = None,
    **changes: Any,
) -> dict[str, Any]:
    models = execute.Models(
        teacher=teacher,
        scorer=scorer or ScriptedTokenScorer(likes_documents),
        render=lambda turns: "".join(f"<{turn.role}>{turn.content}" for turn in turns),
        identity="scripted",
    )
    return execute.generate(
        SEEDS,
        documents or chunks(6),
        flow=flow.load(flow_name),
        models=models,
        settings=SdgSettings(**{"scale_factor": 3, **changes}),
        out=out,
        report=report or NullReporter(),
    )


def same_files(one: Path, other: Path) -> bool:
    return all((one / name).read_bytes() == (other / name).read_bytes() for name in FILES)


Fault = Callable[[int, str], tuple[int, dict[str, str], Any] | Callable[[BaseHTTPRequestHandler], None] | None]


@contextmanager
def teacher_with(fault: Fault, *, timeout: float = 5, retries: int = 6) -> Iterator[tuple[Budgeted, Script]]:
    """The scripted teacher behind a server where `fault(number of the request, what users say)` may step in."""
    lock, count = threading.Lock(), 0

    def answer(handler: BaseHTTPRequestHandler) -> None:
        nonlocal count
        with lock:
            count += 1
            number = count
        body = handler.body  # type: ignore[attr-defined]
        asked = "\n".join(turn["content"] for turn in body["messages"] if turn["role"] == "user")
        step = fault(number, asked) or (
            200,
            {},
            saying(teacher_server.answer(body["messages"])),
        )
        if callable(step):
            step(handler)
            return
        status, headers, content = step
        data = content.encode() if isinstance(content, str) else json.dumps(content).encode()
        handler.send_response(status)
        for name, value in headers.items():
            handler.send_header(name, value)
        handler.send_header("content-length", str(len(data)))
        handler.end_headers()
        handler.wfile.write(data)

    script = Script(answer)
    with serving(script) as url:
        client = HttpChatModel(url, model="m", timeout=timeout)
        yield Budgeted(Endpoints([client], limit=Limit(8), retries=retries), context=0), script


def test_whatever_ends_first_the_files_are_the_same(tmp_path: Path) -> None:
    def slowly(messages: Sequence[Message]) -> str:
        time.sleep(len(messages[-1].content) % 7 / 300)
        return said(messages)

    generate(tmp_path / "one", ScriptedChatModel(said), workers=1)
    for workers in (2, 8, 32):
        generate(tmp_path / str(workers), ScriptedChatModel(slowly), workers=workers)
        assert same_files(tmp_path / str(workers), tmp_path / "one")


def test_a_server_that_is_busy_breaks_off_and_talks_nonsense_changes_nothing(tmp_path: Path) -> None:
    def fault(number: int, text: str) -> Any:
        faults: dict[int, Any] = {
            0: (429, {"Retry-After": "0.05"}, "slow down"),
            1: (500, {}, "boom"),
            2: hang_up,
            3: (200, {}, "<html>"),
            4: (503, {}, "loading"),
        }
        return faults[number // 4 % 5] if number % 4 == 0 else None

    generate(tmp_path / "plain", ScriptedChatModel(said))
    with teacher_with(fault) as (teacher, script):
        generate(tmp_path / "faults", teacher)
    assert same_files(tmp_path / "faults", tmp_path / "plain")
    assert len(script.asked) > 20


def test_a_request_that_hangs_is_made_again(tmp_path: Path) -> None:
    def fault(number: int, text: str) -> Any:
        return (lambda handler: time.sleep(1)) if number == 2 else None

    generate(tmp_path / "plain", ScriptedChatModel(said))
    with teacher_with(fault, timeout=0.3) as (teacher, _):
        generate(tmp_path / "hang", teacher)
    assert same_files(tmp_path / "hang", tmp_path / "plain")


@pytest.mark.parametrize(
    ("message", "reason"),
    [("stop must be a list", REFUSED), ("this model's maximum context length is exceeded", TOO_LONG)],
)
def test_a_row_that_is_refused_for_good_is_rejected_and_the_run_goes_on(
    tmp_path: Path, message: str, reason: str
) -> None:
    def fault(number: int, text: str) -> Any:
        return (400, {}, {"error": {"message": message}}) if "Lake Orrin" in text else None

    with teacher_with(fault) as (teacher, _):
        generate(tmp_path, teacher)
    refused = [row for row in jsonl.read(tmp_path / "rejected.jsonl") if row["reason"] == reason]
    assert refused and all("Orrin" in row["title"] and message in row["raw"] for row in refused)
    assert {row["detail"] for row in refused} == {"ask sentence_question", "ask chunk_pairs"}
    samples = list(jsonl.read(tmp_path / "samples.jsonl"))
    assert {row["origin"] for row in samples if "Mirra" in row["question"]} >= {"facts", "sentences"}


def test_an_answer_that_was_cut_off_is_told_from_one_in_the_wrong_form(tmp_path: Path) -> None:
    def fault(number: int, text: str) -> Any:
        if "Write eight questions" not in text:
            return None
        how = "length" if "Lake Mirra" in text else "stop"
        return (200, {}, saying("Well, where do I begin", finish_reason=how))

    with teacher_with(fault) as (teacher, _):
        generate(tmp_path, teacher)
    rows = [row for row in jsonl.read(tmp_path / "rejected.jsonl") if row["origin"] == "pairs"]
    assert {row["reason"] for row in rows if "Mirra" in row["title"]} == {CUT}
    assert {row["reason"] for row in rows if "Orrin" in row["title"]} == {UNREADABLE}


def test_a_server_that_is_gone_ends_the_run(tmp_path: Path) -> None:
    gone = teacher_with(lambda number, text: hang_up if number > 5 else None, retries=1)
    with gone as (teacher, _), pytest.raises(TeacherError, match="cannot reach .* after 2 tries"):
        generate(tmp_path, teacher)
    assert not (tmp_path / "samples.jsonl").exists()


def test_units_do_not_wait_for_a_slow_one(tmp_path: Path) -> None:
    others_are_done = threading.Event()

    def answer(messages: Sequence[Message]) -> str:
        if "Lake Mirra" in messages[-1].content and "eight questions" in messages[-1].content:
            assert others_are_done.wait(10), "another unit waited for this one"
        return said(messages)

    class Watching(ListReporter):
        def progress(self, what: str, done: int, total: int, **fields: Any) -> None:
            if done == 3 * 3:  # the pilot but for the slow unit: three paths of knowledge, and the skill
                others_are_done.set()

    generate(tmp_path, ScriptedChatModel(answer), report=Watching(), workers=2)


def test_the_judge_is_asked_by_one_unit_at_a_time(tmp_path: Path) -> None:
    busy = threading.Lock()

    class Alone:
        def score(self, requests: Sequence[ScoreRequest]) -> list[list[TokenScore]]:
            assert busy.acquire(blocking=False)
            time.sleep(0.005)
            scores = ScriptedTokenScorer(likes_documents).score(requests)
            busy.release()
            return scores

    generate(tmp_path, ScriptedChatModel(said), scorer=Alone())


# --- the journal ---


class Counted:
    """The scripted teacher, and what it was asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.model = ScriptedChatModel(self._answer)

    def _answer(self, messages: Sequence[Message]) -> str:
        self.asked.append(messages[-1].content)
        return said(messages)

    def behind(self, journal: Path) -> Journaled:
        return Journaled(self.model, Journal(journal), identity="scripted")


def test_another_run_and_another_flow_ask_only_what_is_new(tmp_path: Path) -> None:
    teacher, journal = Counted(), tmp_path / "journal.jsonl"
    first = generate(tmp_path / "a", teacher.behind(journal), flow_name="simple")["teacher_tokens"]
    asked = len(teacher.asked)
    assert first["calls"] == asked
    second = generate(tmp_path / "b", teacher.behind(journal), flow_name="simple")["teacher_tokens"]
    assert len(teacher.asked) == asked
    assert second["calls"] == second["computed"] == second["written"] == 0
    assert second["remembered"] == first["calls"] + first["remembered"]
    assert second["saved"] == first["saved"] + first["computed"] + first["written"]
    assert same_files(tmp_path / "a", tmp_path / "b")
    more = generate(tmp_path / "c", teacher.behind(journal), flow_name=PAIRS)["teacher_tokens"]
    assert more["calls"] == len(teacher.asked) - asked == 6, "one prompt a chunk is new"
    assert more["remembered"] == second["remembered"]


def test_a_run_without_a_teacher_is_the_same_run(tmp_path: Path) -> None:
    generate(tmp_path / "a", Counted().behind(tmp_path / "j"))
    replay = Journaled(None, Journal(tmp_path / "j", read_only=True), identity="scripted")
    generate(tmp_path / "b", replay)
    assert same_files(tmp_path / "a", tmp_path / "b")
    with pytest.raises(TeacherError, match="has no answer to"):
        generate(tmp_path / "c", replay, documents=chunks(7))


# --- the pilot ---


def rubbish(messages: Sequence[Message]) -> str:
    return f"..{len(messages[-1].content)}"


def only(path: str, folder: Path) -> str:
    """A flow of one path."""
    steps = flow.load(PAIRS).model_dump()["knowledge"][path]
    file = folder / f"{path}.json"
    file.write_text(json.dumps({"version": "1.0", "knowledge": {path: steps}}))
    return str(file)


def test_a_teacher_that_cannot_be_read_is_an_error_after_three_units(tmp_path: Path) -> None:
    asked: list[str] = []

    def answer(messages: Sequence[Message]) -> str:
        asked.append(messages[-1].content)
        return rubbish(messages)

    with pytest.raises(NothingGenerated, match="block `ask chunk_pairs` of path `pairs`") as caught:
        generate(tmp_path, ScriptedChatModel(answer), documents=chunks(8), flow_name=only("pairs", tmp_path))
    assert len(asked) == 2 * 3, "each of the three is asked once more, with a complaint"
    assert len(caught.value.details) == 3
    assert all(f"{UNREADABLE}: .." in detail for detail in caught.value.details)


def test_when_another_path_gives_rows_it_is_a_warning(tmp_path: Path) -> None:
    heard = ListReporter()
    generate(
        tmp_path,
        ScriptedChatModel(lambda messages: rubbish(messages) if "eight questions" in str(messages) else said(messages)),
        report=heard,
    )
    warnings = [event["message"] for event in heard.events if event["kind"] == "warning"]
    (warning,) = [text for text in warnings if "nothing in the pilot" in text]
    assert "block `ask chunk_pairs` of path `pairs` (knowledge)" in warning and "`.." in warning


def test_a_teacher_that_refuses_everything_is_told_by_the_pilot(tmp_path: Path) -> None:
    refusing = teacher_with(lambda number, text: (400, {}, {"error": "no such parameter: seed"}))
    with refusing as (teacher, script), pytest.raises(NothingGenerated) as caught:
        generate(tmp_path, teacher, documents=chunks(8), flow_name=only("pairs", tmp_path))
    assert "no such parameter: seed" in caught.value.details[0]
    assert len(script.asked) == 3


def test_the_pilot_is_spread_over_paths_and_leaves() -> None:
    units = in_turn(plan(SEEDS, chunks(8, leaves=3), flow=flow.load(PAIRS)))
    first = [unit for unit in units if unit.path == "pairs"][:3]
    assert {unit.leaf for unit in first} == {f"knowledge/lake{number}" for number in range(3)}
    assert {unit.way for unit in units[:4]} == {unit.way for unit in units}
    assert len(units) == len(set(map(id, units))) == 3 * 8 + 1


def test_a_remembered_answer_costs_nothing() -> None:
    usage = Usage()
    usage.add(Completion(text="a", prompt_tokens=10, cached_tokens=4, completion_tokens=3))
    usage.add(Completion(text="a", prompt_tokens=10, cached_tokens=4, completion_tokens=3, remembered=True))
    assert usage.to_json() == {"computed": 6, "cached": 4, "written": 3, "calls": 1, "remembered": 1, "saved": 13}


def test_a_teacher_that_gives_no_answer_at_all_ends_the_run_after_the_pilot(tmp_path: Path) -> None:
    with teacher_with(lambda number, text: (500, {}, {"error": "out of memory"}), retries=0) as (teacher, script):
        with pytest.raises(TeacherError, match="no path gave a row in its pilot") as told:
            generate(tmp_path, Patient(teacher, most=100), documents=chunks(8), flow_name=only("pairs", tmp_path))
        assert all("500: out of memory" in line for line in told.value.details)
    assert len(script.asked) == 3


def test_rows_at_which_the_teacher_fails_cost_only_themselves(tmp_path: Path) -> None:
    def fault(number: int, text: str) -> Any:
        return (500, {}, {"error": "boom"}) if "Lake Orrin" in text else None

    with teacher_with(fault, retries=1) as (teacher, _):
        generate(tmp_path, Patient(teacher))
    failed = [row for row in jsonl.read(tmp_path / "rejected.jsonl") if row["reason"] == FAILED]
    assert failed and all("Orrin" in row["title"] and "500: boom" in row["raw"] for row in failed)
    assert any("Mirra" in row["question"] for row in jsonl.read(tmp_path / "samples.jsonl"))
    with teacher_with(lambda number, text: None) as (teacher, script):
        generate(tmp_path, Patient(teacher))
    assert script.asked and not any("Mirra" in str(body["messages"]) for _, body, _ in script.asked)
    assert not [row for row in jsonl.read(tmp_path / "rejected.jsonl") if row["reason"] == FAILED]
    assert any("Orrin" in row["question"] for row in jsonl.read(tmp_path / "samples.jsonl"))
