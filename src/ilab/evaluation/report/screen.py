"""The summary for the terminal: the verdict first, then numbers, answers, time. Plain text, no colours."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

from ilab.evaluation.report import tables
from ilab.evaluation.report.data import ReportData
from ilab.evaluation.wording import percent, percent_interval

WIDTH = 100
LINES = 40


def to_screen(data: ReportData) -> list[str]:
    """The lines to print, at most WIDTH wide and about LINES in all: answers are shortened to make them fit."""
    parts = [_verdict(data), _numbers(data), [], _costs(data), _links(data)]
    for rows_each in (2, 1):
        parts[2] = _examples(data, rows_each)
        lines = [line for part in parts if part for line in (*part, "")][:-1]
        if len(lines) <= LINES:
            break
    return lines


def _verdict(data: ReportData) -> list[str]:
    card = data.scorecard
    lines = [card.headline]
    for finding in card.findings:
        if finding.topic in ("learned", "retained") or tables.tone(finding) == "bad":
            lines += _wrapped(finding.sentence, "  ", "  ", most=2)
    return lines + [line for warning in data.warnings[:3] for line in _wrapped(warning, "  ! ", "    ", most=1)]


def _numbers(data: ReportData) -> list[str]:
    card = data.scorecard
    rows = tables.tier_rows(card)
    if not rows:
        return []
    open_book = any(row.reading for row in rows)
    change = f"points [{percent(card.confidence)} interval]"
    lines = [_row("right from memory", "before", "after", change, "reading*" if open_book else "")]
    lines += [_row("  " + row.name, row.before, row.after, row.change, row.reading) for row in rows]
    if open_book:
        known = f"; {percent_interval(card.recovered)} of the way there" if card.recovered else ""
        lines.append(f"  * the untrained model with the text in its prompt: the ceiling{known}")
    return lines


def _row(name: str, before: str, after: str, change: str, reading: str) -> str:
    return f"{name:<28}{before:>7}{after:>8}  {change:>32}{reading:>10}".rstrip()


def _examples(data: ReportData, rows_each: int) -> list[str]:
    lines = ["the same questions before and after"] if data.examples else []
    for one in data.examples:
        lines += _wrapped(f"{one.question} ({one.gold})", "  ", "    ", most=1)
        lines += _wrapped(one.before, "    before: ", "            ", most=rows_each)
        lines += _wrapped(one.after, "    after:  ", "            ", most=rows_each)
    return lines


def _costs(data: ReportData) -> list[str]:
    if not data.stages:
        return []
    cells = [f"{name} {time}" + (f" ({tokens} tokens)" if tokens else "") for name, time, tokens, _ in _stages(data)]
    teacher = tables.teacher_sentence(data)
    return [
        *_wrapped("time: " + " · ".join(cells), "", "  ", most=4),
        *(_wrapped(teacher, "", "  ", most=2) if teacher else []),
    ]


def _stages(data: ReportData) -> Sequence[tuple[str, str, str, str]]:
    return tables.stage_rows(data)


def _links(data: ReportData) -> list[str]:
    wide = max((len(label) for label in data.files), default=0)
    return [f"{label + ':':<{wide + 1}} {place}" for label, place in data.files.items()]


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
