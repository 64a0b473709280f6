"""White space that has no meaning: at line ends, in blank lines, after the marks `-`, `:` and `,`."""

from __future__ import annotations

import re
from collections.abc import Iterator

import yaml

from ilab.taxonomy.edits import Edit
from ilab.taxonomy.yaml_tokens import scalars, shown_after

_LINE_END = re.compile(r"[ \t]+$", re.MULTILINE)
_START = re.compile(r"(?:[ \t]*\n)+")
_END = re.compile(r"\n(?:[ \t]*\n)+[ \t]*\Z")
_BLANK_LINES = re.compile(r"\n{4,}")
_HEADER = re.compile(r"([|>]\d?)([-+]?)(\d?)")
_OPEN = (yaml.FlowSequenceStartToken, yaml.FlowMappingStartToken)
_CLOSE = (yaml.FlowSequenceEndToken, yaml.FlowMappingEndToken)


def line_ends(text: str, found: list[yaml.Token]) -> list[Edit]:
    """White space at the ends of lines, taken away; not between two lines of a folded block, where it has meaning."""
    blocks = [(scalar.start, scalar.end) for scalar in scalars(text, found) if scalar.style == ">"]
    edits, place = [], 0
    for match in _LINE_END.finditer(text):
        while place < len(blocks) and blocks[place][1] <= match.start():
            place += 1
        inside = place < len(blocks) and blocks[place][0] < match.start()
        if not inside or text[match.end() + 1 : match.end() + 2] in ("", "\n"):
            edits.append(Edit(start=match.start(), end=match.end()))
    return edits


def blank_lines(text: str, found: list[yaml.Token]) -> list[Edit]:
    """Blank lines at the start and the end of the file, and more than two in a row outside of texts, taken away."""
    edits = []
    start = _START.match(text)
    if start:
        edits.append(Edit(start=0, end=start.end()))
    end = _END.search(text)
    stop = end.start() if end else len(text)
    inside = [(scalar.start, scalar.end) for scalar in scalars(text, found)]
    for match in _BLANK_LINES.finditer(text, edits[0].end if edits else 0, stop):
        if not any(first < match.start() < last for first, last in inside):
            edits.append(Edit(start=match.start() + 3, end=match.end()))
    if end and end.end() > end.start() + 1 and end.start() > 0:
        edits.append(Edit(start=end.start() + 1, end=end.end()))
    return edits


def last_line_end(text: str, found: list[yaml.Token]) -> list[Edit]:
    """The line end that is missing after the last line. A block there must not gain it, so it is told to strip it."""
    if text.endswith("\n"):
        return []
    edits = [Edit(start=len(text), end=len(text), text="\n")]
    last = next((token for token in reversed(found) if isinstance(token, yaml.ScalarToken)), None)
    if last is not None and last.style in ("|", ">") and last.end_mark.index >= len(text.rstrip()):
        start = last.start_mark.index
        match = _HEADER.match(text, start)
        if match and match[2] != "-":
            edits.insert(0, Edit(start=start, end=match.end(), text=f"{match[1]}-{match[3]}"))
    return edits


def gaps(found: list[yaml.Token]) -> list[Edit]:
    """Spaces around `:`, `,`, brackets and braces as they should be."""
    shown = [token for token in found if token.start_mark.index < token.end_mark.index]
    edits = []
    for left, right in zip(shown, shown[1:], strict=False):
        if left.end_mark.line != right.start_mark.line:
            continue
        size = right.start_mark.index - left.end_mark.index
        wanted = _wanted(left, right, size)
        if wanted != size:
            edits.append(Edit(start=left.end_mark.index, end=right.start_mark.index, text=" " * wanted))
    return edits


def _wanted(left: yaml.Token, right: yaml.Token, size: int) -> int:
    """How many spaces belong between two tokens of a line that have `size` between them now."""
    if isinstance(left, yaml.AliasToken | yaml.AnchorToken | yaml.TagToken):
        return size
    if isinstance(right, yaml.ValueToken | yaml.FlowEntryToken):
        return 0
    if isinstance(left, yaml.FlowEntryToken):
        return 1
    if isinstance(left, (yaml.ValueToken, yaml.KeyToken, *_OPEN)) or isinstance(right, _CLOSE):
        return min(size, 1)
    return size


def dashes(text: str, found: list[yaml.Token]) -> list[Edit]:
    """One space after the dash of a list entry; the lines of the entry move with it. The outermost entries only."""
    edits: list[Edit] = []
    for place, token in enumerate(found):
        if not isinstance(token, yaml.BlockEntryToken) or (edits and token.start_mark.index < edits[-1].end):
            continue
        first = shown_after(found, place)
        if first is None or first.start_mark.line != token.start_mark.line:
            continue
        extra = int(first.start_mark.column - token.end_mark.column - 1)
        if extra > 0:
            end = _entry_end(text, found, place)
            start = token.end_mark.index
            lines = text[start:end].split("\n")
            column = token.start_mark.column + 2
            moved = [" " + lines[0].lstrip(" "), *(_moved(line, extra, column) for line in lines[1:])]
            edits.append(Edit(start=start, end=end, text="\n".join(moved)))
    return edits


def _moved(line: str, extra: int, column: int) -> str:
    """`line` with its indentation less by `extra`, but not below `column`."""
    depth = len(line) - len(line.lstrip(" "))
    return line[min(extra, max(depth - column, 0)) :]


def _entry_end(text: str, found: list[yaml.Token], place: int) -> int:
    """The end of the last line of the list entry whose dash is at `place`."""
    column = found[place].start_mark.column
    for token in _later_on_new_lines(found, place):
        if token.start_mark.column <= column:
            start = text.rfind("\n", 0, token.start_mark.index)
            return max(start, int(found[place].end_mark.index))
    return len(text)


def _later_on_new_lines(found: list[yaml.Token], place: int) -> Iterator[yaml.Token]:
    line = found[place].start_mark.line
    flow = 0
    for token in found[place + 1 :]:
        flow += isinstance(token, _OPEN)
        flow -= isinstance(token, _CLOSE)
        if token.start_mark.line > line and not flow and token.start_mark.index < token.end_mark.index:
            yield token
