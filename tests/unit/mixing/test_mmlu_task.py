"""Files of questions with choices: the columns, the keys, and a task that lm-eval reads."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

import jinja2
import yaml

from ilab.base import jsonl
from ilab.mixing import mmlu_task
from ilab.records.chunks import Chunk

CHUNK = Chunk(id="c1", leaf="knowledge/a/b", source="b.md", text="Ada mapped it.", tokens=4, domain="geography")


def row(leaf: str = "knowledge/a/b", **changes: Any) -> dict[str, Any]:
    return {
        "leaf": leaf,
        "chunk": "c1",
        "question": "Who mapped it?",
        "choices": ["Piet's son", "Ada", 'Ines "K"', "Otto"],
        "key": 1,
        "too_easy": False,
        **changes,
    }


def write(folder: Path, rows: list[dict[str, Any]]) -> list[str]:
    tasks = mmlu_task.write_rows(folder, rows, [CHUNK])
    mmlu_task.write_tasks(folder, tasks, home=folder)
    return tasks


def test_rows_have_the_columns_of_the_reference_and_keys_from_0_to_3(tmp_path: Path) -> None:
    assert write(tmp_path, [row(), row(key=3)]) == ["knowledge_a_b"]
    first, second = jsonl.read(tmp_path / "mmlubench_knowledge_a_b.jsonl")
    assert (first["answer"], second["answer"]) == (1, 3)
    assert first["mmlubench_question"].splitlines() == [
        "Who mapped it?", "A) Piet's son", "B) Ada", 'C) Ines "K"', "D) Otto",
    ]  # fmt: skip
    assert first["mmlubench_answer"] == "B) Ada"
    assert (first["subject"], first["dataset_type"], first["document"]) == ("geography", "mcq_qa", "Ada mapped it.")


def test_the_task_finds_its_data_and_asks_for_the_text_of_the_choices(tmp_path: Path) -> None:
    write(tmp_path, [row()])
    task = yaml.safe_load((tmp_path / "knowledge_a_b_task.yaml").read_text())
    assert (task["task"], task["tag"], task["dataset_path"]) == ("knowledge_a_b", "mmlu_pr", "json")
    assert (task["test_split"], task["output_type"]) == ("test", "multiple_choice")
    assert task["metric_list"] == [{"metric": "acc", "aggregation": "mean", "higher_is_better": True}]
    data = Path(task["dataset_kwargs"]["data_files"]["test"])
    assert data.is_absolute()
    [doc] = jsonl.read(data)
    # as lm-eval fills in its templates
    filled = {
        name: jinja2.Template(task[name]).render(**doc) for name in ("doc_to_text", "doc_to_choice", "doc_to_target")
    }
    assert ast.literal_eval(filled["doc_to_choice"]) == doc["choices"]
    assert int(filled["doc_to_target"]) == 1
    assert filled["doc_to_text"] == 'Who mapped it?\nA. Piet\'s son\nB. Ada\nC. Ines "K"\nD. Otto\nAnswer:'


def test_leaves_whose_names_would_be_one_get_files_of_their_own(tmp_path: Path) -> None:
    assert len(set(write(tmp_path, [row("knowledge/a/b"), row("knowledge/a_b"), row("knowledge/A/b")]))) == 3
    assert len(list(tmp_path.glob("mmlubench_*.jsonl"))) == len(list(tmp_path.glob("*_task.yaml"))) == 3


def test_without_questions_there_are_no_files(tmp_path: Path) -> None:
    assert write(tmp_path, []) == []
    assert list(tmp_path.iterdir()) == []
