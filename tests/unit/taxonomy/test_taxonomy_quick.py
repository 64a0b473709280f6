"""The quick ways give what the slow ways give: the parser in C, and the proof that yamllint would find nothing."""

import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.taxonomy.mutations import SAMPLES, Layout, mutated

from ilab.taxonomy import yaml_parsers, yaml_tree
from ilab.taxonomy.clean_yaml import is_clean
from ilab.taxonomy.lint import Linter
from ilab.taxonomy.qna import Parsed
from ilab.taxonomy.yaml_tree import Node

PIECES = (
    ["a: ", "b:", "- ", "\n", "\n  ", "\n    ", "|", ">-", "|2", "&x ", "*x", "[a, b]", "[", "]", "{a: b}", "{", "}"]
    + ['"', "'", "#", " # c", "!", "!!str ", "!a ", "%", "<<: ", ", ", ":", "?", "? ", "---\n", "...\n", "\\x41", "\\"]
    + [
        "~",
        "1",
        "yes",
        "é",
        "—",
        "😀",
        "\u3000",
        "%TAG !e! tag:x:\n",
        "=",
        "@",
        "x:y",
        "- - ",
        "-\n",
        "\t",
        "2024-01-02",
    ]
)
files = (
    st.lists(st.sampled_from(PIECES), max_size=16)
    .map("".join)
    .flatmap(lambda text: st.sampled_from([text, text + "\n"]))
)
damaged = st.builds(
    lambda sample, seed: mutated(sample, random.Random(seed)).decode(errors="replace"),
    st.sampled_from(SAMPLES),
    st.integers(0, 2**32),
)


def shape(node: Node | None) -> Any:
    """Everything that a node says, places included."""
    if node is None:
        return None
    entries = [(name, shape(key), shape(value)) for name, (key, value) in node.entries.items()]
    return (
        node.kind,
        node.line,
        node.column,
        node.text,
        node.weight,
        node.depth,
        entries,
        list(map(shape, node.items)),
    )


def read_with(loader: Any, data: bytes, monkeypatch: pytest.MonkeyPatch) -> Any:
    with monkeypatch.context() as patch:
        patch.setattr(yaml_tree, "C_LOADER", loader)
        content = yaml_tree.read(data, path="q")
    return shape(content.root), content.faults, content.lines


@pytest.mark.skipif(yaml_parsers.C_LOADER is None, reason="PyYAML was built without its parser in C")
@settings(max_examples=800, deadline=None)
@given(st.one_of(files, damaged))
def test_both_parsers_give_the_same_nodes_and_faults(text: str) -> None:
    data = text.encode()
    with pytest.MonkeyPatch.context() as patch:
        assert read_with(yaml_parsers.C_LOADER, data, patch) == read_with(None, data, patch)


@pytest.mark.skipif(yaml_parsers.C_LOADER is None, reason="PyYAML was built without its parser in C")
@pytest.mark.parametrize("sample", SAMPLES)
def test_the_parser_in_c_reads_what_people_write(sample: bytes) -> None:
    content = yaml_tree.read(sample, path="q")
    assert content.plain and content.root is not None and not content.faults


# --- style ---


def test_where_the_proof_holds_yamllint_finds_nothing() -> None:
    pytest.importorskip("yamllint")
    dice, linter, proofs, clean = random.Random(11), Linter(), 0, 0
    for number in range(1200):
        data = Layout(dice).text().encode() if number % 6 else mutated(dice.choice(SAMPLES), dice)
        content = yaml_tree.read(data, path="q")
        read = Parsed(leaf=None, faults=content.faults, lines=content.lines, version=3, plain=content.plain)
        quick, slow = (linter.findings(parsed, file=Path("q")) for parsed in (read, replace(read, plain=False)))
        assert quick == slow, data
        if content.plain:
            proofs += is_clean("\n".join(content.lines))
            clean += not [fault for fault in slow if fault.rule not in ("line-length", "trailing-spaces")]
    assert proofs > clean * 0.7 > 300  # it would be sound as well to prove nothing


@pytest.mark.parametrize("sample", SAMPLES)
def test_the_proof_holds_for_what_people_write(sample: bytes) -> None:
    assert is_clean(sample.decode())


@pytest.mark.parametrize(
    "text",
    [
        "a: 1\nb:\n- c\nd:\n  - e\n",
        "a:\n  b: 1\nc:\n    d: 1\n",
        "a:  1\n",
        "a: [b,c]\n",
        "a: {b: 1}\n",
        "-  a\n",
        "a: 1\n\n",
        "\na: 1\n",
        "a: 1\n\n\n\nb: 2\n",
        " a: 1\n",
        "a:\n  - b\n  -\n    c: 1\n",
        "a: &x 1\nb: *x\n",
        "x y:  1\n",
    ],
)
def test_nothing_else_is_called_clean(text: str) -> None:
    assert not is_clean(text)
