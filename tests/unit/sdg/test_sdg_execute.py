"""Generation through the front door: scripted teacher and scorer, real flow files, kills, resume, funnel."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from ilab.base import jsonl
from ilab.base.report import NullReporter
from ilab.errors import EngineError, NothingGenerated, UserFileError
from ilab.llm.port import Completion, GenerationParams, ScoreRequest
from ilab.llm.scripted import ScriptedChatModel, ScriptedTokenScorer
from ilab.records.chunks import Chunk
from ilab.records.messages import Message
from ilab.records.seeds import FREEFORM_SKILL, GROUNDED_SKILL, KNOWLEDGE, Seed
from ilab.sdg import execute, flow
from ilab.sdg.settings import SdgSettings

PAIRS = str(Path(__file__).parents[2] / "fixtures" / "flows" / "pairs.yaml")
TEXT = (
    "Lake Mirra is a crater lake in the north of Talland. "
    "It is 412 metres deep and was first mapped by Ada Holm in 1887."
)
CHUNKS = [
    Chunk(id=f"knowledge/lake#{n}", leaf="knowledge/lake", source="s", text=TEXT, tokens=30, title="Lake Mirra")
    for n in range(2)
]
SEEDS = [
    Seed(leaf="knowledge/lake", kind=KNOWLEDGE, question="What is Lake Mirra?", answer="A crater lake.", context=TEXT),
    *(
        Seed(leaf="compositional_skills/greet", kind=FREEFORM_SKILL, question=f"Greet {who} now", answer="Hello you!")
        for who in ("Ann", "Bob")
    ),
    Seed(
        leaf="compositional_skills/find",
        kind=GROUNDED_SKILL,
        question="Who?",
        answer="Ann.",
        context="Ann ran.",
        subject="find",
    ),
]


def answers(messages: Sequence[Message]) -> str:
    asked = messages[-1].content
    if "Write eight questions" in asked:
        return (
            "Question: Who first mapped the lake called Mirra?\nAnswer: Ada Holm.\n"
            "Question: How deep is Lake Mirra?\nAnswer: 500 metres.\nQuestion: no answer follows"
        )
    if "Sentence:" in asked:
        return "Question: What do we know about the depth of Lake Mirra?"
    if "Context:" in asked:
        return "Context: Bob slept early.\nQuestion: Who slept early?\nAnswer: Bob."
    if "Answer:" in asked:
        return "Good day!"
    return f"- person number {len(asked)}"


def likes_documents(request: ScoreRequest, continuation: str) -> float:
    return -1.0 * len(continuation) / (4 if request.prefix else 1)


def models(teacher: object | None = None) -> execute.Models:
    return execute.Models(
        teacher=teacher or ScriptedChatModel(answers),  # type: ignore[arg-type]
        scorer=ScriptedTokenScorer(likes_documents),
        render=lambda turns: "".join(f"<{turn.role}>{turn.content}" for turn in turns) + "<assistant>",
        identity="scripted",
    )


def generate(out: Path, teacher: object | None = None, **changes: object) -> dict[str, object]:
    return execute.generate(
        SEEDS,
        CHUNKS,
        flow=flow.load(PAIRS),
        models=models(teacher),
        settings=SdgSettings(scale_factor=2, **changes),  # type: ignore[arg-type]
        out=out,
        report=NullReporter(),
    )


def test_every_path_yields_samples_and_every_rejection_has_a_reason(tmp_path: Path) -> None:
    funnel = generate(tmp_path)
    samples = list(jsonl.read(tmp_path / "samples.jsonl"))
    rejected = list(jsonl.read(tmp_path / "rejected.jsonl"))
    assert {row["origin"] for row in samples} == {"seed", "facts", "sentences", "pairs", "variations"}
    assert all(row["reason"] for row in rejected)
    reasons = {row["reason"] for row in rejected}
    assert "a number of the answer is not in the document" in reasons
    assert "duplicate question" in reasons, "two chunks with the same text ask the same"
    assert funnel["teacher_tokens"]["calls"] > 0  # type: ignore[index]
    grounded = [row for row in samples if row["origin"] == "pairs"]
    assert grounded and all(row["scores"]["grounding_gain"] > 0 for row in grounded)


def test_the_same_input_gives_the_same_bytes(tmp_path: Path) -> None:
    generate(tmp_path / "a")
    generate(tmp_path / "b", workers=1)
    for name in ("samples.jsonl", "rejected.jsonl", "funnel.json"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_a_new_skill_question_keeps_what_all_examples_begin_with(tmp_path: Path) -> None:
    generate(tmp_path)
    made = [row for row in jsonl.read(tmp_path / "samples.jsonl") if "greet" in row["leaf"] and row["origin"] != "seed"]
    assert made and all(row["question"].startswith("Greet person number") for row in made)


class Dying:
    """Answers until its calls are used up, then dies like an engine."""

    def __init__(self, calls: int) -> None:
        self.left = calls
        self.model = ScriptedChatModel(answers)

    def chat(self, messages: Sequence[Message], params: GenerationParams) -> Completion:
        self.left -= 1
        if self.left < 0:
            raise EngineError("the engine died")
        return self.model.chat(messages, params)

    stream = ScriptedChatModel.stream


@pytest.mark.parametrize("calls", [0, 1, 3, 5])
def test_after_the_teacher_died_only_what_is_missing_is_asked_again(tmp_path: Path, calls: int) -> None:
    with pytest.raises(EngineError):
        generate(tmp_path / "a", Dying(calls))
    finished = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "a" / "shards").glob("*.json")}
    generate(tmp_path / "a")
    generate(tmp_path / "b")
    assert (tmp_path / "a" / "samples.jsonl").read_bytes() == (tmp_path / "b" / "samples.jsonl").read_bytes()
    assert all((tmp_path / "a" / "shards" / name).stat().st_mtime_ns == at for name, at in finished.items())


def test_a_teacher_that_writes_rubbish_about_nothing_is_an_error_with_examples(tmp_path: Path) -> None:
    empty = [Chunk(id="k#0", leaf="knowledge/lake", source="s", text="?", tokens=1, title="T")]
    with pytest.raises(NothingGenerated) as caught:
        execute.generate(
            SEEDS[:1],
            empty,
            flow=flow.load("simple"),
            models=models(ScriptedChatModel(lambda messages: "blah")),
            settings=SdgSettings(),
            out=tmp_path,
            report=NullReporter(),
        )
    assert caught.value.exit_code == 1
    assert any("blah" in detail for detail in caught.value.details)


@pytest.mark.parametrize("name", flow.shipped())
def test_every_shipped_flow_loads(name: str) -> None:
    assert flow.load(name).knowledge


def test_faults_of_a_flow_file_come_all_at_once(tmp_path: Path) -> None:
    path = tmp_path / "flow.yaml"
    path.write_text("version: '2.0'\nknowledge:\n  a:\n    - block: nothing\n")
    with pytest.raises(UserFileError) as caught:
        flow.load(str(path))
    assert len(caught.value.faults) == 2
    assert caught.value.exit_code == 3
    path.write_text("version: [")
    with pytest.raises(UserFileError):
        flow.load(str(path))
    with pytest.raises(UserFileError, match="no flow named"):
        flow.load("absent")


def test_shards_are_json_and_hold_the_cost_of_their_unit(tmp_path: Path) -> None:
    generate(tmp_path)
    for path in (tmp_path / "shards").glob("*.json"):
        assert set(json.loads(path.read_text())) == {"kept", "rejected", "usage"}
