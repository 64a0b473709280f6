"""A plan of generation as a terminal shows it: leaves, paths, and what the figures rest on."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from typing import TYPE_CHECKING

from ilab.base.clock import human_duration
from ilab.cli import output

if TYPE_CHECKING:
    from ilab.pipeline.generation_plan import PathPlan, Plan
    from ilab.sdg.forecast import Estimate, Outlook

_WIDTH = 80


def counted(plan: Plan) -> Iterator[str]:
    """What is known by counting alone: leaves, and for each path the calls."""
    yield f"Leaves, for the flow '{plan.flow}':"
    rows = [[leaf.leaf, leaf.kind, *map(output.number, (leaf.seeds, leaf.chunks, leaf.rows))] for leaf in plan.leaves]
    yield output.table(["Leaf", "Kind", "Seeds", "Chunks", "Rows"], rows)
    yield "Calls of the teacher, as far as they can be counted before it is asked:"
    rows = [
        [path.section, path.path, output.number(path.units), _range(path), output.number(path.answered)]
        for path in plan.paths
    ]
    yield output.table(["Section", "Path", "Units", "Calls", "In the journal"], rows)
    known, answered = sum(path.least for path in plan.paths), sum(path.answered for path in plan.paths)
    most = [path.most for path in plan.paths]
    if None in most:
        calls = f"{output.number(known)} or more calls"
    elif (total := sum(one or 0 for one in most)) != known:
        calls = f"{output.number(known)} to {output.number(total)} calls"
    else:
        calls = f"{output.number(known)} calls"
    yield f"{calls}, of which {output.number(answered)} are answered in the journal {plan.journal}"


def _range(path: PathPlan) -> str:
    """The calls of a path: exact, a range, or a least number."""
    least = output.number(path.least)
    if path.most is None:
        return f"{least} or more"
    return least if path.most == path.least else f"{least} to {output.number(path.most)}"


def expected(plan: Plan) -> Iterator[str]:
    """What the pilot says: for each path, each leaf and in all; nothing where there was none."""
    total = plan.outlook
    if total is None:
        return
    yield "Expected, by the pilot:"
    columns = ["Section", "Path", "Calls", "Still to ask", "Prompt tokens", "Answer tokens", "Samples", "Time"]
    rows = [[path.section, path.path, *_figures(path.outlook)] for path in plan.paths if path.outlook is not None]
    yield output.table(columns, [*rows, ["all", "", *_figures(total)]])
    rows = [[leaf.leaf, output.number(leaf.seeds), figure(leaf.samples)] for leaf in plan.leaves if leaf.samples]
    yield output.table(["Leaf", "Own", "Samples"], rows)
    if plan.seconds is not None:
        yield f"time: {_time(*plan.seconds)} for the teacher and the judge"
    else:
        yield "time: unknown; the teacher did not have to answer anything, so its pace was not measured"
    if plan.mute:
        yield f"judges that cannot tell right from wrong here, and so reject nothing: {', '.join(plan.mute)}"
    told = (
        f"The pilot: {plan.pilot} units, {plan.asked} calls; its answers are in the journal and are not asked again. A "
        "figure lies within its ± in four of five cases, if the other units are like these. Samples are counted before "
        "repeats between units are dropped, and without what later fills gaps or adds to leaves that have too few."
    )
    yield textwrap.fill(told, _WIDTH)


def _figures(outlook: Outlook) -> list[str]:
    judge, teacher = outlook.judge_seconds, outlook.teacher_seconds
    seconds = "unknown" if teacher is None else human_duration(teacher.value + judge.value)
    found = (outlook.calls, outlook.open_calls, outlook.prompt, outlook.answer, outlook.samples)
    return [*map(figure, found), seconds]


def figure(estimate: Estimate) -> str:
    """A figure with its error: `118 ± 12`; an exact one without."""
    value = output.number(_rounded(estimate.value))
    return f"{value} ± {output.number(_rounded(estimate.error))}" if round(estimate.error) else value


def _rounded(value: float) -> float:
    """Whole numbers; above 1,000 three digits that count."""
    if value < 1000:
        return float(round(value))
    step = 10 ** (len(str(int(value))) - 3)
    return float(round(value / step) * step)


def _time(least: float, most: float) -> str:
    low, high = human_duration(least), human_duration(most)
    return f"about {low}" if low == high else f"{low} to {high}"
