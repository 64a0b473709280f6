"""Answers in words, for people to read: the same questions before and after, with a lexical check for the right answer.

The check is strict about the wording and blind to the rest of the answer, so it is shown beside the texts and decides
nothing.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from ilab.base.report import NullReporter, Reporter
from ilab.evaluation.questions import Fact
from ilab.llm.pool import run_ordered
from ilab.llm.port import ChatModel, GenerationParams
from ilab.records.messages import Message, system, user

_NUMBERS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")
_DIGITS = {word: str(number) for number, word in enumerate(_NUMBERS)}
_ARTICLES = frozenset(("a", "an", "the"))


@dataclass(frozen=True, slots=True, kw_only=True)
class WrittenAnswer:
    """What a model wrote to one question; `hit` says whether the right answer stands in it."""

    fact: str
    question: str
    gold: str
    text: str
    hit: bool

    def to_json(self) -> dict[str, Any]:
        """The answer as a JSON row."""
        return asdict(self)


def write_answers(
    model: ChatModel,
    facts: Iterable[Fact],
    *,
    params: GenerationParams,
    system_prompt: str = "",
    workers: int = 1,
    report: Reporter | None = None,
) -> list[WrittenAnswer]:
    """Ask the first phrasing of every fact, closed book; answers in the order of the facts."""
    wanted = list(facts)
    say = report or NullReporter()
    finished = 0

    def ask(fact: Fact) -> WrittenAnswer:
        turns: list[Message] = [system(system_prompt)] if system_prompt else []
        text = model.chat([*turns, user(fact.questions[0])], params).text.strip()
        return WrittenAnswer(
            fact=fact.id,
            question=fact.questions[0],
            gold=fact.answer,
            text=text,
            hit=contains_gold(text, fact.answer),
        )

    def count(position: int, answer: WrittenAnswer) -> None:
        nonlocal finished
        finished += 1
        say.progress("answers in words", finished, len(wanted))

    return run_ordered(wanted, ask, workers=workers, on_done=count)


def contains_gold(text: str, gold: str) -> bool:
    """Whether the words of `gold` stand in `text` one after another.

    Case, accents, articles, punctuation and thousands separators do not count; small numbers may be words or digits.
    """
    words, wanted = _words(text), _words(gold)
    return bool(wanted) and any(
        words[start : start + len(wanted)] == wanted for start in range(len(words) - len(wanted) + 1)
    )


def _words(text: str) -> Sequence[str]:
    plain = unicodedata.normalize("NFKD", text.casefold())
    plain = "".join(letter for letter in plain if not unicodedata.combining(letter))
    plain = re.sub(r"[\u2010-\u2015\u2212]", "-", plain)
    plain = re.sub(r"(?<=\d),(?=\d{3}\b)", "", plain)
    found = re.findall(r"-?\d+(?:\.\d+)?|\w+", re.sub(r"(?<=\w)-(?=\w)", " ", plain))
    return [_DIGITS.get(word, word) for word in found if word not in _ARTICLES]
