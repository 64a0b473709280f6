"""Recipes: what they may say, which rows are drawn, and how rows of other spellings are read."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from ilab.base import jsonl
from ilab.errors import UserFileError
from ilab.mixing import recipe_mix


def row(number: int, **more: Any) -> dict[str, Any]:
    turns = [{"role": "user", "content": f"question {number}"}, {"role": "assistant", "content": f"answer {number}"}]
    return {"messages": turns, "id": str(number), **more}


def data(path: Path, count: int, first: int = 0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    jsonl.write(path, [row(number) for number in range(first, first + count)])
    return path


def recipe(folder: Path, text: str, name: str = "recipe.yaml") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_text(text)
    return path


def mixed(path: Path, out: Path, **how: Any) -> list[dict[str, Any]]:
    recipe_mix.mix([path], out, **({"seed": 1} | how))
    return list(jsonl.read(out))


def faults(*paths: Path) -> list[str]:
    with pytest.raises(UserFileError) as caught:
        recipe_mix.mix(paths, paths[0].parent / "out.jsonl", seed=1)
    assert not (paths[0].parent / "out.jsonl").exists()
    return [f"{Path(fault.path).name}:{fault.line}: {fault.message}" for fault in caught.value.faults]


@pytest.mark.parametrize(
    ("size", "expected"),
    [("1.0", {1: 10}), ("0.5", {1: 5}), ("2.0", {2: 10}), ("1", {1: 1}), ("10", {1: 10}), ("13", {1: 7, 2: 3})],
)
def test_no_row_is_taken_again_before_all_were_taken(tmp_path: Path, size: str, expected: dict[int, int]) -> None:
    data(tmp_path / "a.jsonl", 10)
    path = recipe(tmp_path, f"datasets: [{{path: a.jsonl, sampling_size: {size}}}]")
    often = Counter(one["id"] for one in mixed(path, tmp_path / "out.jsonl"))
    assert Counter(often.values()) == expected


def test_sources_are_shuffled_together_and_counted(tmp_path: Path) -> None:
    data(tmp_path / "parts" / "a.jsonl", 50)
    data(tmp_path / "b.jsonl", 50, first=100)
    text = "datasets:\n- {path: parts/a.jsonl, sampling_size: 1.0}\n- {path: b.jsonl, sampling_size: 150}\n"
    path, out = recipe(tmp_path, text), tmp_path / "out.jsonl"
    taken = recipe_mix.mix([path], out, seed=1)
    assert [(one.rows, one.taken, one.epochs) for one in taken] == [(50, 50, 1.0), (50, 150, 3.0)]
    first = [int(one["id"]) >= 100 for one in jsonl.read(out)][:100]
    assert 50 < sum(first) < 100


def test_the_seed_alone_decides_and_not_the_folder(tmp_path: Path) -> None:
    results = []
    for folder, seed in (("one", 1), ("two", 1), ("three", 2)):
        data(tmp_path / folder / "a.jsonl", 40)
        path = recipe(tmp_path / folder, "datasets: [{path: a.jsonl, sampling_size: 0.5}]")
        recipe_mix.mix([path], tmp_path / folder / "out.jsonl", seed=seed)
        results.append((tmp_path / folder / "out.jsonl").read_bytes())
    assert results[0] == results[1] != results[2]


@pytest.mark.parametrize("place", ["sys_prompt: You help.", "metadata: {sys_prompt: You help.}"])
def test_a_system_prompt_is_put_only_where_there_is_none(tmp_path: Path, place: str) -> None:
    own = row(1)
    own["messages"].insert(0, {"role": "system", "content": "Mine."})
    empty = row(2)  # what the reference writes without a prompt
    empty["messages"].insert(0, {"role": "system", "content": None})
    jsonl.write(tmp_path / "a.jsonl", [row(0), own, empty])
    listed = "datasets: [{path: a.jsonl, sampling_size: 1.0}]"

    def prompts(text: str, **how: Any) -> dict[str, str]:
        rows = mixed(recipe(tmp_path, text), tmp_path / "out.jsonl", **how)
        return {one["id"]: one["messages"][0]["content"] for one in rows if one["messages"][0]["role"] == "system"}

    assert prompts(f"{listed}\n{place}") == {"0": "You help.", "1": "Mine.", "2": "You help."}
    assert prompts(f"{listed}\n{place}\noverwrite_system: true") == dict.fromkeys("012", "You help.")
    assert prompts(f"{listed}\n{place}", system_prompt="Other.") == {"0": "Other.", "1": "Mine.", "2": "Other."}
    assert prompts(f"{listed}\n{place}", system_prompt="") == {"1": "Mine."}


def test_rows_of_every_spelling_become_rows_of_the_reference(tmp_path: Path) -> None:
    turns = [{"role": "user", "content": "q\u2028q"}, {"role": "assistant", "content": "a", "tool_calls": None}]
    given: list[dict[str, Any]] = [
        {"messages": turns},
        {"messages": turns, "metadata": '{"b": 1}', "unmask": True, "id": 7},
        {"messages": turns, "metadata": {"c": [2]}, "unmask": None, "domain": "towns"},
        {"messages": [{"role": "pretraining", "content": "text"}], "metadata": "a note", "id": "x"},
        {"messages": [{"role": "user", "content": "q"}, {"role": "assistant", "content": " "}]},
        {"messages": [*turns, {"role": "tool", "content": "42"}, {"role": "assistant", "content": "a"}]},
    ]
    (tmp_path / "a.jsonl").write_text("\r\n\n".join(json.dumps(one, ensure_ascii=False) for one in given))
    out = tmp_path / "out.jsonl"
    (taken,) = recipe_mix.mix([recipe(tmp_path, "datasets: [{path: a.jsonl}]")], out, seed=1)
    assert (taken.rows, taken.left_out) == (5, 1)
    found = list(jsonl.read(out))
    assert all(sorted(one) == ["id", "messages", "metadata", "unmask"] for one in found)
    assert all(sorted(turn) == ["content", "role"] for one in found for turn in one["messages"])
    by_metadata = {json.dumps(json.loads(one["metadata"]), sort_keys=True): one for one in found}
    assert by_metadata['{"b": 1}']["unmask"] is True and by_metadata['{"b": 1}']["id"] == "7"
    assert by_metadata['{"c": [2], "domain": "towns"}']["unmask"] is False
    assert by_metadata['{"metadata": "a note"}']["id"] == "x"
    assert len({one["id"] for one in found}) == 5, "ids are made where there are none"
    again = tmp_path / "again.jsonl"
    again_recipe = recipe(tmp_path, "datasets: [{path: out.jsonl}]", "again.yaml")
    assert {one["id"] for one in mixed(again_recipe, again)} == {one["id"] for one in found}


def test_every_fault_of_recipes_and_files_comes_at_once(tmp_path: Path) -> None:
    (tmp_path / "bad.jsonl").write_text(
        '{"messages": [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}]}\n'
        '{"question": "q"}\n'
        "[1]\n"
        '{"messages": [{"role": "human", "content": "q"}]}\n'
        '{"messages": [{"role": "user", "content": 1}]}\n'
        '{"messages": [{"role": "assistant", "content": "", "tool_calls": [1]}]}\n'
        '{"messages": [{"role": "user", "content": "\\ud800"}]}\n'
        '{"messages": [{"role": "user", "content": "q"}], "unmask": "yes"}\n'
        '{"messages": [{"role": "user", "content": "q"}], "id": [1]}\n'
        '{"messages": NaN}\n' + "[" * 100_000
    )
    (tmp_path / "empty.jsonl").write_text("\n")
    data(tmp_path / "few.jsonl", 2)
    text = """\
datasets:
- {path: bad.jsonl, sampling_size: 1.0}
- {path: gone.jsonl, sampling_size: 1.0}
- {path: data.parquet}
- {path: few.jsonl, sampling_size: -1}
- {path: few.jsonl, sampling_size: true}
- {path: few.jsonl, sampling_size: .inf}
- {path: few.jsonl, sampling_size: [1]}
- {path: few.jsonl, sampling_size: 1000000}
- {path: few.jsonl, sampling: 1}
- {sampling_size: 1}
- few.jsonl
- {path: empty.jsonl}
sysprompt: You help.
overwrite_system: maybe
sys_prompt: [a]
"""
    found = faults(recipe(tmp_path, text), tmp_path / "none.yaml")
    for expected in (
        "recipe.yaml:3: path: there is no file",
        "recipe.yaml:4: path: data.parquet is not a .jsonl file",
        "recipe.yaml:5: sampling_size: expected more than 0",
        "recipe.yaml:6: sampling_size: expected a share such as 0.5 or 1.0, or a whole number of rows, got True",
        "recipe.yaml:7: sampling_size: expected more than 0",
        "recipe.yaml:8: sampling_size: expected a share such as 0.5 or 1.0, or a whole number of rows, got a list",
        "recipe.yaml:9: sampling_size: takes each of the 2 rows of few.jsonl more than 1,000 times",
        "recipe.yaml:10: sampling: there is no such key",
        "recipe.yaml:11: path: missing",
        "recipe.yaml:12: an entry of `datasets`: expected `key: value`",
        "recipe.yaml:13: empty.jsonl has no row to train on",
        "recipe.yaml:14: sysprompt: there is no such key",
        "recipe.yaml:15: overwrite_system: expected true or false",
        "recipe.yaml:16: sys_prompt: expected text, got a list",
        "none.yaml:0: there is no such file",
        "bad.jsonl:2: no `messages`",
        "bad.jsonl:3: not a JSON object",
        'bad.jsonl:4: turn 1: `role` is "human"',
        "bad.jsonl:5: turn 1: `content` is 1",
        "bad.jsonl:6: turn 1 holds what a training row has no place for: tool_calls",
        "bad.jsonl:7: holds half of a letter",
        'bad.jsonl:8: `unmask` is "yes"',
        "bad.jsonl:9: `id` is [1]",
        "bad.jsonl:10: the row is not valid JSON",
        "bad.jsonl:11: the row is nested too deeply",
    ):
        assert any(one.startswith(expected) for one in found), expected
    assert len(found) == 25


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "recipe.yaml:1: an empty recipe"),
        ("- a", "recipe.yaml:1: the recipe: expected `key: value`"),
        ("datasets: []", "recipe.yaml:1: datasets: expected a list of files"),
        ("sys_prompt: a", "recipe.yaml:1: datasets: expected a list of files"),
        ("datasets: [", "recipe.yaml:1: not valid YAML"),
        ("a: 1\n---\nb: 2", "recipe.yaml:2: not valid YAML"),
        ("[" * 5000, "recipe.yaml:0: nested too deeply"),
        ("datasets: [{path: !!python/name:os.system x}]", "recipe.yaml:1: path: expected text"),
        ("datasets: [{path: a.jsonl, path: b.jsonl}]", "recipe.yaml:1: path: given twice"),
    ],
)
def test_a_file_that_is_no_recipe(tmp_path: Path, text: str, expected: str) -> None:
    assert any(one.startswith(expected) for one in faults(recipe(tmp_path, text)))


def test_of_a_file_that_is_all_wrong_the_first_lines_are_told(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text("{}\n" * 1000)
    found = faults(recipe(tmp_path, "datasets: [{path: a.jsonl}]"))
    assert len(found) == 21 and found[-1] == "a.jsonl:0: 980 more rows are wrong"


def test_a_source_is_never_replaced_by_the_mix(tmp_path: Path) -> None:
    path = data(tmp_path / "a.jsonl", 3)
    before = path.read_bytes()
    with pytest.raises(UserFileError, match="one of the files to mix"):
        recipe_mix.mix([recipe(tmp_path, "datasets: [{path: a.jsonl}]")], path, seed=1)
    assert path.read_bytes() == before


def test_more_files_than_a_process_may_open(tmp_path: Path) -> None:
    names = [data(tmp_path / f"{number}.jsonl", 3, first=3 * number).name for number in range(150)]
    path = recipe(tmp_path, "datasets:\n" + "".join(f"- {{path: {name}}}\n" for name in names))
    assert len({one["id"] for one in mixed(path, tmp_path / "out.jsonl")}) == 450


def test_a_mix_that_is_killed_leaves_the_old_file(tmp_path: Path) -> None:
    jsonl.write(tmp_path / "a.jsonl", [row(number, text="x" * 500) for number in range(2000)])
    path, out = recipe(tmp_path, "datasets: [{path: a.jsonl, sampling_size: 900.0}]"), tmp_path / "out.jsonl"
    out.write_text("old")
    code = "import sys; from pathlib import Path; from ilab.mixing import recipe_mix; "
    code += "recipe_mix.mix([Path(sys.argv[1])], Path(sys.argv[2]), seed=1)"
    child = subprocess.Popen([sys.executable, "-c", code, str(path), str(out)])
    for _ in range(600):
        if list(tmp_path.glob(".out.jsonl.*.tmp")):
            break
        time.sleep(0.05)
    os.kill(child.pid, signal.SIGKILL)
    assert child.wait() == -signal.SIGKILL
    assert out.read_text() == "old"
