"""The words and rows that all three forms of the report share."""

from __future__ import annotations

from dataclasses import dataclass

from ilab.base.clock import human_duration
from ilab.evaluation.report.data import ReportData
from ilab.evaluation.wording import count, percent, percent_interval, points, points_interval, signed, signed_interval
from ilab.records.scores import Finding, Scorecard

TIER_NAMES = {
    "document": "the document, all facts",
    "taught": "taught facts",
    "untaught": "untaught facts",
    "placebo": "placebo page",
    "keep": "general questions",
}
GOOD = frozenset(("LEARNED", "SPECIFIC", "GENERALISES", "RETAINED", "STEADY"))
BAD = frozenset(("NOT LEARNED", "NOT SPECIFIC", "DOES NOT GENERALISE", "FORGOT", "DRIFTED"))
TOPIC_QUESTIONS = {
    "learned": "Did it learn?",
    "specific": "Is it knowledge, or only style?",
    "generalises": "Beyond the training questions?",
    "retained": "Did it forget?",
    "drift": "Does it still write ordinary language?",
}
TERMS = (
    (
        "closed book",
        "the model answers from memory; the text is not in its prompt. This is what training should improve.",
    ),
    (
        "open book",
        "the untrained model answers with the text in its prompt: what can be had by reading, the ceiling.",
    ),
    (
        "accuracy",
        "share of questions where the model finds the right answer more likely than each wrong answer of the same "
        "type. Each fact counts once, whatever the number of its phrasings.",
    ),
    ("chance", "what guessing would score: with four options, 25 %."),
    (
        "95 % interval [low, high]",
        "were the test repeated with other questions of this kind, 19 of 20 such intervals would hold the true value. "
        "An interval that includes 0 does not show a change.",
    ),
    ("taught facts", "facts of the document that training questions asked about, in other words than the test's."),
    ("untaught facts", "facts of the document that no training question asked about."),
    (
        "placebo page",
        "questions about a page that was never trained. A gain there is a new style of answering, not knowledge.",
    ),
    ("general questions", "the keep-set: common knowledge that training must not damage."),
    (
        "knowledge recovered",
        "how much of the way from the untrained model to the open-book ceiling the tuned model has gone, from memory.",
    ),
    (
        "lead",
        "how much more likely the right answer is than the best wrong one (natural log); above 0 the "
        "question is answered right.",
    ),
    ("margin", "the same, against the mean of the wrong answers; it moves with every question."),
    ("bits per byte", "how surprising a text is to the model; lower means better known."),
    (
        "selection and report part",
        "one part of the facts chose the checkpoint, the other part gave the numbers here, so that the choice cannot "
        "flatter the result.",
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class TierRow:
    """One line of the main table; texts are ready to print."""

    tier: str
    name: str
    before: str
    after: str
    change: str
    reading: str
    facts: int


def tone(finding: Finding) -> str:
    """`good`, `bad` or `unclear`."""
    return "good" if finding.word in GOOD else "bad" if finding.word in BAD else "unclear"


def tier_rows(card: Scorecard) -> list[TierRow]:
    """Before, after, change and ceiling for every tier that was measured."""
    rows = []
    split = {"taught", "untaught"} <= set(card.gains.get("accuracy", {}))
    for tier, name in TIER_NAMES.items():
        before, after = (card.score("accuracy", model, "closed", tier) for model in ("base", "tuned"))
        gain, reading = card.gain("accuracy", tier), card.score("accuracy", "base", "open", tier)
        if gain is None or before is None or after is None or (tier == "document" and not split):
            continue
        decimals = 1 if tier == "keep" else 0
        rows.append(
            TierRow(
                tier=tier,
                name=name,
                before=percent(before.estimate),
                after=percent(after.estimate),
                change=points_interval(gain, decimals=decimals).replace(" points", ""),
                reading=percent(reading.estimate) if reading else "",
                facts=gain.n,
            )
        )
    return rows


def byte_rows(card: Scorecard) -> list[tuple[str, str, str, str]]:
    """Bits per byte of the right answers, and of neutral text: name, before, after, change."""
    rows = []
    for tier, name in TIER_NAMES.items():
        before, after = (card.score("bits_per_byte", model, "closed", tier) for model in ("base", "tuned"))
        gain = card.gain("bits_per_byte", tier)
        if before and after and gain:
            change = signed_interval(gain, decimals=2)
            rows.append((f"right answers, {name}", f"{before.estimate:.2f}", f"{after.estimate:.2f}", change))
    if card.drift:
        base, tuned, delta = (card.drift[name] for name in ("base", "tuned", "delta"))
        change = signed_interval(delta)
        rows.append(("neutral text", f"{base.estimate:.3f}", f"{tuned.estimate:.3f}", change))
    return rows


def key_numbers(card: Scorecard) -> list[tuple[str, str, str]]:
    """The few numbers at the top: label, value, remark."""
    found = []
    tier = "document"
    before, after = (card.score("accuracy", model, "closed", tier) for model in ("base", "tuned"))
    gain, reading = card.gain("accuracy", tier), card.score("accuracy", "base", "open", tier)
    if before and after and gain:
        chance = f"; guessing gives {percent(card.chance[tier])}" if tier in card.chance else ""
        found.append(
            ("right from memory", f"{percent(before.estimate)} → {percent(after.estimate)}", f"before → after{chance}")
        )
        bounds = f"{percent(card.confidence)} interval {points(gain.low)} to {points(gain.high)}"
        found.append(("gain from training", f"{points(gain.estimate)} points", bounds))
    if reading and after:
        beyond = "passed" if after.estimate > reading.estimate else "not reached"
        found.append(("ceiling (reads the page)", percent(reading.estimate), f"untrained model, open book; {beyond}"))
    keep = card.gain("accuracy", "keep")
    if keep:
        low, high = (points(bound, decimals=1) for bound in (keep.low, keep.high))
        bounds = f"{percent(card.confidence)} interval {low} to {high}"
        found.append(("general questions", f"{points(keep.estimate, decimals=1)} points", bounds))
    return found


def certainty(card: Scorecard) -> list[str]:
    """Sentences on how far the numbers can be trusted."""
    lines: list[str] = []
    for tier in ("taught", "untaught", "document"):
        gain, flips = card.gain("accuracy", tier), card.flips.get(tier)
        if gain and flips and (tier != "document" or not lines):
            lines.append(
                f"{TIER_NAMES[tier].capitalize()}: {flips.gained} of {count(flips.questions, 'question')} came right "
                f"and {flips.lost} went wrong; a split this uneven has probability {flips.p:.2g} if nothing changed. "
                f"{count(gain.n, 'fact')} can show a gain of about {100 * card.detectable.get(tier, 0):.0f} points or "
                "more four times in five."
            )
    if card.recovered:
        lines.append(f"Knowledge recovered: {percent_interval(card.recovered)} of the way to the open-book ceiling.")
    margin = card.gain("margin", "document")
    if margin:
        lines.append(f"Margin (nats) on the document: {signed_interval(margin, decimals=2)}.")
    if lines:
        lines.append(
            "The intervals cover the choice of questions, not the luck of one training run; other seeds differ."
        )
    return lines


def checkpoint_rows(data: ReportData) -> list[tuple[str, str, str, str, str]]:
    """Name, selection accuracy, score, keep-set change, remark."""
    return [
        (
            row.name,
            percent(row.accuracy),
            f"{row.score:.3f}",
            "" if row.keep_delta is None else points(row.keep_delta, decimals=1),
            "chosen" if row.chosen else "" if row.passed else "forgot too much",
        )
        for row in data.checkpoints
    ]


def stage_rows(data: ReportData) -> list[tuple[str, str, str, str]]:
    """Name, time, tokens, note; the last row is the total."""
    rows = [
        (stage.name, human_duration(stage.seconds), f"{stage.tokens:,}" if stage.tokens else "", stage.note)
        for stage in data.stages
    ]
    if len(rows) > 1:
        rows.append(("total", human_duration(sum(stage.seconds for stage in data.stages)), "", ""))
    return rows


def teacher_sentence(data: ReportData) -> str:
    """Teacher tokens in one sentence; empty when unknown."""
    if data.teacher is None:
        return ""
    return (
        f"The teacher read {data.teacher.prompt:,} prompt tokens, {percent(data.teacher.cached_share)} of them from "
        f"its prefix cache, and wrote {data.teacher.completion:,}."
    )


def lead_text(value: float) -> str:
    """A lead with its sign."""
    return signed(value, decimals=2)
