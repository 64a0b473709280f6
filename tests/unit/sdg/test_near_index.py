"""What counts as asking the same, and an index that finds it like comparing all pairs does."""

from __future__ import annotations

import random

import pytest

from ilab.records.seeds import FREEFORM_SKILL, KNOWLEDGE, Seed
from ilab.sdg.compare import HELD_OUT, OF_SEED, Known, Sketcher
from ilab.sdg.near_index import NearIndex, Sketch

LONG = "In which year did the town council of Northby in the far north of Talland open the bridge over the Sella"


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (("How deep is Lake Mirra?", "412 m"), ("how deep is LAKE Mirra", "deep"), True),
        (("Who mapped Lake Mirra first?", "Ada"), ("Who first mapped Lake Mirra?", "Ada"), True),
        (("Who mapped Lake Mirra first?", "Ada"), ("Who first mapped Lake Mirra?", "Bo"), False),
        ((f"{LONG}?", "1884"), (f"{LONG} river?", "1884"), True),
        ((f"{LONG} in 1884?", "x"), (f"{LONG} in 1885?", "x"), False),
        ((f"{LONG}?", "1884"), (f"{LONG.replace('Northby', 'Southby')}?", "1884"), False),
        (("Who slept?", "Bo", "Bo slept."), ("Who slept?", "Ann", "Ann slept all day."), False),
        (("Who slept?", "Bo", "Bo slept."), ("Who slept?", "Bo", "Bo  slept!"), True),
        (("湖の深さは？", "412"), ("湖の深さは?", "412"), True),
    ],
)
def test_what_asks_the_same(one: tuple[str, ...], other: tuple[str, ...], same: bool) -> None:
    first, second = Sketch.of(*one), Sketch.of(*other)
    assert first.alike(second) is second.alike(first) is same
    assert Sketch.unpacked(first.packed()) == first
    index = NearIndex()
    index.add(first)
    assert list(index.alike(second)) == ([0] if same else [])
    assert list(index.alike(second, before=0)) == []
    index.close()


def test_the_index_finds_what_comparing_all_pairs_finds() -> None:
    lot = random.Random(3)
    words = [f"{name}{number}" for name in ("lake", "river", "stone", "light", "castle") for number in range(40)]
    sketches = []
    for _ in range(400):
        text = [lot.choice(words) for _ in range(12)]
        sketches += [Sketch.of(" ".join(text), "a"), Sketch.of(" ".join([*text[:-1], text[-1] + "x"]), "b")]
        sketches.append(Sketch.of(" ".join(reversed(text)), "a"))
    lot.shuffle(sketches)
    index = NearIndex()
    missed = wanted = 0
    for number, sketch in enumerate(sketches):
        found = set(index.alike(sketch))
        expected = {other for other in range(number) if sketch.alike(sketches[other])}
        assert found <= expected
        missed += len(expected - found)
        wanted += len(expected)
        assert index.add(sketch) == number
    index.close()
    assert wanted > 700 and missed <= 0.01 * wanted


def test_examples_of_the_user_and_held_out_questions_are_known() -> None:
    seeds = [
        Seed(leaf="k", kind=KNOWLEDGE, question="How deep is Lake Mirra?", answer="412 m", context="c"),
        *(
            Seed(
                leaf="s", kind=FREEFORM_SKILL, question=f"Answer this message politely and at once: {text}", answer="!"
            )
            for text in ("I want my money back", "Where is my parcel?")
        ),
    ]
    known = Known(seeds, ["Who mapped the lake?"], Sketcher(seeds))

    def reason(leaf: str, question: str) -> str:
        return known.reason({"leaf": leaf, "question": question})

    assert reason("k", "How deep is lake Mirra") == OF_SEED
    assert reason("s", "Answer this message politely and at once: I want my money back!") == OF_SEED
    assert reason("s", "Answer this message politely and at once: I want my bike") == "", "the opening says nothing"
    assert reason("k", "who mapped the lake") == HELD_OUT
    assert reason("k", "Who drained the lake?") == ""
    known.close()
