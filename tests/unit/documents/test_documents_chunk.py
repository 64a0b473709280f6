"""Chunks: nothing is lost, none is over the budget, and headings say where a chunk stands."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from ilab.documents.chunk import chunk, estimate_tokens
from ilab.documents.sections import split_sections
from ilab.documents.settings import DocumentSettings
from ilab.records.chunks import Chunk, Document


def cut(text: str, budget: int = 40, *, overlap: int = 0) -> list[Chunk]:
    document = Document(leaf="knowledge/stars", source="stars.md", text=text)
    return chunk(document, settings=DocumentSettings(chunk_tokens=budget, chunk_overlap=overlap), count=words)


def words(text: str) -> int:
    return len(text.split())


def prose(count: int, sentence: str = "One two three four five six seven.") -> str:
    return " ".join([sentence] * count)


def content(text: str) -> str:
    """All characters of a text without white space and heading lines."""
    outside = [line for line in text.split("\n") if not re.fullmatch(r"#{1,6}[ \t]+\S.*", line)]
    return "".join("".join(outside).split())


def test_a_small_document_is_one_chunk() -> None:
    (only,) = cut("# Stars\n\nThey shine.")
    assert (only.id, only.text, only.tokens) == ("knowledge/stars#000", "They shine.", 2)
    assert (only.title, only.heading, only.source) == ("Stars", "Stars", "stars.md")


def test_chunks_end_where_sections_end() -> None:
    text = f"# Stars\n\n{prose(3)}\n\n## Ankaa\n\n{prose(4)}\n\n### Size\n\n{prose(3)}\n\n## Grus\n\n{prose(3)}"
    found = cut(text)
    assert [piece.heading for piece in found] == ["Stars", "Stars > Ankaa", "Stars > Ankaa > Size", "Stars > Grus"]
    assert [piece.id for piece in found] == [f"knowledge/stars#00{n}" for n in range(4)]
    assert {piece.title for piece in found} == {"Stars"}


def test_small_neighbours_below_one_heading_are_put_together_with_their_headings() -> None:
    text = f"# T\n\n{prose(5)}\n\n## A\n\nShort a.\n\n## B\n\nShort b.\n\n## C\n\n{prose(5)}"
    found = cut(text)
    assert [piece.heading for piece in found] == ["T", "T", "T > C"]
    assert found[1].text == "## A\n\nShort a.\n\n## B\n\nShort b."


def test_a_small_introduction_is_put_together_with_the_first_section_below_it() -> None:
    found = cut(f"# T\n\n## A\n\nIn short.\n\n### B\n\n{prose(4)}\n\n## D\n\n{prose(4)}")
    assert [piece.heading for piece in found] == ["T > A", "T > D"]
    assert found[0].text == f"In short.\n\n### B\n\n{prose(4)}"


def test_a_long_section_is_cut_between_paragraphs_into_parts_of_about_one_size() -> None:
    found = cut("# T\n\n" + "\n\n".join([prose(2)] * 6), budget=60)
    assert [piece.tokens for piece in found] == [42, 42]
    assert all(piece.heading == "T" for piece in found)


def test_a_long_paragraph_is_cut_between_sentences() -> None:
    found = cut(prose(9))
    assert [piece.tokens for piece in found] == [35, 28]
    assert all(piece.text.endswith("seven.") for piece in found)


def test_a_long_sentence_is_cut_between_words_and_a_long_word_anywhere() -> None:
    assert [piece.tokens for piece in cut("word " * 100)] == [40, 40, 20]
    document = Document(leaf="l", source="s", text="x" * 100)
    found = chunk(document, settings=DocumentSettings(chunk_tokens=16), count=len)
    assert "".join(piece.text for piece in found) == "x" * 100
    assert all(len(piece.text) <= 16 for piece in found)


def test_lists_tables_and_code_are_cut_between_lines() -> None:
    table = "\n".join(f"| row {n} | and its value |" for n in range(12))
    found = cut(f"# T\n\n{table}")
    assert all(line.startswith("| row") for piece in found for line in piece.text.split("\n"))
    assert "\n".join(piece.text for piece in found) == table


def test_a_number_sign_inside_code_is_no_heading() -> None:
    text = "# T\n\n```sh\n# comment\n\nls\n```\n\nAfter."
    sections = split_sections(text)
    assert [section.path for section in sections] == [("T",)]
    assert sections[0].paragraphs == ["```sh\n# comment\n\nls\n```", "After."]


def test_a_heading_with_nothing_below_it_stays_as_text() -> None:
    (only,) = cut("# Rules\n\n## Never run\n\n## Always walk\n\n")
    assert only.text == "## Never run\n\n## Always walk"
    assert only.heading == "Rules"


def test_levels_may_be_skipped_and_come_back() -> None:
    paths = [section.path for section in split_sections("### A\n\na\n\n# B\n\nb\n\n#### C\n\nc\n\n## D\n\nd")]
    assert paths == [("A",), ("B",), ("B", "C"), ("B", "D")]


def test_overlap_repeats_whole_sentences_within_the_budget() -> None:
    sentences = [f"This is sentence number {n}." for n in range(20)]
    found = cut(" ".join(sentences), budget=30, overlap=6)
    assert len(found) > 3
    for before, after in zip(found, found[1:], strict=False):
        assert after.text.split("\n\n")[0] == before.text.split("\n\n")[-1][-len(after.text.split("\n\n")[0]) :]
        assert after.tokens <= 30


def test_text_without_content_has_no_chunks() -> None:
    assert cut("  \n\n ") == []


def test_the_estimate_counts_bytes_and_words() -> None:
    assert estimate_tokens("") == 0
    assert estimate_tokens("a b c d e f") == 6
    assert estimate_tokens("constellation") == 4
    assert estimate_tokens("凤凰座是一个星座") == 7


def test_an_overlap_over_half_a_chunk_is_refused() -> None:
    with pytest.raises(ValidationError, match="at most half"):
        DocumentSettings(chunk_tokens=100, chunk_overlap=51)


markdown_lines = st.sampled_from(
    [
        "# Top",
        "## Mid",
        "### Low",
        "",
        "",
        "- item",
        "| a | b |",
        "```",
        "~~~",
        "Dr. X saw 3.5 stars. They shone.",
        "x" * 90,
    ]
    + ["word " * 30, "  indented", "#no heading", "É. 。文。", "a\u2028b", "....", "\t"]
)


@settings(max_examples=150)
@given(
    st.one_of(st.lists(markdown_lines, max_size=25).map("\n".join), st.text(max_size=300)),
    st.integers(16, 60),
    st.sampled_from([words, len, estimate_tokens]),
)
def test_no_content_is_lost_and_no_chunk_is_over_the_budget(text: str, budget: int, count: object) -> None:
    document = Document(leaf="l", source="s", text=text)
    found = chunk(document, settings=DocumentSettings(chunk_tokens=budget), count=count)  # type: ignore[arg-type]
    if "```" in text or "~~~" in text:  # a heading inside code is content; compare without any `#` line at all
        assert content("\n".join(piece.text for piece in found)) == content(text)
    assert content("\n\n".join(piece.text for piece in found)) == content(text)
    assert all(piece.tokens <= budget and piece.text.strip() for piece in found)


@settings(max_examples=60)
@given(st.lists(markdown_lines, max_size=25).map("\n".join), st.integers(1, 20))
def test_overlap_never_breaks_the_budget(text: str, overlap: int) -> None:
    assert all(piece.tokens <= 40 for piece in cut(text, overlap=overlap))
