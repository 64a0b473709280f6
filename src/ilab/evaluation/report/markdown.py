"""report.md: the same content as plain Markdown."""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Iterable, Sequence

from ilab.evaluation.report import tables
from ilab.evaluation.report.data import FunnelRow, ReportData
from ilab.evaluation.report.svg import running_mean
from ilab.evaluation.wording import percent


def to_markdown(data: ReportData) -> str:
    """The whole report; sections without data are left out."""
    sections = [
        _top(data),
        _learned(data),
        _examples(data),
        _certainty(data),
        _making(data),
        _section("Words used here", [f"- **{term}**: {text}" for term, text in tables.TERMS]),
        _details(data),
    ]
    return "\n\n".join(section for section in sections if section) + "\n"


def _top(data: ReportData) -> str:
    card = data.scorecard
    lines = [f"# {_inline(data.title)}", ""]
    if data.run_id:
        lines += [f"Run `{data.run_id}`", ""]
    lines += [f"**{card.headline}**", ""]
    for finding in card.findings:
        question = tables.TOPIC_QUESTIONS.get(finding.topic, finding.topic)
        lines.append(f"- {question} **{finding.word}.** {_inline(tables.finding_text(finding, data))}")
    lines += [f"\n> {_inline(warning)}" for warning in data.warnings]
    return "\n".join(lines).strip()


def _learned(data: ReportData) -> str:
    card = data.scorecard
    rows = tables.tier_rows(card)
    if not rows:
        return ""
    change = f"points [{percent(card.confidence)} interval]"
    header = ("asked about", "before", "after", change, "reads, before", "reads, after", change, "facts")
    body = [
        (
            row.name,
            row.before,
            row.after,
            row.change,
            row.reading,
            row.reading_after,
            row.reading_change,
            str(row.facts),
        )
        for row in rows
    ]
    note = (
        "Share of questions answered right, first from memory (closed book). `reads` is with the text in the prompt "
        "(open book); what the untrained model gets right so is the ceiling."
    )
    lines = [note, "", *_table(header, body)]
    if data.questions:
        marks = {True: "✓", False: "✗"}
        lines += [
            "",
            "### Question by question",
            "",
            "Lead of the right answer over the best wrong one, in nats; above 0 is right.",
            "",
        ]
        lines += _table(
            ("question", "right answer", "kind", "before", "after"),
            [
                (
                    row.question,
                    row.gold,
                    row.tier,
                    f"{marks[row.base_correct]} {tables.lead_text(row.base)}",
                    f"{marks[row.tuned_correct]} {tables.lead_text(row.tuned)}",
                )
                for row in data.questions
            ],
        )
    return _section("What it learned", lines)


def _examples(data: ReportData) -> str:
    lines = []
    for one in data.examples:
        lines += [
            f"**{_inline(one.question)}**",
            "",
            f"- right: {_inline(one.gold)}",
            f"- before: {_inline(one.before)}" + (" ✓" if one.before_hit else ""),
            f"- after: {_inline(one.after)}" + (" ✓" if one.after_hit else ""),
            "",
        ]
    return _section("In its own words", lines)


def _certainty(data: ReportData) -> str:
    lines = [line for sentence in tables.certainty(data.scorecard) for line in (sentence, "")]
    rows = tables.byte_rows(data.scorecard)
    if rows:
        first = "bits per byte (lower: better known)"
        header = (first, "before", "after", "change", "reads, before", "reads, after", "change")
        lines += _table(header, [dataclasses.astuple(row) for row in rows])
    return _section("How sure is this?", lines)


def _making(data: ReportData) -> str:
    lines: list[str] = []
    if data.funnel:
        lines += ["### Training data", "", *_table(("questions", "count"), [_step(row) for row in data.funnel]), ""]
    if data.losses:
        phases = ("phase", "steps", "tokens", "loss at the start", "loss at the end (running mean)")
        lines += ["### Training loss", "", *_table(phases, _losses(data)), ""]
    if data.checkpoints:
        header = ("checkpoint", "selection questions right", "score", "general questions, points", "")
        lines += ["### Choice of the checkpoint", "", *([_inline(data.choice), ""] if data.choice else [])]
        lines += [*_table(header, tables.checkpoint_rows(data)), ""]
    if data.stages:
        lines += ["### Time and tokens", "", *_table(("stage", "time", "tokens", ""), tables.stage_rows(data)), ""]
    if data.teacher:
        lines.append(tables.teacher_sentence(data))
    return _section("How it was made", lines)


def _losses(data: ReportData) -> list[tuple[str, ...]]:
    rows = []
    for phase in dict.fromkeys(point.phase for point in data.losses):
        found = [point for point in data.losses if point.phase == phase]
        smooth = running_mean([point.loss for point in found if math.isfinite(point.loss)] or [math.nan])
        ends = [f"{loss:.3f}" for loss in (smooth[0], smooth[-1])]
        rows.append((phase, str(len(found)), f"{found[-1].tokens:,}", *ends))
    return rows


def _step(row: FunnelRow) -> tuple[str, str]:
    """A row of the funnel: parts are named as such, losses are negative."""
    start = {"total": "", "part": "of these: ", "lost": "less: "}[row.kind]
    return start + row.label, f"{'-' if row.kind == 'lost' else ''}{row.count:,}"


def _details(data: ReportData) -> str:
    lines = ["```", data.command, "```", ""] if data.command else []
    lines += [f"- {label}: `{place}`" for label, place in data.files.items()]
    if data.environment:
        lines += ["", *_table(("", ""), list(data.environment.items()))]
    return _section("Again, and in detail", lines)


def _section(title: str, lines: Sequence[str]) -> str:
    return "\n".join([f"## {title}", "", *lines]).rstrip() if lines else ""


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    lines = ["| " + " | ".join(header) + " |", "|" + " --- |" * len(header)]
    return lines + ["| " + " | ".join(_inline(cell) for cell in row) + " |" for row in rows]


def _inline(text: str) -> str:
    """Text of others on one line, without effect as Markdown or HTML."""
    return re.sub(r"([\\`*_|<>]|(?<=\])\()", r"\\\1", " ".join(text.split()))
