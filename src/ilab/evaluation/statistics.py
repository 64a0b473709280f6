"""How sure are we? Bootstrap intervals by fact, exact McNemar, non-inferiority, smallest detectable effect.

The fact is the unit: its phrasings stand or fall together, so counting them as independent would make every interval
too narrow. Values are first averaged within a fact, then facts are resampled with replacement. Two models that answered
the same facts are compared by resampling the differences (paired). The plain percentile interval is too narrow for few
facts; its tails are moved outwards to where Student's t would put them ("expanded percentile", Hesterberg 2015). The
standard library's generator with a fixed seed makes every interval repeatable.

Limit: when no fact differs at all the interval has no width, though changes rarer than about 3/n could be missed.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import NormalDist, fmean, stdev

from ilab.records.scores import Interval


@dataclass(frozen=True, slots=True, kw_only=True)
class Bootstrap:
    """How intervals are made: number of resamples, confidence between 0 and 1, seed."""

    resamples: int = 10_000
    confidence: float = 0.95
    seed: int = 42

    def mean(self, values: Sequence[float]) -> Interval:
        """The mean of one value a fact. Raises ValueError when there is none."""
        if not values:
            raise ValueError("an interval needs at least one value")
        return self._interval(fmean(values), self._means(values, self.seed), len(values))

    def difference(self, first: Sequence[float], second: Sequence[float]) -> Interval:
        """Mean of `first` minus mean of `second`, two unrelated groups of facts (difference in differences)."""
        if not first or not second:
            raise ValueError("a difference needs values on both sides")
        means = zip(self._means(first, self.seed), self._means(second, self.seed + 1), strict=True)
        facts = min(len(first), len(second))
        return self._interval(fmean(first) - fmean(second), [one - other for one, other in means], facts)

    def ratio(self, rows: Sequence[tuple[float, float]], *, smallest: float = 0.05) -> Interval | None:
        """Mean of the first column over mean of the second, resampling rows (facts).

        None when the denominator is below `smallest`, or so uncertain that it falls below it in a twentieth of the
        resamples: such a ratio says nothing.
        """
        top, bottom = fmean(row[0] for row in rows), fmean(row[1] for row in rows)
        if bottom < smallest:
            return None
        draw = random.Random(self.seed)
        ratios = []
        for _ in range(self.resamples):
            sample = draw.choices(rows, k=len(rows))
            under = math.fsum(row[1] for row in sample) / len(rows)
            if under >= smallest:
                ratios.append(math.fsum(row[0] for row in sample) / len(rows) / under)
        if len(ratios) < 0.95 * self.resamples:
            return None
        return self._interval(top / bottom, ratios, len(rows))

    def _means(self, values: Sequence[float], seed: int) -> list[float]:
        choose: Callable[..., list[float]] = random.Random(seed).choices
        count = len(values)
        return [sum(choose(values, k=count)) / count for _ in range(self.resamples)]

    def _interval(self, estimate: float, resampled: list[float], facts: int) -> Interval:
        ordered, tail = sorted(resampled), expanded_tail(self.confidence, facts)
        low, high = _quantile(ordered, tail), _quantile(ordered, 1 - tail)
        return Interval(estimate=round(estimate, 12), low=round(low, 12), high=round(high, 12), n=facts)


def expanded_tail(confidence: float, facts: int) -> float:
    """The share of resamples to cut at each end so that the interval of `facts` facts keeps its promise.

    The bootstrap of a mean is too narrow by sqrt((n-1)/n) and by normal against t quantiles; both are undone here. The
    t quantile is the Cornish-Fisher series, good to three digits from five facts on.
    """
    normal, freedom = NormalDist(), max(1, facts - 1)
    z = normal.inv_cdf((1 + confidence) / 2)
    t = z + (z**3 + z) / (4 * freedom) + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * freedom**2)
    return normal.cdf(-t * math.sqrt((freedom + 1) / freedom))


def _quantile(ordered: Sequence[float], share: float) -> float:
    """Linear interpolation between the two nearest order statistics."""
    place = share * (len(ordered) - 1)
    below = math.floor(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (place - below) * (ordered[above] - ordered[below])


def mcnemar(gained: int, lost: int) -> float:
    """Two-sided exact p: how often a fair coin splits `gained + lost` changed questions at least this unevenly.

    Every question counts for itself here, so with several phrasings of a fact the p is a little too small; verdicts
    rest on the intervals by fact, not on it.
    """
    changed = gained + lost
    if not changed:
        return 1.0
    tail = sum(math.comb(changed, k) for k in range(min(gained, lost) + 1)) / (1 << changed)
    return min(1.0, 2 * tail)


def non_inferior(delta: Interval, margin: float) -> bool | None:
    """True: surely not worse than `margin` (a positive number). False: surely worse than before, and maybe by more.

    None: the interval does not decide.
    """
    if delta.low > -margin:
        return True
    return False if delta.high < 0 else None


def detectable_effect(facts: int, *, deviation: float = 0.5, confidence: float = 0.95, power: float = 0.8) -> float:
    """Smallest mean gain that `facts` facts show with probability `power` (normal approximation).

    `deviation` is the standard deviation of the per-fact gain: about 0.5 for accuracies that may go 0, 1/2 or 1 either
    way. Infinite without facts.
    """
    if facts < 1:
        return math.inf
    normal = NormalDist()
    return (normal.inv_cdf((1 + confidence) / 2) + normal.inv_cdf(power)) * deviation / math.sqrt(facts)


def standard_error(values: Sequence[float]) -> float:
    """Standard error of a mean; 0 with fewer than two values."""
    return stdev(values) / math.sqrt(len(values)) if len(values) > 1 else 0.0
