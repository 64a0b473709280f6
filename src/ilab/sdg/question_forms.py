"""Write questions about a span of a statement by rule: each is true by construction, none needs a model.

Three shapes, from most to least natural:
    plain       a grammatical question where a rule knows one: "What is the apparent magnitude of NGC 37?"
    in place    the clause with a question word for the answer: "NGC 37 is about how many kiloparsecs in diameter?"
    keywords    subject and nearest content words, as in a search box: "NGC 37: lenticular galaxy, magnitude?"

The rules are English; "in place" and "keywords" are tolerable in any language with spaces between words.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from ilab.sdg import spans
from ilab.sdg.spans import Span
from ilab.sdg.statements import VERBS, Statement

PLAIN, IN_PLACE, KEYWORDS = "plain", "in-place", "keywords"

_ATTRIBUTE = (
    r"(?:magnitude|height|length|width|depth|diameter|radius|mass|size|age|type|class|kind|capacity|price|cost|"
    r"temperature|population|weight|speed|area|distance|period|name|abbreviation|version|number|port|limit|rate|"
    r"frequency|date|budget|deadline|address|colou?r|duration|level|value|score|percentage|share|code|title|role)"
)
_HEDGE = (
    r"(?:roughly |around |about |some |approximately |only |almost |nearly |an estimated |over |more than |up to )?"
)
_ATTRIBUTE_BEFORE = re.compile(rf"((?:[a-z]+ )?(?:[a-z]+ )?{_ATTRIBUTE})(?: of| is| was|:)? {_HEDGE}$")
_SMALL = frozenset("a an the of with and or to for by in on at from is was are were has have had that which as".split())
_STOP = _SMALL | frozenset(
    "it its this these those be been being into than then there also not no any each some such who whom whose what "
    "when where how per about around roughly approximately while though but their his her they he she one first".split()
)
_LEFT_EDGE = re.compile(
    rf", (?:and|which|while|as|whose|where|but|with|each|though|who) (?={VERBS}\b)?|, | which | that |; |: |—| \("
    rf"| while | and (?={VERBS}\b)| who "
)
_RIGHT_EDGE = re.compile(rf"[,;:—()]| which | that | while | and (?={VERBS}\b)| who ")
_AUXILIARY = re.compile(r"^(?P<subject>.+?) (?P<aux>is|are|was|were|has|have|can|will) (?P<rest>.+)$")
_EXTENT = {
    "away": "far away",
    "distant": "far away",
    "old": "old",
    "wide": "wide",
    "long": "long",
    "deep": "deep",
    "high": "high",
    "tall": "tall",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """One question: its shape and text."""

    shape: str
    text: str


def write(statement: Statement, span: Span) -> list[Form]:
    """Questions about `span`, most natural first; none contains the answer."""
    clause, start = _clause(statement, span)
    if clause is None or "respectively" in statement.text:
        return []
    before, after = clause[:start], clause[start + len(span.text) :]
    subject = _subject_for(statement, span)
    found = [Form(shape=PLAIN, text=_tidy(text)) for text in _plain(before, after, subject, span)]
    found.append(Form(shape=IN_PLACE, text=_tidy(f"{before}{_question_word(before, after, span)}{after}")))
    keywords = _keywords(statement, span, before, after, subject)
    if keywords:
        found.append(Form(shape=KEYWORDS, text=keywords))
    answer = span.text.lower()
    unique = {form.text: form for form in found if answer not in form.text.lower() and _says_enough(form.text)}
    return list(unique.values())


def _clause(statement: Statement, span: Span) -> tuple[str | None, int]:
    """The clause around the span, made to stand alone, and where the span starts in it."""
    text, span = _without_asides(statement.text.rstrip("."), span)
    left = 0
    for match in _LEFT_EDGE.finditer(text, 0, span.start):
        left = match.end()
    right_match = _RIGHT_EDGE.search(text, span.end)
    right = right_match.start() if right_match else len(text)
    piece, start = text[left:right], span.start - left
    if span.end > len(text):
        return None, 0
    if left == 0 or piece.startswith(statement.subject):
        return piece, start
    lead = statement.subject + (" " if re.match(rf"{VERBS}\b|[a-z]+(?:s|ed)\b", piece) else ", ")
    return lead + piece, start + len(lead)


def _without_asides(text: str, span: Span) -> tuple[str, Span]:
    """Drop remarks in brackets that do not hold the span; the span moves with its text."""
    for match in reversed(list(re.finditer(r"\s*\([^()]*\)", text))):
        if match.end() <= span.start:
            length = match.end() - match.start()
            span = replace(span, start=span.start - length, end=span.end - length)
        elif match.start() < span.end:
            continue
        text = text[: match.start()] + text[match.end() :]
    return text, span


def _subject_for(statement: Statement, span: Span) -> str:
    return statement.topic if span.text in statement.subject else statement.subject


def _plain(before: str, after: str, subject: str, span: Span) -> list[str]:
    found = []
    attribute = _ATTRIBUTE_BEFORE.search(before)
    if attribute:
        words = attribute.group(1).split()
        while words[0] in _SMALL:
            words.pop(0)
        found += [f"What is the {' '.join(words)} of {subject}?", f"What {' '.join(words)} does {subject} have?"]
    found += _measures(after, subject, span)
    side = re.match(r"(?: and [A-Z]\w+)? to the (north|south|east|west|left|right)\b", after)
    if side and span.kind == spans.NAME:
        found += [
            f"What lies to the {side.group(1)} of {subject}?",
            f"Which neighbour borders {subject} on the {side.group(1)}?",
        ]
    found += _fronted(before, after, span)
    if not before.strip() and re.match(rf" {VERBS}\b", after):
        found.append(_tidy(f"{'Who' if ' by ' in after else 'What'}{after}"))
    if span.kind == spans.KIND and re.search(r"\b(?:is|was)\s$", before):
        found.append(f"What kind of {span.text.split()[-1]} is {subject}?")
    if re.search(r"\b(?:called|named|known as|referred to as)(?: the)? $", before):
        found += [f"What is {subject} called?", f"By which name is {subject} known?"]
    return found


def _measures(after: str, subject: str, span: Span) -> list[str]:
    words = span.text.split()
    if span.kind != spans.NUMBER:
        return []
    if words[-1] in _EXTENT:
        unit = (
            [f"How many {' '.join(words[-3:-1])} away is {subject}?"]
            if words[-1] in ("away", "distant") and len(words) > 3
            else []
        )
        return [f"How {_EXTENT[words[-1]]} is {subject}?", *unit]
    dimension = re.match(r"(?: \([^)]*\))? in (diameter|length|width|height|radius|depth|size)", after)
    if dimension:
        return [f"What is the {dimension.group(1)} of {subject}?", f"How large is {subject} in {dimension.group(1)}?"]
    return []


def _fronted(before: str, after: str, span: Span) -> list[str]:
    """Move the question word to the front where subject and auxiliary can be told apart."""
    match = _AUXILIARY.match(before)
    if not match or len(match.group("subject").split()) > 8:
        return []
    subject, aux, rest = match.group("subject", "aux", "rest")
    if span.kind == spans.DATE and (when := re.search(r"\s*(in|on|around|since|after)(?: the)?\s*$", rest)):
        lead = "In which year" if re.fullmatch(r"\d{4}", span.text) and when.group(1) == "in" else "When"
        return [_tidy(f"{lead} {aux} {subject} {rest[: when.start()]}{after}")]
    if span.kind == spans.NAME and (agent := re.search(r"\s*\bby\s*$", rest)):
        return [_tidy(f"By whom {aux} {subject} {rest[: agent.start()]}{after}")]
    if span.kind == spans.COUNT and not rest.strip():
        return [_tidy(f"How many {' '.join(span.text.split()[1:])} {aux} {subject}{after}")]
    return []


def _question_word(before: str, after: str, span: Span) -> str:
    words = span.text.split()
    if span.kind == spans.DATE:
        return (
            "which year"
            if re.fullmatch(r"\d{4}", span.text)
            else "when"
            if not before.rstrip().endswith((" in", " on", " of"))
            else "what date"
        )
    if span.kind == spans.COUNT:
        return f"how many {' '.join(words[1:])}"
    if span.kind == spans.NUMBER:
        if words[-1] in _EXTENT:
            return f"how {_EXTENT[words[-1]]}"
        return f"how many {' '.join(words[1:])}" if len(words) > 1 else "what number"
    if span.kind == spans.NAME and re.search(r"\bby $", before):
        return "whom"
    return "what"


def _keywords(statement: Statement, span: Span, before: str, after: str, subject: str) -> str:
    taken = set(subject.lower().split()) | set(span.text.lower().split())

    def content(text: str) -> list[str]:
        words = [word.strip("()'\"“”") for word in re.split(r"[\s,;:—]+", text)]
        return [word for word in words if word and word.lower() not in _STOP and word.lower() not in taken]

    words = content(before)[-4:] + content(after)[:3]
    lead = subject if subject == statement.topic or statement.topic in subject else f"{statement.topic}, {subject}"
    return f"{lead}: {' '.join(words)}?" if words else ""


def _says_enough(question: str) -> bool:
    words = [word for word in re.findall(r"[\w'-]+", question) if word.lower() not in _STOP and word != "How"]
    return len(words) >= 2


def _tidy(text: str) -> str:
    text = re.sub(
        r"(?<=.) (The|A|An) (?=[a-z]|\w+[a-z]s\b)", lambda match: match.group(0).lower(), re.sub(r"\s+", " ", text)
    ).strip(" .,;:—?")
    return text[:1].upper() + text[1:] + "?"
