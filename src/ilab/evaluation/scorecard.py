"""Answers of a base and a tuned model become a Scorecard: levels, paired gains, placebo, ceiling, keep-set, verdict."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from statistics import fmean

from ilab.evaluation import verdict
from ilab.evaluation.settings import EvalSettings
from ilab.evaluation.statistics import Bootstrap, detectable_effect, mcnemar
from ilab.records.scores import Answer, Flips, Interval, Scorecard

DOCUMENT = "document"
TIERS = (DOCUMENT, "taught", "untaught", "placebo", "keep")
MEASURES: dict[str, Callable[[Answer], float]] = {
    "accuracy": lambda answer: float(answer.correct),
    "margin": lambda answer: answer.margin,
    "bits_per_byte": lambda answer: answer.gold_bits_per_byte,
}


def open_book(measure: str) -> str:
    """The name under which gains of `measure` with the text in the prompt stand beside those from memory."""
    return f"open_book_{measure}"


def summarise(
    *,
    base: Sequence[Answer],
    tuned: Sequence[Answer],
    settings: EvalSettings,
    neutral: tuple[Sequence[float], Sequence[float]] | None = None,
) -> Scorecard:
    """Compare `tuned` with `base`; each may hold several tiers and both conditions. Missing parts are left out.

    Give the report part of every set only: whatever chose the checkpoint must not be counted again here. `neutral`
    holds bits per byte of the same neutral texts for base and tuned.
    """
    boot = Bootstrap(resamples=settings.resamples, confidence=settings.confidence, seed=settings.seed)
    answers = {"base": base, "tuned": tuned}
    gains = _gains(answers, boot)
    card = Scorecard(
        scores=_levels(answers, boot),
        gains=gains,
        specific=_specific(answers, boot),
        recovered=_recovered(answers, boot),
        flips=_flips(base, tuned),
        chance=_chance(base),
        drift=_drift(neutral, boot),
        detectable={
            tier: detectable_effect(gain.n, confidence=settings.confidence)
            for tier, gain in gains.get("accuracy", {}).items()
        },
        confidence=settings.confidence,
    )
    found = verdict.findings(card, settings)
    return replace(card, findings=found, headline=verdict.headline(found))


def per_fact(
    answers: Sequence[Answer], *, tier: str, condition: str = "closed", measure: str = "accuracy"
) -> dict[str, float]:
    """One value a fact, the mean over its phrasings. The tier `document` takes taught and untaught facts together."""
    wanted = ("taught", "untaught") if tier == DOCUMENT else (tier,)
    values: dict[str, list[float]] = defaultdict(list)
    for answer in answers:
        if answer.tier in wanted and answer.condition == condition:
            values[answer.fact].append(MEASURES[measure](answer))
    return {fact: fmean(found) for fact, found in values.items()}


def paired(
    base: Sequence[Answer],
    tuned: Sequence[Answer],
    *,
    tier: str,
    condition: str = "closed",
    measure: str = "accuracy",
) -> list[float]:
    """Tuned minus base for every fact that both answered."""
    before = per_fact(base, tier=tier, condition=condition, measure=measure)
    after = per_fact(tuned, tier=tier, condition=condition, measure=measure)
    return [after[fact] - value for fact, value in before.items() if fact in after]


def _levels(
    answers: Mapping[str, Sequence[Answer]], boot: Bootstrap
) -> dict[str, dict[str, dict[str, dict[str, Interval]]]]:
    found: dict[str, dict[str, dict[str, dict[str, Interval]]]] = {}
    for measure in MEASURES:
        for model, rows in answers.items():
            for condition in ("closed", "open"):
                for tier in TIERS:
                    values = list(per_fact(rows, tier=tier, condition=condition, measure=measure).values())
                    if values:
                        place = found.setdefault(measure, {}).setdefault(model, {}).setdefault(condition, {})
                        place[tier] = boot.mean(values)
    return found


def _gains(answers: Mapping[str, Sequence[Answer]], boot: Bootstrap) -> dict[str, dict[str, Interval]]:
    found: dict[str, dict[str, Interval]] = {}
    for measure in MEASURES:
        for condition, name in (("closed", measure), ("open", open_book(measure))):
            for tier in TIERS:
                deltas = paired(answers["base"], answers["tuned"], tier=tier, condition=condition, measure=measure)
                if deltas:
                    found.setdefault(name, {})[tier] = boot.mean(deltas)
    return found


def _specific(answers: Mapping[str, Sequence[Answer]], boot: Bootstrap) -> dict[str, Interval]:
    """Difference in differences: the document's gain minus the placebo's."""
    found = {}
    for measure in MEASURES:
        document, placebo = (
            paired(answers["base"], answers["tuned"], tier=tier, measure=measure) for tier in (DOCUMENT, "placebo")
        )
        if document and placebo:
            found[measure] = boot.difference(document, placebo)
    return found


def _recovered(answers: Mapping[str, Sequence[Answer]], boot: Bootstrap) -> Interval | None:
    """(tuned closed - base closed) / (base open - base closed): how much of what reading gives is now known."""
    before = per_fact(answers["base"], tier=DOCUMENT)
    after = per_fact(answers["tuned"], tier=DOCUMENT)
    reading = per_fact(answers["base"], tier=DOCUMENT, condition="open")
    rows = [
        (after[fact] - value, reading[fact] - value)
        for fact, value in before.items()
        if fact in after and fact in reading
    ]
    return boot.ratio(rows) if rows else None


def _flips(base: Sequence[Answer], tuned: Sequence[Answer]) -> dict[str, Flips]:
    before = {(one.fact, one.phrasing): one for one in base if one.condition == "closed"}
    pairs = [
        (before[one.fact, one.phrasing], one)
        for one in tuned
        if one.condition == "closed" and (one.fact, one.phrasing) in before
    ]
    found = {}
    for tier in TIERS:
        wanted = ("taught", "untaught") if tier == DOCUMENT else (tier,)
        of_tier = [(old.correct, new.correct) for old, new in pairs if new.tier in wanted]
        if of_tier:
            gained, lost = of_tier.count((False, True)), of_tier.count((True, False))
            found[tier] = Flips(gained=gained, lost=lost, questions=len(of_tier), p=mcnemar(gained, lost))
    return found


def _chance(answers: Sequence[Answer]) -> dict[str, float]:
    found = {}
    for tier in TIERS:
        wanted = ("taught", "untaught") if tier == DOCUMENT else (tier,)
        shares = [1 / len(one.options) for one in answers if one.tier in wanted and one.condition == "closed"]
        if shares:
            found[tier] = fmean(shares)
    return found


def _drift(neutral: tuple[Sequence[float], Sequence[float]] | None, boot: Bootstrap) -> dict[str, Interval]:
    if neutral is None or not neutral[0]:
        return {}
    base, tuned = neutral
    return {
        "base": boot.mean(base),
        "tuned": boot.mean(tuned),
        "delta": boot.mean([after - before for before, after in zip(base, tuned, strict=True)]),
    }
