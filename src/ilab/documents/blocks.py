"""Blocks of converted text, and how they stand below one another."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

HEADING = "heading"
PARAGRAPH = "paragraph"
ITEM = "item"
ROW = "row"
CODE = "code"

_UNWANTED = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\xad\u200b\ufeff\ufffe\uffff\ud800-\udfff]")
_OTHER_BREAKS = re.compile("\r\n?|[\x85\u2028\u2029]")


@dataclass(frozen=True, slots=True)
class Block:
    """One piece of a document: heading, paragraph, list item, table row or code."""

    kind: str
    text: str


def join(blocks: Iterable[Block]) -> str:
    """The document as text: items of a list and rows of a table on lines of their own, blank lines between the rest."""
    text = ""
    before = ""
    for block in blocks:
        if text:
            text += "\n" if block.kind == before and block.kind in (ITEM, ROW) else "\n\n"
        text += block.text
        before = block.kind
    return text


def clean(text: str) -> str:
    """Line ends as `\\n`, no-break spaces as spaces, invisible and control characters removed."""
    text = _OTHER_BREAKS.sub("\n", text).replace("\xa0", " ").replace("\u202f", " ")
    return _UNWANTED.sub("", text)
