"""What a report says about a run's own doing: its time and tokens, its training questions, its models."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from ilab.base import atomic, clock, jsonl
from ilab.cli import job as jobs
from ilab.config import load
from ilab.errors import MissingModel
from ilab.evaluation.questions import Fact
from ilab.mixing import formats
from ilab.mixing.formats import KeepPair
from ilab.pipeline import costs, prepare, trained
from ilab.pipeline.job import Job
from ilab.records.samples import Sample
from ilab.runs import folder
from ilab.runs.folder import RunFolder
from ilab.runs.stage import StageBox, run_stage

FUNNEL = {
    "kept": {"facts": 4, "seed": 1},
    "rejected": {"too long": 2, "duplicate question": 1},
    "rejected_by_path": {"facts": {"too long": 2}, "variations": {"duplicate question": 1}},
    "teacher_tokens": {"computed": 850, "cached": 900, "written": 160},
}


@pytest.fixture
def run(tmp_path: Path) -> RunFolder:
    return folder.create(tmp_path / "runs", "customize", argv=["x"], settings={})


def sample(number: int) -> Sample:
    return Sample(
        id=f"s{number}", leaf="a/b", kind="knowledge", question=f"Q{number}?", answer=f"A{number}.", origin="facts"
    )


def training_files(place: Path, *, asked: list[Sample], rehearsed: list[KeepPair]) -> Path:
    """Rows as mixing writes them: a conversation, and general instructions."""
    rows = [formats.conversation_row(asked[:2]), *map(formats.question_row, asked[2:])]
    general = [formats.keep_row(pair.prompt, pair.answer) for pair in rehearsed]
    jsonl.write(place / "phase1.jsonl", [row.to_json() for row in [*rows, *general]])
    jsonl.write(place / "phase2.jsonl", [row.to_json() for row in general[:1]])
    return place


def test_generated_questions_are_counted_once_each_until_they_are_trained(tmp_path: Path) -> None:
    generated, mixed = tmp_path / "generate", tmp_path / "mix"
    samples = [sample(number) for number in range(5)]
    atomic.write_json(generated / "funnel.json", FUNNEL)
    jsonl.write(generated / "samples.jsonl", [one.to_json() for one in samples])
    training_files(mixed, asked=samples[:3], rehearsed=[])
    jsonl.write(mixed / "heldout.jsonl", [{**samples[4].to_json(), "reason": "repeats a held-out question"}])
    rows = {row.label: (row.count, row.kind) for row in trained.funnel(generated, mixed)}
    assert rows == {
        "generated, with your own examples": (8, "total"),
        "facts, asked by rule": (6, "part"),
        "your own examples": (1, "part"),
        "skill variations by the teacher": (1, "part"),
        "too long": (2, "lost"),
        "duplicate question": (1, "lost"),
        "passed the filters": (5, "total"),
        "kept out of training: repeats a held-out question": (1, "lost"),
        "not drawn: one fact in more wordings than training asks": (1, "lost"),
        "trained": (3, "total"),
    }


def test_rehearsed_questions_are_counted_and_held_against_the_keepset(tmp_path: Path) -> None:
    pairs = [KeepPair(prompt=f"What is {number} plus one?", answer="A number.") for number in range(4)]
    mixed = training_files(tmp_path, asked=[sample(1), sample(2)], rehearsed=pairs)
    fact = Fact(id="k", tier="keep", questions=("What is the capital of Peru?",), answer="Lima", distractors=("Quito",))
    found = trained.rehearsal(mixed, [fact])
    assert (found.prompts, found.tested) == (4, 0)
    found = trained.rehearsal(mixed, [replace(fact, questions=("what is 3 plus one",))])
    assert (found.prompts, found.tested) == (4, 1)


def event(kind: str, second: int, **fields: object) -> dict[str, object]:
    return {"kind": kind, "stage": "", "time": f"2026-01-01T00:00:{second:02d}.000Z", **fields}


def test_the_time_of_a_run_is_that_of_all_its_starts() -> None:
    first = [event("run_started", 0), event("progress", 7)]  # killed: no end is written
    second = [event("run_started", 20), event("run_finished", 31)]
    assert costs.wall_seconds([*first, *second]) == 18
    going = [{**event("run_started", 0), "time": clock.stamp()}]
    assert 0 <= costs.wall_seconds([*first, *going]) - 7 < 5
    assert costs.wall_seconds([]) == 0


def test_every_stage_shows_its_time_and_tokens_and_the_total_is_the_whole_run(run: RunFolder) -> None:
    def generate(box: StageBox) -> None:
        atomic.write_json(box.folder / "funnel.json", FUNNEL)

    def ask(box: StageBox) -> None:
        jsonl.write(box.folder / "answers.jsonl", [{"tokens": [3, 2]}, {"tokens": [1, 4]}])

    with run.working():
        for name, work in (
            ("02-generate", generate),
            ("03-baseline", ask),
            ("05-train-1", lambda box: {"tokens": 75587}),
        ):
            run_stage(run, name, settings={}, inputs={}, work=work)
        run.say("stage_started", stage=prepare.MODELS)
        run.say("stage_finished", stage=prepare.MODELS, seconds=0.0)
        found = costs.of_stages(run)
    assert [cost.name for cost in found] == [
        prepare.MODELS,
        "02-generate",
        "03-baseline",
        "05-train-1",
        "between stages",
    ]
    assert [cost.tokens for cost in found] == [0, 1010, 10, 75587, 0]
    assert "850 prompt tokens computed, 900 more from the prefix cache, 160 written" in found[1].note
    total = costs.wall_seconds(run.events.read())
    assert sum(cost.seconds for cost in found) == pytest.approx(total, abs=0.5)


def test_tokens_that_remembered_answers_saved_are_told(run: RunFolder) -> None:
    spent = {"computed": 10, "written": 5, "calls": 1, "remembered": 3, "saved": 1200}

    def generate(box: StageBox) -> None:
        atomic.write_json(box.folder / "funnel.json", {"teacher_tokens": spent})

    with run.working():
        run_stage(run, "02-generate", settings={}, inputs={}, work=generate)
        (cost, *_) = (cost for cost in costs.of_stages(run) if cost.name == "02-generate")
    assert cost.tokens == 15 and "1,200 saved by answers that were remembered" in cost.note


def job_with(**models: str) -> Job:
    return jobs.of(load.load(load.Request(overrides={f"models.{name}": value for name, value in models.items()})))


def test_models_are_fetched_in_a_step_of_their_own(run: RunFolder, tmp_path: Path) -> None:
    model = tmp_path / "judge"
    model.mkdir()
    (model / "config.json").write_text('{"model_type": "llama"}')
    header = json.dumps({"w": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}).encode()
    (model / "model.safetensors").write_bytes(len(header).to_bytes(8, "little") + header + bytes(4))
    prepare.ready_models(run, job_with(teacher_endpoint="http://127.0.0.1:9/v1", judge=str(model), student=str(model)))
    state = run.state().stages[prepare.MODELS]
    assert (state.state, list(run.stages.iterdir())) == ("finished", [])


def test_a_missing_model_stops_the_step_that_wanted_it(run: RunFolder) -> None:
    with pytest.raises(MissingModel):
        prepare.ready_models(run, job_with(teacher_endpoint="http://127.0.0.1:9/v1", judge="nosuch"))
    state = run.state().stages[prepare.MODELS]
    assert state.state == "failed"
    assert "nosuch" in state.error
