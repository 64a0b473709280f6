"""Figures of a run and of a plain file; memory hardly grows with the rows."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from tests.made_run import SAMPLES, made_run, sample

from ilab.base import jsonl
from ilab.errors import UserFileError
from ilab.pipeline import data_figures, data_files
from ilab.pipeline.data_figures import Figures
from ilab.records.reviews import Reviews


def values(figures: Figures) -> dict[str, float]:
    return {f"{group.name}.{one.key}": one.value for group in figures.groups for one in group.figures}


def test_a_good_run_has_good_figures(tmp_path: Path) -> None:
    run = made_run(tmp_path)
    found = values(data_figures.measure(data_files.find(run.id, tmp_path)))
    assert (found["rows.rows"], found["rows.pairs"], found["rows.leaves"]) == (5, 5, 2)
    assert (found["truth.words"], found["truth.exact"], found["truth.order"]) == (1.0, 1.0, 0.0)
    assert found["alone.pointing"] == found["hygiene.leaks"] == found["hygiene.empty"] == 0
    assert found["repeats.exact"] == 0 and found["repeats.effective"] == 5
    assert found["document.sentences"] == 0.5 and found["document.in_chunks"] == 1.0
    assert found["seeds.copies"] == 0.0


def test_bad_rows_are_counted_and_shown(tmp_path: Path) -> None:
    run = made_run(tmp_path)
    bad = [
        sample("What does the document say?", "Lake Mirra is 999 metres deep."),
        sample("What is new?", "[Start of Answer] Pigs whistle loudly"),
        sample("Who wrote it?", "I cannot answer that, mail ann@example.org"),
        sample("Empty?", " "),
        replace(SAMPLES[1], id="again"),
    ]
    jsonl.write(run.stages / "02-generate" / "samples.jsonl", [one.to_json() for one in [*SAMPLES, *bad]])
    figures = data_figures.measure(data_files.find(run.id, tmp_path))
    found = values(figures)
    assert found["truth.exact"] < 1 and found["truth.order"] > 0 and found["alone.pointing"] > 0
    assert [found[f"hygiene.{key}"] for key in ("leaks", "refusals", "empty", "private")] == [1, 1, 1, 1]
    assert found["repeats.exact"] == found["repeats.near"] == pytest.approx(0.1)
    assert figures.examples["truth.exact"] == ["What does the document say? -> Lake Mirra is 999 metres deep."]
    assert not any("ann@example.org" in text for text in figures.examples.get("hygiene.private", []))


def test_what_is_held_out_and_trained_all_the_same_is_seen(tmp_path: Path) -> None:
    run = made_run(tmp_path)
    held = {**SAMPLES[3].to_json(), "reason": "held out for the proof"}
    refused = {**SAMPLES[1].to_json(), "reason": "rejected in review"}
    jsonl.write(run.stages / "04-mix" / "heldout.jsonl", [held, refused])
    clean = values(data_figures.measure(data_files.find(run.id, tmp_path)))
    assert clean["held_out.same"] == 0
    questions = tmp_path / "q.jsonl"
    questions.write_text(json.dumps({"user": "Which ferry crosses the lake?", "assistant": "-"}) + "\n")
    plain = tmp_path / "plain.jsonl"
    jsonl.write(plain, [one.to_json() for one in SAMPLES])
    told = values(data_figures.measure(data_files.find(str(plain), tmp_path), against=[questions]))
    assert told["held_out.same"] == pytest.approx(1 / 5)


def test_rejected_samples_of_a_review_do_not_count(tmp_path: Path) -> None:
    run = made_run(tmp_path)
    Reviews(run.folder / "reviews.jsonl").decide(SAMPLES[1].id, "reject")
    found = data_files.find(run.id, tmp_path)
    assert [item.id for item in found.items()] == [one.id for one in SAMPLES if one.id != SAMPLES[1].id]
    assert values(data_figures.measure(found))["rows.rows"] == 4


def test_conversations_are_taken_apart_and_texts_passed_over(tmp_path: Path) -> None:
    turns = [
        {"role": role, "content": text}
        for role, text in (("system", "s"), ("user", "a?"), ("assistant", "b"), ("user", "c?"), ("assistant", "d"))
    ]
    file = tmp_path / "messages.jsonl"
    jsonl.write(
        file,
        [
            {"messages": turns, "metadata": '{"leaf": "knowledge/x", "kind": "knowledge"}'},
            {"messages": [{"role": "pretraining", "content": "text"}]},
            {"messages": [{"role": "assistant", "content": "text"}]},
        ],
    )
    found = values(data_figures.measure(data_files.find(str(file), tmp_path)))
    assert [found[f"rows.{key}"] for key in ("rows", "pairs", "texts", "odd", "leaves")] == [3, 2, 1, 1, 1]


def test_nothing_and_nonsense(tmp_path: Path) -> None:
    file = tmp_path / "a.jsonl"
    file.write_text("")
    assert values(data_figures.measure(data_files.find(str(file), tmp_path)))["rows.rows"] == 0
    file.write_text('{"question": "a?", "answer": "b"}\n{"question": 3}\n')
    with pytest.raises(UserFileError) as caught:
        data_figures.measure(data_files.find(str(file), tmp_path))
    assert str(caught.value.faults[0]) == f"{file}:2: error: `question` is not a text"


_MEASURED = """
import json, re, sys
from pathlib import Path
from ilab.pipeline import data_figures, data_files
figures = data_figures.measure(data_files.DataFile(path=Path(sys.argv[1])))
print(re.search(r"VmHWM:\\s+(\\d+)", open("/proc/self/status").read())[1])
"""


def _peak_kib(file: Path) -> int:
    done = subprocess.run([sys.executable, "-c", _MEASURED, str(file)], capture_output=True, text=True, check=True)
    return int(done.stdout)


def test_memory_grows_by_a_few_hundred_bytes_a_row(tmp_path: Path) -> None:
    lot = random.Random(1)
    peaks = []
    for rows in (15_000, 40_000):
        file = tmp_path / f"{rows}.jsonl"
        with file.open("w") as out:
            for number in range(rows):
                words = " ".join(f"word{lot.randrange(5_000)}" for _ in range(6))
                row = {
                    "question": f"What is {words}?",
                    "answer": f"{number} {words}",
                    "leaf": f"knowledge/{number % 9}",
                }
                out.write(json.dumps(row) + "\n")
        peaks.append(_peak_kib(file))
    assert (peaks[1] - peaks[0]) * 1024 / 25_000 < 600, peaks
    assert peaks[1] < 120 * 1024, peaks


def test_training_rows_are_not_blamed_for_what_they_do_not_tell(tmp_path: Path) -> None:
    run = made_run(tmp_path)
    turns = [{"role": "user", "content": SAMPLES[0].question}, {"role": "assistant", "content": SAMPLES[0].answer}]
    jsonl.write(run.stages / "04-mix" / "phase1.jsonl", [{"messages": turns, "metadata": "{}"}])
    found = data_figures.measure(data_files.find(run.id, tmp_path, part="phase1"))
    assert [group.name for group in found.groups] == [
        "rows",
        "truth",
        "alone",
        "hygiene",
        "variety",
        "repeats",
        "held_out",
    ]
