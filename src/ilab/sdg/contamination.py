"""Whether training data repeats texts that it must not: held-out questions, the user's own examples."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from ilab.records.samples import Sample
from ilab.sdg.measures import plain, rouge_l, words

SHORT, LONG = 8, 13
"""Words in a row that count as an overlap: the two lengths that are usual for it."""
COPY = 0.8


def grams(text: list[str], size: int) -> set[tuple[str, ...]]:
    """Every run of `size` words."""
    return {tuple(text[at : at + size]) for at in range(len(text) - size + 1)}


class Overlap:
    """Counts samples that share runs of words with `texts`, or ask one of `questions` word for word."""

    def __init__(self, texts: Iterable[str], questions: Iterable[str]) -> None:
        split = [words(text) for text in texts]
        self._short = {gram for text in split for gram in grams(text, SHORT)}
        self._long = {gram for text in split for gram in grams(text, LONG)}
        self._questions = {plain(question) for question in questions}
        self.size = len(self._questions)
        self.rows = self.short = self.long = self.same = 0

    def add(self, sample: Sample) -> None:
        """Compare one sample."""
        parts = [words(sample.question), words(sample.answer)]
        self.rows += 1
        self.same += " ".join(parts[0]) in self._questions
        if any(not self._short.isdisjoint(grams(part, SHORT)) for part in parts):
            self.short += 1
            self.long += any(not self._long.isdisjoint(grams(part, LONG)) for part in parts)


class SeedCopies:
    """Counts samples whose question is nearly that of an example of the same leaf."""

    def __init__(self, seeds: Iterable[tuple[str, str]]) -> None:
        """`seeds` are (leaf, question); a sample without a leaf is compared with all."""
        self._all = [(leaf, words(question)) for leaf, question in seeds]
        self._questions: dict[str, list[list[str]]] = defaultdict(list)
        for leaf, question in self._all:
            self._questions[leaf].append(question)
        self.rows = self.copies = 0

    def add(self, sample: Sample) -> None:
        """Compare one sample."""
        asked = words(sample.question)
        own = self._questions.get(sample.leaf, []) if sample.leaf else [question for _, question in self._all]
        self.rows += 1
        self.copies += any(
            min(len(asked), len(seed)) >= COPY * max(len(asked), len(seed)) and rouge_l(asked, seed) >= COPY
            for seed in own
        )
