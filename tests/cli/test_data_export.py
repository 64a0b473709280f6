"""`ilab data export`: files for other programs, with a card; nothing is replaced unasked."""

import json

import pytest
from click.testing import CliRunner
from tests.made_run import LEAF, SAMPLES, made_run

from ilab.base import jsonl
from ilab.cli.main import cli
from ilab.records.reviews import Reviews


@pytest.fixture
def taxonomy(tmp_path):
    leaf = tmp_path / "taxonomy" / LEAF
    leaf.mkdir(parents=True)
    (leaf / "attribution.txt").write_text("Title of work: Mirra\nLicense of the work: CC-BY-SA-4.0\n")
    return tmp_path / "taxonomy"


@pytest.fixture
def run(tmp_path, monkeypatch, taxonomy):
    monkeypatch.setenv("ILAB_HOME", str(tmp_path))
    return made_run(tmp_path / "data" / "runs", taxonomy=str(taxonomy))


def export(*arguments, code=0):
    result = CliRunner().invoke(cli, ["data", "export", *map(str, arguments)])
    assert result.exit_code == code, result.output
    return result


def test_a_run_as_sharegpt_with_its_card(run, tmp_path):
    out = tmp_path / "out" / "lakes.jsonl"
    told = export(run.id, "--format", "sharegpt", "--output", out, "--card").stdout
    assert told == f"5 rows written to {out}\ncard written to {out.parent / 'README.md'}\n"
    rows = list(jsonl.read(out))
    assert rows[1]["conversations"] == [
        {"from": "human", "value": SAMPLES[1].question},
        {"from": "gpt", "value": SAMPLES[1].answer},
    ]
    card = (out.parent / "README.md").read_text()
    assert f"- run: {run.id}" in card and f"- taxonomy commit: {'0' * 40}" in card and "- teacher: a-teacher" in card
    assert f"| {LEAF} | Mirra | CC-BY-SA-4.0 |  |" in card and f"| {LEAF} | 4 |" in card
    assert str(tmp_path) not in card, "a card tells nothing of the machine"


def test_reviewed_samples_are_exported_as_reviewed(run, tmp_path):
    reviews = Reviews(run.folder / "reviews.jsonl")
    reviews.decide(SAMPLES[1].id, "reject")
    reviews.decide(SAMPLES[2].id, "edit", answer="Just 412 metres.")
    out = tmp_path / "a.jsonl"
    export("last", "--format", "alpaca", "--output", out, "--card")
    assert [row["output"] for row in jsonl.read(out)] == ["412 metres.", "Just 412 metres.", "The Nordlys.", "Ann."]
    assert "0 accept, 1 reject, 1 edit, 3 open" in (tmp_path / "README.md").read_text()


def test_a_file_there_and_back(run, tmp_path):
    first, second, third = (tmp_path / f"{n}.jsonl" for n in range(3))
    export(run.id, "--format", "messages", "--output", first)
    export(first, "--format", "sharegpt", "--output", second)
    facts = json.loads(export(second, "--format", "messages", "--output", third, "--json").stdout)
    assert facts == {"files": [str(third)], "rows": 5, "left_out": 0}
    assert [row["messages"] for row in jsonl.read(third)] == [row["messages"] for row in jsonl.read(first)]


def test_training_rows_of_a_phase(run, tmp_path):
    rows = [{"messages": [{"role": "pretraining", "content": "text"}]}]
    rows += [{"messages": [{"role": "user", "content": "a?"}, {"role": "assistant", "content": "b"}]}]
    jsonl.write(run.stages / "04-mix" / "phase1.jsonl", rows)
    out = tmp_path / "a.jsonl"
    told = export(run.id, "--part", "phase1", "--format", "alpaca", "--output", out)
    assert list(jsonl.read(out)) == [{"instruction": "a?", "input": "", "output": "b"}]
    assert "1 rows were left out" in told.stderr
    assert (
        "has no phase2 yet"
        in export(run.id, "--part", "phase2", "--format", "alpaca", "--output", out, "-f", code=1).stderr
    )


def test_nothing_is_replaced_unasked(run, tmp_path):
    out = tmp_path / "a.jsonl"
    (tmp_path / "README.md").write_text("mine")
    refused = export(run.id, "--format", "alpaca", "--output", out, "--card", code=3)
    assert "README.md exists already" in refused.stderr and not out.exists()
    export(run.id, "--format", "alpaca", "--output", out)
    assert (
        "hint: give another --output, or --force"
        in export(run.id, "--format", "alpaca", "--output", out, code=3).stderr
    )
    export(run.id, "--format", "alpaca", "--output", out, "--card", "--force")
    assert (tmp_path / "README.md").read_text() != "mine"


def test_a_broken_file_leaves_nothing_behind(run, tmp_path):
    source, out = tmp_path / "in.jsonl", tmp_path / "out" / "a.jsonl"
    source.write_text('{"question": "a?", "answer": "b"}\nnot json\n')
    assert (
        f"{source}:2: error: not a JSON object" in export(source, "--format", "alpaca", "--output", out, code=3).stderr
    )
    assert list(out.parent.iterdir()) == []


def test_a_place_that_cannot_be_written_is_told(run, tmp_path):
    (tmp_path / "file").write_text("x")
    failed = CliRunner().invoke(
        cli, ["data", "export", run.id, "--format", "alpaca", "--output", f"{tmp_path}/file/x.jsonl"]
    )
    assert failed.exit_code == 3 and "cannot be written" in failed.output, failed.output
