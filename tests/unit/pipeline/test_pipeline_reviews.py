"""What a person decided about samples changes the training files, and nothing that is held out comes back by it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.made_run import SAMPLES, made_run

from ilab.base import jsonl
from ilab.cli import job as jobs
from ilab.config import load
from ilab.pipeline import mix
from ilab.pipeline.baseline import Proof, load_proof
from ilab.pipeline.job import Job
from ilab.pipeline.prepare import Prepared
from ilab.records.reviews import Reviews
from ilab.runs.folder import RunFolder


@pytest.fixture
def job() -> Job:
    return jobs.of(load.load(load.Request(overrides={"mixing.keep_rows": 0})))


@pytest.fixture
def run(tmp_path: Path) -> RunFolder:
    return made_run(tmp_path)


def mixed(run: RunFolder, job: Job) -> tuple[str, list[dict[str, object]], str]:
    """All training text, what was held out, and the key of the stage."""
    generated = run.stages / "02-generate"
    proof = load_proof(job, generated / "samples.jsonl")
    folder = mix.mix(run, job, Prepared(folder=run.stages / "01-prepare"), generated, None, proof)
    text = "".join((folder / name).read_text() for name in ("phase1.jsonl", "phase2.jsonl"))
    return text, list(jsonl.read(folder / "heldout.jsonl")), json.loads((folder / "DONE.json").read_text())["key"]


def test_a_rejected_sample_is_left_out_and_an_edit_replaces_the_answer(run: RunFolder, job: Job) -> None:
    text, held, key = mixed(run, job)
    assert "What is the depth of Lake Mirra?" in text and "The Nordlys." in text and not held
    reviews = Reviews(run.folder / "reviews.jsonl")
    reviews.decide(SAMPLES[1].id, "reject")
    reviews.decide(SAMPLES[3].id, "edit", answer="The old Nordlys.")
    text, held, second = mixed(run, job)
    assert "What is the depth of Lake Mirra?" not in text and "What is the depth of Lake Mirra today?" in text
    assert "The old Nordlys." in text and '"The Nordlys."' not in text
    assert [(row["id"], row["reason"]) for row in held] == [(SAMPLES[1].id, "rejected in review")]
    assert second != key, "mixing is done again after a review"
    assert mixed(run, job)[2] == second, "and only once"
    reviews.undo()
    assert '"The Nordlys."' in mixed(run, job)[0]


def test_an_edited_answer_that_gives_a_withheld_one_is_held_out(run: RunFolder, job: Job, tmp_path: Path) -> None:
    file = tmp_path / "questions.yaml"
    file.write_text(
        "schema_version: 1\nkind: questions\nfacts:\n  - id: mapper\n    tier: untaught\n"
        '    questions: ["Who was the first to map it?"]\n    answer: Ada Holm\n    distractors: [Ida Berg]\n'
    )
    asked = jobs.of(load.load(load.Request(overrides={"evaluation.questions": str(file)})))
    reviews = Reviews(run.folder / "reviews.jsonl")
    reviews.decide(SAMPLES[3].id, "edit", answer="The Nordlys of Ada Holm.")
    train, held = mix.divide(SAMPLES, load_proof(asked, None), asked, reviews)
    assert SAMPLES[3].id not in {one.id for one in train}
    assert [(one.id, "withheld" in reason) for one, reason in held] == [(SAMPLES[3].id, True)]


def test_a_review_moves_no_held_out_fact_into_training(job: Job, tmp_path: Path) -> None:
    from tests.made_run import sample

    many = [sample(f"What is number {n}?", f"{n} things.", source=f"There are {n} things.") for n in range(20)]
    jsonl.write(tmp_path / "samples.jsonl", [one.to_json() for one in many])
    half = jobs.of(load.load(load.Request(overrides={"mixing.heldout_share": 0.5})))
    proof: Proof = load_proof(half, tmp_path / "samples.jsonl")
    _, before = mix.divide(many, proof, half)
    reviews = Reviews(tmp_path / "reviews.jsonl")
    for one in many[:5]:
        reviews.decide(one.id, "edit", answer="something else")
    for one in many[5:9]:
        reviews.decide(one.id, "reject")
    train, after = mix.divide(many, proof, half, reviews)
    held = {one.id for one, reason in after if "proof" in reason}
    assert held == {one.id for one, _ in before} and len(held) == 10
    assert not held & {one.id for one in train}
