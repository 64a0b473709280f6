"""Write questions about a span of a statement by rule: each is true by construction, none needs a model.

One fact is asked for in many wordings, because a model that has seen a fact under one wording often cannot tell it
under another (Allen-Zhu and Li, "Physics of language models 3.1", 2023). Shapes, from most to least natural:

    attribute   a known property: "What is the apparent magnitude of NGC 37?", "How far away is NGC 37?"
    direct      the clause turned into a question: "In which year did Phoenix first appear on a globe?"
    indirect    the same as a request: "Tell me in which year Phoenix first appeared on a globe."
    in-place    the clause with a question word for the answer: "Phoenix first appeared on a globe in which year?"
    keywords    subject and nearest content words, as in a search box: "NGC 37: lenticular galaxy of magnitude, what?"

The rules are English; "in-place" and "keywords" are tolerable in any language with spaces between words.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from zlib import crc32

from ilab.sdg import attributes, clauses, spans, verbs, wordings
from ilab.sdg.clauses import Clause, Parts
from ilab.sdg.spans import Span
from ilab.sdg.statements import VERBS, Statement

ATTRIBUTE, DIRECT, INDIRECT, IN_PLACE, KEYWORDS = "attribute", "direct", "indirect", "in-place", "keywords"
SHAPES = (ATTRIBUTE, DIRECT, INDIRECT, IN_PLACE, KEYWORDS)

_SMALL = frozenset("a an the of with and or to for by in on at from is was are were has have had that which as".split())
_STOP = _SMALL | frozenset(
    "it its this these those be been being into than then there also not no any each some such who whom whose what "
    "when where how per about around roughly approximately while though but their his her they he she one first".split()
)
_SEARCH_STOP = _STOP - {"first", "one"}
_PREPOSITION = re.compile(
    r"(?:^| )(?P<prep>in|on|at|by|from|to|of|with|for|since|after|before|under|within|into|between|as)(?: the| an?)?$"
)
_HEDGE = re.compile(r"(?:^|(?<= ))(?:roughly|around|about|some|approximately|only|almost|nearly|an estimated|over) $")
_DAY = re.compile(rf"\b(?:on|in) (?:\d{{1,2}}(?:[–-]\d{{1,2}})? )?{spans.MONTH} (?:\d{{1,2}},? )?$")
"""The rest of a date before its year: "on 3 December "."""
_REQUESTS = ("Tell me", "Do you know", "Please say", "Can you tell me", "I would like to know")
_NOUN_BEFORE = re.compile(
    r"(?:^|(?<= ))(?:(?:[Tt]he|a|an|its|his|their) )?(?P<noun>(?:[A-Z][a-z]+ )?[a-z][a-z-]+(?: [a-z][a-z-]+)?) $"
)
_MOST_WORDS = 26
_POINTS = re.compile(r"(?i)\b(?:these|those|the same|next(?!-)|larger still|smaller still)\b")
"""Words that say what is meant only beside another sentence."""
_CUT = re.compile(r"(?i): (?:and|or|but)\b|\b(?:the|an?|and|or|its|their|times)\?$|\W\?$")
"""A question that begins or ends in the middle of something."""
_LISTED = re.compile(r"(?:, [A-Z][\w ]*)*,? and (?:the )?[A-Z]")
"""What follows the first things of a list: ", Fomalhaut and Beta Ceti"."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """One question: its shape and text."""

    shape: str
    text: str


def write(statement: Statement, span: Span) -> list[Form]:
    """Questions about `span`, most natural first; none contains the answer."""
    if span.kind in (spans.CLASS, spans.NATION):
        return _finish([Form(shape=ATTRIBUTE, text=text) for text in attributes.of_named(span)], span)
    clause = clauses.around(statement, span)
    if clause is None or "respectively" in clause.text:
        return []
    if span.kind == spans.NAME and not clause.after and _LISTED.match(statement.text[span.end :]):
        return []  # the first of several
    subject = statement.topic if span.text in statement.subject else statement.subject
    found = [Form(shape=ATTRIBUTE, text=text) for text in attributes.questions(clause, subject, span)]
    found += _subject_questions(clause, span)
    if not found:
        parts = clauses.take_apart(clause, statement.subject)
        found += (_turned(parts, span) if parts else []) + _passive(clause, span)
    asked = _asked(clause.before, clause.after, span)
    if clause.whole and not _names(clause.text, statement):
        about = statement.subject if f"({statement.subject})" in statement.text else statement.topic
        if re.match(r"(?:The|the) [a-z]", statement.subject):
            statement = replace(statement, subject=about)
        found = [form if _names(form.text, statement) else _about(statement, form) for form in found]
        asked = replace(asked, before=f"About {statement.subject}: {asked.before}")
    if clause.whole or len(clause.text.split()) - len(statement.subject.split()) > 5:
        found.append(Form(shape=IN_PLACE, text=f"{asked.before}{asked.what}{clause.after}"))
        short = _short_in_place(asked, clause, subject)
        found += [Form(shape=IN_PLACE, text=short)] if short else []
    found += [
        Form(shape=form.shape, text=text)
        for form in found
        if form.shape in (DIRECT, INDIRECT, IN_PLACE) and (text := wordings.reworded(form.text))
    ]
    found += [Form(shape=KEYWORDS, text=text) for text in _keywords(statement, span, clause, subject)]
    return _finish(found, span)


def _names(text: str, statement: Statement) -> bool:
    """Whether a text names what its statement is about; a clause with a subject of its own may not."""
    last, named = statement.subject.split()[-1], text.lower()
    common = re.match(r"(?:The|the) [a-z]", statement.subject) is not None  # "the official boundaries": of what?
    return last.lower() in named and not (common and statement.topic.lower() not in named)


def _about(statement: Statement, form: Form) -> Form:
    return Form(shape=form.shape, text=f"About {statement.subject}: {form.text}")


def _finish(found: list[Form], span: Span) -> list[Form]:
    """Tidy the texts; leave out what gives the answer away, says too little, is too long, or stands there already."""
    answer = span.text.lower()
    unique: dict[str, Form] = {}
    for form in found:
        text = _tidy(form.text)
        if answer in text.lower() or _POINTS.search(text) or _CUT.search(text):
            continue
        if _says_enough(text) and len(text.split()) <= _MOST_WORDS:
            unique.setdefault(text, Form(shape=form.shape, text=text))
    return list(unique.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """What is asked for: the question words, the preposition before them, and the text before both."""

    before: str
    what: str
    preposition: str = ""

    @property
    def fronted(self) -> str:
        """The question words with their preposition: "in which year"; "where" for a place."""
        if self.what == "what" and self.preposition in ("in", "at"):
            return "where"
        preposition = "until" if self.preposition == "to" and self.what == "what date" else self.preposition
        return f"{preposition} {self.what}".strip()

    @property
    def stem(self) -> str:
        """The text before, without the preposition that moves to the front."""
        if not self.preposition:
            return self.before
        return _PREPOSITION.sub("", self.before.rstrip()) + " "


def _asked(before: str, after: str, span: Span) -> _Asked:
    """Find the question words for the span at the end of `before`; a noun that names its class goes into them."""
    before = _HEDGE.sub("", before.rstrip('"“'))
    if span.kind == spans.DATE and span.text.isdigit():
        before = _DAY.sub("in ", before)
    if span.kind in (spans.COUNT, spans.NUMBER):
        before = re.sub(r"\b(?:the|these|those) $", "", before)
    if span.kind == spans.NAME and (match := _NOUN_BEFORE.search(before)) and _is_class(match["noun"]):
        noun = match["noun"].split()
        before = before[: match.start()]
        kept = noun if len(noun) < 2 or _is_class(noun[0]) else noun[1:]
        before += f"{noun[0]} " if len(kept) < len(noun) else ""
        what = f"which {' '.join(kept)}"
    else:
        what = attributes.question_word(before, after, span)
    found = _PREPOSITION.search(before.rstrip())
    if found and found["prep"] in ("of", "as", "to", "between") and span.kind not in (spans.DATE, spans.NAME):
        found = None
    return _Asked(before=before, what=what, preposition=found["prep"] if found else "")


def _is_class(noun: str) -> bool:
    words = noun.split()
    return not any(
        word in _STOP or word in spans.SMALL_NUMBERS or word.endswith(("ing", "ly")) or verbs.is_participle(word)
        for word in words
    ) and not verbs.base_form(words[0] if not words[0].endswith("s") else "")


def _turned(parts: Parts, span: Span) -> list[Form]:
    """The clause as a direct question and as a request."""
    asked = _asked(parts.between, parts.after, span)
    if _hangs(parts, asked, span):
        return []
    auxiliary, base = parts.question_verb
    told = f"{parts.verb} {parts.adverb}" if auxiliary == parts.verb else f"{parts.adverb}{parts.verb} "
    direct = f"{asked.fronted} {auxiliary} {parts.subject} {parts.adverb}{base} {asked.stem}{parts.after}"
    request = _REQUESTS[crc32((parts.subject + span.text).encode()) % len(_REQUESTS)]
    indirect = f"{request} {asked.fronted} {parts.subject} {told}{asked.stem}{parts.after}"
    found = [Form(shape=DIRECT, text=direct), Form(shape=INDIRECT, text=indirect)]
    if parts.after.strip() and (base or asked.stem.strip()) and not _LISTED.match(parts.after):
        found.append(Form(shape=DIRECT, text=direct.removesuffix(parts.after)))
    return found


def _hangs(parts: Parts, asked: _Asked, span: Span) -> bool:
    """Whether the span hangs on something else than the verb, so that it cannot move to the front."""
    between = parts.between.split()
    if parts.after.startswith((" and ", "'s", "’s")) or asked.stem.rstrip().endswith((" and", " the", " of the")):
        return True
    if not between and parts.verb in verbs.BE and span.kind in (spans.NAME, spans.KIND, spans.QUOTE):
        return True
    if span.kind == spans.NUMBER and ("-" in span.text or span.text.endswith("times")):
        return True
    return len(between) > 9 or any(verbs.is_participle(word) for word in between[1:])


def _subject_questions(clause: Clause, span: Span) -> list[Form]:
    """The span is the subject itself: "What is a lenticular galaxy of apparent magnitude 14.66?"."""
    if clause.before.strip() not in ("", "The", "the") or not re.match(rf",? {VERBS}\b", clause.after):
        return []
    acts = not re.match(r",? (?:is|are|was|were)\b", clause.after)
    if acts and not clause.whole:
        return []
    who = "Who" if span.kind == spans.NAME and acts and attributes.is_person(span.text) else "What"
    return [Form(shape=DIRECT, text=f"{who}{clause.after.lstrip(',')}")]


def _passive(clause: Clause, span: Span) -> list[Form]:
    """A noun with a participle before the span: "a globe published in 1597" -> "When was a globe published?"."""
    words = clause.before.rstrip().split()
    place = max((i for i, word in enumerate(words) if verbs.is_participle(word)), default=-1)
    if place < 1 or len(words) - place > 6:
        return []
    start = next(
        (i for i in range(place - 1, max(-1, place - 6), -1) if words[i] in ("a", "an", "the") or words[i].isdigit()),
        -1,
    )
    asked = _asked(" ".join(words[place + 1 :]) + " ", "", span)
    if start < 0 or not asked.preposition or clause.after.startswith((" and ", " with ")):
        return []
    noun = " ".join(words[start:place])
    number = "were" if words[place - 1].endswith("s") else "was"
    text = f"{asked.fronted} {number} {noun} {words[place]} {asked.stem}"
    return [Form(shape=DIRECT, text=text)]


def _short_in_place(asked: _Asked, clause: Clause, subject: str) -> str:
    """The in-place form behind its subject, where the clause is short enough to say it whole."""
    before, after = asked.before.split(), clause.after.split()
    if len(before) > 5 or len(after) > 3 or (before and before[0].lower() in _SMALL):  # cut, it would lose what it says
        return ""
    said = [word for word in before + after if word.lower() not in _STOP]
    if len(said) < 2 or not _has_verb(before + after):
        return ""
    if subject.split()[-1] in before and subject not in " ".join(before):
        return ""
    lead = "" if subject in " ".join(before) else f"{subject}: "
    return f"{lead}{' '.join(before)} {asked.what} {' '.join(after)}"


def _keywords(statement: Statement, span: Span, clause: Clause, subject: str) -> list[str]:
    """Nearest content words behind the subject: those on both sides, and those before the answer alone."""
    taken = set(subject.lower().split()) | set(span.text.lower().split())

    def content(text: str) -> list[str]:
        words = [word.strip("()'\"“”") for word in re.split(r"[\s,;:—]+", text)]
        return [word for word in words if word and word.lower() not in _SEARCH_STOP and word.lower() not in taken]

    before, after = content(clause.before), content(clause.after)
    lead = subject if subject == statement.topic or statement.topic in subject else f"{statement.topic}, {subject}"
    both = before + after
    if not len(both) >= 2 or len(before) > 4 or len(after) > 3 or "times" in both:
        return []  # too few words to fix the answer, or so many that some would have to go
    # A search says what it wants: the words around a year do not tell that it is one.
    return [f"{lead}: {' '.join(both)}, {attributes.question_word('', '', span)}"]


def _has_verb(words: Sequence[str]) -> bool:
    """Whether a finite verb or a participle stands among words."""
    plain = [word.strip(",;:()").lower() for word in words]
    return any(word in verbs.AUXILIARIES or verbs.base_form(word) or verbs.is_participle(word) for word in plain)


def _says_enough(question: str) -> bool:
    words = [word for word in re.findall(r"[\w'-]+", question) if word.lower() not in _STOP and word != "How"]
    return len(words) >= 2


def _tidy(text: str) -> str:
    text = text.replace(' ""', "").replace('"what"', "what").replace('" what "', "what")
    text = re.sub(r"\s+", " ", text).strip(" .,;:—?")
    text = re.sub(r"(?<=.) (The|A|An) ", lambda match: match.group(0).lower(), text)
    text = re.sub(r" (?=[,;:'’”])", "", text)
    return text[:1].upper() + text[1:] + ("." if text.startswith(("Tell", "Please", "I would")) else "?")
