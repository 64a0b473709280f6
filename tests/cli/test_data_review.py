"""`ilab data review` in a real terminal: one key a decision, undo, editing, and every decision on disk at once."""

import json
import os
import signal
import sys

import pytest
from click.testing import CliRunner
from tests.made_run import SAMPLES, made_run
from tests.terminal import CTRL_C, CTRL_D, Terminal

from ilab.base import jsonl
from ilab.cli.main import cli
from ilab.records.reviews import Reviews

OWN = SAMPLES[1:]
KEYS = "[q] end "


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.setenv("ILAB_HOME", str(tmp_path))
    monkeypatch.setenv("INPUTRC", "/dev/null")
    return made_run(tmp_path / "data" / "runs")


def review(tmp_path, *arguments):
    return Terminal([sys.executable, "-m", "ilab", "data", "review", *arguments], env={}, cwd=tmp_path)


def decisions(run):
    reviews = Reviews(run.folder / "reviews.jsonl")
    return [(found.decision, found.answer) if (found := reviews.of(one.id)) else None for one in OWN]


def test_one_key_for_every_decision(run, tmp_path):
    with review(tmp_path) as terminal:
        first = terminal.wait_for(KEYS)
        assert "1 of 4" in first and "question  What is the depth of Lake Mirra?" in first
        assert "source    Lake Mirra is 412 metres deep." in first and "line 3" in first
        assert "the text makes the answer likelier by 1.50 nats a token" in first
        terminal.type("a")
        assert "accepted" in terminal.wait_for(KEYS)
        assert decisions(run)[0] == ("accept", "")
        terminal.type("r")
        terminal.wait_for("3 of 4")
        terminal.wait_for(KEYS)
        terminal.type("x")
        terminal.wait_for(KEYS)
        terminal.type("s")
        last = terminal.wait_for(KEYS)
        assert "context   Ann saw the comet." in last
        terminal.type("q")
        assert terminal.end() == 0
        assert "1 accepted, 1 rejected, 0 edited, 2 open" in terminal.text
        assert "the next `ilab data generate` writes the training files anew" in terminal.text
    assert decisions(run) == [("accept", ""), ("reject", ""), None, None]


def test_undo_shows_the_sample_again_and_later_decisions_win(run, tmp_path):
    with review(tmp_path) as terminal:
        terminal.wait_for(KEYS)
        terminal.type("u")
        assert "nothing to undo" in terminal.wait_for(KEYS)
        terminal.type("r")
        terminal.wait_for("2 of 4")
        terminal.wait_for(KEYS)
        terminal.type("u")
        again = terminal.wait_for(KEYS)
        assert "undone: rejected" in again and "1 of 4" in again and "depth of Lake Mirra?" in again
        terminal.type("a")
        assert "2 of 4" in terminal.wait_for(KEYS)
        terminal.type(CTRL_C)
        assert terminal.end() == 0
    assert decisions(run) == [("accept", ""), None, None, None]


def test_an_answer_is_edited_in_its_line(run, tmp_path):
    with review(tmp_path) as terminal:
        terminal.wait_for(KEYS)
        terminal.type("e")
        terminal.wait_for("answer: 412 metres.")
        terminal.line(r" And\nmore.")
        assert "edited" in terminal.wait_for(KEYS)
        terminal.type("e")
        terminal.wait_for("answer: 412 metres.")
        terminal.line("")
        assert "left as it was" in terminal.wait_for(KEYS)
        terminal.type("q")
        terminal.end()
    assert decisions(run) == [("edit", "412 metres. And\nmore."), None, None, None]


def test_a_killed_review_keeps_every_decision(run, tmp_path):
    with review(tmp_path) as terminal:
        terminal.wait_for(KEYS)
        terminal.type("a")
        terminal.wait_for(KEYS)
        terminal.type("r")
        terminal.wait_for(KEYS)
        os.kill(terminal.process.pid, signal.SIGKILL)
        terminal.process.wait()
    with (run.folder / "reviews.jsonl").open("a") as file:
        file.write('{"sample": "torn')
    with review(tmp_path) as terminal:
        assert "Which ferry" in terminal.wait_for(KEYS), "what is decided is not asked again"
        terminal.type("r")
        terminal.wait_for(KEYS)
        terminal.type(CTRL_D)
        assert terminal.end() == 0
    assert decisions(run) == [("accept", ""), ("reject", ""), ("reject", ""), None]


def test_all_reviewed_and_again(run, tmp_path):
    reviews = Reviews(run.folder / "reviews.jsonl")
    for one in OWN:
        reviews.decide(one.id, "accept")
    with review(tmp_path) as terminal:
        assert terminal.end() == 0 and "every sample is reviewed" in terminal.text
    with review(tmp_path, "--again", "--leaf", "log") as terminal:
        shown = terminal.wait_for(KEYS)
        assert "1 of 1" in shown and "decided   accepted" in shown
        terminal.type("r")
        assert terminal.end() == 0
    assert decisions(run)[-1] == ("reject", "")


def test_the_list_and_no_terminal(run):
    def call(*arguments):
        return CliRunner().invoke(cli, ["data", "review", *arguments])

    assert "no sample is reviewed yet" in call("--list").stderr
    refused = call()
    assert refused.exit_code == 4 and "hint: `--list` prints the decisions without one" in refused.stderr
    reviews = Reviews(run.folder / "reviews.jsonl")
    reviews.decide(OWN[0].id, "reject")
    reviews.decide(OWN[2].id, "edit", answer="The old Nordlys.")
    assert call("--list").stdout.splitlines() == [
        "rejected  What is the depth of Lake Mirra? -> 412 metres.",
        "edited    Which ferry crosses the lake? -> The old Nordlys.",
    ]
    facts = json.loads(call("--list", "--json").stdout)
    assert [one["review"]["decision"] for one in facts] == ["reject", "edit"]


def test_a_damaged_file_is_told(run):
    jsonl.write(run.folder / "reviews.jsonl", [{"sample": "a", "decision": "maybe"}])
    told = CliRunner().invoke(cli, ["data", "review", "--list"])
    assert told.exit_code == 3 and "not a decision" in told.stderr
