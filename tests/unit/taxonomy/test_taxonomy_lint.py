"""Findings of whole trees: style, attribution, yamllint, and files that are not where they should be."""

import os
import sys
import time
from pathlib import Path

import pytest

from ilab.errors import ConfigError, MissingExtra
from ilab.taxonomy.lint import Linter, lint
from ilab.taxonomy.tree import find

EXAMPLES = "".join(f"  - question: Q{n}?\n    answer: A{n}.\n" for n in range(1, 6))
SKILL = f"version: 3\ncreated_by: me\ntask_description: Do it.\nseed_examples:\n{EXAMPLES}"


def write_leaf(root: Path, leaf: str, text: str = SKILL, *, attribution: str = "mine") -> Path:
    folder = root / leaf
    folder.mkdir(parents=True)
    (folder / "qna.yaml").write_text(text, newline="")
    if attribution:
        (folder / "attribution.txt").write_text(attribution)
    return folder / "qna.yaml"


def found_in(root: Path, **options: object) -> list[str]:
    return [str(fault).removeprefix(f"{root}/") for fault in lint(root, **options)]  # type: ignore[arg-type]


def test_a_clean_tree_has_no_findings(tmp_path: Path) -> None:
    write_leaf(tmp_path, "compositional_skills/a")
    write_leaf(tmp_path, "foundational_skills/b")
    assert found_in(tmp_path) == []
    assert list(find(tmp_path).files) == ["compositional_skills/a", "foundational_skills/b"]


def test_style_findings_are_warnings_with_their_place(tmp_path: Path) -> None:
    text = SKILL.replace("A1.", "A1 " + "x" * 117 + "  ").replace("question: Q2?", "question:   Q2?")
    write_leaf(tmp_path, "compositional_skills/a/b", text.replace("\n", "\r\n"), attribution="")
    path = "compositional_skills/a/b/qna.yaml"
    found = found_in(tmp_path)
    assert f"{path}:1 warning lines end in CRLF (new-lines) - save the file with Unix line ends" in found
    assert f"{path}:6:121 warning line too long (134 > 120 characters) (line-length)" in found
    assert f"{path}:6:133 warning trailing spaces (trailing-spaces)" in found
    assert f"{path}:7:16 warning too many spaces after colon (colons)" in found
    assert any(line.startswith(f"{path} warning attribution.txt is missing") for line in found)


def test_strict_makes_errors_of_warnings(tmp_path: Path) -> None:
    write_leaf(tmp_path, "compositional_skills/a", attribution="")
    assert [fault.severity for fault in lint(tmp_path)] == ["warning"]
    assert [fault.severity for fault in lint(tmp_path, strict=True)] == ["error"]


def test_an_empty_attribution_is_a_finding(tmp_path: Path) -> None:
    file = write_leaf(tmp_path, "compositional_skills/a")
    file.with_name("attribution.txt").write_text("")
    assert "attribution.txt is empty" in found_in(tmp_path)[0]


def test_version_1_is_not_linted_for_style(tmp_path: Path) -> None:
    text = "created_by:   me\ntask_description: x\nseed_examples: [{question: a, answer: b}]\n\n\n"
    write_leaf(tmp_path, "compositional_skills/a", text, attribution="")
    assert found_in(tmp_path) == []


def test_own_yaml_rules_replace_the_built_in_ones(tmp_path: Path) -> None:
    rules = tmp_path / "rules.yaml"
    rules.write_text("rules: {document-start: {present: true}}\n")
    write_leaf(tmp_path / "t", "compositional_skills/a")
    found = found_in(tmp_path / "t", yaml_rules=str(rules))
    assert found == ['compositional_skills/a/qna.yaml:1:1 warning missing document start "---" (document-start)']


def test_yaml_rules_that_cannot_be_used_are_an_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be used"):
        Linter(str(tmp_path / "missing.yaml"))
    (tmp_path / "bad.yaml").write_text("rules: {no-such-rule: enable}\n")
    with pytest.raises(ConfigError, match="cannot be used"):
        Linter(str(tmp_path / "bad.yaml"))


def test_without_yamllint_only_its_findings_are_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "yamllint.linter", None)
    write_leaf(
        tmp_path, "compositional_skills/a", SKILL.replace("A1.", "A1. ").replace("question: Q2", "question:  Q2")
    )
    assert found_in(tmp_path) == ["compositional_skills/a/qna.yaml:6:16 warning trailing spaces (trailing-spaces)"]
    with pytest.raises(MissingExtra) as caught:
        Linter("rules.yaml")
    assert caught.value.hint == "pip install 'openilab[lint]'"


def test_files_that_are_not_read_are_named(tmp_path: Path) -> None:
    write_leaf(tmp_path, "compositional_skills/good")
    for name in ("compositional_skills/a/qna.yml", "knowledge/b/QNA.yaml", "skills/c/qna.yaml", "qna.yaml"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(SKILL)
    (tmp_path / ".git" / "x").mkdir(parents=True)
    (tmp_path / ".git" / "x" / "qna.yaml").write_text(SKILL)
    assert found_in(tmp_path) == [
        "compositional_skills/a/qna.yml warning this file is not read because of its name"
        " (file-name) - rename it to qna.yaml",
        "knowledge/b/QNA.yaml warning this file is not read because of its name (file-name) - rename it to qna.yaml",
        "qna.yaml warning this file is not read because it is in none of the top folders"
        " (top-folder) - move it below one of knowledge/, compositional_skills/, foundational_skills/",
        "skills/c/qna.yaml warning this file is not read because it is in none of the top folders"
        " (top-folder) - move it below one of knowledge/, compositional_skills/, foundational_skills/",
    ]


def test_a_path_that_is_no_text_is_passed_over(tmp_path: Path) -> None:
    folder = os.fsencode(tmp_path) + b"/compositional_skills/\xff"
    os.makedirs(folder)  # noqa: PTH103 - pathlib takes no bytes
    Path(os.fsdecode(folder), "qna.yaml").write_text(SKILL)
    found = lint(tmp_path)
    assert [fault.severity for fault in found] == ["error", "warning"]
    assert "not UTF-8" in found[1].message
    assert "?" in found[1].path


def test_a_tree_without_leaves_says_so(tmp_path: Path) -> None:
    assert [str(fault) for fault in lint(tmp_path)] == [
        f"{tmp_path} error no qna.yaml found below this folder (no-leaf)"
        " - put leaves into knowledge/, compositional_skills/, foundational_skills/"
    ]


def test_symbolic_link_loops_end_and_linked_folders_are_read_once(tmp_path: Path) -> None:
    write_leaf(tmp_path, "compositional_skills/a")
    (tmp_path / "compositional_skills/a/loop").symlink_to(tmp_path / "compositional_skills")
    (tmp_path / "compositional_skills/self").symlink_to(".")
    (tmp_path / "compositional_skills/dangling").symlink_to("nowhere")
    outside = write_leaf(tmp_path / "outside", "x")
    (tmp_path / "compositional_skills/linked").symlink_to(outside.parent)
    assert list(find(tmp_path).files) == ["compositional_skills/a", "compositional_skills/linked"]


def test_one_file_and_a_folder_inside_keep_their_leaf_path(tmp_path: Path) -> None:
    file = write_leaf(tmp_path, "compositional_skills/x/knowledge/y")
    (tmp_path / "knowledge").mkdir()
    for path in (file, file.parent, tmp_path / "compositional_skills", tmp_path):
        tree = find(path)
        assert (tree.root, list(tree.files)) == (tmp_path, ["compositional_skills/x/knowledge/y"])


def test_one_file_outside_any_taxonomy_is_named_by_its_folder(tmp_path: Path) -> None:
    assert list(find(write_leaf(tmp_path, "mine")).files) == ["mine"]


def test_a_file_with_another_name_is_not_a_leaf(tmp_path: Path) -> None:
    (tmp_path / "questions.yaml").write_text(SKILL)
    found = lint(tmp_path / "questions.yaml")
    assert [fault.severity for fault in found] == ["error", "warning"]
    assert "because of its name" in found[1].message


def test_a_broken_file_does_not_stop_the_check_of_its_style(tmp_path: Path) -> None:
    write_leaf(tmp_path, "compositional_skills/bell", SKILL.replace("A1.", "\x07"))
    write_leaf(tmp_path, "compositional_skills/deep", SKILL + "x: " + "[" * 100_000)
    write_leaf(tmp_path, "compositional_skills/escape", SKILL.replace("A1.", '"\\UFFFFFFFF"  '))
    began = time.monotonic()
    errors = [fault for fault in lint(tmp_path) if fault.severity == "error"]
    assert [fault.rule for fault in errors] == ["unprintable", "nesting", "syntax"]
    assert time.monotonic() - began < 5


def test_what_is_no_file_is_a_fault_with_a_place(tmp_path: Path) -> None:
    write_leaf(tmp_path, "compositional_skills/good")
    (tmp_path / "compositional_skills/loop").mkdir()
    (tmp_path / "compositional_skills/loop/qna.yaml").symlink_to("qna.yaml")
    (tmp_path / "compositional_skills/pipe").mkdir()
    os.mkfifo(tmp_path / "compositional_skills/pipe/qna.yaml")
    found = found_in(tmp_path)
    assert len(found) == 2
    for name, line in zip(("loop", "pipe"), found, strict=True):
        assert line.startswith(
            f"compositional_skills/{name}/qna.yaml:1 error the file cannot be read: it is not a file"
        )


def test_odd_bytes_change_neither_values_nor_validity(tmp_path: Path) -> None:
    text = SKILL.replace("Do it.", "Tu — naïve 😀 العنقاء")
    write_leaf(tmp_path, "compositional_skills/größe 漢字", "\ufeff" + text.replace("\n", "\r\n"))
    assert [(fault.rule, fault.severity) for fault in lint(tmp_path)] == [("new-lines", "warning")]


def test_a_blank_last_line_is_style_and_an_error_only_when_strict(tmp_path: Path) -> None:
    pytest.importorskip("yamllint")
    write_leaf(tmp_path, "compositional_skills/a", SKILL + "\n")
    assert [(fault.rule, fault.severity) for fault in lint(tmp_path)] == [("empty-lines", "warning")]
    assert [fault.severity for fault in lint(tmp_path, strict=True)] == ["error"]


def test_names_that_collide_are_told_once_each(tmp_path: Path) -> None:
    for leaf in ("a/b", "a_b", "A/b", "e\u0301", "\u00e9", "c"):
        write_leaf(tmp_path, f"compositional_skills/{leaf}")
    found = [fault for fault in lint(tmp_path) if fault.rule == "name-collision"]
    assert len(found) == 3
    assert all("the same as that of compositional_skills/" in fault.message for fault in found)
