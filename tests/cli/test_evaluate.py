"""`ilab model evaluate` with two tiny models: the numbers on the screen and the reports in the run folder."""

import json

import pytest
from click.testing import CliRunner
from tests.tiny_model import make_tiny_model
from tests.whole_job import FIXTURES

from ilab.cli.main import cli

TEXTS = ["Who mapped the lake? Ada Holm.", "When was it founded? In 1887."] * 3


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    return [make_tiny_model(folder / name, texts=TEXTS, seed=seed) for seed, name in enumerate(("base", "tuned"))]


def test_it_writes_both_reports(models, tmp_path, monkeypatch):
    monkeypatch.setenv("ILAB_HOME", str(tmp_path / "home"))
    facts = [
        {"id": str(n), "tier": "untaught", "questions": [f"When {n}?"], "answer": str(1801 + n), "distractors": ["1"]}
        for n in range(4)
    ]
    file = tmp_path / "q.yaml"
    file.write_text(json.dumps({"schema_version": 1, "kind": "questions", "facts": facts}))
    settings = {"evaluation.keepset": FIXTURES / "keepset.yaml", "evaluation.resamples": 200, "serving.threads": 1}
    flags = [word for name, value in settings.items() for word in ("--set", f"{name}={value}")]
    base, tuned = map(str, models)
    words = ["model", "evaluate", "--benchmark", "knowledge", "--model", tuned, "--base-model", base]
    result = CliRunner().invoke(cli, [*words, "--questions", str(file), *flags])
    assert result.exit_code == 0, result.output
    assert f"## BASE MODEL\n{base}\n\n## MODEL\n{tuned}\n" in result.stdout
    (run,) = (tmp_path / "home" / "data" / "runs").iterdir()
    assert result.stdout.rstrip().endswith(f"report   {run / 'report.html'}")
    recorded = json.loads((run / "result.json").read_text())
    for name in recorded["reports"]:
        text = (run / name).read_text()
        assert recorded["headline"] in text and "When 3?" in text and "stages/02-model/answers.jsonl" in text
