"""Scorecard, verdict words and the choice of a checkpoint, from answers made up to be plain."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace

import pytest

from ilab.evaluation.scorecard import open_book, paired, per_fact, summarise
from ilab.evaluation.select import candidate, choose
from ilab.evaluation.settings import EvalSettings
from ilab.records.scores import Answer, Scorecard

QUICK = EvalSettings(resamples=400)


def answer(fact: str, tier: str, correct: bool, *, phrasing: int = 0, condition: str = "closed") -> Answer:
    return Answer(
        fact=fact,
        tier=tier,
        phrasing=phrasing,
        question=f"{fact}?",
        options=("a", "b", "c", "d"),
        logprobs=(-1.0, -2.0, -2.0, -2.0),
        tokens=(1, 1, 1, 1),
        bytes=(1, 1, 1, 1),
        pick=0 if correct else 1,
        correct=correct,
        margin=1.0 if correct else -1.0,
        gold_bits_per_byte=1.0 if correct else 3.0,
        condition=condition,
    )


def answers(tier: str, right: int, total: int = 40, *, condition: str = "closed") -> list[Answer]:
    return [
        answer(f"{tier}{fact}", tier, fact < right, phrasing=phrasing, condition=condition)
        for fact in range(total)
        for phrasing in range(2)
    ]


def everything(taught: int, untaught: int, placebo: int, keep: int) -> list[Answer]:
    return [
        *answers("taught", taught),
        *answers("untaught", untaught, 20),
        *answers("placebo", placebo, 16),
        *answers("keep", keep, 100),
    ]


BASE = [
    *everything(10, 5, 4, 90),
    *answers("taught", 35, condition="open"),
    *answers("untaught", 16, 20, condition="open"),
]


def words(card: Scorecard) -> dict[str, str]:
    return {finding.topic: finding.word for finding in card.findings}


def test_a_clear_success_reads_as_one() -> None:
    card = summarise(base=BASE, tuned=everything(34, 15, 4, 90), settings=QUICK, neutral=([1.0, 1.1], [1.01, 1.1]))
    assert card.headline == "LEARNED · GENERALISES · RETAINED"
    assert words(card) == {
        "learned": "LEARNED",
        "specific": "SPECIFIC",
        "generalises": "GENERALISES",
        "retained": "RETAINED",
        "drift": "STEADY",
    }
    gain = card.gain("accuracy", "taught")
    assert gain is not None
    assert (gain.estimate, gain.n) == (pytest.approx(0.6), 40)
    document = card.score("accuracy", "tuned", "closed", "document")
    assert document is not None
    assert document.estimate == pytest.approx(49 / 60)
    assert card.recovered is not None
    assert card.recovered.estimate == pytest.approx((49 - 15) / (51 - 15))
    assert card.flips["taught"].gained == 48
    assert card.chance["document"] == 0.25
    assert card.specific["accuracy"].estimate == pytest.approx(34 / 60)
    assert card.gain("bits_per_byte", "taught").estimate == pytest.approx(-1.2)  # type: ignore[union-attr]
    learned = card.finding("learned")
    assert learned is not None
    assert learned.sentence.startswith(
        "Asked from memory about facts that training taught: 25 % right before, 85 % after, +60 points ["
    )
    assert "missed" in card.finding("retained").sentence  # type: ignore[union-attr]


def test_open_book_gains_stand_beside_those_from_memory() -> None:
    tuned = [*everything(34, 15, 4, 90), *answers("taught", 31, condition="open")]
    card = summarise(base=BASE, tuned=tuned, settings=QUICK)
    gain = card.gain(open_book("accuracy"), "taught")
    assert gain is not None
    assert (gain.estimate, gain.n) == (pytest.approx(-0.1), 40)
    assert card.gain(open_book("bits_per_byte"), "taught").estimate == pytest.approx(0.2)  # type: ignore[union-attr]
    assert card.gain(open_book("accuracy"), "keep") is None


DRIFTED = ([1.0, 1.1, 1.2], [1.4, 1.5, 1.6])
UNCLEAR = ([1.0, 1.1, 1.2], [1.0, 1.1, 1.4])


def test_drift_stands_in_the_headline() -> None:
    tuned = everything(34, 15, 4, 88)
    card = summarise(base=BASE, tuned=tuned, settings=QUICK, neutral=DRIFTED)
    assert card.headline == "LEARNED · GENERALISES · RETENTION INCONCLUSIVE · LANGUAGE DRIFTED"
    assert card.finding("drift").sentence.startswith(  # type: ignore[union-attr]
        "Predicting ordinary text about other things took 1.100 bits per byte before and takes 1.500 after, +0.400 ["
    )
    unclear = summarise(base=BASE, tuned=tuned, settings=QUICK, neutral=UNCLEAR)
    assert unclear.headline.endswith("RETENTION INCONCLUSIVE · DRIFT INCONCLUSIVE")


def test_retained_asks_for_steady_language_too() -> None:
    tuned = everything(34, 15, 4, 90)
    card = summarise(base=BASE, tuned=tuned, settings=QUICK, neutral=DRIFTED)
    assert card.headline == "LEARNED · GENERALISES · RETAINED IN PART · LANGUAGE DRIFTED"
    assert "but ordinary language drifted" in card.finding("retained").sentence  # type: ignore[union-attr]
    unclear = summarise(base=BASE, tuned=tuned, settings=QUICK, neutral=UNCLEAR)
    assert words(unclear)["retained"] == "INCONCLUSIVE"
    assert "ruled out, but a drift of ordinary language is not" in unclear.finding("retained").sentence  # type: ignore[union-attr]
    lost = summarise(base=BASE, tuned=everything(34, 15, 4, 60), settings=QUICK, neutral=DRIFTED)
    assert lost.headline.endswith("FORGOT · LANGUAGE DRIFTED")


def test_no_change_is_not_learned_and_a_lost_keepset_is_forgot() -> None:
    card = summarise(base=BASE, tuned=everything(10, 5, 4, 60), settings=QUICK)
    assert card.headline == "NOT LEARNED · DOES NOT GENERALISE · FORGOT"
    assert words(card)["specific"] == "NOT SPECIFIC"


def test_a_gain_that_the_placebo_shares_is_not_specific() -> None:
    card = summarise(base=BASE, tuned=everything(25, 13, 10, 90), settings=QUICK)
    assert words(card)["learned"] == "LEARNED"
    assert words(card)["specific"] in ("INCONCLUSIVE", "NOT SPECIFIC")


def test_few_questions_are_inconclusive() -> None:
    base = [answer(f"t{fact}", "taught", fact in (0, 1)) for fact in range(8)]
    tuned = [answer(f"t{fact}", "taught", fact in (1, 2, 3)) for fact in range(8)]
    card = summarise(base=base, tuned=tuned, settings=QUICK)
    assert card.headline == "LEARNING INCONCLUSIVE"
    assert card.recovered is None
    assert card.detectable["taught"] > 0.4


def test_a_small_untaught_gain_is_weak() -> None:
    card = summarise(base=BASE, tuned=everything(38, 10, 4, 90), settings=QUICK)
    assert words(card)["generalises"] == "GENERALISES WEAKLY"


def test_nothing_measured_says_so() -> None:
    card = summarise(base=[], tuned=[], settings=QUICK)
    assert (card.headline, card.findings, card.scores) == ("NOTHING MEASURED", (), {})


def test_generated_questions_alone_give_a_verdict() -> None:
    card = summarise(base=answers("untaught", 5), tuned=answers("untaught", 30), settings=QUICK)
    assert words(card)["learned"] == "LEARNED"


def test_scorecard_and_answers_survive_json() -> None:
    card = summarise(base=BASE, tuned=everything(34, 15, 4, 90), settings=QUICK, neutral=([1.0, 1.1], [1.2, 1.1]))
    assert Scorecard.from_json(json.loads(json.dumps(card.to_json()))) == card
    empty = summarise(base=[], tuned=[], settings=QUICK)
    assert Scorecard.from_json(json.loads(json.dumps(empty.to_json()))) == empty
    one = BASE[0]
    assert Answer.from_json({"key": "k"} | json.loads(json.dumps(one.to_json()))) == one


def test_phrasings_are_averaged_within_a_fact_and_pairs_need_both_sides() -> None:
    rows = [answer("x", "taught", True), answer("x", "taught", False, phrasing=1), answer("y", "taught", True)]
    assert per_fact(rows, tier="taught") == {"x": 0.5, "y": 1.0}
    assert paired(rows, rows[:2], tier="taught") == [0.0]


def test_drift_above_the_margin_is_named() -> None:
    card = summarise(base=[], tuned=[], settings=QUICK, neutral=([1.0, 1.1, 1.2], [1.2, 1.3, 1.4]))
    assert words(card) == {"drift": "DRIFTED"}
    assert card.headline == "LANGUAGE DRIFTED"
    assert summarise(base=[], tuned=[], settings=QUICK, neutral=([1.0], [1.0])).headline == "LANGUAGE STEADY"


def checkpoint(name: str, step: int, right: int, keep: int = 90) -> tuple[str, int, Sequence[Answer], Sequence[Answer]]:
    return name, step, answers("taught", right), answers("keep", keep, 100)


def choice_of(*rows: tuple[str, int, Sequence[Answer], Sequence[Answer]], settings: EvalSettings = QUICK):  # type: ignore[no-untyped-def]
    base_keep = answers("keep", 90, 100)
    found = [candidate(name, step, rows_, base_keep=base_keep, keep=keep) for name, step, rows_, keep in rows]
    return choose(found, settings=settings)


def test_the_best_checkpoint_wins_when_it_is_clearly_better() -> None:
    choice = choice_of(checkpoint("a", 10, 15), checkpoint("b", 20, 30), checkpoint("c", 30, 22))
    assert (choice.name, choice.passed) == ("b", True)
    assert [row.name for row in choice.table if row.chosen] == ["b"]
    assert json.loads(json.dumps(choice.to_json()))["name"] == "b"


def test_an_earlier_checkpoint_within_one_standard_error_is_preferred() -> None:
    rows = (checkpoint("late", 30, 31), checkpoint("early", 10, 30), checkpoint("first", 5, 12))
    assert choice_of(*rows, settings=QUICK.model_copy(update={"selection_slack": 1.0})).name == "early"
    assert "earliest" in choice_of(*rows, settings=QUICK.model_copy(update={"selection_slack": 1.0})).reason
    assert choice_of(*rows, settings=QUICK.model_copy(update={"selection_slack": 0.0})).name == "late"


def test_a_checkpoint_that_forgot_too_much_is_not_chosen() -> None:
    choice = choice_of(checkpoint("a", 10, 25), checkpoint("b", 20, 38, keep=80))
    assert choice.name == "a"
    assert "1 of 2 forgot too much" in choice.reason


def test_when_all_forgot_the_least_forgetting_is_taken_and_said() -> None:
    choice = choice_of(checkpoint("a", 10, 25, keep=70), checkpoint("b", 20, 38, keep=80))
    assert (choice.name, choice.passed) == ("b", False)
    assert "lost least" in choice.reason


def test_equal_checkpoints_give_the_earlier_one_and_no_keepset_passes() -> None:
    found = [candidate(name, step, answers("taught", 20)) for name, step in (("z", 20), ("b", 10), ("a", 10))]
    assert choose(found, settings=QUICK).name == "a"
    assert all(row.passed for row in choose(found, settings=QUICK).table)
    with pytest.raises(ValueError, match="nothing"):
        choose([], settings=QUICK)


def test_margins_decide_between_equal_accuracies() -> None:
    sure = [replace(one, margin=one.margin + 0.5) for one in answers("taught", 20)]
    found = [candidate("unsure", 10, answers("taught", 20)), candidate("sure", 20, sure)]
    assert choose(found, settings=QUICK).name == "sure"
