"""Flows with mistakes: told with their place before or when they run, never by a traceback."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from ilab.errors import ConfigError, UserFileError
from ilab.llm.port import ScoreRequest
from ilab.llm.scripted import ScriptedChatModel, ScriptedTokenScorer
from ilab.records.messages import Message
from ilab.sdg import flow
from ilab.sdg.blocks.base import Tools, run_block, whole
from ilab.sdg.row import Box, Row
from ilab.sdg.settings import SdgSettings

CHUNK: Row = {"leaf": "k/lake", "kind": "knowledge", "chunk": "k/lake#0", "origin": "p", "text": "Lake Mirra is deep."}


def render(turns: Sequence[Message]) -> str:
    return "\n\n".join(turn.content for turn in turns)


def likely(request: ScoreRequest, continuation: str) -> float:
    return -1.0


TOOLS = Tools(
    teacher=ScriptedChatModel(lambda _: "hm"),
    scorer=ScriptedTokenScorer(likely),
    render=render,
    settings=SdgSettings(),
)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("hello", "a flow is a mapping of sections to paths"),
        ("", "a flow is a mapping of sections to paths"),
        ("version: '1.0'\nknowledge: 3\n", "knowledge: "),
        ("version: '1.0'\nknowledge: {p: []}\n", "path `p` has no blocks"),
        ("version: '1.0'\nknowledge: {p: [rules]}\n", "knowledge.p.0: Input should be a mapping that begins with `bl"),
        ("version: '1.0'\nknowledge: {p: [{block: nope}]}\n", "knowledge.p.0.block: unknown block `nope`"),
    ],
)
def test_a_file_that_is_no_flow_is_told_with_the_place(tmp_path: Path, content: str, told: str) -> None:
    file = tmp_path / "f.yaml"
    file.write_text(content)
    with pytest.raises(UserFileError, match="is not a valid flow") as raised:
        flow.load(str(file))
    assert told in raised.value.faults[0].message and raised.value.faults[0].path == str(file)


def test_a_file_that_is_no_text_is_told(tmp_path: Path) -> None:
    file = tmp_path / "f.yaml"
    file.write_bytes(b"\x00\xff\xfe")
    with pytest.raises(UserFileError, match="cannot be read"):
        flow.load(str(file))


@pytest.mark.parametrize("name", ["", "nope", "~nobody-of-that-name/x", "x" * 5000, "a\0b"])
def test_a_name_that_no_flow_can_have_is_told(name: str) -> None:
    with pytest.raises(UserFileError, match="no flow named"):
        flow.load(name)


@pytest.mark.parametrize(
    ("block", "row", "lacking"),
    [
        ("rules", CHUNK, "`question` and `answer`"),
        ("ground", {**CHUNK, "question": "Q?"}, "`answer`"),
        ("kinds", CHUNK, "`fact or statement`"),
        ("choices", {**CHUNK, "question": "Q?", "answer": "A"}, "`wrong`"),
        ("statements", {"leaf": "s", "kind": "freeform_skill"}, "`chunk` and `text`"),
        ("distinct", CHUNK, "`question`"),
    ],
)
def test_a_block_before_what_it_needs_is_told(block: str, row: Row, lacking: str) -> None:
    with pytest.raises(ConfigError, match=f"block `{block}` of the flow gets rows without {lacking}"):
        run_block(block, [dict(row)], Box(), TOOLS)


def test_a_path_that_ends_too_early_is_told() -> None:
    with pytest.raises(ConfigError, match="path `p` of the flow \\(knowledge\\) ends with rows without `question`"):
        whole([{**CHUNK, "answer": "Deep."}], "knowledge", "p")
    with pytest.raises(ConfigError, match="`choices` and `key`"):
        whole([{**CHUNK, "question": "How?", "answer": "Deep."}], "mmlu", "p")
