"""`ilab model test` with two tiny models, which differ by their random weights only."""

import json
import re
from pathlib import Path

import pytest
from click.testing import CliRunner
from tests.tiny_model import make_tiny_model

from ilab.base import jsonl
from ilab.cli.main import cli
from ilab.models.store import ModelStore
from ilab.runs import folder as folders

TEXTS = ["Who mapped the lake? Ada Holm.", "When was it founded? In 1887.", "How deep is it? 412 metres."] * 3
ROWS = [{"question": f"When was {town} founded?", "answer": str(1801 + 13 * n)} for n, town in enumerate("ABCDE")]


@pytest.fixture(scope="module")
def models(tmp_path_factory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("models")
    return {name: make_tiny_model(folder / name, texts=TEXTS, seed=seed) for name, seed in (("base", 0), ("tuned", 1))}


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("ILAB_HOME", str(tmp_path / "home"))
    return tmp_path / "home" / "data"


def ilab(*arguments):
    few = ["--max-tokens", "4", "--set", "serving.threads=1"]
    return CliRunner().invoke(cli, ["model", "test", *few, *map(str, arguments)])


def test_the_newest_tuned_model_is_tested_against_its_base_on_what_its_run_was_asked(home, models, tmp_path):
    file = tmp_path / "q.yaml"
    facts = [
        {
            "id": str(n),
            "tier": "untaught",
            "questions": [row["question"]],
            "answer": row["answer"],
            "distractors": ["1"],
        }
        for n, row in enumerate(ROWS)
    ]
    file.write_text(json.dumps({"schema_version": 1, "kind": "questions", "facts": facts}))
    made = folders.create(home / "runs", "customize", argv=[], settings={"evaluation": {"questions": str(file)}})
    store = ModelStore(home / "models")
    store.add_folder("tiny", models["tuned"], provenance={"run": made.id, "base_model": str(models["base"])})

    result = ilab()
    better = "PASSED" in result.stdout
    assert result.exit_code == (0 if better else 1), result.output
    assert result.stdout.startswith(f"# MODEL TEST REPORT\n\n## BASE MODEL\n{models['base']}\n\n## MODEL\nlocal/tiny\n")
    first = result.stdout[result.stdout.index("### 1.") : result.stdout.index("### 2.")]
    gain = r"gain: +[+-]\d+\.\d\d nats; lead over wrong answers [+-]\d+\.\d\d -> [+-]\d+\.\d\d"
    assert re.fullmatch(rf"### 1\. When was B founded\?\nbase: +.*\ntuned: +.*\nexpected: +1814\n{gain}\n\n", first)
    assert "### 3." not in result.stdout, "the part that chose the checkpoint is not asked"
    (run,) = [path for path in (home / "runs").iterdir() if "-test-" in path.name]
    pairs = list(jsonl.read(run / "comparison.jsonl"))
    (again,) = [json.loads(ilab("--json").stdout)]
    assert again["pairs"] == pairs and again["better"] is better
    assert sum(pair["gain"] for pair in pairs) / 2 == pytest.approx(again["gain"])


def test_a_model_is_no_better_than_itself(home, models, tmp_path):
    same = ["--model", models["base"], "--base-model", models["base"]]
    result = ilab(*same, "--data-path", _rows(tmp_path), "--limit", "4")
    assert result.exit_code == 1
    assert "expected answer likelier   0 of 4, +0.00 nats on average" in result.stdout
    assert "FAILED: the tuned model answers no better than its base" in result.stdout
    assert "answers no better than" in result.stderr and "hint:" in result.stderr


def test_what_is_missing_is_told_before_any_work(home, models, tmp_path):
    nothing = ilab()
    assert nothing.exit_code == 4 and "no model is tuned yet" in nothing.stderr
    unknown = ilab("--model", models["tuned"])
    assert unknown.exit_code == 2 and "--data-path" in unknown.stderr
    assert ilab("--model", "nosuch", "--data-path", tmp_path / "none.yaml").exit_code == 2
    ModelStore(home / "models").add_folder("tiny", models["tuned"], provenance={"run": "1-customize-a"})
    gone = ilab()
    assert gone.exit_code == 4 and "run 1-customize-a, which made this model, is gone" in gone.stderr
    assert ilab("--base-model", "nosuch", "--data-path", _rows(tmp_path)).exit_code == 4
    assert not (home / "runs").exists()


def _rows(folder):
    jsonl.write(folder / "test.jsonl", ROWS)
    return folder / "test.jsonl"
