"""A fallback question set from held-out generated rows, for users who wrote no questions by hand.

Wrong answers are borrowed from the other rows: answers of the same shape (year, number, name, phrase, sentence),
nearest in length. Generated answers may themselves be wrong, so such a set is weaker evidence than a hand-written one.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from itertools import groupby

from ilab.base import digest
from ilab.errors import NothingGenerated
from ilab.evaluation.questions import Fact, QuestionSet
from ilab.records.samples import Sample

SHAPES = ("year", "number", "name", "phrase", "sentence")
_PHRASE_WORDS = 6
_DISTRACTORS = 3
_SMALL_WORDS = ("of", "the", "and", "de")


def from_samples(
    samples: Iterable[Sample],
    *,
    title: str = "Held-out generated questions",
    tier: str = "taught",
    fact_of: Callable[[Sample], str] | None = None,
) -> QuestionSet:
    """A question set out of held-out samples; the same samples in the same order give the same set.

    `fact_of` groups phrasings of one fact; by default those of one chunk with the same answer. Raises
    `NothingGenerated` with fewer than four different answers, for then no question has three wrong ones.
    """
    grouped: dict[str, list[Sample]] = {}
    for sample in samples:
        if sample.question.strip() and sample.answer.strip():
            grouped.setdefault((fact_of or _fact_of)(sample), []).append(sample)
    answers = list({_key(rows[0].answer): rows[0].answer.strip() for rows in grouped.values()}.values())
    pool = Answers(answers)
    facts = []
    for name, rows in grouped.items():
        answer = rows[0].answer.strip()
        wrong = pool.nearest(answer, salt=name)
        if len(wrong) == _DISTRACTORS:
            questions = tuple(dict.fromkeys(row.question.strip() for row in rows))
            facts.append(
                Fact(
                    id=name,
                    tier=tier,
                    kind=shape(answer),
                    source=rows[0].source,
                    questions=questions,
                    answer=answer,
                    distractors=wrong,
                )
            )
    if not facts:
        raise NothingGenerated(
            f"too few held-out answers to test on: {len(answers)} different ones, at least 4 are needed",
            hint="generate more rows, or write a questions file and name it with `evaluation.questions`",
        )
    return QuestionSet(
        kind="questions", title=title, facts=tuple(facts), provenance="Generated rows that were kept out of training."
    )


def shape(answer: str) -> str:
    """What an answer looks like: year, number, name, phrase or sentence."""
    text = answer.strip().rstrip(".")
    words = text.split()
    if re.fullmatch(r"1\d{3}|20\d{2}", text):
        return "year"
    if len(words) > _PHRASE_WORDS:
        return "sentence"
    if re.match(r"[-−~]?\d", text):
        return "number"
    if words and all(word[0].isupper() or word[0].isdigit() for word in words if word not in _SMALL_WORDS):
        return "name"
    return "phrase"


class Answers:
    """Answers by shape and length, so that those nearest to one of them are found without a look at all."""

    def __init__(self, answers: Iterable[str]) -> None:
        self._found: dict[tuple[int, int], list[tuple[str, str]]] = {}
        for answer in answers:
            self._found.setdefault((SHAPES.index(shape(answer)), len(answer)), []).append((answer, _key(answer)))

    def nearest(self, answer: str, *, salt: str) -> tuple[str, ...]:
        """Up to three wrong answers: same shape first, then nearest in length, ties by a fixed draw.

        An answer that contains the right one, or is contained in it, is passed over: it may be right as well.
        """
        own, kind = _key(answer), SHAPES.index(shape(answer))

        def far(place: tuple[int, int]) -> tuple[int, int]:
            return abs(place[0] - kind), abs(place[1] - len(answer))

        found: list[str] = []
        for _, places in groupby(sorted(self._found, key=far), key=far):
            same = [one for place in places for one, key in self._found[place] if key not in own and own not in key]
            found += sorted(same, key=lambda one: digest.of_value([salt, one]))
            if len(found) >= _DISTRACTORS:
                break
        return tuple(found[:_DISTRACTORS])


def _fact_of(sample: Sample) -> str:
    return "heldout-" + digest.of_value([sample.chunk, _key(sample.answer)])[:12]


def _key(text: str) -> str:
    return " ".join(re.sub(r"[^\w\s]", " ", text.casefold()).split())
