"""Run a flow: units (a chunk, or a skill leaf) side by side, each stored when it is finished, and reused later.

    out/shards/                      see `shards`: rows kept and rejected of each unit, and the teacher tokens it cost
    out/calibration.json             how well the judges can tell right from wrong
    out/samples.jsonl                every sample that is kept, the user's own seeds included
    out/rejected.jsonl               every row that was not, with the reason
    out/mmlu.jsonl                   questions with choices, where the flow makes them
    out/funnel.json                  counts by path and reason, tokens, judges, targets, coverage

A unit's digest covers its rows, the blocks, and the settings; a shard of other inputs can never be reused. First comes
every path of the flow, then what fills its gaps, then further rounds for leaves that have too few samples.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from ilab.base import atomic
from ilab.base.report import Reporter
from ilab.llm.pool import Pool
from ilab.records.chunks import Chunk
from ilab.records.seeds import Seed
from ilab.sdg import calibration, collect, pilot
from ilab.sdg.backfill import Targets
from ilab.sdg.collect import Results, Tally
from ilab.sdg.compare import Arrivals, Known, Sketcher
from ilab.sdg.coverage import Coverage
from ilab.sdg.flow import Flow
from ilab.sdg.live import Live
from ilab.sdg.settings import SdgSettings
from ilab.sdg.settle import Settlement
from ilab.sdg.shards import Shard, Shards
from ilab.sdg.support import Sources
from ilab.sdg.teaching import Models, OneAtATime, Workshop
from ilab.sdg.units import Unit, for_gaps, in_turn, plan

__all__ = ["VERSION", "Models", "generate"]

VERSION = 5
"""Raised when blocks change what they make of the same input."""


def generate(
    seeds: Sequence[Seed],
    chunks: Sequence[Chunk],
    *,
    flow: Flow,
    models: Models,
    settings: SdgSettings,
    out: Path,
    report: Reporter,
    held_out: Sequence[str] = (),
    originals: Mapping[tuple[str, str], str] | None = None,
) -> dict[str, Any]:
    """Generate samples into `out`; return the funnel. Raises `NothingGenerated` when no unit yields a row.

    Rows that are compared over the run must not repeat the questions `held_out`. `originals` are the documents as they
    were written, by leaf and source: samples name their place in them.
    """
    live = Live(report)
    pool = Pool(settings.workers)
    models = Models(
        teacher=live.watching(models.teacher),
        scorer=OneAtATime(models.scorer),
        render=models.render,
        identity=models.identity,
    )
    try:
        judges = calibration.calibrate(flow, seeds, models, settings, pool, out, live)

        def workshop(known: Known) -> Workshop:
            base = [VERSION, models.identity, sorted(judges.mute), known.digest if flow.compares else ""]
            shards = Shards(out / "shards", base, settings)
            return Workshop(models, settings, shards, pool=pool, known=known, mute=judges.mute, live=live)

        with closing(_Run(seeds, flow, held_out, workshop)) as run:
            funnel = _passes(run, seeds, chunks, flow, settings, originals or {}, out, live)
    finally:
        pool.close()
    for name, count in judges.usage.to_json().items():
        funnel["teacher_tokens"][name] = funnel["teacher_tokens"].get(name, 0) + count
    funnel["judges"] = judges.to_json()
    atomic.write_json(out / "funnel.json", funnel)
    return funnel


def _passes(
    run: _Run,
    seeds: Sequence[Seed],
    chunks: Sequence[Chunk],
    flow: Flow,
    settings: SdgSettings,
    originals: Mapping[tuple[str, str], str],
    out: Path,
    report: Reporter,
) -> dict[str, Any]:
    """The first pass, the gaps, the further rounds, and the files."""
    units = plan(seeds, chunks, flow=flow)
    run.take(units, report, tried=True)
    sources = Sources(chunks, originals)
    targets = Targets(units, seeds, settings)

    def counted() -> Tally:
        return collect.tally(run.results, Tally(coverage=Coverage(chunks), sources=sources))

    before = None
    if flow.gaps or targets:
        now = counted()
        before = now.coverage.supported()[0]
        gaps = for_gaps(seeds, chunks, now.coverage.uncovered(), flow=flow)
        if gaps:
            run.take(gaps, report)
            now = counted()
        number = 1
        while more := targets.units(number, now.kept):
            run.take(more, report)
            now = counted()
            number += 1
    last = Tally(coverage=Coverage(chunks), sources=sources)
    funnel = collect.write(run.results, last, out, report)
    if chunks:
        supported, sentences = last.coverage.supported()
        first = supported if before is None else before
        funnel["coverage"] = {"sentences": sentences, "supported": supported, "before": first}
    funnel["targets"] = targets.tell(report)
    return funnel


class _Run:
    """The units of a run so far: worked out, and settled which of their rows stay."""

    def __init__(
        self, seeds: Sequence[Seed], flow: Flow, held_out: Sequence[str], workshop: Callable[[Known], Workshop]
    ) -> None:
        self._compares = flow.compares
        sketcher = Sketcher(seeds)
        self._sketcher = sketcher
        self._known = Known(seeds, held_out, sketcher)
        self._workshop = workshop(self._known)
        self._shards = self._workshop.shards
        self._settlement = Settlement(self._shards, sketcher)
        self.results = Results(seeds, self._shards, self._settlement)
        self._done = 0

    def take(self, units: Sequence[Unit], report: Reporter, *, tried: bool = False) -> None:
        """Work out `units` and settle their rows; with `tried`, a few of each path come first, as a pilot."""
        self.results.units += units
        total = len(self.results.units)

        def tell(unit: Unit) -> None:
            self._done += 1
            report.progress("units", self._done, total, unit=f"{unit.path} of {unit.name}")

        report.progress("units", self._done, total)
        first, others = pilot.parted(in_turn(units)) if tried else ([], in_turn(units))
        arrivals = Arrivals(self._sketcher, self._settlement.index)
        try:
            self._workshop.finish(first, arrivals, tell)
            pilot.check([(unit, _outcome(self._shards.read(unit))) for unit in first], report)
            self._workshop.finish(others, arrivals, tell)
        finally:
            arrivals.close()
        if self._compares:
            self._settlement.pass_over(units)
            while waiting := self._settlement.decide():
                self._workshop.judge(waiting)

    def close(self) -> None:
        """Give back what it holds."""
        self._known.close()
        self._settlement.close()


def _outcome(shard: Shard) -> dict[str, Any]:
    """A shard as the pilot looks at it: a draft that waits for others was readable."""
    return {"kept": [*shard.kept, *shard.deferred], "rejected": shard.rejected}
