"""`ilab data generate --plan` over a real server on loopback, and `ilab data cache`."""

import json
import os
from pathlib import Path

import pytest
from click.testing import CliRunner
from tests import teacher_server
from tests.openai_server import openai_server
from tests.whole_job import TAXONOMY, tiny_student

from ilab.base import jsonl
from ilab.cli.main import cli

HOUR = 3600.0


def answer(text):
    return [teacher_server.answer([{"role": "user", "content": text}])]


@pytest.fixture(scope="module")
def student(tmp_path_factory) -> Path:
    return tiny_student(tmp_path_factory.mktemp("student") / "tiny")


@pytest.fixture(scope="module")
def server():
    with openai_server(answer) as running:
        yield running


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("ILAB_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("TMPDIR", str(tmp_path / "tmp"))
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "tmp"))
    return tmp_path / "home"


@pytest.fixture
def generate(home, student, server):
    """`ilab data generate` on the fixtures with `server` as the teacher."""

    def run(*arguments, taxonomy=TAXONOMY, url=server.url):
        settings = {"models.judge": student, "models.student": student, "serving.threads": 1}
        flags = [word for name, value in settings.items() for word in ("--set", f"{name}={value}")]
        words = ["data", "generate", "--taxonomy-path", str(taxonomy), "--taxonomy-base", "empty", *flags]
        return CliRunner().invoke(cli, [*words, "--endpoint-url", url, "--sdg-scale-factor", "2", *arguments])

    return run


def cache(*arguments, code=0, **more):
    result = CliRunner().invoke(cli, ["data", "cache", *map(str, arguments)], **more)
    assert result.exit_code == code, result.output
    return result


def files_below(folder):
    return sorted(path.name for path in folder.rglob("*") if path.is_file()) if folder.exists() else []


def test_a_plan_counts_asks_a_pilot_and_keeps_nothing_but_its_answers(generate, server, home):
    asked = len(server.requests)
    made = generate("--plan")
    assert made.exit_code == 0, made.output
    text = made.stdout
    assert "| knowledge/geography/lakes/mirra       | knowledge      | 15    | 1      | 2    |" in text
    assert "| freeform_skill | variations | 1     | 2 to 4 | 0              |" in text
    assert "| knowledge      | facts      | 1     | 0      | 0              |" in text
    assert "are answered in the journal" in text and "Expected, by the pilot:" in text
    assert "time: about" in text or " to " in text.partition("time: ")[2]
    calls = len(server.requests) - asked
    assert calls > 10
    assert not (home / "data" / "runs").exists() and files_below(home / "data" / "datasets") == []
    assert not list(Path(os.environ["TMPDIR"]).iterdir()), "the scratch folder is gone"
    (journal,) = (home / "cache" / "journal").glob("*.jsonl")
    assert jsonl.count(journal) == calls

    again = generate("--plan", "--json")
    assert len(server.requests) - asked == calls, "the journal has it all"
    facts = json.loads(again.stdout)
    paths = {(path["section"], path["path"]): path for path in facts["paths"]}
    sentences = paths["knowledge", "sentences"]
    assert sentences["answered"] == sentences["least"] == sentences["most"] == sentences["outlook"]["calls"]["value"]
    assert facts["total"]["open_calls"]["value"] == 0 and facts["pilot"]["calls"] == 0
    assert facts["seconds"] is not None and facts["journal"] == str(journal)
    assert {leaf["leaf"]: leaf["seeds"] for leaf in facts["leaves"]}["knowledge/geography/lakes/mirra"] == 15

    expected = {way: path["outlook"]["samples"]["value"] for way, path in paths.items()}
    real = generate("--set", "sdg.rounds=0")
    assert real.exit_code == 0, real.output
    assert len(server.requests) - asked == calls, "the run asks for nothing that the plan has asked"
    shown = json.loads(CliRunner().invoke(cli, ["data", "show", "--json"]).stdout)
    assert shown["paths"]["sentences"]["calls"] == shown["paths"]["sentences"]["remembered"] == sentences["least"]
    kept = shown["paths"]["facts"]["kept"]
    assert 0.9 * expected["knowledge", "facts"] < kept <= expected["knowledge", "facts"], "but for repeats"


def test_without_a_pilot_nobody_is_asked_and_nothing_is_kept(generate, server, home):
    asked = len(server.requests)
    made = generate("--plan", "--no-pilot", "--json")
    assert made.exit_code == 0, made.output
    facts = json.loads(made.stdout)
    assert facts["total"] is None and facts["pilot"] is None and facts["seconds"] is None
    assert len(server.requests) == asked and not (home / "cache" / "journal").exists()


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (["--plan", "--detached"], 2, "--plan and --detached do not go together"),
        (["--plan", "--run", "last"], 2, "--plan and --run do not go together"),
        (["--no-pilot"], 2, "--no-pilot goes with --plan"),
        (["--plan", "--pipeline", "grand"], 3, "no flow named `grand`"),
    ],
)
def test_what_does_not_go_is_told(generate, home, arguments, code, told):
    made = generate(*arguments)
    assert made.exit_code == code and told in made.stderr, made.output
    assert "Traceback" not in made.output and not (home / "data" / "runs").exists()


def test_a_plan_without_documents_or_without_a_teacher_is_an_error(generate, tmp_path):
    (tmp_path / "empty").mkdir()
    made = generate("--plan", taxonomy=tmp_path / "empty")
    assert made.exit_code == 3 and "no qna.yaml found" in made.stderr, made.output
    down = generate("--plan", "--teacher-model", "m", url="http://127.0.0.1:9")
    assert down.exit_code == 1 and "cannot reach http://127.0.0.1:9/v1" in down.stderr, down.output
    assert not list(Path(os.environ["TMPDIR"]).iterdir())


def test_the_cache_is_listed_and_pruned(generate, home):
    assert "no answers are kept yet" in cache().stderr
    assert "there is nothing to remove" in cache("--prune").stderr
    assert generate("--plan").exit_code == 0
    (facts,) = json.loads(cache("--json").stdout)
    assert facts["teacher"].endswith("/v1 org/tiny") and facts["answers"] > 10 and facts["size"] > 1000
    assert f"| {facts['teacher']} | {facts['answers']} " in cache().stdout
    assert "there is nothing to remove" in cache("--prune", "--older-than", "1d", "--yes").stderr
    refused = cache("--prune", "--older-than", "0h", input="n\n", code=1)
    assert (
        f"{facts['answers']} answers of {facts['teacher']}" in refused.stderr
        and "nothing was removed" in refused.stderr
    )
    assert Path(facts["path"]).exists()
    (removed,) = json.loads(cache("--prune", "--older-than", "0h", "--yes", "--json").stdout)
    assert removed["answers"] == facts["answers"] and not Path(facts["path"]).exists()


@pytest.mark.parametrize("age", ["soon", "-3d", "3x", "", "99999999999w"])
def test_an_age_that_is_none_is_told(home, age):
    told = cache("--prune", f"--older-than={age}", code=2).stderr
    assert "--older-than" in told and "Traceback" not in told
