"""Forecast: what a path of a flow is expected to ask, cost and give, by the units of it that were tried out.

An `Estimate` is a ratio estimate over the pilot: total of a figure = total size x (pilot's figure / pilot's size). Size
is the length of the first prompts of a unit, or of its text where nothing is asked. The error is half of the interval
that holds the truth in four of five cases, by Student's t, if the pilot's units are like the others.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from ilab.sdg.calls import Counted
from ilab.sdg.tryout import Pace, Tried

_T = {1: 3.078, 2: 1.886}
"""Student's t for four of five cases, by degrees of freedom; the pilot has three units of a path, or all there are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """An expected figure and its error; see the module."""

    value: float = 0.0
    error: float = 0.0

    def __add__(self, other: Estimate) -> Estimate:
        return Estimate(value=self.value + other.value, error=math.hypot(self.error, other.error))

    def times(self, factor: float) -> Estimate:
        """The figure in another unit."""
        return Estimate(value=self.value * factor, error=self.error * factor)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlook:
    """What one path is expected to come to. `open_calls` are those whose answer is not in the journal yet."""

    calls: Estimate
    open_calls: Estimate
    prompt: Estimate
    answer: Estimate
    samples: Estimate
    teacher_seconds: Estimate | None
    judge_seconds: Estimate

    def to_json(self) -> dict[str, Any]:
        """The figures as JSON."""
        return asdict(self)

    def __add__(self, other: Outlook) -> Outlook:
        teacher = (
            self.teacher_seconds + other.teacher_seconds
            if self.teacher_seconds is not None and other.teacher_seconds is not None
            else None
        )
        return Outlook(
            calls=self.calls + other.calls,
            open_calls=self.open_calls + other.open_calls,
            prompt=self.prompt + other.prompt,
            answer=self.answer + other.answer,
            samples=self.samples + other.samples,
            teacher_seconds=teacher,
            judge_seconds=self.judge_seconds + other.judge_seconds,
        )


def outlook(counted: Sequence[Counted], tried: Sequence[Tried], pace: Pace) -> Outlook:
    """What the units of one path are expected to come to, by those of them that were tried, the first of the list."""
    sizes = [unit.size for unit in counted]
    if not sum(sizes[: len(tried)]):  # nothing was asked in the pilot: all units count the same
        sizes = [1.0] * len(counted)
    tried_sizes, total, number = sizes[: len(tried)], sum(sizes), len(counted)

    def of(figures: Sequence[float]) -> Estimate:
        return ratio(tried_sizes, figures, total=total, number=number)

    calls = of([unit.calls for unit in tried])
    answered = sum(unit.answered for unit in counted)
    still = Estimate(value=max(0.0, calls.value - answered), error=calls.error)
    seconds = pace.by_way.get(counted[0].way, pace.mean)
    return Outlook(
        calls=calls,
        open_calls=still,
        prompt=of([unit.prompt for unit in tried]),
        answer=of([unit.answer for unit in tried]),
        samples=of([unit.samples for unit in tried]),
        teacher_seconds=Estimate() if not still.value else still.times(seconds) if seconds is not None else None,
        judge_seconds=of([unit.judge_seconds for unit in tried]),
    )


def ratio(sizes: Sequence[float], figures: Sequence[float], *, total: float, number: int) -> Estimate:
    """The total of a figure over `number` units of together `total` size, from those of known sizes and figures."""
    size, tried = sum(sizes), len(sizes)
    if tried >= number:
        return Estimate(value=sum(figures))
    share = sum(figures) / size
    if tried < 2:
        return Estimate(value=share * total)
    spread = sum((figure - share * one) ** 2 for one, figure in zip(sizes, figures, strict=True)) / (tried - 1)
    error = total / (size / tried) * math.sqrt((1 - tried / number) * spread / tried)
    return Estimate(value=share * total, error=_T.get(tried - 1, _T[2]) * error)
