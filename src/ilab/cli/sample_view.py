"""A generated sample as a terminal shows it: question, answer, the sentence behind it, its place, its scores."""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ilab.cli import output

if TYPE_CHECKING:
    from ilab.pipeline.data_places import Places
    from ilab.records.samples import Sample

_NAMES = {
    "grounding_gain": "the text makes the answer likelier by {} nats a token",
    "open_book_logprob": "log-probability of the answer with the text in view: {} a token",
}
_LABEL = 10


def lines(sample: Sample, places: Places, *, width: int) -> list[str]:
    """The sample, wrapped to `width`."""
    found = [*field("context", sample.context, width)] if sample.context else []
    found += field("question", sample.question, width, bold=True)
    found += field("answer", sample.answer, width, bold=True)
    if sentence := places.sentence(sample):
        found += field("source", sentence, width)
    if where := place(sample, places):
        found += field("place", where, width)
    for name, value in sample.scores.items():
        found += field("", _NAMES.get(name, f"{name}: {{}}").format(f"{value:.2f}"), width)
    return found + field("made by", f"{sample.origin}, {sample.leaf}", width)


def place(sample: Sample, places: Places) -> str:
    """Source, line and characters of the sample in its document; the chunk alone where its span is not known."""
    found, chunk = places.place(sample), places.chunk(sample)
    if found is not None:
        return f"{found.source}, line {found.line:,}, characters {found.start:,}-{found.end:,}"
    return f"{chunk.source}, {chunk.heading or chunk.title}" if chunk else ""


def field(name: str, text: str, width: int, *, bold: bool = False) -> list[str]:
    """`name` and `text` beside it; line breaks of the text stay."""
    wrapped = [line for part in printable(text).split("\n") for line in textwrap.wrap(part, width - _LABEL) or [""]]
    styled = [output.style(line, stream=sys.stdout, bold=True) if bold else line for line in wrapped]
    return [f"{name if not number else '':<{_LABEL}}{line}".rstrip() for number, line in enumerate(styled)]


def printable(text: str) -> str:
    """`text` without the characters by which it could move the cursor or change the terminal; line breaks stay."""
    return "".join(sign if sign.isprintable() or sign == "\n" else " " for sign in text)


def facts(sample: Sample, places: Places) -> dict[str, Any]:
    """The sample with its sentence and place, for programs."""
    found = places.place(sample)
    where: Mapping[str, Any] | None = None
    if found is not None:
        span = {"source": found.source, "start": found.start, "end": found.end, "line": found.line}
        where = span | {"text": places.passage(sample)}
    return sample.to_json() | {"sentence": places.sentence(sample), "place": where}
