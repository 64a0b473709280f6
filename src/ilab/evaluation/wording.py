"""Numbers in words: percent, points, intervals. The verdict and all reports spell them the same way."""

from __future__ import annotations

from ilab.records.scores import Interval


def percent(share: float) -> str:
    """0.294 as `29 %`."""
    return f"{100 * share:.0f} %"


def points(difference: float, *, decimals: int = 0) -> str:
    """A difference of shares in percentage points with its sign: 0.464 as `+46`."""
    text = f"{100 * difference:+.{decimals}f}"
    return text.replace("-", "+") if float(text) == 0 else text


def signed(value: float, *, decimals: int = 3) -> str:
    """A number with its sign."""
    text = f"{value:+.{decimals}f}"
    return text.replace("-", "+") if float(text) == 0 else text


def points_interval(interval: Interval, *, decimals: int = 0) -> str:
    """A gain in points with its bounds: `+46 points [+31, +60]`."""
    bounds = ", ".join(points(bound, decimals=decimals) for bound in (interval.low, interval.high))
    return f"{points(interval.estimate, decimals=decimals)} points [{bounds}]"


def percent_interval(interval: Interval) -> str:
    """A level with its bounds: `75 % [66, 84]`."""
    return f"{percent(interval.estimate)} [{100 * interval.low:.0f}, {100 * interval.high:.0f}]"


def signed_interval(interval: Interval, *, decimals: int = 3) -> str:
    """A difference in its own unit with bounds: `+0.006 [-0.002, +0.013]`."""
    bounds = ", ".join(signed(bound, decimals=decimals) for bound in (interval.low, interval.high))
    return f"{signed(interval.estimate, decimals=decimals)} [{bounds}]"


def count(number: int, noun: str, plural: str = "") -> str:
    """`1 fact`, `2 facts`."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"
