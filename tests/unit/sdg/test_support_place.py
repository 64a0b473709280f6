"""A sentence is found in the document as it was written, whatever markup stands inside it."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ilab.documents.markdown import markdown_to_text
from ilab.records.chunks import Chunk
from ilab.sdg.support import place

WORDS = ("lake", "Mirra", "412", "metres", "deep", "Ada", "Holm", "mapped", "café", "Straße", "bridge", "naïve", "x")
MARKS = (
    "{}",
    "**{}**",
    "*{}*",
    "`{}`",
    "[{}](https://example.org/a_(b)?q=1)",
    '[{}](/page "A title")',
    "[{}][ref]",
    "{}[^1]",
    "~~{}~~",
    "<b>{}</b>",
    '<span class="a b">{}</span>',
    "<!-- note -->{}",
    "“{}”",
    "{}&nbsp;",
)
JOINS = (" ", "\n", "  ", ", ", " – ")


def whole(text: str) -> Chunk:
    return Chunk(id="k#0", leaf="k", source="s", text=text, tokens=1, start=0, end=len(text))


@settings(deadline=None, max_examples=150)
@given(st.data())
def test_a_sentence_is_found_through_random_markup(data: st.DataObject) -> None:
    def sentence(opening: str) -> str:
        parts = data.draw(st.lists(st.tuples(st.sampled_from(WORDS), st.sampled_from(MARKS)), min_size=2, max_size=9))
        text = opening
        for word, mark in parts:
            text += data.draw(st.sampled_from(JOINS)) + mark.format(word)
        return text + "."

    before, wanted, after = sentence("First"), sentence("Second"), sentence("Third")
    page = f"# Title\n\n{before} {wanted} {after}\n\n[^1]: a note\n\n[ref]: https://example.org\n"
    plain = markdown_to_text(wanted + "\n\n[^1]: a note\n\n[ref]: https://example.org\n").strip()
    found = place(whole(page), page, plain)
    assert found is not None
    span = page[found.start : found.end]
    assert span.startswith("Second"), span
    begin = page.index(wanted)
    assert begin == found.start and found.end <= begin + len(wanted)
    assert not re.search(
        r"[^\W_]", re.sub(r"\[\^1\]|\]\(.*|\]\[ref\]|</?\w+>|&nbsp;", "", page[found.end : begin + len(wanted)])
    )


@pytest.mark.parametrize(
    ("page", "sentence", "expected"),
    [
        ("- One.\n- The *lake*\n  is deep.\n", "The lake is deep.", "The *lake*\n  is deep"),
        ("> The lake\n> is deep.\n", "The lake is deep.", "The lake\n> is deep"),
        ("Caf&eacute; Mirra opened.", "Café Mirra opened.", "Caf&eacute; Mirra opened"),
        ("Use `Vec<u8>` here. Or there.", "Use `Vec<u8>` here.", "Use `Vec<u8>` here"),
        ("See <https://a.org/b>. Next.", "See https://a.org/b.", "See <https://a.org/b"),
        ("**Mir**ra is deep.", "Mirra is deep.", "Mir**ra is deep"),
        (
            "It is deep. It is wide and opens north.",
            "Lake Mirra is wide and opens north.",
            "It is wide and opens north",
        ),
    ],
)
def test_special_cases(page: str, sentence: str, expected: str) -> None:
    found = place(whole(page), page, sentence)
    assert found is not None and page[found.start : found.end] == expected


def test_nothing_like_it_is_the_chunk() -> None:
    page = "The lake is deep.\n"
    found = place(whole(page), page, "Pigs whistle.")
    assert found is not None and (found.start, found.end, found.line) == (0, len(page), 1)
    assert place(whole(page), "", "x") is None
