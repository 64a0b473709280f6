"""Block: rows in, rows out. A block is a function that a flow names; it never writes files and never keeps state."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

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
    """

    teacher: ChatModel
    scorer: TokenScorer
    render: Callable[[Sequence[Message]], str]
    settings: SdgSettings
    seeds: tuple[Seed, ...] = ()
    pool: Pool | None = None

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
    "rules": "ilab.sdg.blocks.filter:rules",
    "ground": "ilab.sdg.blocks.filter:ground",
    "distinct": "ilab.sdg.blocks.filter:distinct",
}
"""Block name -> where it is; resolved when a flow runs."""
