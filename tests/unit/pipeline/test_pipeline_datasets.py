"""Published training files, and the questions about what was held out of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from ilab.base import jsonl
from ilab.cli import job as jobs
from ilab.config import load
from ilab.evaluation import questions
from ilab.pipeline import baseline, datasets, mix
from ilab.pipeline.datasets import Published
from ilab.pipeline.job import Job
from ilab.records.samples import Sample

TOWNS = [f"{letter}ton" for letter in "ABCDEFGHIJKLMNOPQRST"]


def sample(number: int, question: str) -> Sample:
    founded = str(1701 + 7 * (number % len(TOWNS)))
    return Sample(
        id=f"s{number}",
        leaf="knowledge/towns",
        kind="knowledge",
        question=question,
        answer=founded,
        chunk="c1",
        source=f"{TOWNS[number % len(TOWNS)]} was founded in {founded}.",
        origin="facts",
    )


SAMPLES = [
    *(sample(number, f"When was {town} founded?") for number, town in enumerate(TOWNS)),
    *(sample(number + len(TOWNS), "Which year is on the gate?") for number in range(len(TOWNS))),
]


@pytest.fixture
def job() -> Job:
    return jobs.of(load.load(load.Request(overrides={"mixing.heldout_share": 0.5, "models.student": "/models/tiny"})))


@pytest.fixture
def stages(tmp_path: Path) -> Path:
    """The files of a run that `publish` reads."""
    jsonl.write(tmp_path / "generated" / "samples.jsonl", [one.to_json() for one in SAMPLES])
    jsonl.write(tmp_path / "mixed" / "phase1.jsonl", [{"a": 1}])
    jsonl.write(tmp_path / "mixed" / "phase2.jsonl", [{"b": 2}])
    return tmp_path


def publish(stages: Path, job: Job) -> Published:
    proof = baseline.load_proof(job, stages / "generated" / "samples.jsonl")
    return datasets.publish(stages / "mixed", stages / "generated", job, stages / "out", proof=proof)


def test_what_is_held_out_becomes_a_questions_file(stages: Path, job: Job) -> None:
    made = publish(stages, job)
    assert made.questions is not None
    held = questions.read(made.questions)
    asked = {question for fact in held for question in fact.questions}
    proof = baseline.load_proof(job, stages / "generated" / "samples.jsonl")
    trained, withheld = mix.divide(SAMPLES, proof, job)
    assert asked == {one.question for one, _ in withheld} and len(asked) > 6
    assert not {fact.answer for fact in held} & {one.answer for one in trained}
    assert sum("Which year is on the gate?" in fact.questions for fact in held) == 1, "no question stands twice"


def test_the_same_files_are_published_once_and_changed_ones_beside_them(stages: Path, job: Job) -> None:
    first = publish(stages, job)
    assert [path.name.split("_20")[0] for path in first.files] == [
        "knowledge_train_msgs",
        "messages_tiny",
        "skills_train_msgs",
    ]
    assert publish(stages, job) == first
    jsonl.write(stages / "mixed" / "phase2.jsonl", [{"b": 3}])
    second = publish(stages, job)
    assert second.files[0] != first.files[0], "the skills differ, though the knowledge is the same"
    assert len(list((stages / "out").iterdir())) == 8


def test_a_set_that_was_broken_off_is_not_taken_for_a_published_one(stages: Path, job: Job) -> None:
    first = publish(stages, job)
    first.files[0].unlink()
    second = publish(stages, job)
    assert all(path.exists() for path in second.files) and second.files[1] != first.files[1]


def test_a_handwritten_questions_file_is_not_published_again(stages: Path, job: Job) -> None:
    file = publish(stages, job).questions
    named = jobs.of(load.load(load.Request(overrides={"evaluation.questions": str(file)})))
    assert publish(stages, named).questions is None
