"""Lines that are too long, folded: a text keeps how it is written (plain, quoted, block) where that can be."""

from __future__ import annotations

import re
from collections.abc import Iterator

import yaml

from ilab.taxonomy.edits import Edit
from ilab.taxonomy.scalars import LIMIT, WIDTH, fold_block, quoted, wrap
from ilab.taxonomy.yaml_tokens import Scalar, scalars, shown_after

_HEADER = re.compile(r"[|>]([-+0-9]*)([^\n]*)")


def folds(text: str, found: list[yaml.Token]) -> list[Edit]:
    """Edits that shorten the lines of `text` that are too long. Comments and words stay whole."""
    if all(len(line) <= LIMIT for line in text.split("\n")):
        return []
    edits = [edit for scalar in scalars(text, found) if (edit := _fold(text, scalar)) is not None]
    taken = [(edit.start, edit.end) for edit in edits]
    breaks = [edit for edit in _flow_breaks(text, found) if not any(a <= edit.start < b for a, b in taken)]
    return sorted(edits + breaks)


def _fold(text: str, scalar: Scalar) -> Edit | None:
    before = text.rfind("\n", 0, scalar.start) + 1
    lines = text[before : scalar.end].split("\n")
    own = lines[1:] if scalar.style in "|>" else lines
    if all(len(line) <= LIMIT for line in own):
        return None
    new = _folded(text[scalar.start : scalar.end], scalar)
    shown = (text[before : scalar.start] + new).split("\n")
    if new == text[scalar.start : scalar.end] or _too_long(shown) >= _too_long(lines):
        return None
    return Edit(start=scalar.start, end=scalar.end, text=new)


def _too_long(lines: list[str]) -> int:
    """How much of the lines is beyond the limit."""
    return sum(max(0, len(line) - LIMIT) for line in lines)


def _folded(source: str, scalar: Scalar) -> str:
    """The source of a value, folded in its own style; quoted texts and blocks that cannot are returned as they are."""
    indent = max(scalar.indent, 0) + 2
    if scalar.style in "|>":
        return _folded_block(source, scalar)
    if scalar.style == '"':
        return quoted(scalar.value, column=scalar.column, indent=indent)
    value = scalar.value if scalar.style == "plain" else "'" + scalar.value.replace("'", "''") + "'"
    lines: list[str] = []
    for place, part in enumerate(value.split("\n")):
        first = WIDTH - scalar.column if place == 0 else None
        lines += [""] if place else []
        lines += wrap(part, WIDTH - indent, first=first) if part else []
    return "\n".join(lines[:1] + [" " * indent + line if line else "" for line in lines[1:]])


def _folded_block(source: str, scalar: Scalar) -> str:
    match = _HEADER.match(source)
    if match is None:
        return source
    indent = content_indent(source, scalar)
    lines = fold_block(scalar.value.rstrip("\n"), indent)
    content = [" " * indent + line if line else "" for line in lines]
    return "\n".join([f">{match[1]}{match[2]}", *content]) + source[len(source.rstrip()) :]


def content_indent(source: str, scalar: Scalar) -> int:
    """By how much the lines of a value are indented, or should be where it has none."""
    match = _HEADER.match(source)
    if scalar.style not in "|>" or match is None:
        return max(scalar.indent, 0) + 2
    if digit := re.search(r"\d", match[1]):
        return max(scalar.indent, 0) + int(digit[0])
    first = next((line for line in source.split("\n")[1:] if line.strip()), "")
    return len(first) - len(first.lstrip(" "))


def _flow_breaks(text: str, found: list[yaml.Token]) -> Iterator[Edit]:
    """Line breaks after commas inside brackets and braces, below the first value after the bracket."""
    columns: list[int] = []
    line, shift = -1, 0
    for place, token in enumerate(found[:-1]):
        start = token.start_mark
        if isinstance(token, yaml.FlowSequenceStartToken | yaml.FlowMappingStartToken):
            first = shown_after(found, place)
            columns.append(first.start_mark.column if first else 0)
        elif isinstance(token, yaml.FlowSequenceEndToken | yaml.FlowMappingEndToken):
            columns.pop()
        elif isinstance(token, yaml.FlowEntryToken):
            after = shown_after(found, place)
            if after is None or after.start_mark.line != start.line:
                continue
            if start.line != line:
                line, shift = start.line, 0
            following = _next_entry_end(found, place)
            if following - shift > LIMIT and _length(text, start.index) > LIMIT:
                indent = columns[-1]
                shift = after.start_mark.column - indent
                yield Edit(start=token.end_mark.index, end=after.start_mark.index, text="\n" + " " * indent)


def _next_entry_end(found: list[yaml.Token], place: int) -> int:
    """The column at which the value after the comma at `place` ends, with the comma or bracket after it."""
    for number in range(place + 1, len(found)):
        token = found[number]
        if isinstance(token, yaml.FlowEntryToken | yaml.FlowSequenceEndToken | yaml.FlowMappingEndToken):
            return int(token.end_mark.column)
    return 0


def _length(text: str, index: int) -> int:
    """Length of the line that has the character at `index`."""
    end = text.find("\n", index)
    return (len(text) if end < 0 else end) - text.rfind("\n", 0, index) - 1
