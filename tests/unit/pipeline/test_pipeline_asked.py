"""Which questions a tuned model is tested on."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ilab.base import jsonl
from ilab.cli import job as jobs
from ilab.config import load
from ilab.errors import MissingError, NothingGenerated, UserFileError
from ilab.pipeline import asked
from ilab.pipeline.job import Job
from ilab.records.samples import Sample
from ilab.runs import folder as folders
from ilab.runs.folder import RunFolder

TOWNS = [f"{letter}ton" for letter in "ABCDEFGHIJKLMNOPQRST"]
YAML = """\
schema_version: 1
kind: questions
facts:
  - {id: a, tier: taught, questions: ["When?", "Which year?"], answer: "1701", distractors: ["1702"]}
  - {id: b, tier: taught, questions: ["Who?"], answer: Ada Holm, distractors: [Ida Berg]}
"""


@pytest.fixture
def job() -> Job:
    return jobs.of(load.load())


def run_with(root: Path, **settings: object) -> RunFolder:
    recorded = {"evaluation": settings, "mixing": {"heldout_share": 0.5, "no_longer_known": 1}}
    return folders.create(root, "customize", argv=[], settings=recorded)


def samples() -> list[Sample]:
    return [
        Sample(
            id=town,
            leaf="knowledge/towns",
            kind="knowledge",
            question=f"When was {town} founded?",
            answer=str(1701 + number),
            origin="facts",
            chunk="c",
        )
        for number, town in enumerate(TOWNS)
    ]


def test_a_questions_file_is_asked_as_it_is(tmp_path: Path) -> None:
    file = tmp_path / "q.yaml"
    file.write_text(YAML)
    assert [fact.id for fact in asked.from_file(file)] == ["a", "b"]


def test_rows_of_messages_and_of_older_files_are_asked(tmp_path: Path) -> None:
    turns = [{"role": "system", "content": "s"}, {"role": "user", "content": "A?"}]
    rows = [
        {"messages": [*turns, {"role": "assistant", "content": "1701"}]},
        {"messages": [{"role": "pretraining", "content": "a text"}]},
        {"question": "B?", "answer": "1702", "reason": "held out"},
        {"system": "s", "user": "C?", "assistant": "1703"},
        {"question": "D?", "answer": "1704"},
    ]
    file = tmp_path / "test.jsonl"
    jsonl.write(file, rows)
    found = asked.from_file(file)
    assert [fact.questions for fact in found] == [("A?",), ("B?",), ("C?",), ("D?",)]
    assert [fact.answer for fact in found] == ["1701", "1702", "1703", "1704"]
    assert all(len(fact.distractors) == 3 for fact in found)


def test_every_row_that_cannot_be_asked_is_told(tmp_path: Path) -> None:
    file = tmp_path / "test.jsonl"
    file.write_text('{"messages": []}\n{"question": "A?", "answer": "1"}\n{"question": "B?"}\n')
    with pytest.raises(UserFileError) as caught:
        asked.from_file(file)
    assert [fault.line for fault in caught.value.faults] == [1, 3]
    file.write_text('{"question": "A?", "answer": "1"}\n')
    with pytest.raises(NothingGenerated):
        asked.from_file(file)


def test_a_run_gives_the_part_that_chose_no_checkpoint(tmp_path: Path, job: Job) -> None:
    run = run_with(tmp_path)
    jsonl.write(run.stages / "02-generate" / "samples.jsonl", [one.to_json() for one in samples()])
    found = asked.from_run(run, job)
    assert 4 <= len(found.facts) <= 5, "half of the half that was held out"
    assert {fact.tier for fact in found} == {"untaught"}


def test_a_run_gives_the_questions_that_it_was_started_with(
    tmp_path: Path, job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("q.yaml").write_text(YAML)
    run = run_with(tmp_path / "runs", questions="q.yaml", keepset="gone.yaml")
    monkeypatch.chdir("/")
    assert [fact.id for fact in asked.from_run(run, job)] == ["b"]
    (tmp_path / "q.yaml").unlink()
    with pytest.raises(MissingError, match=r"are gone: .*/q.yaml") as caught:
        asked.from_run(run, job)
    assert "--data-path" in caught.value.hint


def test_a_run_that_kept_too_little_says_so(tmp_path: Path, job: Job) -> None:
    run = run_with(tmp_path)
    with pytest.raises(MissingError, match="kept no questions"):
        asked.from_run(run, job)
    jsonl.write(run.stages / "02-generate" / "samples.jsonl", [one.to_json() for one in samples()[:3]])
    with pytest.raises(MissingError, match="too few facts"):
        asked.from_run(run, job)
    assert json.loads((run.folder / "manifest.json").read_text())["settings"]["mixing"]["no_longer_known"] == 1
