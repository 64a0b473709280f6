"""Cases that a judge is tried on: the user's own questions and answers, and the same made wrong by rule.

Nothing is drawn by chance: the same seeds give the same cases. A rule that cannot spoil a seed (no number to change,
too short to cut off) passes it over. Rules that need grammar know English; in other languages the others remain.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import zip_longest

from ilab.base import language
from ilab.records.seeds import KNOWLEDGE, Seed
from ilab.sdg import measures, verbs
from ilab.sdg.row import Row

SWAPPED, NUMBER, NEGATED, TRUNCATED = "swapped", "number", "negated", "truncated"
ELSEWHERE, POINTING, PRONOUN, BEYOND, CUT = "other answer", "pointing", "pronoun", "beyond", "question cut"
"""What was done to a right case: the answer comes from another context, has another number, says the contrary, is cut
off; it answers another question; the question points at a text, or lost its noun; no language model could do it."""

GOOD, BAD = 10, 14
"""Most cases of each sort."""

_NUMBER = re.compile(r"(?<![\w.,])\d+(?:[.,]\d+)*(?!\w)")
_WORDS = "two three four five six seven eight nine ten eleven twelve".split()
_NUMBER_WORD = re.compile(rf"\b(?:{'|'.join(_WORDS)})\b", re.IGNORECASE)
_NAMED = re.compile(r"(?<=\s)(?:the )?(?:[A-Z][\w'’-]*|\d+)(?:\s(?:[A-Z][\w'’-]*|\d[\w-]*))*(?:\s[Cc]onstellation)?")
_AUXILIARY = re.compile(r"\b(?:is|are|was|were|has|have|had|can|could|will|would|may|must|should|does|did)\b(?! not)")
_NOT = re.compile(r"\b(is|are|was|were|has|have|had|can|could|will|would|may|must|should|does|do|did) not\b")
_IMPOSSIBLE = (
    "Look at the attached picture and say what the person on the left is holding.",
    "Call the office now, ask for the manager, and tell me what was said.",
    "Do it again, but like the one from yesterday.",
    "Measure how warm this room is and write the number down.",
    "Open the file on my desktop and",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A row as blocks see it. `wrong` says what was done to it; it is empty when the row is right."""

    row: Row
    wrong: str = ""


Spoil = Callable[[Seed, Sequence[Seed]], Seed | None]


def cases(seeds: Sequence[Seed], kinds: Sequence[str]) -> list[Case]:
    """Right cases and, spread evenly over `kinds` (of what can be wrong), wrong ones; at most `GOOD` and `BAD`."""
    spread = _spread(seeds)
    return [Case(row=_row(seed)) for seed in spread[:GOOD]] + [case for case, _ in _spoilt(spread, kinds)]


def revisions(seeds: Sequence[Seed], kinds: Sequence[str]) -> list[Case]:
    """Rows with an `answer` and a `revision`, of which one is the seed's own and the other is spoilt.

    A case is right when its revision is the better one; each pair of answers comes both ways.
    """
    right, wrong = [], []
    for case, seed in _spoilt(_spread(seeds), kinds)[: (GOOD + BAD) // 2]:
        own, spoilt = _row(seed)["answer"], case.row["answer"]
        right.append(Case(row={**case.row, "answer": spoilt, "revision": own}))
        wrong.append(Case(row={**case.row, "answer": own, "revision": spoilt}, wrong=case.wrong))
    return right + wrong


def _spoilt(spread: Sequence[Seed], kinds: Sequence[str]) -> list[tuple[Case, Seed]]:
    """Wrong cases, each with the seed that it was made of."""
    wrong = []
    for number, kind in enumerate(kinds):
        turned = [*spread[number:], *spread[:number]]  # not the same few seeds for every kind
        made = ((SPOILS[kind](seed, spread), seed) for seed in turned)
        wrong.append([(Case(row=_row(spoilt), wrong=kind), seed) for spoilt, seed in made if spoilt is not None])
    return [pair for each in zip_longest(*wrong) for pair in each if pair is not None][:BAD]


def _row(seed: Seed) -> Row:
    return {
        "leaf": seed.leaf,
        "kind": seed.kind,
        "text": seed.context,
        "context": seed.context,
        "task": seed.subject,
        "question": " ".join(seed.question.split()) if seed.kind == KNOWLEDGE else seed.question.strip(),
        "answer": " ".join(seed.answer.split()) if seed.kind == KNOWLEDGE else seed.answer.strip(),
        "language": "",
    }


def _spread(seeds: Sequence[Seed]) -> list[Seed]:
    """The seeds with the leaves, and in them the contexts, in turn: the first few show something of everything."""
    leaves: dict[str, dict[str, list[Seed]]] = {}
    for seed in seeds:
        leaves.setdefault(seed.leaf, {}).setdefault(seed.context, []).append(seed)
    return _in_turn([_in_turn(list(contexts.values())) for contexts in leaves.values()])


def _in_turn(lists: Sequence[Sequence[Seed]]) -> list[Seed]:
    return [seed for row in zip_longest(*lists) for seed in row if seed is not None]


def _with(seed: Seed, *, question: str = "", answer: str = "") -> Seed:
    return Seed(
        leaf=seed.leaf,
        kind=seed.kind,
        question=question or seed.question,
        answer=answer or seed.answer,
        context=seed.context,
        subject=seed.subject,
    )


def swapped(seed: Seed, others: Sequence[Seed]) -> Seed | None:
    """The answer of a seed with another context, of the same leaf where there is one."""
    found = [other for other in others if other.context != seed.context and not _says(seed, other.answer)]
    return _with(seed, answer=_next(seed, found, others).answer) if found else None


def other_answer(seed: Seed, others: Sequence[Seed]) -> Seed | None:
    """The answer to another question, on the same context where there is one."""
    found = [other for other in others if other.question != seed.question and other.answer != seed.answer]
    near = [other for other in found if other.context == seed.context and other.leaf == seed.leaf]
    return _with(seed, answer=_next(seed, near or found, others).answer) if found else None


def _next(seed: Seed, found: Sequence[Seed], order: Sequence[Seed]) -> Seed:
    """Of `found` the one that follows `seed`, of the same leaf if possible, so that not all get the same answer."""
    start = order.index(seed) if seed in order else 0
    places = {id(other): number for number, other in enumerate(order)}
    return min(found, key=lambda one: (one.leaf != seed.leaf, (places.get(id(one), 0) - start) % max(1, len(order))))


def _says(seed: Seed, answer: str) -> bool:
    """Whether an answer could be right here too: all its words stand in the context of the seed."""
    return set(measures.content(answer)) <= set(measures.content(seed.context))


def number_changed(seed: Seed, others: Sequence[Seed]) -> Seed | None:
    """Another number in the answer: one that stands neither in the question nor, changed, in the context."""
    del others
    known = f"{seed.context} {seed.question}".lower()
    found = [match for match in _NUMBER.finditer(seed.answer) if match[0] not in seed.question]
    for match in sorted(found, key=lambda one: -len(one[0])):
        for step in (3, 4, 6, 7, 2):
            changed = match[0][:-1] + str((int(match[0][-1]) + step) % 10)
            if changed != "0" and not re.search(rf"(?<!\d){re.escape(changed)}(?!\d)", known):
                return _with(seed, answer=_put(seed.answer, match, changed))
    for match in _NUMBER_WORD.finditer(seed.answer):
        free = [word for word in _turned(match[0].lower()) if not re.search(rf"\b{word}\b", known)]
        if match[0].lower() not in seed.question.lower() and free:
            return _with(seed, answer=_put(seed.answer, match, free[0]))
    return None


def _turned(word: str) -> list[str]:
    start = _WORDS.index(word)
    return _WORDS[start + 3 :] + _WORDS[:start]


def _put(text: str, match: re.Match[str], new: str) -> str:
    new = new.capitalize() if match[0][0].isupper() else new
    return text[: match.start()] + new + text[match.end() :]


def negated(seed: Seed, others: Sequence[Seed]) -> Seed | None:
    """The contrary of the answer: a "not" more or less at its first verb, and "no" for "yes"."""
    del others
    if language.differs(seed.answer, language.ENGLISH):
        return None
    answer = re.sub(r"^Yes\b", "No", seed.answer.strip())
    if match := _NOT.search(answer):
        return _with(seed, answer=_put(answer, match, match[1]))
    if match := _AUXILIARY.search(answer):
        return _with(seed, answer=f"{answer[: match.end()]} not{answer[match.end() :]}")
    words = answer.split()
    place = verbs.find_finite(words)
    found = verbs.base_form(words[place]) if place else None
    if found is None:
        return None
    return _with(seed, answer=" ".join([*words[:place], found[1], "not", found[0], *words[place + 1 :]]))


def truncated(seed: Seed, others: Sequence[Seed]) -> Seed | None:
    """The first half of the answer, cut off in a sentence."""
    del others
    words = seed.answer.split()
    half = words[: len(words) // 2]
    return _with(seed, answer=" ".join(half).rstrip(".,;:!?")) if len(half) >= 4 else None


def question_cut(seed: Seed, others: Sequence[Seed]) -> Seed | None:
    """The first half of the question."""
    del others
    words = seed.question.split(" ")
    half = words[: len(words) // 2]
    return _with(seed, question=" ".join(half).rstrip(" .,;:!?")) if len(half) >= 4 else None


def pointing(seed: Seed, others: Sequence[Seed]) -> Seed | None:
    """The question points at a text that its reader does not see."""
    asked = seed.question.strip().rstrip("?.")
    first, _, rest = asked.partition(" ")
    lower = asked if first.isupper() or not rest else f"{first.lower()} {rest}"
    forms = (f"According to the passage above, {lower}?", f"{asked} in this document?", f"In the given text, {lower}?")
    return _with(seed, question=forms[others.index(seed) % len(forms)] if seed in others else forms[0])


def pronoun(seed: Seed, others: Sequence[Seed]) -> Seed | None:
    """The name in the question has become "it"; nobody can tell what is meant."""
    del others
    names = _NAMED.findall(seed.question)
    if not names or language.differs(seed.question, language.ENGLISH):
        return None
    question = seed.question
    for name in names:
        question = question.replace(name, "it", 1)
    return _with(seed, question=question)


def beyond(seed: Seed, others: Sequence[Seed]) -> Seed | None:
    """An instruction that no language model can follow."""
    place = others.index(seed) if seed in others else 0
    return _with(seed, question=_IMPOSSIBLE[place]) if place < len(_IMPOSSIBLE) else None


SPOILS: dict[str, Spoil] = {
    SWAPPED: swapped,
    NUMBER: number_changed,
    NEGATED: negated,
    TRUNCATED: truncated,
    ELSEWHERE: other_answer,
    POINTING: pointing,
    PRONOUN: pronoun,
    BEYOND: beyond,
    CUT: question_cut,
}
"""What can be done to a seed, by the name that reports call it."""
