"""The summary for the terminal: the verdict first, then numbers, answers, time. Plain text, no colours."""

from __future__ import annotations

import textwrap

from ilab.base.clock import human_duration
from ilab.evaluation.report import tables
from ilab.evaluation.report.data import ReportData
from ilab.evaluation.wording import percent, percent_interval, points_interval, signed_interval
from ilab.records.scores import Scorecard

WIDTH = 100
LINES = 41
_SHORTEST = 1.0
"""Seconds below which a stage is not worth a place on the screen."""
_DIFFERENCE = "document minus placebo"


def to_screen(data: ReportData) -> list[str]:
    """The lines to print, at most WIDTH wide and about LINES in all: answers are shortened to make them fit."""
    parts = [_verdict(data), _numbers(data.scorecard), [], _costs(data)]
    for rows_each in (2, 1):
        parts[2] = _examples(data, rows_each)
        lines = [line for part in parts if part for line in (*part, "")][:-1]
        if len(lines) <= LINES:
            break
    return lines


def _verdict(data: ReportData) -> list[str]:
    """The headline, the two findings that everybody asks for, and every bad one."""
    card = data.scorecard
    lines = [card.headline]
    for finding in card.findings:
        if finding.topic in ("learned", "retained") or tables.tone(finding) == "bad":
            said = tables.rehearsed(data) if finding.topic == "retained" else ""
            lines += _wrapped(f"{finding.sentence} {said}", "  ", "  ", most=4)
    return lines + [line for warning in data.warnings[:3] for line in _wrapped(warning, "  ! ", "    ", most=1)]


def _numbers(card: Scorecard) -> list[str]:
    """Accuracy, then bits per byte; in both the document's change less that of the placebo page."""
    rows, costs = tables.tier_rows(card), tables.byte_rows(card)
    lines: list[str] = []
    open_book = any(row.reading for row in rows)
    if rows:
        change = f"points [{percent(card.confidence)} interval]"
        lines += [_row("", "from memory", "", "", "reading the text", "")] if open_book else []
        lines.append(_row("questions answered right", "before", "after", change, *_if(open_book, "before*", "after")))
        lines += [
            _row(f"  {row.name}", row.before, row.after, row.change, row.reading, row.reading_after) for row in rows
        ]
        more = card.specific.get("accuracy")
        lines += [_row(f"  {_DIFFERENCE}", "", "", points_interval(more).replace(" points", ""))] if more else []
    if costs:
        lines.append("bits per byte of the right answers: how surprising they are; less is better")
        shown = [row for row in costs if row.name in (rows[0].name if rows else "", tables.ORDINARY)]
        cells = [(row.name, row.before, row.after, row.change, row.reading, row.reading_after) for row in shown]
        more = card.specific.get("bits_per_byte")
        if more:
            cells.insert(1, (_DIFFERENCE, "", "", signed_interval(more, decimals=2), "", ""))
        lines += [_row(f"  {name}", *rest) for name, *rest in cells]
    if open_book:
        known = f"; {percent_interval(card.recovered)} of the way there" if card.recovered else ""
        lines.append(f"  * the untrained model with the text in its prompt: the ceiling{known}")
    return lines


def _if(wanted: bool, *cells: str) -> tuple[str, ...]:
    return cells if wanted else ()


def _row(name: str, before: str, after: str, change: str, reading: str = "", reading_after: str = "") -> str:
    return f"{name:<31}{before:>11}{after:>8}  {change:>23}{reading:>17}{reading_after:>8}".rstrip()


def _examples(data: ReportData, rows_each: int) -> list[str]:
    lines = ["the same questions before and after, answered in words (in brackets: the right answer)"]
    for one in data.examples:
        lines += _wrapped(f"{one.question} ({one.gold})", "  ", "    ", most=1)
        lines += _wrapped(one.before, "    before: ", "            ", most=rows_each)
        lines += _wrapped(one.after, "    after:  ", "            ", most=rows_each)
    return lines if data.examples else []


def _costs(data: ReportData) -> list[str]:
    """Time in all and of each stage, then the tokens of the teacher."""
    if not data.stages:
        return []
    total = human_duration(sum(stage.seconds for stage in data.stages))
    cells = [
        f"{stage.name} {human_duration(stage.seconds)}" + (f" ({stage.tokens:,} tokens)" if stage.tokens else "")
        for stage in data.stages
        if stage.seconds >= _SHORTEST
    ]
    lines = _wrapped(f"time: {total} in all" + "".join(f" · {cell}" for cell in cells), "", "  ", most=4)
    used = data.teacher
    if used:
        read = f"{used.computed:,} prompt tokens computed, {used.cached:,} from its prefix cache"
        lines += _wrapped(
            f"teacher: {read} ({percent(used.cached_share)}), {used.completion:,} written", "", "  ", most=2
        )
    return lines


def _wrapped(text: str, first: str, later: str, *, most: int) -> list[str]:
    """At most `most` lines of `text`; what does not fit ends in an ellipsis."""
    return textwrap.wrap(
        " ".join(text.split()) or "(nothing)",
        WIDTH,
        initial_indent=first,
        subsequent_indent=later,
        max_lines=most,
        placeholder=" ...",
    )
