"""Plots as inline SVG, made by hand: bars with intervals, dumbbells, loss curves, a funnel.

Positions are percentages of the width and sizes are pixels, so a plot fits a phone and a wide screen with letters of
the same size. Colours come from CSS classes of the page, so that light and dark follow the reader. Texts are escaped.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from ilab.evaluation.report.data import FunnelRow, LossPoint, QuestionRow
from ilab.evaluation.report.tables import lead_text
from ilab.evaluation.wording import percent, percent_interval
from ilab.records.scores import Interval

_LINE = 20
_POINTS = 600


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """One bar: its name, the CSS class of its colour, and its value with bounds between 0 and 1."""

    name: str
    style: str
    value: Interval


@dataclass(frozen=True, slots=True, kw_only=True)
class BarGroup:
    """Bars under one heading; `chance` draws a mark where guessing would end."""

    label: str
    bars: Sequence[Bar]
    chance: float | None = None


def accuracy_bars(groups: Sequence[BarGroup]) -> str:
    """Horizontal bars from 0 to 100 % with interval whiskers."""
    left, width = 23.0, 62.0
    parts, y = [], 4.0

    def at(share: float) -> float:
        return left + width * share

    for group in groups:
        parts.append(_text(0, y + 14, group.label, style="strong"))
        top = y = y + 22
        for bar in group.bars:
            middle = y + 9
            low, high = at(bar.value.low), at(bar.value.high)
            parts += [
                _text(left - 1.5, middle + 4, bar.name, anchor="end"),
                _rect(left, y + 1, width * bar.value.estimate, 16, bar.style, title=percent_interval(bar.value)),
                _line(low, middle, high, middle, "whisker"),
                _line(low, middle - 4, low, middle + 4, "whisker"),
                _line(high, middle - 4, high, middle + 4, "whisker"),
                _text(100, middle + 4, percent(bar.value.estimate), anchor="end", style="strong"),
            ]
            y += _LINE
        if group.chance is not None:
            parts.append(_line(at(group.chance), top - 2, at(group.chance), y, "chance", title="guessing"))
        y += 12
    axis = [_line(at(tick / 4), 4, at(tick / 4), y - 6, "grid") for tick in range(5)]
    labels = [_text(at(tick / 4), y + 8, percent(tick / 4), anchor="middle", style="faint") for tick in range(5)]
    return _svg(y + 14, [*axis, *parts, *labels], "Share of questions answered right, with intervals")


def dumbbells(rows: Sequence[QuestionRow]) -> str:
    """One line a question: hollow dot before, full dot after, sorted as given; right of the zero line is right."""
    if not rows:
        return ""
    left, width, height = 46.0, 52.0, 18
    values = [value for row in rows for value in (row.base, row.tuned, 0.0)]
    low, high = min(values), max(values)
    span = (high - low) or 1.0

    def at(value: float) -> float:
        return left + width * (value - low) / span

    bottom = 24 + height * len(rows)
    parts = [
        _rect(at(0), 20, left + width - at(0) + 1, bottom - 20, "zone"),
        _text(at(0) - 1, 13, "prefers a wrong answer", anchor="end", style="faint"),
        _text(at(0) + 1, 13, "prefers the right one", style="faint"),
        _line(at(0), 18, at(0), bottom, "zero"),
    ]
    for number, row in enumerate(rows):
        y = 24.0 + height * number + height / 2
        change = "up" if row.gain >= 0 else "down"
        title = f"{row.question} {row.gold} ({lead_text(row.base)} before, {lead_text(row.tuned)} after)"
        parts += [
            _label(y - 9, 18, left - 2, row.question),
            _line(at(row.base), y, at(row.tuned), y, f"link {change}"),
            f'<circle cx="{at(row.base):.2f}%" cy="{y:.1f}" r="4" class="before-dot"/>',
            f'<circle cx="{at(row.tuned):.2f}%" cy="{y:.1f}" r="5" class="after-dot {change}">'
            f"<title>{escape(title)}</title></circle>",
        ]
    return _svg(bottom + 4, parts, "Preference for the right answer before and after, question by question")


def funnel(rows: Sequence[FunnelRow]) -> str:
    """Steps from generated to trained: a total starts at the left, a part fills it, a loss is bitten off its end."""
    if not rows:
        return ""
    left, width = 46.0, 46.0
    most = max(1, *(row.count for row in rows))
    parts, filled, rest = [], 0, 0
    for number, row in enumerate(rows):
        y = 4.0 + _LINE * number
        if row.kind == "total":
            begin, filled, rest = 0, 0, row.count
        elif row.kind == "part":
            begin, filled = filled, filled + row.count
        else:
            rest = max(0, rest - row.count)
            begin = rest
        style, indent = ("strong", 0.0) if row.kind == "total" else ("faint", 2.0)
        text = f"\u2212{row.count:,}" if row.kind == "lost" else f"{row.count:,}"
        start, long = left + width * begin / most, width * row.count / most
        parts += [
            _label(y, _LINE, left - 2, row.label, indent=indent, style=style),
            _rect(start, y + 2, long, 15, row.kind, title=f"{row.label}: {text}"),
            _text(start + long + 1, y + 14, text, style=style),
        ]
    return _svg(8 + _LINE * len(rows), parts, "Questions generated, filtered out by reason, withheld, trained")


def loss_curves(points: Sequence[LossPoint]) -> str:
    """Training loss over trained tokens, phase after phase: every step thin, a running mean thick."""
    points = [point for point in points if math.isfinite(point.loss)]
    if not points:
        return ""
    left, width, top, height = 9.0, 89.0, 20, 200
    phases, unit = _phases(points)
    raw = sorted(point.loss for point in points)
    usual = raw[math.ceil(0.99 * len(raw)) - 1]  # one spike must not flatten the rest
    ticks = _ticks(min(0.0, raw[0]), max(usual, *(max(phase.mean) for phase in phases)))
    total = sum(phase.along[-1] for phase in phases)

    def down(loss: float) -> float:
        return height * (1 - (min(loss, ticks[-1]) - ticks[0]) / (ticks[-1] - ticks[0]))

    parts = [_line(left, top + down(tick), left + width, top + down(tick), "grid") for tick in ticks]
    parts += [_text(left - 1.5, top + down(tick) + 4, f"{tick:g}", anchor="end", style="faint") for tick in ticks]
    parts.append(_text(left, top + height + 16, f"0 {unit}", style="faint"))
    before = 0
    for number, phase in enumerate(phases):
        along = [1000 * (before + place) / total for place in phase.along]
        start, before = left + width * before / total, before + phase.along[-1]
        parts += [
            f'<svg x="{left}%" y="{top}" width="{width}%" height="{height}" viewBox="0 0 1000 {height}" '
            f'preserveAspectRatio="none">'
            f"{_path(along, [down(loss) for loss in phase.losses], f'loss phase-{number % 2}')}"
            f"{_path(along, [down(loss) for loss in phase.mean], f'loss-mean phase-{number % 2}')}</svg>",
            _text(start + 1, 13, phase.name, style="strong"),
            _text(left + width * before / total, top + height + 16, _short(before), anchor="end", style="faint"),
        ]
        if number:
            parts.append(_line(start, 4, start, top + height, "zero"))
    return _svg(top + height + 22, parts, f"Training loss over trained {unit}")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Phase:
    """The curve of one training phase; `along` counts tokens (or steps, when tokens are unknown) from its start."""

    name: str
    along: list[int]
    losses: list[float]
    mean: list[float]


def _phases(points: Sequence[LossPoint]) -> tuple[list[_Phase], str]:
    unit = "tokens" if all(point.tokens for point in points) else "steps"
    found = []
    for name in dict.fromkeys(point.phase for point in points):
        own = [point for point in points if point.phase == name]
        losses = [point.loss for point in own]
        along = [point.tokens if unit == "tokens" else place for place, point in enumerate(own, start=1)]
        found.append(_Phase(name=name, along=along, losses=losses, mean=running_mean(losses)))
    return found, unit


def running_mean(values: Sequence[float]) -> list[float]:
    """Exponential running mean over about a twentieth of the values, unbiased at the start."""
    keep = 1 - 2 / (1 + max(5, len(values) / 20))
    total = weight = 0.0
    found = []
    for value in values:
        total, weight = keep * total + value, keep * weight + 1
        found.append(total / weight)
    return found


def _ticks(low: float, high: float) -> list[float]:
    """Three to six round numbers from at most `low` to about `high`."""
    high = max(high, low + 0.01)
    rough = (high - low) / 4
    size = 10 ** math.floor(math.log10(rough))
    step = next(size * factor for factor in (1, 2, 5, 10) if size * factor >= rough)
    first = math.floor(low / step)
    return [round(step * number, 9) for number in range(first, math.ceil(high / step) + 1)]


def _short(number: int) -> str:
    for size, letter in ((1_000_000_000, "G"), (1_000_000, "M"), (1_000, "k")):
        if number >= size:
            return f"{number / size:.3g} {letter}"
    return str(number)


def _path(xs: Sequence[float], ys: Sequence[float], style: str) -> str:
    skip = max(1, len(xs) // _POINTS)
    chosen = sorted({*range(0, len(xs), skip), len(xs) - 1})
    if len(chosen) == 1:
        return f'<circle cx="{xs[0]:.1f}" cy="{ys[0]:.1f}" r="4" class="{style}"/>'
    steps = " ".join(f"{'L' if number else 'M'}{xs[place]:.1f},{ys[place]:.1f}" for number, place in enumerate(chosen))
    return f'<path d="{steps}" class="{style}" vector-effect="non-scaling-stroke"/>'


def _svg(height: float, parts: Sequence[str], label: str) -> str:
    body = "\n".join(parts)
    return (
        f'<svg class="plot" width="100%" height="{height:.0f}" role="img" aria-label="{escape(label, quote=True)}">'
        f"{body}</svg>"
    )


def _text(x: float, y: float, text: str, *, anchor: str = "start", style: str = "") -> str:
    return f'<text x="{x:.2f}%" y="{y:.1f}" text-anchor="{anchor}" class="{style}">{escape(text)}</text>'


def _label(y: float, height: float, width: float, text: str, *, indent: float = 0, style: str = "") -> str:
    """A text at the left that ends in an ellipsis where it is too long; pointing at it shows the whole."""
    return (
        f'<foreignObject x="{indent:.1f}%" y="{y:.1f}" width="{width - indent:.1f}%" height="{height}">'
        f'<div class="label {style}" title="{escape(text, quote=True)}">{escape(text)}</div></foreignObject>'
    )


def _rect(x: float, y: float, width: float, height: float, style: str, *, title: str = "") -> str:
    inner = f"<title>{escape(title)}</title>" if title else ""
    return (
        f'<rect x="{x:.2f}%" y="{y:.1f}" width="{max(0.0, width):.2f}%" height="{height:.1f}" rx="2" class="{style}">'
        f"{inner}</rect>"
    )


def _line(x1: float, y1: float, x2: float, y2: float, style: str, *, title: str = "") -> str:
    inner = f"<title>{escape(title)}</title>" if title else ""
    return f'<line x1="{x1:.2f}%" y1="{y1:.1f}" x2="{x2:.2f}%" y2="{y2:.1f}" class="{style}">{inner}</line>'
