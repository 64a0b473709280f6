"""Chunks: nothing is lost, none is over the budget, and headings say where a chunk stands."""

import re
from collections import Counter
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from ilab.documents.blocks import before_cleaning, clean, join
from ilab.documents.chunk import chunk
from ilab.documents.convert import read_plain
from ilab.documents.html_text import read_html
from ilab.documents.markdown import read_markdown
from ilab.documents.sections import split_sections
from ilab.documents.settings import DocumentSettings
from ilab.documents.tokens import Estimate, Tokenized, estimate_tokens
from ilab.records.chunks import Chunk, Document


def cut(text: str, budget: int = 40, *, overlap: int = 0) -> list[Chunk]:
    document = Document(leaf="knowledge/stars", source="stars.md", text=text)
    return chunk(document, settings=DocumentSettings(chunk_tokens=budget, chunk_overlap=overlap), tokens=Counted(words))


class Counted:
    """Counts parts of a text by cutting them out."""

    def __init__(self, count: Callable[[str], int]) -> None:
        self.count = count

    def sizes(self, text: str) -> Callable[[int, int], int]:
        return lambda start, end: self.count(text[start:end])


def words(text: str) -> int:
    return len(text.split())


def eights(text: str) -> int:
    return 8 * len(text.split())


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
    found = chunk(document, settings=DocumentSettings(chunk_tokens=16), tokens=Counted(len))
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
    assert [text[slice(*span)] for span in sections[0].paragraphs] == ["```sh\n# comment\n\nls\n```", "After."]


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
        repeated = after.text.split(". ")[0]
        assert before.text.endswith(f"{repeated}.") and after.start < before.end
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
    st.sampled_from([Counted(words), Counted(len), Estimate()]),
)
def test_no_content_is_lost_and_no_chunk_is_over_the_budget(text: str, budget: int, tokens: object) -> None:
    document = Document(leaf="l", source="s", text=text)
    found = chunk(document, settings=DocumentSettings(chunk_tokens=budget), tokens=tokens)  # type: ignore[arg-type]
    assert all(piece.tokens <= budget and piece.text.strip() for piece in found)
    assert covers(found, len(text))
    shown = "\n\n".join(piece.text for piece in found)
    if "```" in text or "~~~" in text or "|-" in text:  # marks of code and heads of tables may be repeated
        outside = Counter(content(text)) - Counter(content(shown))
        assert set(outside) <= set("#")
    else:
        assert content(shown) == content(text)


def covers(found: list[Chunk], length: int) -> bool:
    """Whether the spans reach from the first to the last character without a gap."""
    ends = [0, *(piece.end for piece in found)]
    return not found or (
        ends[-1] == length and all(piece.start <= end <= piece.end for piece, end in zip(found, ends, strict=False))
    )


@settings(max_examples=60)
@given(st.lists(markdown_lines, max_size=25).map("\n".join), st.integers(1, 20))
def test_overlap_never_breaks_the_budget(text: str, overlap: int) -> None:
    found = cut(text, overlap=overlap)
    assert all(piece.tokens <= 40 for piece in found)
    assert covers(found, len(text))


original_lines = st.sampled_from(
    ["# Top", "## Mid", "", "", "- item *one*", "| a | b |", "|---|---|", "```", "Some **bold** `words` here.\r"]
    + ['A [link](there "wikilink") to\u200bgether.', "<!-- a\ncomment -->", "<p>One &amp; two</p>", "Long words. " * 12]
    + ["<table><tr><td>c</td></tr></table>", "[^1]: a note", "[ref]: http://x", "plain\u2028break", "    indented"]
)


@settings(max_examples=150)
@given(st.lists(original_lines, max_size=25).map("\n".join), st.sampled_from([read_markdown, read_html, read_plain]))
def test_spans_cover_the_original_and_hold_the_words_of_their_chunk(original: str, read: object) -> None:
    joined = join(read(clean(original)))  # type: ignore[operator]
    places = before_cleaning(original, joined.places)
    document = Document(leaf="l", source="s", text=joined.text, original=original, places=places)
    found = chunk(document, settings=DocumentSettings(chunk_tokens=24))
    assert covers(found, len(original))
    for piece in found:
        span = clean(original[piece.start : piece.end])
        assert set(re.findall(r"[a-z]+", piece.text)) <= set(re.findall(r"[a-z]+", span)), (piece, span)


def test_a_span_is_exact_where_blocks_begin_and_goes_to_the_word_inside_them() -> None:
    original = "# T\r\n\r\n[One](a) two. *Three* four.\r\n\r\n## Next\r\n\r\nFive **six**."
    joined = join(read_markdown(clean(original)))
    places = before_cleaning(original, joined.places)
    document = Document(leaf="l", source="s", text=joined.text, original=original, places=places)
    found = chunk(document, settings=DocumentSettings(chunk_tokens=16), tokens=Counted(eights))
    assert [(piece.text, original[piece.start : piece.end]) for piece in found] == [
        ("One two.", "# T\r\n\r\n[One](a) two. *"),
        ("Three four.", "Three* four.\r\n\r\n"),
        ("Five six.", "## Next\r\n\r\nFive **six**."),
    ]


def test_parts_of_a_long_table_repeat_its_head() -> None:
    head = "| star | size |\n|---|---|"
    rows = "\n".join(f"| row {n} | and its value |" for n in range(12))
    found = cut(f"# T\n\n{head}\n{rows}\n\nAfter it.", budget=50)
    assert len(found) > 2 and all(piece.text.startswith(head) for piece in found[:-1])
    assert "\n".join(piece.text.removeprefix(head).strip() for piece in found).startswith(rows)


def test_parts_of_long_code_are_code() -> None:
    lines = "\n".join(f"call the function number {n}" for n in range(20))
    found = cut(f"# T\n\n```python\n{lines}\n```")
    assert len(found) > 2
    assert all(piece.text.startswith("```python\n") and piece.text.endswith("\n```") for piece in found)
    assert "\n".join(piece.text.removeprefix("```python\n").removesuffix("\n```") for piece in found) == lines


def test_a_table_that_fits_stays_whole() -> None:
    table = "| a | b |\n|---|---|\n" + "\n".join("| one two | three |" for _ in range(3))
    found = cut(f"# T\n\n{prose(4)}\n\n{table}\n\n{prose(4)}")
    assert any(table in piece.text for piece in found)


@settings(max_examples=40)
@given(st.lists(markdown_lines, max_size=25).map("\n".join))
def test_the_budget_of_a_tokenizer_holds_though_it_reads_the_text_once(text: str) -> None:
    def starts(part: str) -> list[int]:  # one token a word, with the space before it, and one more at a cut
        return [match.start() for match in re.finditer(r"^\w|[ ]?\S{1,6}", part)]

    document = Document(leaf="l", source="s", text=text)
    found = chunk(document, settings=DocumentSettings(chunk_tokens=20), tokens=Tokenized(starts))
    assert all(piece.tokens <= 20 for piece in found)
