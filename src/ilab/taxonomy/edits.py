"""Edits of a YAML text that must not change what it says.

What a text says is what its parser events say: every value, key, tag and anchor in order. White space at the end of a
line of a value does not count, because nobody sees it and everybody's editor removes it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import yaml
from yaml.resolver import Resolver

_LINE_END = re.compile(r"[ \t]+(?=\n|\Z)")
_BLANK_END = re.compile(r"\n\n*[ \t][ \t\n]*\Z")
"""Lines at the end of a value of which one has white space only: it counts as a line of the value for YAML alone."""


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Edit:
    """Replace the characters from `start` to `end` by `text`."""

    start: int
    end: int
    text: str = ""


def meaning(text: str) -> list[object] | None:
    """What `text` says, to be compared; None if it is not YAML."""
    resolver = Resolver()
    found: list[object] = []
    try:
        for event in yaml.parse(text, Loader=yaml.SafeLoader):
            value: object = None
            if isinstance(event, yaml.ScalarEvent):
                tag = event.tag or resolver.resolve(  # type: ignore[no-untyped-call]
                    yaml.ScalarNode, event.value, event.implicit
                )
                value = (str(tag), without_line_ends(event.value))
            elif isinstance(event, yaml.CollectionStartEvent):
                value = event.tag
            found.append((type(event).__name__, getattr(event, "anchor", None), value))
    except (yaml.YAMLError, ValueError, OverflowError):
        return None
    return found


def without_line_ends(value: str) -> str:
    """`value` without white space at the ends of its lines."""
    return _LINE_END.sub("", _BLANK_END.sub("\n" if value.endswith("\n") else "", value))


def apply(text: str, edits: Sequence[Edit]) -> str:
    """`text` with all `edits`, which are sorted and do not overlap."""
    pieces, place = [], 0
    for edit in edits:
        pieces += [text[place : edit.start], edit.text]
        place = edit.end
    return "".join([*pieces, text[place:]])


def accepted(text: str, edits: Sequence[Edit], *, says: list[object] | None = None) -> str:
    """`text` with those of `edits` that leave it saying the same."""
    if not edits:
        return text
    says = says or meaning(text)
    changed = apply(text, edits)
    if meaning(changed) == says:
        return changed
    if len(edits) == 1:
        return text
    half = len(edits) // 2
    text = accepted(text, edits[half:], says=says)  # the later ones first: the places of the others stay right
    return accepted(text, edits[:half], says=says)
