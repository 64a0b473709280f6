"""report.html: one file without outside resources, light and dark, readable on a phone.

The template escapes everything; only the plots, which escape their own texts, and our stylesheet go in as they are.
"""

from __future__ import annotations

from importlib import resources

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from ilab.evaluation.report import svg, tables
from ilab.evaluation.report.data import ReportData
from ilab.evaluation.report.svg import Bar, BarGroup
from ilab.evaluation.wording import percent
from ilab.records.scores import Scorecard


def to_html(data: ReportData) -> str:
    """The whole page."""
    card = data.scorecard
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    tiers, byte_rows = tables.tier_rows(card), tables.byte_rows(card)
    return environment.from_string(_shipped("report.html.j2")).render(
        data=data,
        card=card,
        style=Markup(_shipped("report.css")),  # our own file
        confidence=percent(card.confidence),
        topics=tables.TOPIC_QUESTIONS,
        tone=tables.tone,
        lead=tables.lead_text,
        sentence=lambda finding: tables.finding_text(finding, data),
        numbers=tables.key_numbers(card),
        tiers=tiers,
        reading=any(row.reading or row.reading_after for row in tiers),
        bars=_plot(svg.accuracy_bars(bar_groups(card))),
        dots=_plot(svg.dumbbells(data.questions)),
        sure=tables.certainty(card),
        bytes=byte_rows,
        reading_bytes=any(row.reading or row.reading_after for row in byte_rows),
        funnel=_plot(svg.funnel(data.funnel)),
        losses=_plot(svg.loss_curves(data.losses)),
        checkpoints=tables.checkpoint_rows(data),
        stages=tables.stage_rows(data),
        teacher=tables.teacher_sentence(data),
        terms=tables.TERMS,
    )


def bar_groups(card: Scorecard) -> list[BarGroup]:
    """Before and after, from memory and reading the text, for every tier in the main table."""
    groups = []
    for row in tables.tier_rows(card):
        wanted = (
            ("before", "before", card.score("accuracy", "base", "closed", row.tier)),
            ("after", "after", card.score("accuracy", "tuned", "closed", row.tier)),
            ("reads, before", "ceiling", card.score("accuracy", "base", "open", row.tier)),
            ("reads, after", "reading-after", card.score("accuracy", "tuned", "open", row.tier)),
        )
        bars = [Bar(name=name, style=style, value=value) for name, style, value in wanted if value is not None]
        groups.append(BarGroup(label=row.name, bars=bars, chance=card.chance.get(row.tier)))
    return groups


def _plot(image: str) -> Markup:
    return Markup(image)  # svg.py escapes every text in it


def _shipped(name: str) -> str:
    return resources.files("ilab.evaluation").joinpath("data", name).read_text(encoding="utf-8")
