"""Intervals cover what they promise; exact tests give known values."""

from __future__ import annotations

import math
import random
import time
from statistics import NormalDist, fmean

import pytest

from ilab.evaluation.statistics import (
    Bootstrap,
    detectable_effect,
    expanded_tail,
    mcnemar,
    non_inferior,
    standard_error,
)
from ilab.records.scores import Interval


def interval(low: float, high: float) -> Interval:
    return Interval(estimate=(low + high) / 2, low=low, high=high, n=50)


@pytest.mark.parametrize("facts", [12, 40])
def test_the_95_percent_interval_covers_about_95_percent_of_simulated_nulls(facts: int) -> None:
    draw = random.Random(7)
    covered = 0
    for number in range(300):
        deltas = [draw.choice((-1.0, -0.5, 0.0, 0.0, 0.5, 1.0)) for _ in range(facts)]  # mean 0: nothing was learned
        found = Bootstrap(resamples=500, seed=number).mean(deltas)
        covered += found.low <= 0 <= found.high
    assert 0.92 <= covered / 300 <= 0.98


def test_the_difference_of_two_groups_covers_its_null_too() -> None:
    draw = random.Random(11)
    covered = 0
    for number in range(200):
        document = [draw.gauss(0.2, 0.5) for _ in range(40)]
        placebo = [draw.gauss(0.2, 0.5) for _ in range(20)]
        found = Bootstrap(resamples=400, seed=number).difference(document, placebo)
        covered += found.low <= 0 <= found.high
    assert 0.90 <= covered / 200 <= 0.99


def test_phrasings_counted_as_independent_would_promise_too_much() -> None:
    draw = random.Random(3)
    facts = [draw.choice((-1.0, 0.0, 1.0)) for _ in range(40)]
    by_fact, by_question = Bootstrap(resamples=2000).mean(facts), Bootstrap(resamples=2000).mean(facts * 4)
    assert by_question.high - by_question.low < 0.6 * (by_fact.high - by_fact.low)


def test_the_same_values_give_the_same_interval_and_quickly() -> None:
    draw = random.Random(1)
    values = [draw.random() for _ in range(60)]
    began = time.process_time()
    first = Bootstrap().mean(values)
    assert time.process_time() - began < 2
    assert first == Bootstrap().mean(values)
    assert first.estimate == pytest.approx(fmean(values))
    assert first.low < first.estimate < first.high
    assert Bootstrap(seed=43).mean(values) != first


def test_a_wider_confidence_gives_a_wider_interval() -> None:
    values = [0.0, 0.5, 1.0, 0.0, 1.0, 0.5, 0.0, 1.0]
    narrow, wide = (Bootstrap(resamples=2000, confidence=level).mean(values) for level in (0.8, 0.99))
    assert wide.low < narrow.low < narrow.high < wide.high


def test_no_values_are_refused() -> None:
    with pytest.raises(ValueError, match="at least one"):
        Bootstrap().mean([])
    with pytest.raises(ValueError, match="both sides"):
        Bootstrap().difference([1.0], [])


def test_a_ratio_is_bracketed_and_a_vanishing_denominator_gives_none() -> None:
    draw = random.Random(5)
    rows = [(0.4 + draw.gauss(0, 0.1), 0.8 + draw.gauss(0, 0.1)) for _ in range(40)]
    found = Bootstrap(resamples=1000).ratio(rows)
    assert found is not None
    assert found.estimate == pytest.approx(0.5, abs=0.05)
    assert found.low < found.estimate < found.high
    assert Bootstrap(resamples=200).ratio([(0.4, 0.01)] * 20) is None
    assert Bootstrap(resamples=200).ratio([(0.4, 1.0), (0.1, -0.7)] * 3) is None


@pytest.mark.parametrize(
    ("gained", "lost", "expected"),
    [(0, 0, 1.0), (5, 0, 2 / 32), (0, 5, 2 / 32), (10, 2, 158 / 4096), (4, 4, 1.0)],
)
def test_mcnemar_is_the_exact_binomial(gained: int, lost: int, expected: float) -> None:
    assert mcnemar(gained, lost) == pytest.approx(expected)


def test_non_inferiority_has_three_answers() -> None:
    assert non_inferior(interval(-0.02, 0.01), 0.03) is True
    assert non_inferior(interval(-0.02, -0.01), 0.03) is True
    assert non_inferior(interval(-0.08, -0.01), 0.03) is False
    assert non_inferior(interval(-0.08, 0.04), 0.03) is None


def test_the_tails_widen_for_few_facts_as_t_does() -> None:
    assert expanded_tail(0.95, 10_000) == pytest.approx(0.025, abs=1e-4)
    assert expanded_tail(0.95, 10) == pytest.approx(NormalDist().cdf(-2.262 * math.sqrt(10 / 9)), rel=0.02)


def test_the_detectable_effect_shrinks_with_the_root_of_the_facts() -> None:
    assert detectable_effect(100) == pytest.approx(0.14, abs=0.002)
    assert detectable_effect(25) == pytest.approx(2 * detectable_effect(100))
    assert detectable_effect(0) == math.inf


def test_standard_error() -> None:
    assert standard_error([1.0, 3.0]) == pytest.approx(1.0)
    assert standard_error([1.0]) == 0.0
