"""A plan's totals: what counts as a sample, and the time from the busier of the two models to both in turn."""

from __future__ import annotations

from pathlib import Path

import pytest

from ilab.pipeline.generation_plan import PathPlan, Plan
from ilab.sdg.forecast import Estimate, Outlook


def path(
    section: str, *, samples: float = 10, teacher: Estimate | None, judge: float = 4, pilot: bool = True
) -> PathPlan:
    some = Estimate(value=5)
    ahead = Outlook(
        calls=some,
        open_calls=some,
        prompt=some,
        answer=some,
        samples=Estimate(value=samples),
        teacher_seconds=teacher,
        judge_seconds=Estimate(value=judge),
    )
    return PathPlan(section=section, path="p", units=3, least=5, most=5, answered=0, outlook=ahead if pilot else None)


def plan(*paths: PathPlan, trial: float = 0) -> Plan:
    return Plan(flow="f", teacher="t", journal=Path("j"), paths=list(paths), trial_seconds=trial)


def test_questions_with_choices_are_no_samples() -> None:
    found = plan(path("knowledge", teacher=Estimate()), path("mmlu", teacher=Estimate())).outlook
    assert found is not None and (found.samples.value, found.calls.value) == (10, 10)


def test_the_time_is_between_side_by_side_and_in_turn() -> None:
    found = plan(
        path("knowledge", teacher=Estimate(value=20, error=3)), path("gaps", teacher=Estimate(value=10, error=4))
    )
    assert found.seconds == pytest.approx((30 - 5, 30 + 8 + 5))
    assert plan(path("knowledge", teacher=Estimate()), trial=7).seconds == (4, 4 + 7)


def test_what_was_not_measured_is_not_told() -> None:
    assert plan(path("knowledge", teacher=Estimate()), path("gaps", teacher=None)).seconds is None
    unknown = plan(path("knowledge", teacher=Estimate()), path("gaps", teacher=None, pilot=False))
    assert unknown.outlook is None and unknown.to_json()["total"] is None
