"""Training files: what goes where, held-out facts stay out, the same input gives the same bytes."""

from __future__ import annotations

import errno
import tracemalloc
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ilab.base import jsonl
from ilab.errors import MissingDisk
from ilab.mixing import mix, split
from ilab.mixing.formats import KeepPair
from ilab.mixing.on_demand import OnDemand
from ilab.mixing.settings import MixSettings
from ilab.records.chunks import Chunk
from ilab.records.samples import Sample

CHUNK = Chunk(id="k#0", leaf="knowledge/a", source="s", text="A text.", tokens=3, title="T", heading="T > H")


def sample(number: int, **changes: object) -> Sample:
    values: dict[str, object] = {
        "id": f"s{number}",
        "leaf": "knowledge/a",
        "kind": "knowledge",
        "question": f"What is number {number}?",
        "answer": f"Answer {number}.",
        "origin": "facts",
        "chunk": "k#0",
        "source": f"Sentence {number}.",
    }
    return Sample(**(values | changes))  # type: ignore[arg-type]


def write(out: Path, **changes: object) -> mix.MixSummary:
    samples = [sample(n) for n in range(8)]
    samples.append(sample(9, kind="grounded_skill", context="Ann ran.", question="Who ran?", answer="Ann.", chunk=""))
    return mix.mix(
        samples,
        [CHUNK],
        statements=[(["A text."], "k#0")],
        keep=[KeepPair(prompt=f"p{n}", answer="a") for n in range(4)],
        settings=MixSettings(**changes),  # type: ignore[arg-type]
        out=out,
    )


def test_knowledge_goes_to_phase_one_and_skills_with_replay_to_phase_two(tmp_path: Path) -> None:
    summary = write(
        tmp_path, document_repeats=2, statement_repeats=1, replay_share=0.5, questions_per_row=1, questions_per_fact=1
    )
    assert summary.phase1 == {"document": 2, "keep": 2, "knowledge": 8, "sentence": 1}
    assert summary.phase2 == {"document": 1, "grounded_skill": 1, "keep": 2, "knowledge": 4}
    rows = list(jsonl.read(tmp_path / "phase2.jsonl"))
    [skill] = [row for row in rows if "grounded_skill" in row["metadata"]]
    assert skill["messages"][0]["content"] == "Ann ran.\n\nWho ran?"
    assert {message["role"] for row in rows for message in row["messages"]} == {"user", "assistant", "pretraining"}


def test_the_same_input_gives_the_same_bytes(tmp_path: Path) -> None:
    write(tmp_path / "a")
    write(tmp_path / "b")
    assert (tmp_path / "a/phase1.jsonl").read_bytes() == (tmp_path / "b/phase1.jsonl").read_bytes()


def test_questions_share_conversations_and_every_one_stands_as_often_as_asked(tmp_path: Path) -> None:
    summary = write(tmp_path, questions_per_row=3, questions_per_fact=2)
    assert summary.phase1["knowledge"] == 6, "8 questions in rows of 3, twice"
    turns = [message for row in jsonl.read(tmp_path / "phase1.jsonl") for message in row["messages"]]
    for number in range(8):
        assert sum(turn["content"] == f"What is number {number}?" for turn in turns) == 2


def test_every_fact_is_asked_for_equally_often_whatever_the_number_of_its_wordings() -> None:
    many = [sample(n, answer="Five.", source="S.", question=f"Wording {n}?") for n in range(5)]
    one = [sample(9, answer="Six.", source="T.", question="Only wording?")]
    samples = [*many, *one]
    places = mix.Facts(samples, 42).rounds(MixSettings(questions_per_fact=4, wording_repeats=3))
    asked = [samples[place] for place in places]
    by_answer = {answer: [s.question for s in asked if s.answer == answer] for answer in ("Five.", "Six.")}
    assert len(by_answer["Five."]) == len(set(by_answer["Five."])) == 4, "a new wording each time"
    assert by_answer["Six."] == ["Only wording?"] * 3, "no wording more often than it may stand"


def test_each_repeat_of_a_sentence_takes_the_next_wording(tmp_path: Path) -> None:
    said = [(["A cat ran.", "A cat sprinted."], "k#0"), (["One wording."], "k#0")]
    settings = MixSettings(statement_repeats=3, document_repeats=0)
    mix.mix([sample(1)], [CHUNK], statements=said, keep=[], settings=settings, out=tmp_path)
    texts = [row["messages"][0]["content"] for row in jsonl.read(tmp_path / "phase1.jsonl")]
    counted = {text: texts.count(text) for text in ("A cat ran.", "A cat sprinted.", "One wording.")}
    assert counted == {"A cat ran.": 2, "A cat sprinted.": 1, "One wording.": 3}


def test_texts_are_not_held_in_memory(tmp_path: Path) -> None:
    large = "word " * 4000
    samples = OnDemand(2000, lambda n: sample(n % 1999, answer=f"{n % 500} {large}", question=f"What is {n}? {large}"))
    chunks = OnDemand(200, lambda n: replace(CHUNK, id=f"k#{n}", text=f"{n} {large}"))
    said = (([f"{n} {large}"], f"k#{n}") for n in range(200))
    settings = MixSettings(statement_repeats=1, document_repeats=1)
    tracemalloc.start()
    mix.mix(samples, chunks, statements=said, keep=[], settings=settings, out=tmp_path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    written = (tmp_path / "phase1.jsonl").stat().st_size
    assert written > 50_000_000 and peak < 5_000_000


def test_a_mix_that_breaks_leaves_no_file(tmp_path: Path) -> None:
    def said() -> Iterator[tuple[list[str], str]]:
        yield ["A text."], "k#0"
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(MissingDisk, match="no space left"):
        mix.mix([sample(1)], [CHUNK], statements=said(), keep=[], settings=MixSettings(), out=tmp_path)
    assert not list(tmp_path.iterdir())


def test_questions_are_trained_with_their_answers_unless_asked_otherwise(tmp_path: Path) -> None:
    for wanted in (True, False):
        write(tmp_path / str(wanted), train_questions=wanted)
        rows = list(jsonl.read(tmp_path / str(wanted) / "phase1.jsonl"))
        asked = [row for row in rows if '"kind": "knowledge"' in row["metadata"]]
        assert asked and {row["unmask"] for row in asked} == {wanted}
        assert not any(row["unmask"] for row in rows if '"kind": "keep"' in row["metadata"])


def test_a_system_prompt_stands_before_conversations_only(tmp_path: Path) -> None:
    write(tmp_path, system_prompt="Be brief.")
    for row in jsonl.read(tmp_path / "phase1.jsonl"):
        first = row["messages"][0]
        assert first["role"] in ("system", "pretraining")


def test_replay_prompts_are_shipped_and_unique() -> None:
    prompts = mix.replay_prompts(1000)
    assert len(prompts) == len(set(prompts)) >= 48


@given(st.lists(st.tuples(st.integers(0, 5), st.sampled_from(["x", "The X.", "y"])), max_size=40), st.floats(0, 0.5))
def test_a_fact_is_never_on_both_sides(facts: list[tuple[int, str]], share: float) -> None:
    rows = [sample(n, source=f"S{place}", answer=answer) for n, (place, answer) in enumerate(facts)]
    train, held = split.by_fact(rows, share=share, seed=1)
    assert len(train) + len(held) == len(rows)
    assert not {split.fact_of(row) for row in train} & {split.fact_of(row) for row in held}


def test_rows_about_withheld_facts_and_copies_of_held_out_questions_are_named() -> None:
    def reason(question: str, answer: str) -> str:
        row = sample(1, question=question, answer=answer)
        return split.asks_about(row, answers=["the 40th parallel"], questions=["How deep is the lake of Mirra today?"])

    assert "withheld" in reason("Where does it end?", "At the 40th parallel.")
    assert "withheld" in reason("What lies north of the 40th parallel?", "Nothing.")
    assert "repeats" in reason("How deep is the lake of Mirra today?", "412 metres.")
    assert reason("How deep is Mirra?", "412 metres.") == ""
