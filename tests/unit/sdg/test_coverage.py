"""Which sentences are taught, how evenly, and where they stand in the page; variety; contamination."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.made_run import CHUNKS, DEPTH, PAGE, SAMPLES, sample

from ilab.sdg.contamination import Overlap, SeedCopies
from ilab.sdg.coverage import Coverage, gini
from ilab.sdg.diversity import Diversity
from ilab.sdg.support import Sentences, place


def coverage(samples=SAMPLES):
    found = Coverage(CHUNKS)
    for one in samples:
        found.add(one)
    return found.report()


def test_sentences_headings_and_numbers():
    found = coverage()
    assert (found.total.supported, found.total.sentences, found.total.pairs) == (2, 4, 3)
    assert [(one.name, one.supported, one.sentences, one.pairs) for one in found.headings] == [
        ("Mirra", 1, 2, 2),
        ("Mirra > Ships", 1, 2, 1),
    ]
    assert found.numbers == 0.5, "412 is asked for, 1884 is not"
    assert found.uncovered[0] == (CHUNKS[0].id, "It was first mapped by Ada Holm in 1884.")


def test_a_sentence_with_its_pronoun_resolved_is_the_sentence_of_the_page():
    sentences = Sentences(CHUNKS[0])
    resolved = sample("Who mapped it?", "Ada Holm.", source="Lake Mirra was first mapped by Ada Holm in 1884.")
    assert sentences.supporting(resolved) == 1
    assert (
        sentences.supporting(replace(resolved, source="Lake Mirra was first mapped by Ada Holm, in 1884, they say."))
        == 1
    )
    assert sentences.supporting(replace(resolved, source="Pigs can whistle.")) is None


def test_without_a_named_sentence_the_answer_is_looked_for():
    sentences = Sentences(CHUNKS[1])
    assert sentences.supporting(sample("Which ferry crosses?", "The Nordlys.", source="")) == 0
    assert sentences.supporting(sample("Which ferry crosses?", "The Stella.", source="")) is None


def test_no_documents_and_no_samples():
    assert Coverage([]).report().total.sentences == 0
    assert coverage([]).gini == 0.0 and coverage([]).total.supported == 0


@given(st.lists(st.integers(0, 50), min_size=1, max_size=30))
def test_gini_is_zero_for_equals_and_below_one(counts):
    assert -1e-9 <= gini(counts) < 1
    assert gini([7] * len(counts)) == pytest.approx(0)


def test_the_place_of_a_sentence_is_found_through_markup():
    found = place(CHUNKS[0], PAGE, DEPTH)
    assert found is not None
    assert PAGE[found.start : found.end] == "Lake Mirra is **412 metres** deep" and found.line == 3
    linked = place(CHUNKS[0], PAGE, "It was first mapped by Ada Holm in 1884.")
    assert linked is not None
    assert PAGE[linked.start : linked.end].endswith("\n[Ada Holm](https://example.org/holm) in 1884")
    reworded = place(CHUNKS[0], PAGE, "The lake Mirra is 412 metres deep.")
    assert reworded is not None and reworded.start == found.start, "the sentence that is most like it"
    strange = place(CHUNKS[0], PAGE, "Pigs can whistle.")
    assert strange is not None and (strange.start, strange.end) == (CHUNKS[0].start, CHUNKS[0].end), "the chunk then"
    assert place(replace(CHUNKS[0], start=0, end=0), PAGE, DEPTH) is None


def test_varied_data_has_better_figures_than_monotonous_data():
    flat, varied = Diversity(), Diversity()
    for number in range(300):
        flat.add(sample("What is the depth of the lake?", "412 metres."))
        varied.add(sample(f"Who{number} saw the{number * 7} ship{number % 13} near town{number}?", f"It was {number}."))
    for size in (1, 2, 3):
        assert varied.distinct(size) > 3 * flat.distinct(size)
    assert varied.compressed > 3 * flat.compressed
    assert (flat.opening_bits, flat.commonest_opening) == (0.0, ("what is", 1.0)) and varied.opening_bits > 8
    assert flat.pairwise == 1.0 and varied.pairwise < 0.4
    assert (flat.questions.at(0.5), flat.answers.at(0.9)) == (7, 2)


def test_overlap_with_held_out_questions():
    held = "In which year was the lake of Mirra first mapped by the young explorer Ada Holm?"
    found = Overlap([held], [held])
    for question in (held, f"Tell me: {held}", "In which year was the lake of Mirra drained?", "How deep is it?"):
        found.add(sample(question, "1884."))
    assert (found.rows, found.same, found.short, found.long) == (4, 1, 3, 2)


def test_copies_of_an_example_are_those_of_the_same_leaf():
    copies = SeedCopies([("knowledge/lakes", "How deep is the lake of Mirra?")])
    for leaf in ("knowledge/lakes", "knowledge/towns", ""):
        copies.add(sample("How deep is the lake of Mirra today?", "412 metres.", leaf=leaf))
    assert (copies.rows, copies.copies) == (3, 2), "without a leaf all examples are compared"
