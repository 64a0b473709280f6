"""RAFT rows: what may stand beside the document with the answer."""

from __future__ import annotations

import json

from ilab.mixing.raft import Shelf
from ilab.records.chunks import Chunk
from ilab.records.samples import Sample

WORDS = "river harbour market bridge tower garden school temple museum library station theatre".split()


def chunk(number: int, text: str = "") -> Chunk:
    said = text or " ".join(f"{word}{number}" for word in WORDS)
    return Chunk(id=f"c{number}", leaf="knowledge/a", source="a.md", text=said, tokens=12, domain="towns")


def sample(number: int = 0, source: str = "") -> Sample:
    return Sample(
        id=f"s{number}", leaf="knowledge/a", kind="knowledge", question="Where?", answer="Here.", origin="facts",
        chunk="c0", source=source,
    )  # fmt: skip


def ids(shelf: Shelf, golden: Chunk, one: Sample, **how: float) -> list[str]:
    return [each.id for each in shelf.documents(one, golden, seed=1, **how)]


def test_a_row_is_the_documents_and_the_question() -> None:
    chunks = [chunk(number) for number in range(9)]
    row = Shelf(chunks).row(sample(), chunks[0], seed=1).to_json()
    asked, said = row["messages"]
    assert asked["content"].count("Document:\n") == 4 and asked["content"].endswith("\n\nWhere?")
    assert said == {"role": "assistant", "content": "Here."} and row["unmask"] is False
    assert json.loads(row["metadata"]) == {
        "sdg_document": chunks[0].text,
        "domain": "towns",
        "dataset": "document_knowledge_qa_raft_p0.4",
    }


def test_the_golden_document_stands_in_its_share_of_rows_at_any_place() -> None:
    chunks = [chunk(number) for number in range(9)]
    shelf = Shelf(chunks)
    shown = [ids(shelf, chunks[0], sample(number)) for number in range(1000)]
    assert all(len(set(one)) == 4 for one in shown)
    golden = [one for one in shown if "c0" in one]
    assert 350 < len(golden) < 450
    assert {one.index("c0") for one in golden} == {0, 1, 2, 3}
    assert "c0" in ids(shelf, chunks[0], sample(), golden_share=1)
    assert "c0" not in ids(shelf, chunks[0], sample(), golden_share=0)


def test_no_twin_of_the_golden_document_distracts() -> None:
    golden = chunk(0)
    spelled = chunk(1, golden.text.replace("river0", "riverr0"))
    spaced = chunk(2, golden.text.upper().replace(" ", "  \n"))
    neighbour = chunk(3, "Another page. The gate is in the\nnorth. And more.")
    others = [chunk(4), chunk(5), chunk(6)]
    shelf = Shelf([golden, spelled, spaced, neighbour, *others])
    for number in range(200):
        shown = set(ids(shelf, golden, sample(number, source="The gate is in the north."), golden_share=0))
        assert shown == {"c4", "c5", "c6"}


def test_a_document_without_any_other_stands_alone() -> None:
    golden, twin = chunk(0), chunk(1, chunk(0).text)
    assert ids(Shelf([golden]), golden, sample(), golden_share=0) == ["c0"]
    assert ids(Shelf([golden, twin]), golden, sample(), golden_share=0) == ["c0"]


def test_the_seed_and_the_sample_decide() -> None:
    chunks = [chunk(number) for number in range(30)]
    one, other = Shelf(chunks), Shelf(chunks)
    assert [ids(one, chunks[0], sample(n)) for n in (1, 2, 3)] == [ids(other, chunks[0], sample(n)) for n in (3, 2, 1)][
        ::-1
    ]
    rows = {Shelf(chunks).row(sample(), chunks[0], seed=seed).id for seed in (1, 2, 3)}
    assert len(rows) == 3
