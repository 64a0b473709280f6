"""`ilab data generate` with a teacher over https, and with a document that is not in English."""

import json
import re
import time

import pytest
import yaml
from click.testing import CliRunner
from tests.openai_server import openai_server
from tests.whole_job import PAIRS, TAXONOMY, tiny_student

from ilab.cli.main import cli
from ilab.sdg import languages

SENTENCES = [
    ("Der See Mirra ist 412 Meter tief.", "Wie tief ist der See Mirra?", "412 Meter."),
    ("Er wurde 1887 von Ada Holm vermessen.", "Wer hat den See Mirra vermessen?", "Ada Holm."),
    ("Am östlichen Ufer liegt die Stadt Orrin.", "Welche Stadt liegt am östlichen Ufer?", "Orrin."),
    ("Orrin ist ein Fischereihafen.", "Was ist Orrin?", "Ein Fischereihafen."),
    ("In der Stadt leben 1940 Menschen.", "Wie viele Menschen leben in Orrin?", "1940 Menschen."),
]
GERMAN_PAIRS = (
    "Question: Wer hat den See Mirra zum ersten Mal vermessen?\nAnswer: Ada Holm hat den See vermessen.\n"
    "Question: Who was the first to measure the depth of the lake?\nAnswer: Ada Holm.\n"
)


@pytest.fixture(scope="module")
def student(tmp_path_factory):
    return tiny_student(tmp_path_factory.mktemp("student") / "tiny")


@pytest.fixture
def believing(tmp_path):
    """A flow whose judge, a model that knows nothing, is always believed."""
    flow = tmp_path / "believing.yaml"
    flow.write_text(re.sub("min_gain: .*", "min_gain: -100", PAIRS.read_text()))
    return flow


@pytest.fixture
def generate(tmp_path, monkeypatch, student):
    monkeypatch.setenv("ILAB_HOME", str(tmp_path / "home"))

    def run(url, *arguments, taxonomy=TAXONOMY):
        fixed = ["--taxonomy-path", str(taxonomy), "--taxonomy-base", "empty", "--endpoint-url", url]
        settings = {"models.judge": student, "models.student": student, "serving.threads": 1}
        flags = [word for name, value in settings.items() for word in ("--set", f"{name}={value}")]
        words = ["data", "generate", *fixed, "--sdg-scale-factor", "1", *flags, *map(str, arguments)]
        return CliRunner().invoke(cli, words)

    return run


@pytest.fixture
def german(tmp_path):
    leaf = tmp_path / "taxonomy" / "knowledge" / "geographie" / "mirra"
    leaf.mkdir(parents=True)
    pairs = [{"question": question, "answer": answer} for _, question, answer in SENTENCES]
    examples = [
        {"context": text, "questions_and_answers": [pairs[n], pairs[(n + 1) % 5], pairs[(n + 2) % 5]]}
        for n, (text, _, _) in enumerate(SENTENCES)
    ]
    head = {"version": 3, "domain": "Geographie", "created_by": "x", "document_outline": "Der See und seine Stadt"}
    head["document"] = {"path": "see.md"}
    (leaf / "qna.yaml").write_text(yaml.safe_dump({**head, "seed_examples": examples}, allow_unicode=True))
    (leaf / "see.md").write_text("# Mirra\n\n" + " ".join(text for text, _, _ in SENTENCES) + "\n")
    (leaf / "attribution.txt").write_text("Title: Mirra\n")
    return tmp_path / "taxonomy"


def written(tmp_path, name):
    [file] = (tmp_path / "home").rglob(f"02-generate/{name}")
    return [json.loads(line) for line in file.read_text().splitlines()]


def test_a_german_document_is_asked_about_in_german_only(generate, german, believing, tmp_path):
    pytest.importorskip("py3langid")
    with openai_server(lambda _: [GERMAN_PAIRS]) as server:
        made = generate(server.url, "--pipeline", believing, taxonomy=german)
    assert made.exit_code == 0, made.output
    assert "see.md is in German" in made.stderr and "only pairs will make something of it" in made.stderr
    kept = [row for row in written(tmp_path, "samples.jsonl") if row["origin"] != "seed"]
    assert [row["question"] for row in kept] == ["Wer hat den See Mirra zum ersten Mal vermessen?"]
    assert {row["language"] for row in kept} == {"de"}
    reasons = {row.get("question", ""): row["reason"] for row in written(tmp_path, "rejected.jsonl")}
    assert reasons["Who was the first to measure the depth of the lake?"] == languages.STRAYED
    assert reasons[""] == languages.NOT_ENGLISH


def test_a_flow_that_makes_nothing_of_german_is_told_with_those_that_do(generate, german, tmp_path):
    pytest.importorskip("py3langid")
    with openai_server(lambda _: [GERMAN_PAIRS]) as server:
        made = generate(server.url, "--pipeline", "simple", taxonomy=german)
    assert made.exit_code == 1
    assert "the flow `simple` makes nothing of it" in made.stderr and "full" in made.stderr
    assert languages.NOT_ENGLISH in made.stderr


@pytest.fixture
def authority(tmp_path):
    pytest.importorskip("cryptography")
    from tests.certificates import Authority

    return Authority(tmp_path)


def test_a_teacher_that_asks_for_a_certificate(generate, authority, believing, tmp_path):
    from tests.certificates import serving

    cert, key = authority.sign("client", password="s3same-0pen")
    password = tmp_path / "password"
    password.write_text("s3same-0pen\n")
    with serving(*authority.sign("server"), clients=authority.ca) as server:
        flags = ["--pipeline", believing, "--tls-ca", authority.ca, "--tls-client-cert", cert, "--tls-client-key", key]
        setting = f"models.teacher_tls_client_password_file={password}"
        made = generate(server.url, *flags, "--set", setting)
        assert made.exit_code == 0, made.output
        assert server.seen
        again = generate(server.url, *flags, "--tls-client-passwd", "s3same-0pen", "--sdg-scale-factor", "2")
        assert again.exit_code == 0, again.output
    kept = [file for file in (tmp_path / "home").rglob("*") if file.is_file() and b"s3same-0pen" in file.read_bytes()]
    assert kept == []


def test_a_server_that_is_not_trusted_is_told_at_once(generate, authority, believing):
    from tests.certificates import serving

    with serving(*authority.sign("server")) as server:
        began = time.monotonic()
        made = generate(server.url, "--pipeline", believing)
        assert made.exit_code == 1 and "Traceback" not in made.output
        assert time.monotonic() - began < 30
        assert "--tls-ca" in made.stderr
        trusting = generate(server.url, "--pipeline", believing, "--tls-insecure")
    assert trusting.exit_code == 0, trusting.output
    assert "is not checked" in trusting.stderr


def test_a_wrong_certificate_file_leaves_no_run(generate, tmp_path):
    made = generate("https://127.0.0.1:1/v1", "--tls-ca", tmp_path / "none.pem")
    assert made.exit_code == 3 and "none.pem" in made.stderr
    made = generate("https://127.0.0.1:1/v1", "--set", f"models.teacher_tls_client_password_file={tmp_path / 'none'}")
    assert made.exit_code == 3 and "password of the client key" in made.stderr
    assert not list((tmp_path / "home").rglob("MANIFEST*")) and not list((tmp_path / "home").rglob("stages"))
