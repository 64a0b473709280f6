"""A folder in the format of the reference is found, checked as a whole, and turned into a flow."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from ilab.errors import UserFileError
from ilab.sdg import flow

PIPELINE = Path(__file__).parents[2] / "fixtures" / "reference_pipeline"
PROMPT = {"system": "s", "generation": "{{document}}", "start_tags": ["<a>"], "end_tags": ["</a>"]}


def folder(tmp_path: Path, knowledge: str, *, prompt: dict[str, Any] | str = PROMPT) -> Path:
    """The fixture with another knowledge.yaml, and the prompt file ask.yaml beside it."""
    made = tmp_path / "mine"
    shutil.copytree(PIPELINE, made)
    (made / "knowledge.yaml").write_text(knowledge)
    (made / "ask.yaml").write_text(prompt if isinstance(prompt, str) else yaml.safe_dump(prompt))
    return made


def one(config: str, kind: str = "LLMBlock", more: str = "") -> str:
    return f'version: "1.0"\nblocks:\n  - name: ask\n    type: {kind}\n    config: {config}\n{more}'


def faults(place: Path) -> list[str]:
    with pytest.raises(UserFileError) as error:
        flow.load(str(place))
    return [fault.finding.removeprefix(f"{place}/").replace(": error:", "") for fault in error.value.faults]


def test_the_steps_hold_everything_that_the_files_say() -> None:
    steps = flow.load(str(PIPELINE)).knowledge["pipeline"]
    assert [spec.options.get("name") for spec in steps[:3]] == ["rows", "keep_document", "gen_plain"]
    asked = next(spec.options for spec in steps if spec.options.get("name") == "gen_knowledge")
    assert "{{icl_query_1}}" in asked["prompts"][""]["template"]
    assert asked["cleanup"] == ["[STOP]"] and asked["drop_duplicates"] == ["question"]
    assert yaml.safe_load(yaml.safe_dump(flow.load(str(PIPELINE)).model_dump(mode="json")))


def test_the_documents_that_a_pipeline_makes_have_a_path_of_their_own() -> None:
    steps = [spec.options["name"] for spec in flow.load(str(PIPELINE)).knowledge["auxiliary"]]
    assert steps == ["rows", "keep_document", "gen_plain", "one_row_each", "name_them", "documents"]


def test_a_changed_prompt_is_another_flow(tmp_path: Path) -> None:
    made = folder(tmp_path, one("{config_path: ask.yaml, output_cols: [a]}"))
    before = flow.load(str(made))
    (made / "ask.yaml").write_text(yaml.safe_dump({**PROMPT, "system": "other"}))
    assert flow.load(str(made)) != before


def test_all_faults_of_all_files_come_at_once_with_their_lines(tmp_path: Path) -> None:
    made = folder(
        tmp_path,
        """version: "1.0"
blocks:
  - name: first
    type: LLMBlok
    config: {}
  - name: second
    type: LLMBlock
    config:
      config_path: missing.yaml
      output_cols: [a]
  - name: third
    type: FilterByValueBlock
    config:
      filter_column: a
      filter_value: 1
      operation: __doc__
      colour: red
  - name: fourth
    type: LLMLogProbBlock
    config: {config_path: ask.yaml, output_cols: [a]}
  - name: fifth
    type: SelectorBlock
    config: {choice_col: a, output_col: b}
""",
    )
    (made / "grounded_skills.yaml").unlink()
    found = faults(made)
    assert [line.partition(" ")[0] for line in found] == [
        "knowledge.yaml:4",
        "knowledge.yaml:9",
        "knowledge.yaml:16",
        "knowledge.yaml:17",
        "knowledge.yaml:19",
        "knowledge.yaml:23",
        "grounded_skills.yaml",
    ]
    told = "\n".join(found)
    for part in (
        "unknown type of block `LLMBlok`",
        "missing.yaml: no such file",
        "operation",
        "unknown option `colour`; there are convert_dtype",
        "`choice_map` is missing",
        "no such file",
    ):
        assert part in told


@pytest.mark.parametrize(
    ("knowledge", "prompt", "told"),
    [
        ("version: [", PROMPT, "not YAML"),
        ("- a\n", PROMPT, "expected `version` and `blocks`"),
        ('version: "2.0"\nblocks: [{name: a, type: b}]\n', PROMPT, "version 2.0 is not supported"),
        ('version: "1.0"\n', PROMPT, "`blocks` is missing"),
        (one("{config_path: ask.yaml, output_cols: []}"), PROMPT, "output_cols"),
        (one("{config_path: ask.yaml, output_cols: [a], gen_kwargs: {n: many}}"), PROMPT, "gen_kwargs.n"),
        (one("{config_path: ask.yaml, output_cols: [a], gen_kwargs: {n: 0}}"), PROMPT, "1 or more"),
        (
            one("{config_path: ask.yaml, output_cols: [a], gen_kwargs: {best_of: 2}}"),
            PROMPT,
            "unknown option `best_of`",
        ),
        (one("{config_path: ask.yaml, output_cols: [a, b]}"), PROMPT, "1 pairs of start_tags and end_tags for 2"),
        (one("{config_path: ask.yaml, output_cols: [a]}"), {**PROMPT, "generation": "{{ a"}, "line 5 of the prompt"),
        (one("{config_path: ask.yaml, output_cols: [a]}"), "system: [", "not YAML"),
        (one("{config_path: ask.yaml, output_cols: [a]}"), "just text", "expected names and their texts"),
        (
            one("{config_path: ask.yaml, output_cols: [a]}"),
            {"start_tags": [""], "end_tags": [""]},
            "the prompt is empty",
        ),
        (
            one(
                "{config_path: ask.yaml, output_cols: [a], parser_kwargs: {parser_name: custom, parsing_pattern: '('}}"
            ),
            PROMPT,
            "not a regular expression",
        ),
        (
            one(
                "{config_path: ask.yaml, output_cols: [a, b], parser_kwargs: {parser_name: custom, parsing_pattern: x}}"
            ),
            PROMPT,
            "0 groups for 2 output_cols",
        ),
        (
            one("{config_path: ask.yaml, output_cols: [a], parser_kwargs: {parser_name: custom}}"),
            PROMPT,
            "needs a `parsing_pattern`",
        ),
        (one("{num_iters: 0, block_type: LLMBlock}", "IterBlock"), PROMPT, "num_iters"),
        (one("{num_iters: 2, block_type: Nothing}", "IterBlock"), PROMPT, "unknown type of block `Nothing`"),
        (one("{filter_column: a, filter_value: {b: 1}, operation: eq}", "FilterByValueBlock"), PROMPT, "filter_value"),
        (one("{config_paths: [], column_name: a}", "SamplePopulatorBlock"), PROMPT, "config_paths"),
    ],
)
def test_a_fault_says_what_is_wrong(tmp_path: Path, knowledge: str, prompt: Any, told: str) -> None:
    assert told in "\n".join(faults(folder(tmp_path, knowledge, prompt=prompt)))


def test_what_the_teacher_is_not_told_is_noted(tmp_path: Path) -> None:
    asked = "{config_path: ask.yaml, output_cols: [a], model_prompt: '[INST] {{prompt}} [/INST]', model_id: skills, "
    made = folder(tmp_path, one(asked + "gen_kwargs: {n: 2, extra_body: {allowed_token_ids: [1]}}}"))
    told = "\n".join(flow.load(str(made)).notes)
    for part in ("model_prompt", "`allowed_token_ids`", "`skills`", "several answers at temperature 0"):
        assert part in told


@pytest.mark.parametrize("variable", ["XDG_DATA_HOME", "XDG_DATA_DIRS"])
def test_a_name_is_looked_up_where_the_reference_keeps_its_pipelines(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    monkeypatch.setenv(variable, str(tmp_path / "data"))
    place = tmp_path / "data" / "instructlab" / "sdg" / "pipelines" / "mine"
    place.parent.mkdir(parents=True)
    shutil.copytree(PIPELINE, place)
    assert flow.load("mine") == flow.load(str(place))


def test_a_folder_may_be_named_from_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(PIPELINE, tmp_path / "here" / "mine")
    monkeypatch.chdir(tmp_path / "here")
    assert flow.load("mine") == flow.load(str(PIPELINE))


def test_one_file_of_a_pipeline_is_no_flow() -> None:
    with pytest.raises(UserFileError) as error:
        flow.load(str(PIPELINE / "knowledge.yaml"))
    assert "name the folder" in str(error.value.faults[0])


def test_the_step_of_a_pipeline_is_not_written_by_hand(tmp_path: Path) -> None:
    (tmp_path / "own.yaml").write_text('version: "1.0"\nknowledge: {a: [{block: reference, type: LLMBlock}]}\n')
    with pytest.raises(UserFileError) as error:
        flow.load(str(tmp_path / "own.yaml"))
    assert "not written by hand" in str(error.value.faults[0])


def test_an_unknown_name_is_told() -> None:
    with pytest.raises(UserFileError) as error:
        flow.load("no-such-pipeline")
    assert "shipped flows" in str(error.value.faults[0])
