"""How varied many questions and answers are, in one pass and bounded memory."""

from __future__ import annotations

import math
import random
import zlib
from collections import Counter
from itertools import combinations

from ilab.records.samples import Sample
from ilab.sdg.distinct_count import DistinctCount
from ilab.sdg.measures import rouge_l, words

_OPENINGS = 20_000
_LONGEST = 5_000
_SAMPLE = 200


class Lengths:
    """The spread of lengths in words; everything beyond 5,000 counts as 5,000."""

    def __init__(self) -> None:
        self._counts: Counter[int] = Counter()

    def add(self, length: int) -> None:
        """Count one text."""
        self._counts[min(length, _LONGEST)] += 1

    def at(self, share: float) -> int:
        """The length that `share` of the texts do not exceed; 0.5 gives the median."""
        wanted, seen = share * self._counts.total(), 0
        for length, count in sorted(self._counts.items()):
            seen += count
            if seen >= wanted:
                return length
        return 0


class Diversity:
    """Collects samples; the properties are figures over all that were added."""

    def __init__(self) -> None:
        self._kinds = [DistinctCount() for _ in range(3)]
        self._totals = [0, 0, 0]
        self._openings: Counter[str] = Counter()
        self._pack = zlib.compressobj(6)
        self._raw = self._packed = 0
        self._kept: list[list[str]] = []
        self._random = random.Random("diversity")
        self.rows = 0
        self.questions, self.answers = Lengths(), Lengths()

    def add(self, sample: Sample) -> None:
        """Count one sample."""
        asked, said = words(sample.question), words(sample.answer)
        self.rows += 1
        self.questions.add(len(asked))
        self.answers.add(len(said))
        self._count_grams([word.encode() for word in (*asked, *said)])
        opening = " ".join(asked[:2])
        self._openings[opening if opening in self._openings or len(self._openings) < _OPENINGS else ""] += 1
        data = f"{sample.question}\n{sample.answer}\n".encode()
        self._raw += len(data)
        self._packed += len(self._pack.compress(data))
        self._keep(asked)

    def _count_grams(self, found: list[bytes]) -> None:
        for size, kinds in enumerate(self._kinds, start=1):
            count = max(0, len(found) - size + 1)
            self._totals[size - 1] += count
            for at in range(count):
                kinds.add(b" ".join(found[at : at + size]))

    def _keep(self, asked: list[str]) -> None:
        """Keep a fair sample of the questions (reservoir sampling)."""
        if len(self._kept) < _SAMPLE:
            self._kept.append(asked)
        elif (place := self._random.randrange(self.rows)) < _SAMPLE:
            self._kept[place] = asked

    def distinct(self, size: int) -> float:
        """Share of the runs of `size` words that are different ones."""
        return min(1.0, len(self._kinds[size - 1]) / self._totals[size - 1]) if self._totals[size - 1] else 0.0

    @property
    def compressed(self) -> float:
        """Size after compression as a share of the size before; what repeats itself gets small."""
        if not self._raw:
            return 0.0
        return (self._packed + len(self._pack.copy().flush())) / self._raw

    @property
    def opening_bits(self) -> float:
        """Entropy of the first two words of the questions, in bits."""
        total = self._openings.total()
        return -sum(n / total * math.log2(n / total) for n in self._openings.values()) if total else 0.0

    @property
    def commonest_opening(self) -> tuple[str, float]:
        """The most frequent first two words, and the share of questions that begin with them."""
        if not self._openings:
            return "", 0.0
        opening, count = self._openings.most_common(1)[0]
        return opening, count / self._openings.total()

    @property
    def pairwise(self) -> float:
        """Mean share of words that two questions drawn at random have in the same order (ROUGE-L), of 200 drawn."""
        pairs = [rouge_l(one, other) for one, other in combinations(self._kept, 2)]
        return sum(pairs) / len(pairs) if pairs else 0.0
