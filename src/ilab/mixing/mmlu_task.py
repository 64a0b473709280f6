"""Questions with choices as files that lm-eval's command line takes: one task for each leaf of knowledge.

mmlubench_<leaf>.jsonl    subject, question, choices, answer (0 to 3 for A to D), and where the question comes from
<leaf>_task.yaml          the task: a choice counts as given when the model finds its text likeliest
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from ilab.base import atomic, jsonl
from ilab.mixing.reference_files import LeafNames
from ilab.records.chunks import Chunk

DATA = "mmlubench_"
"""How the names of the questions' files begin."""
_LETTERS = "ABCD"
_TAG = "mmlu_pr"
"""What evaluates all tasks of this kind together."""


def write_rows(folder: Path, rows: Sequence[Mapping[str, Any]], chunks: Sequence[Chunk]) -> list[str]:
    """Write the questions of every leaf below `folder`; return the names of their tasks. No row is kept."""
    about = {(chunk.leaf, chunk.id): place for place, chunk in enumerate(chunks)}
    leaves: dict[str, array[int]] = {}
    for place, row in enumerate(rows):
        leaves.setdefault(row["leaf"], array("q")).append(place)

    def written(row: Mapping[str, Any]) -> dict[str, Any]:
        place = about.get((row["leaf"], row.get("chunk", "")))
        return _row(row, None if place is None else chunks[place])

    names = LeafNames()
    tasks = []
    for leaf, places in sorted(leaves.items()):
        task = names.of(leaf, ("",))[0].removesuffix(".jsonl")
        jsonl.write(folder / _data(task), (written(rows[place]) for place in places))
        tasks.append(task)
    return tasks


def write_tasks(folder: Path, tasks: Iterable[str], *, home: Path) -> None:
    """Write the task files of `tasks` below `folder`. They name their data by its absolute path in `home`."""
    for task in tasks:
        content = yaml.safe_dump(
            _task(task, home.absolute() / _data(task)), sort_keys=False, allow_unicode=True, width=120
        )
        atomic.write_text(folder / f"{task}_task.yaml", content)


def _data(task: str) -> str:
    return f"{DATA}{task}.jsonl"


def _row(row: Mapping[str, Any], chunk: Chunk | None) -> dict[str, Any]:
    options = [f"{letter}) {choice}" for letter, choice in zip(_LETTERS, row["choices"], strict=True)]
    return {
        "subject": chunk.domain if chunk else "",
        "question": row["question"],
        "choices": list(row["choices"]),
        "answer": int(row["key"]),
        "mmlubench_question": "\n".join([row["question"], *options]),
        "mmlubench_answer": options[row["key"]],
        "dataset_type": "mcq_qa",
        "document": chunk.text if chunk else "",
        "chunk": row.get("chunk", ""),
        "leaf": row["leaf"],
        "too_easy": bool(row.get("too_easy")),
    }


def _task(task: str, data: Path) -> dict[str, Any]:
    listed = "\n".join(f"{letter}. {{{{choices[{place}]}}}}" for place, letter in enumerate(_LETTERS))
    return {
        "task": task,
        "tag": _TAG,
        "dataset_path": "json",
        "dataset_name": None,
        "dataset_kwargs": {"data_files": {"test": str(data)}},
        "test_split": "test",
        "output_type": "multiple_choice",
        "doc_to_text": f"{{{{question.strip()}}}}\n{listed}\nAnswer:",
        "doc_to_choice": "{{[choices[0], choices[1], choices[2], choices[3]]}}",
        "doc_to_target": "{{answer}}",
        "metric_list": [{"metric": "acc", "aggregation": "mean", "higher_is_better": True}],
    }
