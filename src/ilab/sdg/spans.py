"""Find the spans of a sentence that make good short answers: numbers, dates, names, kinds of thing, quotations.

A small teacher invents answers but ranks given ones well, so the answer comes out of the document by rule and only
the question is made up. Rules are for English; a text in another language still yields numbers, dates and names.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

NUMBER, DATE, NAME, KIND, QUOTE, COUNT = "number", "date", "name", "kind", "quote", "count"

_MONTH = "(?:January|February|March|April|May|June|July|August|September|October|November|December)"
_UNIT = (
    r"(?:years?|light[- ]years?|days?|hours?|minutes?|seconds?|weeks?|months?|degrees|kilomet(?:er|re)s?|"
    r"met(?:er|re)s?|kiloparsecs?|parsecs?|miles?|feet|inches|cm|mm|km|kg|arcmin|percent|dollars|euros|times|people|"
    r"members|[a-z]+s)"
)
_LINKS = "of|in|that|which|with|for|on|to|from|and|by|located|composed"
_AFTER_KIND = rf"(?= (?:{_LINKS}|who|not|at|where|bordered|taking)\b|[.,;:(—]|$)"
_AFTER_COUNT = rf"(?= (?:{_LINKS}|is|are|was|were|has|have)\b|[.,;:(—]|$)"
_CAPITAL = r"(?:[A-Z][\w'’‘-]*[\w]|[A-Z])"
_EXTENT = r"(?: (?:old|wide|long|deep|high|tall|away|distant)\b)?"
_AMOUNT = rf"(?:°|%|[a-z]{{2}}\b)?(?: (?:million|billion|thousand))?(?:[ -]{_UNIT})?{_EXTENT}"
_VAGUE = r"(?:largest|smallest|biggest|first|last|same|most|best|only|one|group|number|part|member|lot|few)\b"
_SMALL_NUMBER = "two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|twenty|hundred"
_PATTERNS = (
    (DATE, rf"\b(?:\d{{1,2}}(?:[–-]\d{{1,2}})? )?{_MONTH}(?: \d{{1,2}}\b(?!\d))?(?:,? \d{{4}})?"),
    (DATE, r"(?<![\d.,])(?:1[0-9]|20)\d\d(?![\d.,]*\d|[- ]?(?:light|kilo|km|m\b|years))"),
    (NUMBER, rf"(?<![\w.,-])[−-]?\d[\d,.]*(?<![.,]){_AMOUNT}"),
    (NAME, rf"\b{_CAPITAL}(?: (?:(?:de|la|von|van|of the|of) )?(?:{_CAPITAL}|\d[\w-]*|b\b))*(?:[-/]\w+)*"),
    (KIND, rf"(?<=\b(?:is|as) )(?:an?|the) (?!{_VAGUE})[a-z][\w -]*?{_AFTER_KIND}"),
    (KIND, rf"(?<=\b(?:has|was) )(?:an?|the) (?!{_VAGUE})[a-z][\w -]*?{_AFTER_KIND}"),
    (QUOTE, r"(?<=[\"“])[^\"”]{2,60}(?=[\"”])"),
    (COUNT, rf"\b(?:{_SMALL_NUMBER})(?: [a-z-]+){{1,2}}?{_AFTER_COUNT}"),
)
_NOT_NAMES = frozenset(
    "A After Although Also An And Another As At Because Before Both But By During Each For From He Her His However If "
    "In It Its Larger Located Lying Many Most Named Next No Not Of On One Only Or Our Several She Since So Some Such "
    "Ten That The Their Then There These They This Those To Until We What When Where Which While Who With You".split()
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """A possible answer: kind, text, and where it stands in the sentence (characters)."""

    kind: str
    text: str
    start: int
    end: int


def find(sentence: str) -> list[Span]:
    """Answer spans of `sentence` from left to right; of overlapping spans the longest one stays."""
    found = [span for kind, pattern in _PATTERNS for span in _matches(kind, pattern, sentence)]
    found.sort(key=lambda span: (span.start - span.end, span.start, _rank(span.kind)))
    kept: list[Span] = []
    for span in found:
        if all(span.end <= other.start or other.end <= span.start for other in kept):
            kept.append(span)
    unique: dict[str, Span] = {}
    for span in sorted(kept, key=lambda span: span.start):
        unique.setdefault(span.text.lower(), span)
    return list(unique.values())


def _rank(kind: str) -> int:
    return (DATE, NUMBER, QUOTE, NAME, KIND, COUNT).index(kind)


def _matches(kind: str, pattern: str, sentence: str) -> list[Span]:
    spans = []
    for match in re.finditer(pattern, sentence):
        start, end = match.span()
        if kind == NAME:
            start, end = _trim_name(sentence, start, end)
        text = sentence[start:end]
        if text and (len(text) > 1 or text.isdigit()):
            spans.append(Span(kind=kind, text=text, start=start, end=end))
    return spans


def _trim_name(sentence: str, start: int, end: int) -> tuple[int, int]:
    """Drop leading words that are capitalised only because they begin the sentence, and a trailing possessive."""
    while True:
        first = sentence[start:end].split(" ", 1)[0]
        if first not in _NOT_NAMES:
            break
        if " " not in sentence[start:end]:
            return start, start
        start += len(first) + 1
    text = sentence[start:end]
    if not re.search(r"[A-Z]", text) or (start == 0 and " " not in text and text.isalpha() and text.endswith("ing")):
        return start, start
    if text.endswith(("'s", "’s")):
        end -= 2
    return start, end
