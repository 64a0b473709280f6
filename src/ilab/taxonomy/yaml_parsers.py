"""Where PyYAML's parser in C, 30 times as fast as the one in Python, surely reads the same.

The two differ in odd corners: line breaks and tabs, directives, tags, what may stand in brackets, the end of a file. A
file with one of these is left to the parser in Python, and so is every file with a fault, for the sake of its message.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import yaml

C_LOADER: Any = getattr(yaml, "CSafeLoader", None)
"""The parser in C; absent where PyYAML was built without it."""

_ODD = "[^\n -~\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]"
_COMMENT_AT_HEADER = re.compile(r"[|>][-+0-9]*#")
PLAIN_LIST = re.compile(
    r"\[ ?(?:[\w./][\w./*-]*|\"[^\"\\]*\"|'[^']*')(?:, (?:[\w./][\w./*-]*|\"[^\"\\]*\"|'[^']*'))* ?\]"
)
"""A list of plain words or quoted texts in brackets, on one line: `[a.md, "*.md"]`."""


def alike_in_text(text: str) -> bool:
    """Whether `text` has no character and no line that the parsers could take differently."""
    if not text.endswith("\n") or text.startswith("%") or "\n%" in text:
        return False
    if "#" in text and _COMMENT_AT_HEADER.search(text):
        return False
    return text.replace("\n", "").isprintable() or not re.search(_ODD, text)  # the first is fast, and stricter


def events(text: str) -> Iterator[Any]:
    """The events of the parser in C; raises what it raises."""
    parser = C_LOADER(text)
    while type(event := parser.get_event()) is not yaml.StreamEndEvent:
        yield event
