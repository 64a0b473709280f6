"""`ilab data generate --plan`: what generation will ask, cost and give. Nothing is kept of it but the journal.

Taxonomy and documents are read and cut for real, in a folder that is thrown away. Then the calls are counted, and a
pilot of a few units of each path is asked. Its answers land in the journal, so the run that follows does not ask again.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from functools import reduce
from operator import add
from pathlib import Path
from typing import Any

from ilab.llm.port import ChatModel
from ilab.pipeline import generate, model_session, teacher_journal
from ilab.pipeline.job import Job
from ilab.pipeline.prepare import Prepared, prepare
from ilab.records.messages import Message
from ilab.records.seeds import Seed
from ilab.runs import folder as folders
from ilab.runs.folder import Listener, RunFolder
from ilab.sdg import calibration, calls, flow, forecast, tryout
from ilab.sdg.calls import Asked, Counted
from ilab.sdg.flow import MMLU, Flow
from ilab.sdg.forecast import Estimate, Outlook
from ilab.sdg.teaching import Models
from ilab.sdg.tryout import Pace, Tried
from ilab.sdg.units import Unit, Way, in_turn, plan

PILOT = "pilot"
"""The step that asks the pilot, as it is named in progress."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LeafPlan:
    """One leaf: what it has, the rows that its paths begin with, and the samples expected beside its own."""

    leaf: str
    kind: str
    seeds: int
    chunks: int
    rows: int
    samples: Estimate | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PathPlan:
    """One path. `least` to `most` calls are known by rule (`most` is None where nobody can tell), and `answered` are in
    the journal; `outlook` is there once a pilot was asked."""

    section: str
    path: str
    units: int
    least: int
    most: int | None
    answered: int
    outlook: Outlook | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """All of it. `pilot` counts the units that were tried, `asked` the calls that the teacher had to answer for it.

    The judges were tried for `trial_seconds` first, which the run does too; `mute` are those that cannot tell right
    from wrong, and so reject nothing.
    """

    flow: str
    teacher: str
    journal: Path
    leaves: list[LeafPlan] = field(default_factory=list)
    paths: list[PathPlan] = field(default_factory=list)
    pilot: int = 0
    asked: int = 0
    mute: tuple[str, ...] = ()
    trial_seconds: float = 0.0

    @property
    def outlook(self) -> Outlook | None:
        """The sum of the paths; None without a pilot. Questions with choices test, and are no samples."""
        found = [
            replace(path.outlook, samples=Estimate()) if path.section == MMLU else path.outlook
            for path in self.paths
            if path.outlook is not None
        ]
        return reduce(add, found) if found and len(found) == len(self.paths) else None

    @property
    def seconds(self) -> tuple[float, float] | None:
        """From, if teacher and judge work beside each other, to, if one after the other; None if nobody can tell."""
        total = self.outlook
        if total is None or total.teacher_seconds is None:
            return None
        both = total.teacher_seconds + total.judge_seconds
        least = max(total.teacher_seconds.value, total.judge_seconds.value) - both.error
        return max(0.0, least), both.value + both.error + self.trial_seconds

    def to_json(self) -> dict[str, Any]:
        """The plan for programs."""
        total, seconds = self.outlook, self.seconds
        return {
            "schema_version": 1,
            "flow": self.flow,
            "teacher": self.teacher,
            "journal": str(self.journal),
            "leaves": [asdict(leaf) for leaf in self.leaves],
            "paths": [asdict(path) for path in self.paths],
            "total": None if total is None else total.to_json(),
            "seconds": None if seconds is None else {"least": round(seconds[0], 1), "most": round(seconds[1], 1)},
            "mute": list(self.mute),
            "pilot": {"units": self.pilot, "calls": self.asked} if self.pilot else None,
        }


def make(job: Job, *, pilot: bool, listener: Listener | None = None, counted: Callable[[Plan], None]) -> Plan:
    """The plan; `counted` hears of what is known before the pilot. Without a `pilot` no model is asked anything."""
    with _scratch(listener) as run:
        prepared, steps = prepare(run, job), flow.load(job.sdg.flow)
        units = in_turn(plan(prepared.seeds(), prepared.chunks(), flow=steps))
        identity = generate.name_of_teacher(run, job)
        first = Plan(flow=job.sdg.flow, teacher=identity, journal=teacher_journal.file_of(job, identity))
        asked = _count(units, job, first, create=pilot)
        made = _counted_plan(first, prepared, asked)
        counted(made)
        if not pilot or not units:
            return made
        pilot_of = _try_out(run, job, units, steps, prepared.seeds(), made)
        return _with_outlook(_counted_plan(first, prepared, pilot_of.asked), pilot_of)


@contextmanager
def _scratch(listener: Listener | None) -> Iterator[RunFolder]:
    """A run folder that is gone at the end."""
    with tempfile.TemporaryDirectory(prefix="ilab-plan-") as root:
        yield folders.create(Path(root), "plan", argv=[], settings={}, listener=listener)


def _count(units: Sequence[Unit], job: Job, made: Plan, *, create: bool) -> Asked:
    """Count the calls, and how many of them the journal has answers to; one that is not there yet has none."""
    if not create and not made.journal.exists():
        return calls.count(units, calls.Nobody(), settings=job.sdg, render=_plain)
    with teacher_journal.opened(job, made.teacher, read_only=job.sdg.replay or made.journal.exists()) as journal:
        memory = model_session.remembering(job, calls.Nobody(), journal, identity=made.teacher)
        return calls.count(units, memory, settings=job.sdg, render=_plain)


def _plain(turns: Sequence[Message]) -> str:
    """A conversation for a judge that does not read it."""
    return "\n\n".join(turn.content for turn in turns)


def _counted_plan(made: Plan, prepared: Prepared, asked: Asked) -> Plan:
    seeds, chunks = prepared.seeds(), prepared.chunks()
    leaves = [
        LeafPlan(
            leaf=leaf,
            kind=next(seed.kind for seed in seeds if seed.leaf == leaf),
            seeds=sum(seed.leaf == leaf for seed in seeds),
            chunks=sum(chunk.leaf == leaf for chunk in chunks),
            rows=sum(unit.rows for unit in asked.units if unit.leaf == leaf),
        )
        for leaf in _leaves(seeds)
    ]
    paths = [
        PathPlan(
            section=section,
            path=path,
            units=len(units),
            least=sum(unit.sure for unit in units),
            most=_most(units),
            answered=sum(unit.answered for unit in units),
        )
        for (section, path), units in sorted(asked.by_way().items())
    ]
    return replace(made, leaves=leaves, paths=paths)


def _leaves(seeds: Sequence[Seed]) -> list[str]:
    return sorted({seed.leaf for seed in seeds})


def _most(units: Sequence[Counted]) -> int | None:
    found = [unit.most for unit in units]
    return None if None in found else sum(one or 0 for one in found)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Pilot:
    """What the pilot found out, and what is asked and answered after it."""

    tried: list[Tried]
    pace: Pace
    asked: Asked
    mute: frozenset[str]
    trial_seconds: float


def _try_out(run: RunFolder, job: Job, units: Sequence[Unit], steps: Flow, seeds: Sequence[Seed], made: Plan) -> _Pilot:
    """Try the judges, ask the pilot, and what else it takes to know how fast the teacher is; then count again."""
    report = run.reporter(PILOT)
    run.say("stage_started", stage=PILOT)
    began = time.monotonic()
    judge = model_session.exact_form(job, job.models.judge, report)
    watch = tryout.Watch()
    with (
        teacher_journal.opened(job, made.teacher, read_only=job.sdg.replay) as journal,
        _asked_teacher(run, job) as inner,
        model_session.scoring(judge, settings=job.serving, folder=run.folder / "judge") as scoring,
    ):
        teacher = model_session.remembering(job, inner, journal, identity=made.teacher)
        render, started = scoring.prompts.render, time.monotonic()
        models = Models(teacher=teacher, scorer=scoring.scorer, render=render, identity=made.teacher)
        mute = calibration.calibrate(steps, seeds, models, job.sdg, None, run.folder, report).mute
        trial_seconds = time.monotonic() - started
        tried = tryout.try_out(
            units,
            teacher,
            scoring.scorer,
            settings=job.sdg,
            render=render,
            report=report,
            watch=watch,
            mute=mute,
        )
        memory = model_session.remembering(job, calls.Nobody(), journal, identity=made.teacher)
        again = calls.count(units, memory, settings=job.sdg, render=_plain, mute=mute)
        if inner is not None and tryout.probe(again, teacher, workers=job.sdg.workers, watch=watch):
            again = calls.count(units, memory, settings=job.sdg, render=_plain, mute=mute)
    run.say("stage_finished", stage=PILOT, seconds=round(time.monotonic() - began, 3))
    return _Pilot(tried=tried, pace=watch.pace(), asked=again, mute=mute, trial_seconds=trial_seconds)


@contextmanager
def _asked_teacher(run: RunFolder, job: Job) -> Iterator[ChatModel | None]:
    """The teacher; None in a replay, which asks nobody."""
    if job.sdg.replay:
        yield None
        return
    with model_session.teacher(job, folder=run.folder / "teacher", report=run.reporter(PILOT)) as teacher:
        yield teacher


def _with_outlook(made: Plan, pilot: _Pilot) -> Plan:
    by_way: dict[Way, list[Tried]] = {}
    for one in pilot.tried:
        by_way.setdefault(one.way, []).append(one)
    counted = pilot.asked.by_way()
    outlooks = {way: forecast.outlook(units, by_way[way], pilot.pace) for way, units in counted.items()}
    paths = [replace(path, outlook=outlooks[path.section, path.path]) for path in made.paths]
    leaves = [
        replace(leaf, samples=reduce(add, _shares(leaf.leaf, counted, outlooks), Estimate())) for leaf in made.leaves
    ]
    return replace(
        made,
        leaves=leaves,
        paths=paths,
        pilot=len(pilot.tried),
        asked=pilot.pace.asked,
        mute=tuple(sorted(pilot.mute)),
        trial_seconds=round(pilot.trial_seconds, 1),
    )


def _shares(leaf: str, counted: dict[Way, list[Counted]], outlooks: dict[Way, Outlook]) -> Iterator[Estimate]:
    """What each path is expected to give for a leaf: its share is that of its size."""
    for way, units in counted.items():
        own, total = sum(unit.size for unit in units if unit.leaf == leaf), sum(unit.size for unit in units)
        if own and way[0] != MMLU:
            yield outlooks[way].samples.times(own / total)
