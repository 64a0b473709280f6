"""The words and rows that all three forms of the report share."""

from __future__ import annotations

from dataclasses import dataclass

from ilab.base.clock import human_duration
from ilab.evaluation.report.data import ReportData
from ilab.evaluation.scorecard import open_book
from ilab.evaluation.wording import count, percent, percent_interval, points, points_interval, signed, signed_interval
from ilab.records.scores import Finding, Scorecard

TIER_NAMES = {
    "document": "the document, all facts",
    "taught": "taught facts",
    "untaught": "untaught facts",
    "placebo": "placebo (never trained)",
    "keep": "general questions",
}
ORDINARY = "ordinary text"
_REHEARSAL_LIMIT = " Knowledge of other kinds may have suffered more."
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
        "the model answers with the text in its prompt. What the untrained model gets right so is the ceiling: what "
        "can be had by reading. The tuned model shows whether it can still read.",
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
        "rehearsal",
        "training repeats general questions or instructions among its own rows, so that the model keeps what it knew. "
        "What is rehearsed must not be asked in the test.",
    ),
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
    ("ordinary text", "short neutral paragraphs about other things; what they cost shows damage to language itself."),
    (
        "selection and report part",
        "one part of the facts chose the checkpoint, the other part gave the numbers here, so that the choice cannot "
        "flatter the result.",
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class TierRow:
    """One line of the main table; texts are ready to print. `reading` and what follows it are open book."""

    tier: str
    name: str
    before: str
    after: str
    change: str
    reading: str
    reading_after: str
    reading_change: str
    facts: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ByteRow:
    """One line of the table of bits per byte; texts are ready to print."""

    name: str
    before: str
    after: str
    change: str
    reading: str = ""
    reading_after: str = ""
    reading_change: str = ""


def tone(finding: Finding) -> str:
    """`good`, `bad` or `unclear`."""
    return "good" if finding.word in GOOD else "bad" if finding.word in BAD else "unclear"


def tier_rows(card: Scorecard) -> list[TierRow]:
    """Before, after, change and ceiling for every tier that was measured."""
    rows = []
    split = {"taught", "untaught"} <= set(card.gains.get("accuracy", {}))
    for tier, name in TIER_NAMES.items():
        before, after = (card.score("accuracy", model, "closed", tier) for model in ("base", "tuned"))
        gain = card.gain("accuracy", tier)
        if gain is None or before is None or after is None or (tier == "document" and not split):
            continue
        reading, reading_after = (card.score("accuracy", model, "open", tier) for model in ("base", "tuned"))
        moved = card.gain(open_book("accuracy"), tier)
        decimals = 1 if tier == "keep" else 0
        rows.append(
            TierRow(
                tier=tier,
                name=name,
                before=percent(before.estimate),
                after=percent(after.estimate),
                change=points_interval(gain, decimals=decimals).replace(" points", ""),
                reading=percent(reading.estimate) if reading else "",
                reading_after=percent(reading_after.estimate) if reading_after else "",
                reading_change=points_interval(moved).replace(" points", "") if moved else "",
                facts=gain.n,
            )
        )
    return rows


def byte_rows(card: Scorecard) -> list[ByteRow]:
    """Bits per byte of the right answers, closed and open book, and of ordinary text."""
    rows = []
    for row in tier_rows(card):
        before, after, change = _bytes(card, row.tier, "closed")
        reading = dict(zip(("reading", "reading_after", "reading_change"), _bytes(card, row.tier, "open"), strict=True))
        rows.append(ByteRow(name=row.name, before=before, after=after, change=change, **reading))
    if card.drift:
        base, tuned, delta = (card.drift[name] for name in ("base", "tuned", "delta"))
        change = signed_interval(delta)
        rows.append(ByteRow(name=ORDINARY, before=f"{base.estimate:.3f}", after=f"{tuned.estimate:.3f}", change=change))
    return rows


def _bytes(card: Scorecard, tier: str, condition: str) -> tuple[str, str, str]:
    """Before, after and change of the right answers of one tier; empty texts where they were not measured."""
    measure = "bits_per_byte"
    levels = [card.score(measure, model, condition, tier) for model in ("base", "tuned")]
    gain = card.gain(measure if condition == "closed" else open_book(measure), tier)
    before, after = (f"{level.estimate:.2f}" if level else "" for level in levels)
    return before, after, signed_interval(gain, decimals=2) if gain else ""


def placebo_sentence(card: Scorecard) -> str:
    """The difference in differences in one sentence; empty without a placebo."""
    more, bits = card.specific.get("accuracy"), card.specific.get("bits_per_byte")
    if more is None:
        return ""
    cost = f"; the bits per byte of its right answers changed by {signed_interval(bits, decimals=2)}" if bits else ""
    return f"Against the placebo page, which was never trained, the document gained {points_interval(more)} more{cost}."


def rehearsed(data: ReportData) -> str:
    """How many general questions training repeated, and whether the keep-set asks them; empty when that is unknown."""
    found = data.rehearsal
    if found is None:
        return ""
    if not found.prompts:
        return "Training rehearsed no general question."
    asked = f"{found.tested} of them asked here too, which flatters the model" if found.tested else "none asked here"
    what = count(found.prompts, "general question or instruction", "general questions and instructions")
    return f"Training rehearsed {what}, {asked}."


def finding_text(finding: Finding, data: ReportData) -> str:
    """A finding's sentence; what was rehearsed belongs to the one about forgetting."""
    if finding.topic != "retained" or not rehearsed(data):
        return finding.sentence
    limit = _REHEARSAL_LIMIT if data.rehearsal and data.rehearsal.prompts else ""
    return f"{finding.sentence} {rehearsed(data)}{limit}"


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
    more = card.specific.get("accuracy")
    if more:
        bounds = f"{percent(card.confidence)} interval {points(more.low)} to {points(more.high)}"
        found.append(("more than the placebo page", f"{points(more.estimate)} points", bounds))
    keep = card.gain("accuracy", "keep")
    if keep:
        low, high = (points(bound, decimals=1) for bound in (keep.low, keep.high))
        bounds = f"{percent(card.confidence)} interval {low} to {high}"
        found.append(("general questions", f"{points(keep.estimate, decimals=1)} points", bounds))
    if card.drift:
        base, tuned, delta = (card.drift[name].estimate for name in ("base", "tuned", "delta"))
        cost = f"bits per byte: {base:.3f} → {tuned:.3f}; less is better"
        found.append((ORDINARY, signed(delta), cost))
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
    if placebo_sentence(card):
        lines.append(placebo_sentence(card))
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
    used = data.teacher
    return (
        f"The teacher's prompts had {used.prompt:,} tokens: {used.cached:,} came from its prefix cache "
        f"({percent(used.cached_share)}) and {used.computed:,} were computed. It wrote {used.completion:,}."
    )


def lead_text(value: float) -> str:
    """A lead with its sign."""
    return signed(value, decimals=2)
