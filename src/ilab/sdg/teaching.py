"""Teaching: the models that generation uses, and the threads that work out units with them side by side."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ilab.llm.pool import Pool, run_ordered
from ilab.llm.port import ChatModel, ScoreRequest, TokenScore, TokenScorer
from ilab.records.messages import Message
from ilab.sdg.blocks.base import Tools, run_block, whole
from ilab.sdg.compare import Arrivals, Known
from ilab.sdg.flow import BlockSpec
from ilab.sdg.live import Live, label
from ilab.sdg.row import Box, Row
from ilab.sdg.settings import SdgSettings
from ilab.sdg.shards import Shards
from ilab.sdg.units import Unit

_AHEAD = 2
"""Units in work for each request in flight: while some wait for the judge, others keep the teacher busy."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Models:
    """The models that blocks may use; see `blocks.base.Tools`. `identity` names them in shard digests."""

    teacher: ChatModel
    scorer: TokenScorer
    render: Callable[[Sequence[Message]], str]
    identity: str


class OneAtATime:
    """The judge, for one caller at a time: it computes on this machine, and its time-outs must not count the queue."""

    def __init__(self, scorer: TokenScorer) -> None:
        self._scorer = scorer
        self._lock = threading.Lock()

    def score(self, requests: Sequence[ScoreRequest]) -> list[list[TokenScore]]:
        """The scores of `requests`."""
        with self._lock:
            return self._scorer.score(requests)


class Workshop:
    """Works out many units at the same time; all of them share the requests to the teacher, and the judge."""

    def __init__(
        self,
        models: Models,
        settings: SdgSettings,
        shards: Shards,
        *,
        pool: Pool,
        known: Known,
        mute: frozenset[str],
        live: Live,
    ) -> None:
        self._models = models
        self._settings = settings
        self.shards = shards
        self._pool = pool
        self._known = known
        self._mute = mute
        self._live = live

    def finish(self, units: Sequence[Unit], arrivals: Arrivals, tell: Callable[[Unit], None]) -> None:
        """Work out what is not there yet; `tell` hears of each unit. The first error stops the rest."""
        run_ordered(
            units,
            lambda unit: self._finish(unit, arrivals),
            workers=self._settings.workers * _AHEAD,
            on_done=lambda position, _: tell(units[position]),
        )

    def judge(self, drafts: Sequence[tuple[Unit, list[int]]]) -> None:
        """Work out deferred drafts, named by their numbers in their units."""
        run_ordered(drafts, lambda one: self._judge(*one), workers=self._settings.workers * _AHEAD)

    def _finish(self, unit: Unit, arrivals: Arrivals) -> None:
        if self.shards.has(unit):
            if unit.compares and unit.judging:
                arrivals.meet([row for _, row in self.shards.read(unit).drafts()])
            return
        box = Box()
        rows = self._work(unit, unit.drafting, [dict(row) for row in unit.rows], box)
        if not unit.compares:
            self.shards.write(unit, kept=whole(rows, *unit.way), box=box)
        else:
            rows = box.keep(rows, self._known.reason)
            drafts = [{**row, "draft": number} for number, row in enumerate(rows)]
            late = arrivals.meet(drafts) if unit.judging else [False] * len(drafts)
            # a judge sees a bundle whole or not at all: what it says of a draft must not hang on which others came late
            free = {_bundle(unit, row) for row, near in zip(drafts, late, strict=True) if not near}
            now = [row for row in drafts if _bundle(unit, row) in free]
            deferred = [row for row in drafts if _bundle(unit, row) not in free]
            rows = self._judged(unit, now, box)
            self.shards.write(unit, kept=rows, box=box, drafts=now, deferred=deferred)
        self._tell(rows, box)

    def _judge(self, unit: Unit, numbers: Sequence[int]) -> None:
        wanted = {number // unit.bundle for number in numbers}
        drafts = [row for row in self.shards.read(unit).deferred if _bundle(unit, row) in wanted]
        box = Box()
        rows = self._judged(unit, drafts, box)
        self.shards.write_late(unit, drafts=drafts, kept=rows, box=box)
        self._tell(rows, box)

    def _judged(self, unit: Unit, drafts: Sequence[Row], box: Box) -> list[Row]:
        """`drafts`, which are whole bundles, after the blocks that judge them."""
        return self._work(unit, unit.judging, [{**row, "bundle": _bundle(unit, row)} for row in drafts], box)

    def _work(self, unit: Unit, steps: Sequence[BlockSpec], rows: list[Row], box: Box) -> list[Row]:
        """`rows` after all `steps`."""
        tools = Tools(
            teacher=self._models.teacher,
            scorer=self._models.scorer,
            render=self._models.render,
            settings=self._settings,
            seeds=unit.seeds,
            pool=self._pool,
            mute=self._mute,
        )
        for spec in steps:
            came, out = len(rows), len(box.rejected)
            rows = run_block(spec.block, rows, box, tools, **spec.options)
            self._live.block(unit, label(spec), came, len(rows), len(box.rejected) - out)
        return rows

    def _tell(self, rows: Sequence[Row], box: Box) -> None:
        for row in rows:
            self._live.sample(row)
        self._live.tokens(box.usage)


def _bundle(unit: Unit, draft: Row) -> int:
    """The number of the bundle that a draft is in."""
    return int(draft["draft"]) // unit.bundle
