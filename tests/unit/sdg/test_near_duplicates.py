"""Near duplicates are found like by comparing all pairs; different things are counted without being kept."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ilab.sdg.distinct_count import DistinctCount
from ilab.sdg.near_duplicates import THRESHOLD, NearDuplicates, jaccard, pieces, signature

WORDS = "lake river stone light amber number castle tower bridge north south metres deep mapped holm first".split()


def texts(count: int, *, seed: int = 1) -> list[str]:
    """Random texts, each with two variants."""
    lot = random.Random(seed)
    found = []
    for _ in range(count):
        words = [lot.choice(WORDS) + str(lot.randrange(40)) for _ in range(lot.randint(5, 14))]
        near = [*words[:-1], words[-1] + "x"]
        far = [*words]
        far[lot.randrange(len(far))] = "entirely different"
        found += [" ".join(words), " ".join(near), " ".join(far)]
    lot.shuffle(found)
    return found


def all_pairs(found: list[str]) -> int:
    """Clusters by comparing every text with every other."""
    cut = [pieces(text) for text in found]
    parents = list(range(len(found)))

    def root(number: int) -> int:
        return number if parents[number] == number else root(parents[number])

    for one in range(len(found)):
        for other in range(one):
            if jaccard(cut[one], cut[other]) >= THRESHOLD:
                parents[root(one)] = root(other)
    return sum(parents[number] == number for number in range(len(found)))


def clusters(found: list[str], groups: list[int] | None = None) -> tuple[int, int]:
    near = NearDuplicates()
    for number, text in enumerate(found):
        near.add(text, group=groups[number] if groups else 0)
    counted = near.clusters()
    near.close()
    return counted


def test_as_many_clusters_as_by_comparing_all_pairs() -> None:
    found = texts(200)
    expected = all_pairs(found)
    assert expected < len(found)
    assert clusters(found)[0] == pytest.approx(expected, rel=0.01)


def test_the_signature_estimates_the_jaccard_similarity() -> None:
    found = texts(150, seed=2)
    errors = []
    for one, other in zip(found, found[1:], strict=False):
        close = f"{one} {other.split()[0]}"
        same = sum(a == b for a, b in zip(signature(pieces(one)), signature(pieces(close)), strict=True)) / 126
        errors.append(same - jaccard(pieces(one), pieces(close)))
    assert abs(sum(errors) / len(errors)) < 0.02 and max(map(abs, errors)) < 0.25


def test_within_a_leaf_only_texts_of_that_leaf_count() -> None:
    same = ["what is the depth of the lake"] * 4
    assert clusters(same, [0, 0, 1, 1]) == (1, 2)
    assert clusters(same, [0, 1, 2, 3]) == (1, 4)


def test_nothing_and_tiny_texts() -> None:
    assert clusters([]) == (0, 0)
    assert clusters(["", "a", "a", "湖"]) == (3, 3)


@settings(deadline=None)
@given(st.integers(1, 3000), st.integers(1, 3))
def test_few_things_are_counted_exactly(size: int, repeats: int) -> None:
    count = DistinctCount()
    for number in range(size * repeats):
        count.add(f"thing {number % size}".encode())
    assert len(count) == size


@pytest.mark.parametrize("size", [25_000, 300_000])
def test_many_things_are_counted_within_three_per_cent(size: int) -> None:
    count = DistinctCount()
    for number in range(size):
        count.add(f"thing {number}".encode())
    assert len(count) == pytest.approx(size, rel=0.03)
