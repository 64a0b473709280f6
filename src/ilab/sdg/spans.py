"""Find the spans of a sentence that make good short answers: numbers, dates, names, kinds of thing, quotations.

A small teacher invents answers but ranks given ones well, so the answer comes out of the document by rule and only
the question is made up. Rules are for English; a text in another language still yields numbers, dates and names.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

NUMBER, DATE, NAME, KIND, QUOTE, COUNT = "number", "date", "name", "kind", "quote", "count"
CLASS, NATION = "class", "nation"
"""What a named thing is ("the galaxy NGC 87"); where a person or a word comes from ("Belgian astronomer")."""

MONTH = "(?:January|February|March|April|May|June|July|August|September|October|November|December)"
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
SMALL_NUMBERS = frozenset(f"one|{_SMALL_NUMBER}".split("|"))
LANGUAGE_NOUNS = frozenset("word words name names term terms phrase title origin language".split())

_PATTERNS = (
    (DATE, rf"\b(?:\d{{1,2}}(?:[–-]\d{{1,2}})? )?{MONTH}(?: \d{{1,2}}\b(?!\d))?(?:,? \d{{4}})?"),
    (DATE, r"(?<![\d.,])(?:1[0-9]|20)\d\d(?![\d.,]*\d|[- ]?(?:light|kilo|km|m\b|years))"),
    (NUMBER, r"(?<![\w.,-])\d[\d.]*[hms](?: \d[\d.]*[hms])*\b"),
    (NAME, r"\b\d+[A-Z]/[A-Z][\w-]+"),
    (NUMBER, rf"\b(?:less|more) than (?:an?|one|two|\d+) {_UNIT}"),
    (NUMBER, rf"(?<![\w.,-])[−-]?(?!\d+(?:st|nd|rd|th)\b)\d[\d,.]*(?<![.,]){_AMOUNT}(?![A-Za-z/])"),
    (NAME, rf"\b{_CAPITAL}(?: (?:(?:de|la|von|van|of the|of) )?(?:{_CAPITAL}|\d[\w-]*|b\b))*(?:[-/]\w+)*"),
    (KIND, rf"(?<=\b(?:is|as) )(?:an?|the) (?!{_VAGUE})[a-z][\w -]*?{_AFTER_KIND}"),
    (KIND, rf"(?<=\b(?:has|was) )(?:an?|the) (?!{_VAGUE})[a-z][\w -]*?{_AFTER_KIND}"),
    (QUOTE, r"(?<=[\"“])[^\"”]{2,60}(?=[\"”])"),
    (NUMBER, rf"\b(?:{_SMALL_NUMBER}) times\b"),
    (COUNT, rf"\b(?:{_SMALL_NUMBER})(?! times\b)(?: [a-z-]+){{1,3}}?{_AFTER_COUNT}"),
)
_TITLE = rf"{_CAPITAL}(?: (?:(?:de|la|von|van|of the|of) )?(?:{_CAPITAL}|\d[\w-]*|b\b))*"
_DEMONYM = r"(?P<text>[A-Z][a-z]+(?:ian|ean|ish|ese|ch|ic|man|can))"
_NOUNS = r"(?:(?:[a-z]+ly )?[a-z]+ed )?(?P<text>[a-z][a-z-]+(?: [a-z][a-z-]+){0,2})"
_AFTER_CLASS = r"(?=[,.;—(]| (?:which|that|of|in|where|who)\b|$)"
_PASSING = (
    (CLASS, re.compile(rf"(?<=\b[Tt]he ){_NOUNS} (?P<name>{_TITLE})")),
    (CLASS, re.compile(rf"(?<=\bthe ){_NOUNS} {_TITLE} and (?:the )?(?P<name>{_TITLE})")),
    (CLASS, re.compile(rf"(?P<name>{_TITLE})(?: \([^)]*\))?, (?P<text>an? [a-z][a-z -]*?[a-z]){_AFTER_CLASS}")),
    (NATION, re.compile(rf"\b{_DEMONYM} (?P<noun>[a-z]+(?: and [a-z]+)?) (?P<name>{_TITLE})")),
    (NATION, re.compile(rf"(?P<name>{_TITLE}), an? {_DEMONYM} (?P<noun>[a-z]+)\b")),
)
"""What a sentence says in passing: (kind, pattern with `text` for what is said and `name` for the thing)."""
_EPITHET = re.compile(rf" [a-z]+(?<!s)(?<!ed) {_CAPITAL} ")
"""What follows a word that is capitalised only for its place: "Celestial historian Richard Allen"."""
_NO_CLASS = frozenset(
    "of in on at by for with and or from to that which as is was are were first last same new old name "
    "along nearby between under during since until also both such".split()
)
_RELATIVE = re.compile(r"(?:\w+est|adjacent|neighbou?ring|nearby|other|remaining|following)\b")
"""A class that says what a thing is to another one, not what it is."""
_NOT_NAMES = frozenset(
    "A After Although Also An And Another As At Because Before Both But By During Each For From He Her His However If "
    "In It Its Larger Located Lying Many Most Named Next No Not Of On One Only Or Our Several She Since So Some Such "
    "Ten That The Their Then There These They This Those To Until We What When Where Which While Who With You".split()
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """A possible answer: kind, text, and where it stands in the sentence (characters).

    Spans of the kinds `class` and `nation` say something about a thing that the sentence names beside them: `of` is its
    name, `of_kind` the noun between ("Belgian astronomer Eugène Delporte").
    """

    kind: str
    text: str
    start: int
    end: int
    of: str = ""
    of_kind: str = ""


def find(sentence: str) -> list[Span]:
    """Answer spans of `sentence` from left to right; of overlapping spans the longest one stays."""
    found = [span for kind, pattern in _PATTERNS for span in _matches(kind, pattern, sentence)]
    found.sort(key=lambda span: (span.start - span.end, span.start, _rank(span.kind)))
    kept: list[Span] = []
    for span in found:
        if all(span.end <= other.start or other.end <= span.start for other in kept):
            kept.append(span)
    named = _of_named(sentence)
    taken = {(span.start, span.end) for span in named if span.kind == NATION}
    kept = [span for span in kept if (span.start, span.end) not in taken]
    kept += [year for span in kept if (year := _year_of(span))]
    unique: dict[str, Span] = {}
    for span in sorted(kept, key=lambda span: span.start):
        if sentence.startswith(" (or ", span.end):
            continue  # one of two answers
        unique.setdefault(span.text.lower(), span)
    return [*unique.values(), *named]


def _year_of(span: Span) -> Span | None:
    """The year alone of a fuller date, which is asked for as often as the date: "December 1956" -> "1956"."""
    if span.kind != DATE or not re.search(r"\D\d{4}$", span.text):
        return None
    return Span(kind=DATE, text=span.text[-4:], start=span.end - 4, end=span.end)


def _of_named(sentence: str) -> list[Span]:
    """What the sentence says in passing about things that it names: their class, their nation or language."""
    found = []
    for kind, pattern in _PASSING:
        for match in pattern.finditer(sentence):
            text, name = match["text"], match["name"].removesuffix("'s")
            words = text.split()
            noun = (match.groupdict().get("noun") or "").split(" ")[-1]
            if kind == NATION and noun not in LANGUAGE_NOUNS and " " not in name:
                continue
            following = sentence[match.end("name") :]
            if noun in LANGUAGE_NOUNS and re.match(r" [a-z]+ [A-Z]", following):
                continue  # "the Dutch name Den voghel Fenicx": where the name ends is not told
            if kind == CLASS and (_RELATIVE.match(text) or re.search(r"^(?!an? ).*[^su]s$", text)):
                continue
            if words[-1] in SMALL_NUMBERS or words[-1] in _NO_CLASS or words[0] in _NO_CLASS or name in _NOT_NAMES:
                continue
            start = match.start("text")
            span = Span(kind=kind, text=text, start=start, end=start + len(text), of=name, of_kind=noun)
            found.append(span)
    return list({(span.of, span.text): span for span in found}.values())


def _rank(kind: str) -> int:
    return (DATE, NUMBER, QUOTE, NAME, KIND, COUNT).index(kind)


def _matches(kind: str, pattern: str, sentence: str) -> list[Span]:
    spans = []
    for match in re.finditer(pattern, sentence):
        start, end = match.span()
        if kind == NAME:
            start, end = _trim_name(sentence, start, end)
        text = sentence[start:end].rstrip()
        end = start + len(text)
        if kind == NAME and text.endswith("-like"):
            continue
        if kind == NAME and start == 0 and _EPITHET.match(sentence[end:]) and " " not in text:
            continue
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
