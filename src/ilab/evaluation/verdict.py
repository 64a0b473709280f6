"""From intervals to words: one verdict word and one plain sentence a topic.

    learned      LEARNED           lower bound of the paired gain on taught facts > 0
                 NOT LEARNED       upper bound below the smallest useful gain
    specific     SPECIFIC          gain on the document minus gain on the placebo: lower bound > 0
                 NOT SPECIFIC      its upper bound below the smallest useful gain
    generalises  GENERALISES       lower bound of the gain on untaught facts > 0
                 GENERALISES WEAKLY  the same, but less than half of the gain on taught facts
                 DOES NOT GENERALISE  upper bound below the smallest useful gain
    retained     RETAINED          lower bound of the keep-set change > -margin (non-inferiority), and STEADY
                 RETAINED IN PART  the same, but DRIFTED
                 FORGOT            upper bound below 0 and lower bound below -margin
    drift        STEADY, DRIFTED   bits per byte of neutral text: upper bound below the margin; lower bound above it

Everything else is INCONCLUSIVE: more questions, or more training seeds, would be needed to tell. The thresholds are
fixed in the settings before the run. The primary endpoint is `learned`.
"""

from __future__ import annotations

from ilab.evaluation.settings import EvalSettings
from ilab.evaluation.statistics import non_inferior
from ilab.evaluation.wording import count, percent, points, points_interval, signed, signed_interval
from ilab.records.scores import Finding, Interval, Scorecard

INCONCLUSIVE = "INCONCLUSIVE"
HEADLINE = ("learned", "generalises", "retained", "drift")
"""Topics that make up the headline; what was damaged must not stand in the small print only."""
_LABELS = {"learned": "LEARNING", "generalises": "GENERALISING", "retained": "RETENTION", "drift": "DRIFT"}
_IN_HEADLINE = {"DRIFTED": "LANGUAGE DRIFTED", "STEADY": ""}
"""Words that read differently without their question; RETAINED says already that language is steady."""


def findings(card: Scorecard, settings: EvalSettings) -> tuple[Finding, ...]:
    """One finding for every topic that was measured."""
    found = [
        learned(card, settings),
        specific(card, settings),
        generalises(card, settings),
        retained(card, settings),
        drift(card, settings),
    ]
    return tuple(finding for finding in found if finding is not None)


def headline(card_findings: tuple[Finding, ...]) -> str:
    """The verdict words on one line: `LEARNED · GENERALISES · RETAINED`, and `LANGUAGE DRIFTED` where it did."""
    by_topic = {finding.topic: finding.word for finding in card_findings if finding.topic in HEADLINE}
    if not by_topic:
        return "NOTHING MEASURED"
    words = [
        f"{_LABELS[topic]} {INCONCLUSIVE}" if word == INCONCLUSIVE else _IN_HEADLINE.get(word, word)
        for topic, word in ((topic, by_topic[topic]) for topic in HEADLINE if topic in by_topic)
    ]
    return " · ".join(word for word in words if word) or "LANGUAGE STEADY"


def learned(card: Scorecard, settings: EvalSettings) -> Finding | None:
    """Did the facts of the training questions go in? Without taught facts, the whole document counts."""
    tier = "taught" if card.gain("accuracy", "taught") else "document"
    gain = card.gain("accuracy", tier)
    if gain is None:
        return None
    word = _gain_word(gain, settings, yes="LEARNED", no="NOT LEARNED")
    moved = _moved(card, tier, gain)
    ending = {
        "LEARNED": "More than chance can explain: the model learned from the document.",
        "NOT LEARNED": f"A gain of {points(settings.useful_gain)} points or more is ruled out.",
        INCONCLUSIVE: "The interval includes no change at all, so this run does not decide.",
    }[word]
    subject = "facts that training taught" if tier == "taught" else "facts of the document"
    return Finding(topic="learned", word=word, sentence=f"Asked from memory about {subject}: {moved}. {ending}")


def specific(card: Scorecard, settings: EvalSettings) -> Finding | None:
    """Is it knowledge of this document, or a new style of answering? Needs a placebo."""
    more, placebo = card.specific.get("accuracy"), card.gain("accuracy", "placebo")
    if more is None or placebo is None:
        return None
    word = _gain_word(more, settings, yes="SPECIFIC", no="NOT SPECIFIC")
    ending = {
        "SPECIFIC": "so this is knowledge of the document and not just a new style of answering",
        "NOT SPECIFIC": "so the gain is a new style of answering rather than knowledge",
        INCONCLUSIVE: "too close to tell knowledge from a new style of answering",
    }[word]
    sentence = (
        f"A page that was never trained changed by {points(placebo.estimate)} points; "
        f"the document gained {points_interval(more)} more, {ending}."
    )
    return Finding(topic="specific", word=word, sentence=sentence)


def generalises(card: Scorecard, settings: EvalSettings) -> Finding | None:
    """Did facts go in that no training question asked about? Needs untaught facts."""
    gain, taught = card.gain("accuracy", "untaught"), card.gain("accuracy", "taught")
    if gain is None:
        return None
    word = _gain_word(gain, settings, yes="GENERALISES", no="DOES NOT GENERALISE")
    if word == "GENERALISES" and taught is not None and gain.estimate < taught.estimate / 2:
        word = "GENERALISES WEAKLY"
    ending = {
        "GENERALISES": "The document itself went in, not only its training questions.",
        "GENERALISES WEAKLY": "Something went in beyond the training questions, but less than half as much.",
        "DOES NOT GENERALISE": "Only what training questions asked about went in.",
        INCONCLUSIVE: "The interval includes no change, so this run does not decide.",
    }[word]
    moved = _moved(card, "untaught", gain)
    sentence = f"Facts of the document that no training question asked about: {moved}. {ending}"
    return Finding(topic="generalises", word=word, sentence=sentence)


def retained(card: Scorecard, settings: EvalSettings) -> Finding | None:
    """Does the model still answer general questions, and write as before? Needs a keep-set; drift counts if measured.

    RETAINED asks for both: a model may answer general questions that were rehearsed, and write worse all the same.
    """
    change, flips = card.gain("accuracy", "keep"), card.flips.get("keep")
    if change is None:
        return None
    kept, language = non_inferior(change, settings.keep_margin), drift(card, settings)
    word = _retention(kept, language.word if language else "STEADY")
    margin = f"{100 * settings.keep_margin:g} points"
    lost = "is certain" if change.high < -settings.keep_margin else "cannot be ruled out"
    unclear = (
        "ruled out, but a drift of ordinary language is not" if kept else "not ruled out, but there is no clear one"
    )
    ending = {
        "RETAINED": f"A loss of {margin} or more is ruled out.",
        "RETAINED IN PART": f"A loss of {margin} or more is ruled out here, but ordinary language drifted.",
        "FORGOT": f"Something was forgotten: a loss of {margin} or more {lost}.",
        INCONCLUSIVE: f"A loss of {margin} or more is {unclear}.",
    }[word]
    sentence = f"General questions: {_moved(card, 'keep', change, decimals=1)}. {ending}"
    if flips is not None:
        sentence += f" Of {count(flips.questions, 'question')}, {flips.lost} went wrong and {flips.gained} came right."
    if flips is not None and flips.questions and not flips.lost + flips.gained:
        sentence += f" (Changes rarer than about 1 in {max(1, flips.questions // 3)} could have been missed.)"
    return Finding(topic="retained", word=word, sentence=sentence)


def _retention(kept: bool | None, language: str) -> str:
    """The word for the keep-set (`kept`: see `non_inferior`) and the word for drift, taken together."""
    if kept is None:
        return INCONCLUSIVE
    if not kept:
        return "FORGOT"
    return {"STEADY": "RETAINED", "DRIFTED": "RETAINED IN PART"}.get(language, INCONCLUSIVE)


def drift(card: Scorecard, settings: EvalSettings) -> Finding | None:
    """How far did ordinary language move? Needs neutral text."""
    change = card.drift.get("delta")
    if change is None:
        return None
    word = INCONCLUSIVE
    if change.high < settings.drift_margin:
        word = "STEADY"
    elif change.low > settings.drift_margin:
        word = "DRIFTED"
    before, after = (f"{card.drift[name].estimate:.3f}" for name in ("base", "tuned"))
    sentence = (
        f"Predicting ordinary text about other things took {before} bits per byte before and takes {after} after, "
        f"{signed_interval(change)}. {_drift_ending(word, settings)}"
    )
    return Finding(topic="drift", word=word, sentence=sentence)


def _drift_ending(word: str, settings: EvalSettings) -> str:
    margin = signed(settings.drift_margin, decimals=2)
    return {
        "STEADY": f"A rise of {margin} or more is ruled out.",
        "DRIFTED": f"More than {margin} counts as damage: free text may have become worse.",
        INCONCLUSIVE: f"A rise of {margin} or more is not ruled out.",
    }[word]


def _gain_word(gain: Interval, settings: EvalSettings, *, yes: str, no: str) -> str:
    if gain.low > 0:
        return yes
    return no if gain.high < settings.useful_gain else INCONCLUSIVE


def _moved(card: Scorecard, tier: str, gain: Interval, *, decimals: int = 0) -> str:
    base, tuned = (card.score("accuracy", model, "closed", tier) for model in ("base", "tuned"))
    levels = f"{percent(base.estimate)} right before, {percent(tuned.estimate)} after" if base and tuned else "change"
    return f"{levels}, {points_interval(gain, decimals=decimals)}, {count(gain.n, 'fact')}"
