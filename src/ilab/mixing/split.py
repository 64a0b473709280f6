"""Hold facts out of training by fact, never by row: all questions about one fact stand on the same side."""

from __future__ import annotations

import hashlib
import random
import re
from array import array
from collections.abc import Collection, Iterable, Sequence
from functools import lru_cache
from itertools import groupby
from operator import itemgetter
from pathlib import Path

from ilab.mixing import on_demand
from ilab.records.samples import AUXILIARY, Sample


def fact_of(sample: Sample) -> str:
    """What identifies the fact behind a sample: its supporting sentence and its answer."""
    return f"{sample.leaf}|{sample.source or sample.chunk}|{_plain(sample.answer)}"


def fact_key(sample: Sample) -> bytes:
    """The same as 16 bytes, for those who keep a million of them."""
    return _key(fact_of(sample))


def by_fact(
    samples: Sequence[Sample], *, share: float, seed: int, folder: Path | None = None
) -> tuple[Sequence[Sample], Sequence[Sample]]:
    """(train, held out): `share` of the generated facts of each leaf is held out. The user's seeds always train,
    and so do summaries. Temporary files go to `folder`."""
    held = held_facts(samples, share=share, seed=seed, folder=folder)
    if not held:
        return samples, []
    sides = array("q"), array("q")
    for place, sample in enumerate(samples):
        sides[fact_key(sample) in held].append(place)
    return on_demand.picked(samples, sides[False]), on_demand.picked(samples, sides[True])


def held_facts(samples: Iterable[Sample], *, share: float, seed: int, folder: Path | None = None) -> set[bytes]:
    """The keys of the facts that `by_fact` holds out."""
    if not share:
        return set()
    named = (
        (sample.leaf, fact_of(sample))
        for sample in samples
        if sample.origin not in ("seed", AUXILIARY) and sample.chunk
    )
    held: set[bytes] = set()
    for leaf, facts in groupby(on_demand.in_order(named, folder), key=itemgetter(0)):
        order = [_key(name) for name, _ in groupby(name for _, name in facts)]
        random.Random(f"{seed}:{leaf}").shuffle(order)
        held.update(order[: int(len(order) * share)])
    return held


def asks_about(sample: Sample, *, answers: Collection[str], questions: Collection[str]) -> str:
    """Why `sample` must not be trained: it gives a withheld answer, or repeats a held-out question; else empty.

    `answers` are short answers of facts that are to be learned from the document alone; `questions` are the held-out
    questions themselves, of which no training question may share five words in a row.
    """
    given = f" {_plain(sample.answer)} "
    asked = f" {_plain(sample.question)} "
    for answer in answers:
        plain = _plain_once(answer)
        if (
            f" {plain} " in given
            or (len(plain) > 3 and f" {plain} " in asked)
            or (len(given) > 6 and given in f" {plain} ")
        ):
            return "gives the answer of a fact that is withheld from questions"
    words = asked.split()
    grams = _grams(words)
    for question in questions:
        other = _plain_once(question).split()
        if other == words or (_overlap(words, other) > 0.8 and grams & _grams(other)):
            return "repeats a held-out question"
    return ""


def _key(fact: str) -> bytes:
    return hashlib.blake2b(fact.encode("utf-8", "surrogatepass"), digest_size=16).digest()


def _grams(words: Sequence[str]) -> set[tuple[str, ...]]:
    """Every five words in a row; all of them where there are fewer."""
    return {tuple(words[i : i + 5]) for i in range(len(words) - 4)} or {tuple(words)}


def _overlap(first: Sequence[str], second: Sequence[str]) -> float:
    one, two = set(first), set(second)
    return len(one & two) / max(1, len(one | two))


def _plain(text: str) -> str:
    words = re.findall(r"[\w.,°−-]*\w|\w", text.lower())
    while words and words[0] in ("a", "an", "the"):
        words.pop(0)
    return " ".join(words)


@lru_cache(maxsize=4096)
def _plain_once(text: str) -> str:
    """The same for texts that every sample is compared with."""
    return _plain(text)
