"""The tokens of a YAML text with their places: where each value stands, how it is written, how deep it lies."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import yaml

_OPEN = (yaml.FlowSequenceStartToken, yaml.FlowMappingStartToken)
_CLOSE = (yaml.FlowSequenceEndToken, yaml.FlowMappingEndToken)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scalar:
    """One value, not a key: its span, how it is written (`plain`, `'`, `"`, `|`, `>`), what it says.

    `indent` is the column of the collection that it is in: lines of it must be indented by more. `flow` is inside
    brackets or braces.
    """

    start: int
    end: int
    column: int
    style: str
    value: str
    indent: int
    flow: bool


def tokens(text: str) -> list[yaml.Token]:
    """All tokens that take place in the text; `text` must be YAML."""
    found = yaml.scan(text, Loader=yaml.SafeLoader)
    return [token for token in found if not isinstance(token, yaml.StreamStartToken | yaml.StreamEndToken)]


def shown_after(found: list[yaml.Token], place: int) -> yaml.Token | None:
    """The first token after `place` that has characters of its own; the others only say where something begins."""
    for number in range(place + 1, len(found)):
        if found[number].start_mark.index < found[number].end_mark.index:
            return found[number]
    return None


def scalars(text: str, found: list[yaml.Token]) -> Iterator[Scalar]:
    """Every value of `text` that is not a key, in order."""
    columns, flow, key = [-1], 0, False
    for token in found:
        if isinstance(token, yaml.BlockMappingStartToken | yaml.BlockSequenceStartToken):
            columns.append(token.start_mark.column)
        elif isinstance(token, yaml.BlockEndToken):
            columns.pop()
        elif isinstance(token, _OPEN):
            flow += 1
        elif isinstance(token, _CLOSE):
            flow -= 1
        elif isinstance(token, yaml.KeyToken):
            key = True
        elif isinstance(token, yaml.ValueToken):
            key = False
        elif isinstance(token, yaml.ScalarToken):
            if not key:
                yield _scalar(text, token, indent=columns[-1], flow=flow > 0)
            key = False


def _scalar(text: str, token: yaml.ScalarToken, *, indent: int, flow: bool) -> Scalar:
    start, end = token.start_mark.index, token.end_mark.index
    style = "plain" if token.plain else str(token.style)
    if style in "|>":
        header, _, _ = text[start:end].partition("\n")
        body = text[start:end].rstrip(" \t")  # the indentation of what follows
        # blank lines after it belong to it only where it keeps them
        end = start + len(body.removesuffix("\n") if "+" in header.partition("#")[0] else body.rstrip(" \t\n"))
    return Scalar(
        start=start,
        end=end,
        column=token.start_mark.column,
        style=style,
        value=token.value,
        indent=indent,
        flow=flow,
    )
