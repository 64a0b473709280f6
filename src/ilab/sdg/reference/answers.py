"""Read records out of an answer: by tags, or by a pattern. A record with a missing column never shifts another."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

Record = dict[str, str]

NOTHING_TO_ASK = re.compile(r"\[\s*UNANSWERABLE\s*\]", re.IGNORECASE)
"""What the reference's prompts ask for where a text has nothing worth a question."""


def read(text: str, columns: Sequence[str], spec: Mapping[str, Any], *, cut: bool) -> list[Record]:
    """The records in `text`. `spec` has `pattern` and `cleanup`, or `tags`: a start and an end for each column.

    Where the answer was `cut` off, a last value without its end is not taken.
    """
    if "pattern" in spec:
        return by_pattern(text, columns, spec["pattern"], spec.get("cleanup", ()))
    return by_tags(text, columns, spec["tags"], cut=cut)


def by_pattern(text: str, columns: Sequence[str], pattern: str, cleanup: Sequence[str]) -> list[Record]:
    """One record a match; its groups are the columns, in order."""
    found = []
    for match in re.finditer(pattern, text, re.DOTALL):
        values = match.groups("") or (match.group(),)
        record = {column: _clean(value, cleanup) for column, value in zip(columns, values, strict=False)}
        if all(record.values()):
            found.append(record)
    return found


def by_tags(text: str, columns: Sequence[str], tags: Sequence[Sequence[str]], *, cut: bool = False) -> list[Record]:
    """One record for each run of values in the order of the columns; a value ends at its end tag, or at another tag.

    A column whose tags are both empty is the whole answer.
    """
    whole = {column: text.strip() for column, (start, end) in zip(columns, tags, strict=True) if not (start or end)}
    tagged = [column for column in columns if column not in whole]
    if not tagged:
        return [whole] if all(whole.values()) else []
    pairs = [pair for column, pair in zip(columns, tags, strict=True) if column in tagged]
    records = _records(_values(text, pairs, cut=cut), len(tagged))
    return [whole | {tagged[place]: value for place, value in record.items()} for record in records]


Value = tuple[int, str]
"""Position of its column, and the text."""


def _values(text: str, pairs: Sequence[Sequence[str]], *, cut: bool) -> list[Value]:
    """The values in the order of the text; empty ones are left out."""
    starts = [_tag(start) if start else re.compile(r"\A") for start, _ in pairs]
    ends = [_tag(end) if end else None for _, end in pairs]
    opened = sorted(
        (match.start(), match.end(), place) for place, tag in enumerate(starts) for match in tag.finditer(text)
    )
    found = []
    for number, (_, begin, place) in enumerate(opened):
        limit = opened[number + 1][0] if number + 1 < len(opened) else len(text)
        end = ends[place]
        closing = end.search(text, begin, max(begin, limit)) if end is not None else None
        if closing is None and cut and limit == len(text):
            continue
        value = _stripped(text[begin : closing.start() if closing else limit], ends)
        if value:
            found.append((place, value))
    return found


def _records(values: Sequence[Value], width: int) -> list[dict[int, str]]:
    """Values put together: a column that comes again, or one before it, begins the next record."""
    if len(values) == width == len({place for place, _ in values}):
        return [dict(values)]  # each once: the order does not matter
    records: list[dict[int, str]] = []
    last = width
    for place, value in values:
        if place <= last:
            records.append({})
        records[-1][place] = value
        last = place
    return [record for record in records if len(record) == width]


def _tag(tag: str) -> re.Pattern[str]:
    """The tag, however it is spaced and in whatever case."""
    return re.compile(r"\s+".join(re.escape(part) for part in tag.split()) or re.escape(tag), re.IGNORECASE)


def _stripped(value: str, ends: Sequence[re.Pattern[str] | None]) -> str:
    """Without the end tag of another column, where one was put by mistake."""
    places = [match.start() for end in ends if end is not None and (match := end.search(value))]
    return value[: min(places, default=len(value))].strip()


def _clean(value: str, cleanup: Sequence[str]) -> str:
    for tag in cleanup:
        value = value.replace(tag, "")
    return value.strip()
