"""`ilab taxonomy diff` over real files and a real git repository."""

import json
import subprocess
import sys
import urllib.parse

import pytest
from click.testing import CliRunner
from tests.terminal import Terminal

from ilab.cli.main import cli

EXAMPLE = "  - question: What is {number} plus one?\n    answer: It is {next}.\n"
SKILL = "version: 3\ncreated_by: someone\ntask_description: Add one to a number.\nseed_examples:\n" + "".join(
    EXAMPLE.format(number=number, next=number + 1) for number in range(1, 6)
)
NAME = "compositional_skills/math/adding/qna.yaml"


@pytest.fixture
def taxonomy(tmp_path, monkeypatch):
    monkeypatch.setenv("ILAB_HOME", str(tmp_path / "home"))
    folder = tmp_path / "taxonomy"
    write(folder, NAME, SKILL)
    return folder


def write(taxonomy, name, text):
    file = taxonomy / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    file.with_name("attribution.txt").write_text("Title of work: none\n")


def git(folder, *arguments):
    identity = ["-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "init.defaultBranch=main"]
    subprocess.run(["git", *identity, *arguments], cwd=folder, check=True, capture_output=True)


def diff(taxonomy, *arguments):
    return CliRunner().invoke(cli, ["taxonomy", "diff", "--taxonomy-path", str(taxonomy), *arguments])


def test_a_valid_taxonomy_is_told_as_the_reference_does(taxonomy):
    result = diff(taxonomy)
    assert (result.exit_code, result.stdout, result.stderr) == (0, f"{NAME}\nTaxonomy in {taxonomy} is valid :)\n", "")


def test_every_finding_has_its_place_and_the_exit_status_is_that_of_a_wrong_file(taxonomy):
    write(taxonomy, NAME, SKILL.replace("description: Add", "description: now: Add") + "# " + "x" * 130 + "\n")
    write(taxonomy, "knowledge/a/qna.yaml", "version: 3\n")
    result = diff(taxonomy)
    assert result.exit_code == 3
    names, found = result.stdout.splitlines()[:2], result.stdout.splitlines()[2:]
    assert names == [NAME, "knowledge/a/qna.yaml"]
    assert found[0] == f"{NAME}:3:22 error syntax error: mapping values are not allowed here (syntax)"
    assert found[1].startswith("  mend: a value that contains `: ` needs quotes around it")
    assert f"{NAME}:15:121 warning line too long (132 > 120 characters) (line-length)" in found
    assert any(line.startswith("knowledge/a/qna.yaml:1:1 error ") for line in found)
    assert result.stderr == "Reading taxonomy failed with the following error: 2 taxonomies with errors! Exiting.\n"


def test_a_leaf_whose_document_is_not_filled_in_is_not_valid(taxonomy):
    document = "document:\n  repo: ${REPO}\n  commit: ${COMMIT}\n  patterns: [a.md]\n"
    write(taxonomy, "knowledge/a/qna.yaml", f"version: 3\n{document}")
    result = diff(taxonomy)
    assert result.exit_code == 3 and "is valid" not in result.stdout
    assert (
        "knowledge/a/qna.yaml:3:9 error `repo` still has the placeholder `${REPO}` (placeholder)\n  mend: fill it in\n"
        in result.stdout
    )
    assert "knowledge/a/qna.yaml:4:11 error `commit` still has the placeholder `${COMMIT}`" in result.stdout


def test_one_file_with_errors_is_counted_as_one(taxonomy):
    write(taxonomy, NAME, "version: 3\n")
    assert "1 taxonomy with errors! Exiting." in diff(taxonomy).stderr


def test_quiet_leaves_the_exit_status(taxonomy):
    assert (diff(taxonomy, "--quiet").exit_code, diff(taxonomy, "--quiet").output) == (0, "")
    write(taxonomy, NAME, "version: 3\n")
    assert (diff(taxonomy, "--quiet").exit_code, diff(taxonomy, "--quiet").output) == (3, "")


def test_json(taxonomy):
    write(taxonomy, NAME, SKILL.replace("seed_examples", "seed_exmples"))
    result = diff(taxonomy, "--json")
    assert result.exit_code == 3
    facts = json.loads(result.stdout)
    assert (facts["changed"], facts["valid"], facts["base"]) == ([NAME], False, "empty")
    (finding,) = facts["findings"]
    assert (finding["path"], finding["line"], finding["column"]) == (NAME, 4, 1)
    assert "seed_examples" in finding["hint"]
    assert (finding["rule"], finding["severity"]) == ("unknown-key", "error")


def test_only_leaves_changed_since_the_base_are_listed(taxonomy):
    git(taxonomy, "init")
    git(taxonomy, "add", ".")
    git(taxonomy, "commit", "-m", "first")
    other = NAME.replace("adding", "more")
    write(taxonomy, other, SKILL)
    result = diff(taxonomy, "--taxonomy-base", "main")
    assert result.stdout == f"{other}\nTaxonomy in {taxonomy} is valid :)\n"
    unknown = diff(taxonomy, "--taxonomy-base", "nowhere")
    assert unknown.exit_code == 3
    assert "git knows no branch, tag or commit `nowhere`" in unknown.stderr and "`main`" in unknown.stderr


def test_own_rules_and_strictness(taxonomy, tmp_path):
    pytest.importorskip("yamllint")
    rules = tmp_path / "rules.yaml"
    rules.write_text("rules: {line-length: {max: 20, level: error}}\n")
    result = diff(taxonomy, "--yaml-rules", str(rules))
    assert result.exit_code == 0
    assert "warning line too long" in result.stdout
    assert diff(taxonomy, "--yaml-rules", str(rules), "--strict").exit_code == 3


def test_a_taxonomy_that_is_not_there_or_empty(taxonomy, tmp_path):
    result = diff(tmp_path / "nowhere")
    assert result.exit_code == 3
    assert f"the taxonomy {tmp_path / 'nowhere'} does not exist" in result.stderr and "hint:" in result.stderr
    default = CliRunner().invoke(cli, ["diff"])
    assert default.exit_code == 3
    assert str(tmp_path / "home" / "data" / "taxonomy") in default.stderr
    (tmp_path / "empty").mkdir()
    assert "no qna.yaml found" in diff(tmp_path / "empty").stderr


PRODUCT = "knowledge/technical_documents/product_customer_cases/qna.yaml"
PAIRS = "".join(f"      - question: Q{n}?\n        answer: A{n}.\n" for n in range(3))
CASES = "version: 3\ncreated_by: someone\ndomain: products\nseed_examples:\n" + "".join(
    f"  - context: |\n      Case {n}\n    questions_and_answers:\n{PAIRS}" for n in range(5)
)
CASES += "document_outline: Cases.\ndocument:\n  repo: https://example.com/x\n  commit: 0a1b2c3\n  patterns: [a.md]\n"


@pytest.fixture
def product(tmp_path, monkeypatch):
    """A taxonomy in git with one new knowledge leaf, as in the documentation of the reference."""
    monkeypatch.setenv("ILAB_HOME", str(tmp_path / "home"))
    folder = tmp_path / "cases"
    write(folder, NAME, SKILL)
    git(folder, "init")
    git(folder, "add", ".")
    git(folder, "commit", "-m", "first")
    write(folder, PRODUCT, CASES)
    return folder


def test_the_documented_transcript_of_a_valid_leaf(product):
    result = diff(f"{product}/", "--taxonomy-base", "main")
    assert result.output == f"{PRODUCT}\nTaxonomy in {product} is valid :)\n"


def test_the_documented_transcript_of_an_invalid_leaf(product):
    write(product, PRODUCT, CASES.replace("question: Q0?", "question: Q: 0?"))
    lines = diff(product, "--taxonomy-base", "main").output.splitlines()
    documented = [
        "8:20 error syntax error: mapping values are not allowed here (syntax)",
        "Reading taxonomy failed with the following error: 1 taxonomy with errors! Exiting.",
    ]
    assert lines[0] == PRODUCT
    assert f"{PRODUCT}:{documented[0]}" in lines
    assert lines[-1] == documented[1]


def test_a_long_line_is_told_as_documented_and_is_no_error(product):
    write(product, PRODUCT, CASES.replace("Case 0", "x" * 398))
    result = diff(product, "--taxonomy-base", "main")
    assert result.exit_code == 0
    assert f"{PRODUCT}:6:121 warning line too long (404 > 120 characters) (line-length)" in result.output.splitlines()
    assert diff(product, "--taxonomy-base", "main", "--strict").exit_code == 3


# --- SARIF ---


def assert_sarif(log):
    """What SARIF 2.1.0 demands of the parts that are used."""
    assert log["version"] == "2.1.0" and log["$schema"].endswith("sarif-schema-2.1.0.json")
    assert set(log) == {"$schema", "version", "runs"}
    for run in log["runs"]:
        rules = run["tool"]["driver"]["rules"]
        names = [rule["id"] for rule in rules]
        assert run["tool"]["driver"]["name"] and len(names) == len(set(names))
        for rule in rules:
            assert rule["shortDescription"]["text"].endswith(".")
            assert rule["defaultConfiguration"]["level"] in ("error", "warning", "note", "none")
        assert all(base["uri"].endswith("/") for base in run["originalUriBaseIds"].values())
        for result in run["results"]:
            assert rules[result["ruleIndex"]]["id"] == result["ruleId"]
            assert result["level"] in ("error", "warning") and result["message"]["text"]
            (location,) = result["locations"]
            place = location["physicalLocation"]
            uri = urllib.parse.urlsplit(place["artifactLocation"]["uri"])
            assert bool(uri.scheme) != ("uriBaseId" in place["artifactLocation"])
            assert place["artifactLocation"]["uri"].isascii() and " " not in place["artifactLocation"]["uri"]
            assert all(value >= 1 for value in place.get("region", {"startLine": 1}).values())


def test_sarif_names_rule_level_and_place_of_every_finding(product, tmp_path):
    text = CASES.replace("Case 0", "x" * 398).replace("created_by", "creatd_by")
    write(product, "knowledge/größe a/qna.yaml", text)
    result = diff(product, "--sarif", str(tmp_path / "out" / "found.sarif"))
    assert result.exit_code == 3 and "Reading taxonomy failed" in result.stderr
    log = json.loads((tmp_path / "out" / "found.sarif").read_text())
    assert_sarif(log)
    found = [
        (each["ruleId"], each["level"], each["locations"][0]["physicalLocation"]) for each in log["runs"][0]["results"]
    ]
    file = {"uri": "knowledge/gr%C3%B6%C3%9Fe%20a/qna.yaml", "uriBaseId": "SRCROOT"}
    assert found == [
        ("unknown-key", "error", {"artifactLocation": file, "region": {"startLine": 2, "startColumn": 1}}),
        ("line-length", "warning", {"artifactLocation": file, "region": {"startLine": 6, "startColumn": 121}}),
    ]


def test_sarif_places_are_relative_to_the_repository(product, tmp_path):
    write(product / "deep", PRODUCT, CASES + "x: 1\n")
    result = diff(product / "deep", "--sarif", "-")
    log = json.loads(result.stdout)
    assert_sarif(log)
    (found,) = log["runs"][0]["results"]
    assert found["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == f"deep/{PRODUCT}"
    assert log["runs"][0]["originalUriBaseIds"]["SRCROOT"]["uri"] == product.as_uri() + "/"


def test_sarif_of_a_valid_taxonomy_has_no_results(taxonomy):
    result = diff(taxonomy, "--sarif", "-")
    assert result.exit_code == 0
    log = json.loads(result.stdout)
    assert_sarif(log)
    assert log["runs"][0]["results"] == []


def test_sarif_that_cannot_be_written(taxonomy, tmp_path):
    (tmp_path / "file").write_text("")
    result = diff(taxonomy, "--sarif", str(tmp_path / "file" / "found.sarif"))
    assert result.exit_code == 3
    assert "the findings cannot be written to" in result.stderr and "hint:" in result.stderr
    both = diff(taxonomy, "--sarif", "-", "--json")
    assert both.exit_code == 2 and "both write to standard output" in both.output


# --- on a terminal ---


def shown(taxonomy, tmp_path, *, columns=80):
    """The lines of `diff` on a terminal."""
    command = [sys.executable, "-m", "ilab", "diff", "--taxonomy-path", str(taxonomy)]
    with Terminal(command, env={}, cwd=tmp_path, columns=columns) as terminal:
        assert terminal.end() == 3
        return terminal.text.splitlines(), terminal.raw


def test_a_terminal_shows_the_place_in_the_file(taxonomy, tmp_path):
    write(taxonomy, NAME, SKILL.replace("description: Add", "description: now: Add"))
    lines, raw = shown(taxonomy, tmp_path)
    place = lines.index("    task_description: now: Add one to a number.")
    assert lines[place + 1] == "                         ^"
    assert lines[place + 1].index("^") - 4 == 22 - 1
    assert lines[place + 2].startswith("  mend: ")
    assert all(len(line) <= 80 for line in lines[:-1])  # the last is the one of the reference
    assert "\x1b[31m" in raw


@pytest.mark.parametrize(
    ("text", "shown_as", "caret"),
    [
        ("漢字 é: x", "    task_description: 漢字 é: x", 4 + len("task_description: ") + 6),
        ("e\u0301\u200d😀 a: b", "    task_description: e\u0301 😀 a: b", 4 + len("task_description: ") + 6),
        ("a\tb: c", "    task_description: a b: c", 4 + len("task_description: ") + 1),
    ],
)
def test_the_caret_stands_below_its_place_whatever_is_before_it(taxonomy, tmp_path, text, shown_as, caret):
    write(taxonomy, NAME, SKILL.replace("Add one to a number.", text))
    lines, _ = shown(taxonomy, tmp_path)
    (below,) = [lines[number + 1] for number, line in enumerate(lines[:-1]) if line.startswith("    task_description")]
    assert below == " " * caret + "^"


def test_lines_on_a_terminal_are_wrapped_by_columns(taxonomy, tmp_path):
    write(taxonomy, f"knowledge/{'漢字' * 9}/qna.yaml", "version: 4\ncreated_by: 漢字漢字漢字漢字漢字: x\n")
    lines, _ = shown(taxonomy, tmp_path, columns=70)
    wide = [len(line) + sum(character in "漢字" for character in line) for line in lines[2:-1]]
    assert max(wide) < 70


def test_a_very_long_line_is_cut_around_its_place(taxonomy, tmp_path):
    write(taxonomy, NAME, SKILL.replace("Add one to a number.", "x" * 400_000 + ": y" + "z" * 400_000))
    lines, _ = shown(taxonomy, tmp_path, columns=60)
    (place,) = [number for number, line in enumerate(lines) if line.strip() == "^" and ": y" in lines[number - 1]]
    assert lines[place - 1][lines[place].index("^")] == ":"
    assert len(lines[place - 1]) <= 60


def test_documents_are_read_when_asked_for(taxonomy):
    pairs = "".join(f"      - question: Which is it, {n}?\n        answer: The star.\n" for n in (1, 2, 3))
    contexts = [f"The star number {name} shines on us." for name in ("one", "two", "three", "four")]
    contexts.append("A soup of stones was cooked on the moon.")
    examples = "".join(f"  - context: {text}\n    questions_and_answers:\n{pairs}" for text in contexts)
    head = "version: 3\ndomain: stars\ncreated_by: me\ndocument_outline: Stars.\nseed_examples:\n"
    write(taxonomy, "knowledge/stars/qna.yaml", f"{head}{examples}document:\n  path: stars.md\n")
    assert diff(taxonomy).exit_code == 0
    missing = diff(taxonomy, "--documents")
    assert missing.exit_code == 3
    assert "knowledge/stars/qna.yaml:46:1 error no document at" in missing.stdout and "(document)" in missing.stdout
    (taxonomy / "knowledge/stars/stars.md").write_text("\n\n".join(contexts[:4]))
    found = diff(taxonomy, "--documents")
    assert found.exit_code == 0 and "is valid :)" in found.stdout
    assert "knowledge/stars/qna.yaml:38:1 warning the context is not in the leaf's documents" in found.stdout
    assert diff(taxonomy, "--documents", "--strict").exit_code == 3
