"""What a long command looks at before there is a run: a typo is told at once, with every fault, and leaves nothing."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from safetensors.numpy import save_file
from tests.whole_job import FIXTURES, TAXONOMY

from ilab.cli import job as jobs
from ilab.cli.main import cli
from ilab.config import load
from ilab.errors import ConfigError, MissingModel
from ilab.pipeline import knowledge
from ilab.runs import folder

PROOF = Path(__file__).parents[2] / "examples/phoenix/proof"
QUESTIONS, PLACEBO = PROOF / "questions.yaml", PROOF / "placebo.yaml"


def ilab(*arguments: object) -> Result:
    return CliRunner().invoke(cli, [str(word) for word in arguments])


def customize(*arguments: object) -> Result:
    return ilab("customize", "--taxonomy-path", TAXONOMY, *arguments)


@pytest.fixture
def no_run(_own_home: Path) -> Path:
    """The folder of runs; a test ends well only while nothing is in it."""
    return _own_home / "data" / "runs"


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A folder that looks like a model; nothing is asked of it."""
    made = tmp_path / "model"
    made.mkdir()
    (made / "config.json").write_text(json.dumps({"model_type": "llama", "max_position_embeddings": 64}))
    save_file({"a": np.zeros((2, 3), dtype=np.float32)}, made / "model.safetensors")
    return made


@pytest.mark.parametrize("command", ["customize", "train"])
def test_a_name_that_cannot_be_one_is_refused_before_any_work(command: str, tmp_path: Path, no_run: Path) -> None:
    rows = tmp_path / "rows.jsonl"
    rows.write_text("{}\n")
    arguments = ["--data-path", rows] if command == "train" else ["--taxonomy-path", TAXONOMY]
    ended = ilab(command, *arguments, "--name", "a b/../c")
    assert ended.exit_code == 3
    assert "'a b/../c' cannot be the name of a model" in ended.stderr and "hint:" in ended.stderr
    assert not no_run.exists()


def test_the_faults_of_all_files_come_at_once_before_any_work(tmp_path: Path, no_run: Path) -> None:
    bad = tmp_path / "bad.yaml"
    bad.write_text("schema_version: 1\nkind: questions\nfacts: []\ncolour: blue\n")
    neutral = tmp_path / "neutral.txt"
    neutral.write_text("\n\n")
    ended = ilab(
        "customize", "--taxonomy-path", "/nope", "--questions", bad, "--placebo", QUESTIONS, "--pipeline", "nosuch",
        "--set", "evaluation.keepset=/absent.yaml", "--set", f"evaluation.neutral_text={neutral}",
    )  # fmt: skip
    assert ended.exit_code == 3, ended.output
    for text in (
        f"{bad}:3: error: facts",
        f"{bad}:4: error: colour",
        f"{QUESTIONS}:2: error: kind: this is a file of kind `questions`, and one of kind `placebo` is wanted",
        "the keepset file /absent.yaml does not exist",
        f"{neutral}: error: it is empty",
        "nosuch: error: no such flow",
        "the taxonomy /nope does not exist",
    ):
        assert text in ended.stderr
    assert not no_run.exists()


def test_a_placebo_file_is_not_taken_for_questions(no_run: Path) -> None:
    ended = customize("--questions", PLACEBO)
    assert ended.exit_code == 3
    assert "this is a file of kind `placebo`, and one of kind `questions` is wanted" in ended.stderr
    assert not no_run.exists()


@pytest.mark.parametrize(
    ("arguments", "status", "text"),
    [
        (["--taxonomy-path", "/nope"], 3, "the taxonomy /nope does not exist"),
        (["--taxonomy-base", "no-such-branch"], 3, "no-such-branch"),
        (["--student", "nosuch"], 4, "there is no model 'nosuch'"),
        (["--judge", "/no/such/model"], 4, "/no/such/model"),
        (["--teacher", "pypi://other==1.0"], 4, "is not a known model package"),
        (["--student", "hf://org/model"], 3, "models cannot be fetched from hf://"),
    ],
)
def test_typos_leave_no_run(arguments: list[str], status: int, text: str, no_run: Path) -> None:
    ended = customize(*arguments)
    assert ended.exit_code == status, ended.output
    assert text in ended.stderr
    assert not no_run.exists()


def test_an_evaluation_without_questions_leaves_no_run(model: Path, no_run: Path) -> None:
    ended = ilab("model", "evaluate", "--benchmark", "knowledge", "--model", model, "--base-model", model)
    assert ended.exit_code == 3
    assert "no questions are given" in ended.stderr and "--questions" in ended.stderr
    assert not no_run.exists()


def test_an_evaluation_of_a_model_that_is_not_there_ends_at_once(model: Path, no_run: Path) -> None:
    ended = ilab(
        "model", "evaluate", "--benchmark", "knowledge", "--model", "nosuch", "--base-model", model,
        "--questions", QUESTIONS,
    )  # fmt: skip
    assert ended.exit_code == 4 and "there is no model 'nosuch'" in ended.stderr
    assert not no_run.exists()


def test_both_models_are_looked_up_before_one_is_asked(model: Path, tmp_path: Path) -> None:
    named = {"models.student": str(model), "evaluation.questions": str(QUESTIONS)}
    job = jobs.of(load.load(load.Request(overrides=named)))
    run = folder.create(tmp_path / "runs", "evaluate", argv=[], settings={})
    with pytest.raises(MissingModel):
        knowledge.evaluate(run, job, model="nosuch")
    assert list(run.stages.iterdir()) == []
    with pytest.raises(ConfigError):
        knowledge.proof_of(jobs.of(load.load()))


def test_llama_cpp_is_needed_with_a_teacher_elsewhere_too(no_run: Path) -> None:
    """Student and tuned model answer in words through it; without it the run would die after generation."""
    program = (
        "import sys\n"
        "sys.modules['xllamacpp'] = None\n"
        f"sys.argv = ['ilab', 'customize', '--taxonomy-path', {str(TAXONOMY)!r}, '--teacher-endpoint', 'http://x/v1']\n"
        "from ilab.cli.main import run\n"
        "run()\n"
    )
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert ended.returncode == 4
    assert "pip install 'openilab[serve]'" in ended.stderr
    assert not no_run.exists()


def test_the_manifest_names_the_commit_of_the_taxonomy(tmp_path: Path) -> None:
    tree = tmp_path / "taxonomy"
    shutil.copytree(TAXONOMY, tree)

    def inputs() -> dict[str, str]:
        return jobs.inputs_of(load.load(load.Request(overrides={"taxonomy.path": str(tree)})))

    def git(*arguments: str) -> str:
        who = ["-c", "user.name=t", "-c", "user.email=t@localhost"]
        environ = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
        done = subprocess.run(
            ["git", *who, *arguments], cwd=tree, env=environ, capture_output=True, text=True, check=True
        )  # fmt: skip
        return done.stdout.strip()

    assert inputs()["commit"] == ""
    git("init", "-q")
    git("add", ".")
    git("commit", "-q", "-m", "leaves")
    commit = git("rev-parse", "HEAD")
    assert inputs()["commit"] == commit
    (tree / "knowledge" / "note.txt").write_text("new")
    assert inputs()["commit"] == f"{commit}-dirty"


def test_question_files_of_the_right_kind_are_recorded_by_digest() -> None:
    named = {"evaluation.questions": str(QUESTIONS), "evaluation.keepset": str(FIXTURES / "keepset.yaml")}
    found = jobs.file_inputs(load.load(load.Request(overrides=named)))
    assert set(found) == {"questions", "keepset"}
    assert found["questions"]["path"] == str(QUESTIONS) and len(found["questions"]["digest"]) == 64
