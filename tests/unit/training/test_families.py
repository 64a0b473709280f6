"""Rows that begin alike are computed together: every row once, nothing too wide, and as few tokens as can be."""

from array import array
from itertools import combinations

from hypothesis import given, settings
from hypothesis import strategies as st

from ilab.training import families
from ilab.training.families import LEAST, Family

STEMS = st.sampled_from([(), (1,) * 20, (1,) * 20 + (2,) * 30, (3,) * 40, (4,) * 5])
TEXTS = st.tuples(STEMS, st.lists(st.integers(1, 3), min_size=0, max_size=30)).map(lambda parts: (*parts[0], *parts[1]))
MANY = st.lists(TEXTS.filter(bool), min_size=1, max_size=40)


def as_bytes(texts: list[tuple[int, ...]]) -> list[bytes]:
    return [array("i", text).tobytes() for text in texts]


def found(texts: list[tuple[int, ...]], limit: int) -> list[Family]:
    return families.find(list(range(len(texts))), as_bytes(texts), limit=limit)


@given(MANY, st.integers(1, 200))
def test_every_row_is_in_one_family_that_is_no_wider_than_allowed_and_never_dearer(texts, limit):
    made = found(texts, limit)
    assert sorted(row for family in made for row in family.rows) == list(range(len(texts)))
    for family in made:
        widths = [len(texts[row]) for row in family.rows]
        assert family.width == family.prefix + sum(width - family.prefix for width in widths)
        assert len(family.rows) == 1 or family.width <= limit
        assert family.prefix == 0 or family.prefix >= LEAST
        assert len({texts[row][: family.prefix] for row in family.rows}) == 1
        assert widths == sorted(widths, reverse=True)
    assert sum(family.width for family in made) <= sum(map(len, texts))


@given(MANY)
def test_the_families_do_not_depend_on_the_order_of_the_rows(texts):
    one = {(family.prefix, family.width, len(family.rows)) for family in found(texts, 10_000)}
    other = {(family.prefix, family.width, len(family.rows)) for family in found(texts[::-1], 10_000)}
    assert one == other


@settings(max_examples=60)
@given(st.lists(TEXTS.filter(bool), min_size=1, max_size=6))
def test_hardly_another_division_computes_less(texts):
    cost = sum(family.width for family in found(texts, 10_000))
    assert cost <= 1.15 * min(_cost(division) for division in _divisions(sorted(texts)))


def _divisions(texts):
    """All ways to cut the sorted texts into neighbours: a family never needs a row from further away."""
    for count in range(len(texts)):
        for cuts in combinations(range(1, len(texts)), count):
            bounds = [0, *cuts, len(texts)]
            yield [texts[start:end] for start, end in zip(bounds, bounds[1:], strict=False)]


def _cost(division) -> int:
    total = 0
    for texts in division:
        common = 0
        while all(len(text) > common for text in texts) and len({text[common] for text in texts}) == 1:
            common += 1
        common = common if common >= LEAST and len(texts) > 1 else 0
        total += common + sum(len(text) - common for text in texts)
    return total


def test_a_document_under_six_questions_is_computed_once():
    document = tuple(range(100, 300))
    texts = [(*document, *range(number, number + 30)) for number in range(6)]
    (family,) = found(texts, 2048)
    assert (family.prefix, family.width) == (200, 200 + 6 * 30)


def test_a_family_that_is_too_wide_computes_its_beginning_again():
    texts = [(*range(100), number, *range(20)) for number in range(10)]
    assert [family.width for family in found(texts, 200)] == [100 + 4 * 21, 100 + 4 * 21, 100 + 2 * 21]


def test_rows_in_a_long_chain_of_common_beginnings_do_not_need_a_deep_stack():
    texts = [(1,) * length for length in range(1, 3000)]
    assert sum(family.width for family in found(texts, 10**9)) < sum(map(len, texts)) / 1.4
