"""The files of leaves: one file name a leaf, the rows of the reference."""

from __future__ import annotations

import json
from pathlib import Path

import yaml

from ilab.base import jsonl
from ilab.mixing import reference_files
from ilab.records.chunks import Chunk
from ilab.records.samples import Sample

TEXT = "Aton was founded in 1701."


def sample(leaf: str, kind: str = "knowledge", chunk: str = "c1", context: str = "") -> Sample:
    return Sample(
        id=f"s-{leaf}", leaf=leaf, kind=kind, question="When?", answer="1701", origin="facts", chunk=chunk,
        context=context,
    )  # fmt: skip


def chunk(leaf: str) -> Chunk:
    return Chunk(id="c1", leaf=leaf, source="a.md", text=TEXT, tokens=5, domain="towns")


def write(folder: Path, *samples: Sample) -> reference_files.NodeFiles:
    chunks = [chunk(one.leaf) for one in samples if one.kind == "knowledge"]
    return reference_files.write(folder, samples, chunks, system_prompt="You help.", seed=1)


def test_knowledge_has_its_document_above_the_question(tmp_path: Path) -> None:
    files = write(tmp_path, sample("knowledge/a"))
    assert (files.knowledge, files.skills) == (["knowledge_a_p07.jsonl"], ["knowledge_a_p10.jsonl"])
    (first,) = jsonl.read(tmp_path / "knowledge_a_p07.jsonl")
    assert first["messages"] == [
        {"role": "user", "content": f"{TEXT}\n\nWhen?"},
        {"role": "assistant", "content": "1701"},
    ]
    assert first["unmask"] is True
    assert json.loads(first["metadata"]) == {
        "sdg_document": TEXT,
        "domain": "towns",
        "dataset": "document_knowledge_qa",
    }
    raft, again = jsonl.read(tmp_path / "knowledge_a_p10.jsonl")
    assert raft["messages"][0]["content"] == f"Document:\n{TEXT}\n\nWhen?" and raft["unmask"] is False
    assert again == first


def test_skills_have_a_system_prompt_and_their_context_once(tmp_path: Path) -> None:
    files = write(tmp_path, sample("skills/a", "grounded_skill", "", "The text."))
    assert (files.knowledge, files.skills) == ([], ["skills_a.jsonl"])
    (row,) = jsonl.read(tmp_path / "skills_a.jsonl")
    assert [(turn["role"], turn["content"]) for turn in row["messages"]] == [
        ("system", "You help."),
        ("user", "The text.\n\nWhen?"),
        ("assistant", "1701"),
    ]
    assert row["unmask"] is False


def test_the_users_own_knowledge_has_no_document(tmp_path: Path) -> None:
    assert write(tmp_path, sample("knowledge/a", chunk="")) == reference_files.NodeFiles(knowledge=[], skills=[])


def test_two_leaves_never_share_a_file(tmp_path: Path) -> None:
    leaves = [
        "skills/a/b",
        "skills/a_b",
        "skills/A/b",
        "skills/a_b_2",
        f"skills/{'long/' * 90}a",
        f"skills/{'long/' * 90}b",
    ]
    files = write(tmp_path, *(sample(leaf, "freeform_skill", "") for leaf in leaves))
    assert len({name.casefold() for name in files.skills}) == len(leaves) == len(list(tmp_path.iterdir()))


def test_a_recipe_takes_every_row_once() -> None:
    text = reference_files.recipe(["a_p07.jsonl"], folder="node_datasets_1", system_prompt="You: help")
    assert yaml.safe_load(text) == {
        "datasets": [{"path": "node_datasets_1/a_p07.jsonl", "sampling_size": 1.0}],
        "metadata": {"sys_prompt": "You: help"},
    }
    assert isinstance(yaml.safe_load(text)["datasets"][0]["sampling_size"], float)


def test_a_summary_stands_below_its_own_document_and_never_under_others(tmp_path: Path) -> None:
    asked = f"{TEXT}\n\nSum this up."
    summary = Sample(
        id="s-sum", leaf="knowledge/a", kind="knowledge", question=asked, answer="A town.", origin="auxiliary",
        chunk="c1",
    )  # fmt: skip
    write(tmp_path, sample("knowledge/a"), summary)
    first = list(jsonl.read(tmp_path / "knowledge_a_p07.jsonl"))
    assert [row["messages"][0]["content"] for row in first] == [f"{TEXT}\n\nWhen?", asked]
    assert [row["unmask"] for row in first] == [True, True]
    second = list(jsonl.read(tmp_path / "knowledge_a_p10.jsonl"))
    assert [row["messages"][0]["content"] for row in second].count(asked) == 1
    assert [row["unmask"] for row in second] == [False, True, False]
    assert json.loads(second[-1]["metadata"])["dataset"] == "document_auxiliary"
