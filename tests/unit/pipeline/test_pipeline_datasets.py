"""Published training files, and the questions about what was held out of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from ilab.base import jsonl
from ilab.cli import job as jobs
from ilab.cli.main import cli
from ilab.config import load
from ilab.evaluation import questions
from ilab.pipeline import baseline, datasets, mix
from ilab.pipeline.datasets import Published
from ilab.pipeline.job import Job
from ilab.pipeline.prepare import Prepared
from ilab.records.chunks import Chunk
from ilab.records.reviews import Reviews
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


SKILLS = [
    Sample(
        id=f"k{n}", leaf=leaf, kind="freeform_skill", question=f"Rhyme {n} on {leaf}", answer="Done.", origin="pairs"
    )
    for n, leaf in enumerate(["skills/rhymes/short", "skills/rhymes_short", "skills/rhymes_short"])
]
CHUNK = Chunk(
    id="c1", leaf="knowledge/towns", source="towns.md", text="All towns of the valley.", tokens=6, domain="geography"
)


@pytest.fixture
def job() -> Job:
    return jobs.of(load.load(load.Request(overrides={"mixing.heldout_share": 0.5, "models.student": "/models/tiny"})))


@pytest.fixture
def stages(tmp_path: Path) -> Path:
    """The files of a run that `publish` reads."""
    jsonl.write(tmp_path / "generated" / "samples.jsonl", [one.to_json() for one in [*SAMPLES, *SKILLS]])
    jsonl.write(tmp_path / "prepared" / "chunks.jsonl", [CHUNK.to_json()])
    jsonl.write(tmp_path / "mixed" / "phase1.jsonl", [{"a": 1}])
    jsonl.write(tmp_path / "mixed" / "phase2.jsonl", [{"b": 2}])
    return tmp_path


def publish(stages: Path, job: Job, reviews: Reviews | None = None) -> Published:
    proof = baseline.load_proof(job, stages / "generated" / "samples.jsonl")
    prepared = Prepared(folder=stages / "prepared")
    return datasets.publish(
        stages / "mixed", prepared, stages / "generated", job, stages / "out", proof=proof, reviews=reviews
    )


def mixed(recipe: Path, out: Path) -> list[dict[str, Any]]:
    """What `ilab data mix` makes of a recipe."""
    done = CliRunner().invoke(cli, ["data", "mix", "--recipe", str(recipe), "--output", str(out)])
    assert done.exit_code == 0, done.output
    return list(jsonl.read(out))


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
    assert len(list((stages / "out").iterdir())) == 2 * 7


def test_a_set_that_was_broken_off_is_not_taken_for_a_published_one(stages: Path, job: Job) -> None:
    first = publish(stages, job)
    first.files[0].unlink()
    second = publish(stages, job)
    assert all(path.exists() for path in second.files) and second.files[1] != first.files[1]


def test_a_handwritten_questions_file_is_not_published_again(stages: Path, job: Job) -> None:
    file = publish(stages, job).questions
    named = jobs.of(load.load(load.Request(overrides={"evaluation.questions": str(file)})))
    assert publish(stages, named).questions is None


def test_the_recipes_mix_the_files_of_the_leaves_without_what_is_held_out(stages: Path, job: Job) -> None:
    made = publish(stages, job)
    assert made.questions is not None
    knowledge, skills = made.recipes
    stamp = knowledge.stem.removeprefix("knowledge_recipe_")
    assert skills.name == f"skills_recipe_{stamp}.yaml"
    assert sorted(path.name for path in (stages / "out" / f"node_datasets_{stamp}").iterdir()) == [
        "knowledge_towns_p07.jsonl",
        "knowledge_towns_p10.jsonl",
        "skills_rhymes_short.jsonl",
        "skills_rhymes_short_2.jsonl",
    ]
    first = mixed(knowledge, stages / "phase07.jsonl")
    second = mixed(skills, stages / "phase10.jsonl")
    proof = baseline.load_proof(job, stages / "generated" / "samples.jsonl")
    trained, held = mix.divide(SAMPLES, proof, job)
    assert len(trained) > 10 < len(held)
    assert len(first) == len(trained) and len(second) == 2 * len(trained) + len(SKILLS)
    said = {row["messages"][-1]["content"] for row in [*first, *second]}
    assert said == {one.answer for one in trained} | {"Done."}
    assert not said & {sample.answer for sample, _ in held}
    assert all(CHUNK.text in row["messages"][0]["content"] and row["unmask"] for row in first)
    assert {json.loads(row["metadata"]).get("dataset") for row in second} == {
        "document_knowledge_qa",
        "document_knowledge_qa_raft_p0.4",
        None,
    }


def test_questions_with_choices_are_published_with_a_task_that_finds_them(stages: Path, job: Job) -> None:
    choices = ["1701", "1708", "1715", "1722"]
    row = {"leaf": "knowledge/towns", "chunk": "c1", "question": "When was Aton founded?", "choices": choices, "key": 0}
    jsonl.write(stages / "generated" / "mmlu.jsonl", [row])
    made = publish(stages, job)
    assert publish(stages, job) == made, "published once"
    [nodes] = (stages / "out").glob("node_datasets_*")
    task = yaml.safe_load((nodes / "knowledge_towns_task.yaml").read_text())
    data = Path(task["dataset_kwargs"]["data_files"]["test"])
    assert data == nodes / "mmlubench_knowledge_towns.jsonl"
    [asked] = jsonl.read(data)
    assert (asked["choices"], asked["answer"], asked["subject"]) == (choices, 0, "geography")
    names = [one.name for one in datasets.listed(stages / "out")]
    assert names and not any("mmlubench" in name for name in names), "they test, and are nothing to train on"
    jsonl.write(stages / "generated" / "mmlu.jsonl", [{**row, "key": 1}])
    assert publish(stages, job) != made


def test_the_system_prompt_of_the_settings_is_in_the_recipes(stages: Path) -> None:
    settings = {"mixing.system_prompt": "You help.", "mixing.heldout_share": 0.0}
    made = publish(stages, jobs.of(load.load(load.Request(overrides=settings))))
    for recipe in made.recipes:
        rows = mixed(recipe, stages / f"{recipe.stem}.jsonl")
        assert all([turn["role"] for turn in row["messages"]] == ["system", "user", "assistant"] for row in rows)
        assert {row["messages"][0]["content"] for row in rows} == {"You help."}


def test_a_recipe_is_written_only_where_there_is_something_to_mix(stages: Path, job: Job) -> None:
    jsonl.write(stages / "generated" / "samples.jsonl", [one.to_json() for one in SKILLS])
    (only,) = publish(stages, job).recipes
    assert only.name.startswith("skills_recipe_")
    assert len(mixed(only, stages / "mixed.jsonl")) == len(SKILLS)


def test_what_a_person_rejected_or_edited_shows_in_the_files_of_the_leaves(stages: Path, job: Job) -> None:
    reviews = Reviews(stages / "reviews.jsonl")
    before = publish(stages, job, reviews)
    reviews.decide("k0", "reject")
    reviews.decide("k1", "edit", answer="Better.")
    after = publish(stages, job, reviews)
    assert after.recipes[1] != before.recipes[1], "published beside the earlier ones"
    rows = [row for row in mixed(after.recipes[1], stages / "mixed.jsonl") if "Rhyme" in row["messages"][0]["content"]]
    assert sorted(row["messages"][1]["content"] for row in rows) == ["Better.", "Done."]


def test_files_of_leaves_that_somebody_changed_are_written_again(stages: Path, job: Job) -> None:
    first = publish(stages, job)
    folder = stages / "out" / first.recipes[0].stem.replace("knowledge_recipe", "node_datasets")
    (folder / "knowledge_towns_p07.jsonl").unlink()
    second = publish(stages, job)
    assert second.recipes[0] != first.recipes[0]
    assert mixed(second.recipes[0], stages / "mixed.jsonl")


def test_files_of_leaves_are_listed_and_unfinished_ones_are_not(stages: Path, job: Job) -> None:
    publish(stages, job)
    hidden = stages / "out" / ".node_datasets.1.tmp"
    hidden.mkdir()
    (hidden / "a.jsonl").write_text("{}\n")
    names = [one.name for one in datasets.listed(stages / "out")]
    assert sum(name.startswith("node_datasets_") for name in names) == 4 and len(names) == 7
