"""`ilab data mix`: what it prints, and what it refuses."""

import json

import pytest
from click.testing import CliRunner

from ilab.base import jsonl
from ilab.cli.main import cli


def row(number, content="answer"):
    return {"messages": [{"role": "user", "content": f"q{number}"}, {"role": "assistant", "content": content}]}


@pytest.fixture
def mix(tmp_path):
    jsonl.write(tmp_path / "a.jsonl", [*(row(number) for number in range(4)), row(9, "")])
    jsonl.write(tmp_path / "b.jsonl", [row(number + 10) for number in range(10)])
    (tmp_path / "one.yaml").write_text("datasets: [{path: a.jsonl, sampling_size: 6}]\nsys_prompt: One.\n")
    (tmp_path / "two.yaml").write_text("datasets: [{path: b.jsonl, sampling_size: 0.2}]\n")

    def run(*arguments):
        recipes = [word for name in ("one", "two") for word in ("--recipe", str(tmp_path / f"{name}.yaml"))]
        return CliRunner().invoke(cli, ["data", "mix", *recipes, "--output", str(tmp_path / "out.jsonl"), *arguments])

    return run


def test_the_table_shows_what_each_source_gave(mix, tmp_path):
    done = mix()
    assert done.exit_code == 0, done.output
    cells = [[cell.strip() for cell in line.split("|")[1:-1]] for line in done.stdout.splitlines() if "|" in line]
    assert cells == [
        ["Source", "Rows", "Taken", "Epochs", "Share"],
        ["a.jsonl", "4", "6", "1.50", "75.0%"],
        ["b.jsonl", "10", "2", "0.20", "25.0%"],
    ]
    assert done.stdout.splitlines()[-1] == f"Mixed Dataset saved to {tmp_path / 'out.jsonl'}"
    assert "a.jsonl: 1 rows were left out, because a turn of them is empty" in done.stderr
    rows = list(jsonl.read(tmp_path / "out.jsonl"))
    assert len(rows) == 8
    assert [one["messages"][0]["role"] for one in rows].count("system") == 6, "a recipe's prompt is for its own files"


def test_json_and_the_system_prompt(mix, tmp_path):
    done = mix("--json", "--seed", "7", "--system-prompt", "Both.")
    facts = json.loads(done.stdout)
    assert (facts["rows"], facts["seed"], facts["file"]) == (8, 7, str(tmp_path / "out.jsonl"))
    assert [(one["rows"], one["taken"], one["epochs"]) for one in facts["sources"]] == [(4, 6, 1.5), (10, 2, 0.2)]
    assert facts["sources"][0]["recipe"] == str(tmp_path / "one.yaml")
    assert all(one["messages"][0]["content"] == "Both." for one in jsonl.read(tmp_path / "out.jsonl"))


def test_a_file_is_replaced_only_when_asked(mix, tmp_path):
    (tmp_path / "out.jsonl").write_text("mine\n")
    refused = mix()
    assert refused.exit_code == 3 and "exists already" in refused.stderr and "--force" in refused.stderr
    assert (tmp_path / "out.jsonl").read_text() == "mine\n"
    assert mix("--force").exit_code == 0
    first = (tmp_path / "out.jsonl").read_bytes()
    assert mix("--force").exit_code == 0
    assert (tmp_path / "out.jsonl").read_bytes() == first


def test_faults_are_told_with_their_lines(mix, tmp_path):
    (tmp_path / "one.yaml").write_text("datasets:\n- {path: gone.jsonl}\n- {path: a.jsonl, sampling_sise: 1}\n")
    (tmp_path / "b.jsonl").write_text('{"text": 1}\n')
    refused = mix()
    assert refused.exit_code == 3 and refused.stdout == ""
    assert f"{tmp_path / 'one.yaml'}:2: error: path: there is no file" in refused.stderr
    assert "one.yaml:3: error: sampling_sise: there is no such key" in refused.stderr
    assert "did you mean `sampling_size`?" in refused.stderr
    assert f"{tmp_path / 'b.jsonl'}:1: error: no `messages`" in refused.stderr
    assert "Traceback" not in refused.stderr and not (tmp_path / "out.jsonl").exists()


def test_a_place_that_cannot_be_written_is_told(mix, tmp_path):
    (tmp_path / "file").write_text("mine")
    refused = CliRunner().invoke(
        cli, ["data", "mix", "--recipe", str(tmp_path / "one.yaml"), "--output", str(tmp_path / "file" / "out.jsonl")]
    )
    assert refused.exit_code == 3
    assert f"{tmp_path / 'file' / 'out.jsonl'} cannot be written" in refused.stderr and "bug" not in refused.stderr
    assert mix("--output", str(tmp_path)).exit_code == 3
