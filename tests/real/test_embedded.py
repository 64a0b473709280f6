"""The embedded model through the whole job at a reduced size: it must really learn. Minutes; marker `real`."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from ilab.documents.read import read_documents
from ilab.documents.settings import DocumentSettings
from ilab.documents.source import Source

pytestmark = [pytest.mark.real, pytest.mark.timeout(1500)]

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "examples" / "phoenix"


def small_page(folder: Path) -> Path:
    """The first part of the page as a leaf with its document beside it."""
    leaf = folder / "knowledge" / "phoenix"
    leaf.mkdir(parents=True)
    page = (EXAMPLE / "documents" / "phoenix_constellation.md").read_text()
    (leaf / "page.md").write_text(page.split("## Characteristics")[0])
    source = EXAMPLE / "taxonomy/knowledge/science/astronomy/constellations/phoenix"
    text = (source / "qna.yaml").read_text()
    head, _, _ = text.partition("document:\n")
    (leaf / "qna.yaml").write_text(head + "document:\n  path: page.md\n")
    shutil.copyfile(source / "attribution.txt", leaf / "attribution.txt")
    return folder


def small_questions(path: Path, leaf: Path) -> Path:
    """The held-out questions whose answer stands in that part."""
    source = Source(leaf="knowledge/phoenix", base_folder=leaf, path="page.md")
    [document] = read_documents(source, settings=DocumentSettings(), cache_dir=leaf).whole
    content = yaml.safe_load((EXAMPLE / "proof" / "questions.yaml").read_text())
    plain = " ".join(document.text.split())
    content["facts"] = [fact for fact in content["facts"] if " ".join(fact["source"].split()) in plain]
    path.write_text(yaml.safe_dump(content, allow_unicode=True))
    return path


def test_the_embedded_model_learns_a_page_and_forgets_little(tmp_path: Path) -> None:
    taxonomy = small_page(tmp_path / "taxonomy")
    questions = small_questions(tmp_path / "questions.yaml", taxonomy / "knowledge/phoenix")
    settings = {
        "training.checkpoints_per_phase": 1,
        "mixing.keep_rows": 12,
        "mixing.statement_repeats": 3,
        "mixing.document_repeats": 3,
        "evaluation.resamples": 2000,
        "evaluation.open_book": "false",
        "evaluation.keep_selection_every": 2,
    }
    flags = [word for name, value in settings.items() for word in ("--set", f"{name}={value}")]
    command = [
        sys.executable, "-m", "ilab", "customize", "--taxonomy-path", str(taxonomy), "--taxonomy-base", "empty",
        "--questions", str(questions), "--name", "small", "--json", *flags,
    ]  # fmt: skip
    environ = {**os.environ, "ILAB_HOME": str(tmp_path / "home")}
    ended = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=1400)
    assert ended.returncode == 0, ended.stderr
    accuracy = json.loads(ended.stdout)["accuracy"]
    assert accuracy["tuned"]["estimate"] >= accuracy["base"]["estimate"] + 0.1, accuracy
    assert accuracy["keep"]["estimate"] > -0.08, accuracy
    [run] = (tmp_path / "home" / "data" / "runs").iterdir()
    card = json.loads((run / "stages" / "08-evaluate" / "scorecard.json").read_text())
    surprise = card["gains"]["bits_per_byte"]["document"]
    assert surprise["high"] < -0.5, "the right answers have become far less surprising, beyond any doubt"
