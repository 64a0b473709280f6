"""Block: rows in, rows out. A block is a function that a flow names; it never writes files and never keeps state."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from ilab.base import lazy
from ilab.errors import ConfigError
from ilab.llm.pool import Pool, run_ordered
from ilab.llm.port import ChatModel, TokenScorer
from ilab.records.messages import Message
from ilab.records.seeds import Seed
from ilab.sdg.row import Box, Row
from ilab.sdg.settings import SdgSettings

Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True, kw_only=True)
class Tools:
    """What blocks may use: the teacher, the judge's likelihoods and its prompt form, and the leaf's seeds.

    `pool` bounds the calls of all units together; without it each block has `settings.workers` of its own.
    `mute` names judges that are not trusted: they still score, and reject nothing.
    """

    teacher: ChatModel
    scorer: TokenScorer
    render: Callable[[Sequence[Message]], str]
    settings: SdgSettings
    seeds: tuple[Seed, ...] = ()
    pool: Pool | None = None
    mute: frozenset[str] = frozenset()

    def at_once(self, call: Callable[[Item], Result], items: Sequence[Item]) -> list[Result]:
        """`call` of every item, many at the same time; results in the order of the items."""
        if self.pool is not None:
            return self.pool.map(call, items)
        return run_ordered(items, call, workers=self.settings.workers)


class Block(Protocol):
    """Rows in, rows out; what is not passed on goes into `box` with its reason."""

    def __call__(self, rows: list[Row], box: Box, tools: Tools, **options: Any) -> list[Row]:
        """Work on `rows`."""


BLOCKS: dict[str, str] = {
    "statements": "ilab.sdg.blocks.document:statements",
    "spans": "ilab.sdg.blocks.document:spans",
    "questions": "ilab.sdg.blocks.document:questions",
    "ask": "ilab.sdg.blocks.llm:ask",
    "ask_by": "ilab.sdg.blocks.skills:ask_by",
    "answered": "ilab.sdg.blocks.skills:answered",
    "choose": "ilab.sdg.blocks.skills:choose",
    "propose": "ilab.sdg.blocks.skills:propose",
    "summaries": "ilab.sdg.blocks.summaries:summaries",
    "kinds": "ilab.sdg.blocks.fact_questions:kinds",
    "ask_facts": "ilab.sdg.blocks.fact_questions:ask_facts",
    "reword": "ilab.sdg.blocks.rewrite:reword",
    "improve": "ilab.sdg.blocks.rewrite:improve",
    "prefer": "ilab.sdg.blocks.rewrite:prefer",
    "rules": "ilab.sdg.blocks.filter:rules",
    "ground": "ilab.sdg.blocks.filter:ground",
    "judge": "ilab.sdg.blocks.judge:judge",
    "choices": "ilab.sdg.blocks.mmlu:choices",
    "verify_key": "ilab.sdg.blocks.mmlu:verify_key",
    "distinct": "ilab.sdg.blocks.filter:distinct",
    "reference": "ilab.sdg.reference.block:reference",
}
"""Block name -> where it is; resolved when a flow runs."""
_PAIR = ("question", "answer")
_CHUNK = ("chunk", "text")
_NEEDS: dict[str, tuple[str, ...]] = {
    "statements": _CHUNK,
    "spans": _CHUNK,
    "questions": ("statement", "span"),
    "answered": _PAIR,
    "summaries": _CHUNK,
    "kinds": (*_CHUNK, "fact or statement"),
    "ask_facts": (*_CHUNK, "asked_kind"),
    "reword": _PAIR,
    "prefer": _PAIR,
    "rules": _PAIR,
    "ground": ("text", *_PAIR),
    "choices": (*_PAIR, "wrong"),
    "verify_key": ("choices", "key"),
    "distinct": ("question",),
}
"""Columns that a block reads by itself; those of a prompt are told when it is filled in."""
_WHOLE = {"mmlu": (*_PAIR, "choices", "key")}
"""Columns that the rows of a section must have at the end of a path, where these are not a question and an answer."""


def run_block(name: str, rows: list[Row], box: Box, tools: Tools, /, **options: Any) -> list[Row]:
    """`rows` after the block of that name. Raises `ConfigError` when no step before it wrote what it reads."""
    if lacking := _lacking(_NEEDS.get(name, ()), rows):
        raise ConfigError(
            f"block `{name}` of the flow gets rows without {lacking}",
            hint="put a block before it that writes that, such as `ask`, or `spans` and `questions`",
        )
    block: Block = lazy.resolve(BLOCKS[name])
    return block(rows, box, tools, **options)


def whole(rows: list[Row], section: str, path: str) -> list[Row]:
    """`rows` at the end of a path. Raises `ConfigError` when they are not what the section's rows must be."""
    if lacking := _lacking(_WHOLE.get(section, _PAIR), rows):
        raise ConfigError(
            f"path `{path}` of the flow ({section}) ends with rows without {lacking}",
            hint="add a block that writes that, such as `ask` with a prompt for it",
        )
    return rows


def _lacking(columns: Iterable[str], rows: Sequence[Row]) -> str:
    """Those of `columns` that some row does not have; `one or other` is there where either is."""
    lacking = [name for name in columns if any(not any(one in row for one in name.split(" or ")) for row in rows)]
    return " and ".join(f"`{name}`" for name in lacking)
