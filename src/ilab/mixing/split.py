"""Hold facts out of training by fact, never by row: all questions about one fact stand on the same side."""

from __future__ import annotations

import random
import re
from collections.abc import Collection, Sequence

from ilab.records.samples import Sample


def fact_of(sample: Sample) -> str:
    """What identifies the fact behind a sample: its supporting sentence and its answer."""
    return f"{sample.leaf}|{sample.source or sample.chunk}|{_plain(sample.answer)}"


def by_fact(samples: Sequence[Sample], *, share: float, seed: int) -> tuple[list[Sample], list[Sample]]:
    """(train, held out): `share` of the generated facts of each leaf is held out. The user's seeds always train."""
    facts: dict[str, list[str]] = {}
    for sample in samples:
        if sample.origin != "seed" and sample.chunk:
            names = facts.setdefault(sample.leaf, [])
            if (name := fact_of(sample)) not in names:
                names.append(name)
    held: set[str] = set()
    for leaf, names in sorted(facts.items()):
        order = sorted(names)
        random.Random(f"{seed}:{leaf}").shuffle(order)
        held.update(order[: int(len(order) * share)])
    return (
        [sample for sample in samples if fact_of(sample) not in held],
        [sample for sample in samples if fact_of(sample) in held],
    )


def asks_about(sample: Sample, *, answers: Collection[str], questions: Collection[str]) -> str:
    """Why `sample` must not be trained: it gives a withheld answer, or repeats a held-out question; else empty.

    `answers` are short answers of facts that are to be learned from the document alone; `questions` are the held-out
    questions themselves, of which no training question may share five words in a row.
    """
    given = f" {_plain(sample.answer)} "
    asked = f" {_plain(sample.question)} "
    for answer in answers:
        plain = _plain(answer)
        if (
            f" {plain} " in given
            or (len(plain) > 3 and f" {plain} " in asked)
            or (len(given) > 6 and given in f" {plain} ")
        ):
            return "gives the answer of a fact that is withheld from questions"
    words = asked.split()
    grams = {tuple(words[i : i + 5]) for i in range(len(words) - 4)} or {tuple(words)}
    for question in questions:
        other = _plain(question).split()
        others = {tuple(other[i : i + 5]) for i in range(len(other) - 4)} or {tuple(other)}
        if other == words or (grams & others and _overlap(words, other) > 0.8):
            return "repeats a held-out question"
    return ""


def _overlap(first: Sequence[str], second: Sequence[str]) -> float:
    one, two = set(first), set(second)
    return len(one & two) / max(1, len(one | two))


def _plain(text: str) -> str:
    words = re.findall(r"[\w.,°−-]*\w|\w", text.lower())
    while words and words[0] in ("a", "an", "the"):
        words.pop(0)
    return " ".join(words)
