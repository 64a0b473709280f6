"""`ilab data stats` and `ilab data show` on a run that was made without a model."""

import json

import pytest
from click.testing import CliRunner
from tests.made_run import CHUNKS, DEPTH, LEAF, PAGE, REJECTED, SAMPLES, SKILL, made_run

from ilab.base import jsonl
from ilab.cli.main import cli
from ilab.records.reviews import Reviews


@pytest.fixture
def runs(tmp_path, monkeypatch):
    monkeypatch.setenv("ILAB_HOME", str(tmp_path))
    return tmp_path / "data" / "runs"


def data(*arguments, code=0):
    result = CliRunner().invoke(cli, ["data", *map(str, arguments)], terminal_width=80)
    assert result.exit_code == code, result.output
    return result


def test_stats_of_a_run_fit_a_terminal_of_80_columns_and_name_every_question(runs):
    made_run(runs)
    lines = data("stats").stdout.splitlines()
    assert all(len(line) <= 80 for line in lines), lines
    text = "\n".join(lines)
    for question in ("Is it true?", "Does it stand alone?", "Is it clean?", "Is it varied?", "What repeats?"):
        assert question in text
    assert "  sentences with a question         50.0 %  should be above 80 %" in lines
    assert "    - none for: It was first mapped by Ada Holm in 1884." in lines
    assert "    - none for: Nobody counts the swans." in lines


def test_stats_as_data(runs, tmp_path):
    run = made_run(runs)
    facts = json.loads(data("stats", run.id, "--json").stdout)
    assert facts["run"] == run.id and facts["schema_version"] == 1
    assert facts["groups"]["document"]["figures"]["sentences"]["value"] == 0.5
    file = tmp_path / "a.jsonl"
    jsonl.write(file, [{"instruction": "How deep?", "input": "It is 5 m deep.", "output": "6 m."}])
    facts = json.loads(data("stats", file, "--json").stdout)
    assert facts["run"] is None and "document" not in facts["groups"]
    assert facts["groups"]["truth"]["figures"]["exact"]["value"] == 0


def test_stats_against_held_out_questions(runs, tmp_path):
    run = made_run(runs)
    file = tmp_path / "q.jsonl"
    jsonl.write(file, [{"user": SAMPLES[1].question, "assistant": "-"}])
    text = data("stats", run.id, "--against", file).stdout
    assert "held-out questions                20.0 %" in text and f"    - {SAMPLES[1].question}" in text


def test_bad_input_is_told(runs, tmp_path):
    assert "hint: `ilab data generate` starts one" in data("stats", code=4).stderr
    run = made_run(runs, finished=False)
    told = data("stats", run.id, code=1).stderr
    assert f"run {run.id} has no samples yet" in told and "ilab data show" in told
    assert "there is no file nothing.jsonl" in data("stats", "nothing.jsonl", code=4).stderr
    assert "is a folder" in data("stats", tmp_path, code=4).stderr
    file = tmp_path / "a.jsonl"
    file.write_text('{"a": 1}\n')
    assert f"{file}:1: error: neither a sample" in data("stats", file, code=3).stderr


@pytest.mark.parametrize("finished", [True, False])
def test_show_tells_the_funnel_and_the_coverage(runs, finished):
    run = made_run(runs, finished=finished)
    text = data("show", run.id, "--limit", "1").stdout
    assert "| facts      | 0     | 0          | 0      | 3    | 1          | 2    | 67 %  |" in text
    assert "| sentences  | 3     | 0          | 120    | 2    | 0          | 1    | 50 %  |" in text
    assert "      1  duplicate question\n         How deep is it? -> 412.\n" in text
    assert "      1  the teacher's answer could not be read\n         I am a model.\n" in text
    assert "teacher: 3 calls, 100 prompt tokens (10 cached), 20 written\n" in text
    assert "coverage: 2 of 4 sentences of the documents have a question (50 %)" in text
    assert "question  What is the depth of Lake Mirra?\nanswer    412 metres.\n" in text
    assert f"source    {DEPTH}\nplace     mirra.md, line 3, characters 9-42\n" in text
    assert ("units done so far" in text) is not finished
    assert all(len(line) <= 80 for line in text.splitlines())


def test_show_tells_which_leaves_fell_short_and_what_filling_gaps_gave(runs):
    run = made_run(runs)
    short = {"target": 8, "kept": 3, "rounds": 2, "reason": "the last round added nothing new"}
    file = run.stages / "02-generate" / "funnel.json"
    told = {"targets": {LEAF: short, SKILL: short | {"kept": 8}}, "coverage": {"before": 1}}
    file.write_text(json.dumps(json.loads(file.read_text()) | told))
    text = data("show").stdout
    assert "targets: 1 of 2 leaves have what they should\n" in text
    assert f"         {LEAF}: 3 of 8 after 2 more rounds: the last round added nothing new\n" in text
    assert "          1 of them had one before the gaps were filled\n" in text
    facts = json.loads(data("show", "--json").stdout)
    assert facts["targets"][LEAF] == short and facts["coverage"]["before"] == 1


def test_show_tells_what_the_judges_made_of_the_examples(runs):
    run = made_run(runs)
    asked = {"question": "How deep is Lake Mirra?", "answer": "415 metres."}
    ground = {
        "name": "ground", "right": 10, "wrong": 14, "unread": 0, "auc": 0.787, "pairs": 80, "by_kind": {},
        "decided_by": ["swapped", "number"], "usage": {},
        "thresholds": [{"options": {"min_gain": 0.1}, "right_kept": 1.0, "wrong_kept": 0.625}],
        "missed": [{"wrong": "number", "score": 1.1, **asked}],
    }  # fmt: skip
    untested = ground | {"name": "judge_pair", "right": 2, "auc": None, "pairs": 0, "thresholds": [], "missed": []}
    judges = {
        "ground": {"digest": "d", "trial": ground, "filters": True, "note": ""},
        "judge_pair": {"digest": "d", "trial": untested, "filters": True, "note": "too few of the examples fit it"},
    }
    file = run.stages / "02-generate" / "calibration.json"
    file.write_text(json.dumps({"version": 1, "judges": judges}))
    text = data("show").stdout
    assert "| ground     | 0.79 | 80    | >= 0.1    | 100 % | 62 %  | yes     |" in text
    assert "judge_pair: too few of the examples fit it\n" in text
    assert "415 metres" not in text
    wrong = data("show", "--rejected").stdout
    assert "ground is wrong about 1 of 24 cases:\n  number       How deep is Lake Mirra? -> 415 metres.\n" in wrong
    assert json.loads(data("show", "--json").stdout)["judges"]["ground"]["auc"] == 0.787


def test_show_as_data(runs):
    made_run(runs)
    facts = json.loads(data("show", "--json", "--limit", "2").stdout)
    assert facts["paths"]["facts"]["rejected"] == {"duplicate question": 1} and facts["teacher_tokens"]["calls"] == 3
    first = facts["samples"][0]
    place = first["place"]
    assert PAGE[place["start"] : place["end"]] == place["text"] == "Lake Mirra is **412 metres** deep"
    assert facts["coverage"]["share"] == 0.5
    rejected = json.loads(data("show", "--json", "--rejected").stdout)["rejected_rows"]
    assert [row["reason"] for row in rejected] == [row["reason"] for row in REJECTED]


def test_show_rejected_rows(runs):
    made_run(runs)
    text = data("show", "--rejected").stdout
    assert "reason    duplicate question\nquestion  How deep is it?\nanswer    412.\n" in text
    assert "teacher   I am a model.\n" in text and "made by" not in text


def test_show_counts_what_was_reviewed(runs):
    run = made_run(runs)
    Reviews(run.folder / "reviews.jsonl").decide(SAMPLES[1].id, "reject")
    assert "reviewed: 0 accept, 1 reject, 0 edit, 4 open" in data("show").stdout


def test_show_before_anything_is_generated(runs):
    run = made_run(runs, finished=False)
    for shard in (run.stages / "02-generate" / "shards").iterdir():
        shard.unlink()
    assert "nothing is generated yet" in data("show", run.id).stdout


def test_text_cannot_move_the_cursor(runs):
    run = made_run(runs)
    jsonl.write(
        run.stages / "02-generate" / "samples.jsonl",
        [{**SAMPLES[1].to_json(), "answer": "412 \x1b[2J metres.\x07", "chunk": CHUNKS[0].id}],
    )
    assert "\x1b" not in data("show").stdout and "\x1b" not in data("stats").stdout
