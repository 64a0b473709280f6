"""Questions about known properties: measures, ages, distances, kinds, names, neighbours, nationalities.

A property is asked for in the words that people use for it: the "diameter" of a thing is also how large it is across,
its "age" how old it is. The tables hold everyday English; what they do not know is left to `question_forms`.
"""

from __future__ import annotations

import re

from ilab.sdg import spans
from ilab.sdg.clauses import Clause
from ilab.sdg.spans import Span

_NOUN = (
    r"(?:magnitude|height|length|width|depth|diameter|radius|mass|size|age|type|class|kind|capacity|price|cost|"
    r"temperature|population|weight|speed|area|distance|period|name|abbreviation|version|number|port|limit|rate|"
    r"frequency|date|budget|deadline|address|colou?r|duration|level|value|score|percentage|share|code|title|role)"
)
_HEDGE = (
    r"(?:roughly |around |about |some |approximately |only |almost |nearly |an estimated |over |more than |up to )?"
)
_BEFORE = re.compile(rf"\b((?:[a-z]+ )?(?:[a-z]+ )?{_NOUN})(?: of| is| was|:)? {_HEDGE}$")
_NO_PART = frozenset("a an the of with and or to for by in on at from is was are were has have had that its".split())

MEASURES = {
    "magnitude": ("How bright is {s} in magnitudes?",),
    "height": ("How high is {s}?", "How tall is {s}?"),
    "length": ("How long is {s}?",),
    "width": ("How wide is {s}?", "How broad is {s}?"),
    "depth": ("How deep is {s}?",),
    "diameter": ("How large is {s} in diameter?", "How wide is {s} across?", "How big is {s}?"),
    "radius": ("How large is the radius of {s}?",),
    "mass": ("How massive is {s}?", "How heavy is {s}?"),
    "weight": ("How heavy is {s}?", "How much does {s} weigh?"),
    "size": ("How big is {s}?", "How large is {s}?"),
    "age": ("How old is {s}?",),
    "price": ("How much does {s} cost?",),
    "cost": ("How much does {s} cost?",),
    "speed": ("How fast is {s}?",),
    "temperature": ("How hot is {s}?",),
    "population": ("How many people live in {s}?",),
    "distance": ("How far away is {s}?", "How far is it to {s}?"),
    "abbreviation": ("How is {s} abbreviated?", "What is the short form of {s}?"),
    "type": ("Which type is {s}?",),
    "class": ("Which class does {s} belong to?",),
}
"""Property -> how people ask for it besides "What is the ... of ...?"."""
EXTENTS = {
    "away": (
        "How far away is {s}?",
        "What is the distance to {s}?",
        "How distant from us is {s}?",
        "At what distance is {s} located?",
        "{s} is how far from us?",
    ),
    "old": ("How old is {s}?", "What is the age of {s}?", "What age does {s} have?"),
    "wide": ("How wide is {s}?", "What is the width of {s}?", "How large is {s} across?"),
    "long": ("How long is {s}?", "What is the length of {s}?"),
    "deep": ("How deep is {s}?", "What is the depth of {s}?"),
    "high": ("How high is {s}?", "What is the height of {s}?"),
    "tall": ("How tall is {s}?", "What is the height of {s}?"),
}
EXTENTS["distant"] = EXTENTS["away"]
"""The word that ends a measure ("330 light years away") -> questions."""
_KINDS = (
    "What kind of {h} is {s}?",
    "What type of {h} is {s}?",
    "How is {s} classified?",
    "What sort of {h} would you call {s}?",
    "{s} belongs to which class of {h}?",
    "What is {s}?",
)
_CLASSES = (
    "What is {s}?",
    "What kind of thing is {s}?",
    "What sort of object is {s}?",
    "How would you describe {s} in a few words?",
    "As what is {s} classified?",
    "What type of object is {s}?",
)
_NATIONS = (
    "What was the nationality of {s}?",
    "Which nationality had {s}?",
    "From which nation did {s} come?",
    "{s} was of what nationality?",
)
_LANGUAGES = (
    "From which language does {s} come?",
    "What language is {s} taken from?",
    "In which language is {s} a name?",
    "{s} is a word of which language?",
)
_NAMES = ("What is {s} called?", "By which name is {s} known?", "What is the name of {s}?", "What do people call {s}?")
_SIDES = (
    "What lies to the {d} of {s}?",
    "Which neighbour borders {s} on the {d}?",
    "What is found {d} of {s}?",
    "On its {d} side, {s} meets which neighbour?",
    "What borders {s} to the {d}?",
)


_DIMENSION = r"(?: \([^)]*\))? in (diameter|length|width|height|radius|depth|size)"
_PART = re.compile(r"\b(?:member|part|piece|remnant|group|set|pair|number|branch|kind|type|one)$")
"""Says little without the whole that it is of."""
_SIDE = r" to the (north|south|east|west|left|right)\b"
_BORDERS = r"(?:\bby|,|, and) $"
_EXTENT_NOUNS = {
    "away": "distance to {s}",
    "distant": "distance to {s}",
    "old": "age of {s}",
    "wide": "width of {s}",
    "long": "length of {s}",
    "deep": "depth of {s}",
    "high": "height of {s}",
    "tall": "height of {s}",
}


def questions(clause: Clause, subject: str, span: Span) -> list[str]:
    """Questions about the span as a known property of `subject`."""
    found = _property(clause.before, subject, span) + _extent(clause.after, subject, span)
    found += _compared(clause, span)
    side = re.match(_SIDE, clause.after)
    # of two neighbours on one side, each would be half an answer
    if side and span.kind == spans.NAME and re.search(_BORDERS, clause.before):
        found += _filled(_SIDES, s=subject, d=side.group(1))
    if (
        span.kind == spans.KIND
        and span.text.startswith("a")
        and not (clause.after.startswith(" of ") and _PART.search(span.text))
        and re.search(rf"{re.escape(subject)} (?:is|was)\s$", clause.before)
    ):
        found += _filled(_KINDS, s=subject, h=span.text.split()[-1])
    if re.search(r"\b(?:called|named|known as|referred to as)(?: the)? $", clause.before):
        found += _filled(_NAMES, s=subject)
    return found


def of_named(span: Span) -> list[str]:
    """Questions about what `span.of` is, or where it comes from."""
    if span.kind == spans.CLASS:
        return _filled(_CLASSES, s=span.of)
    words = spans.LANGUAGE_NOUNS
    return _filled(_LANGUAGES if span.of_kind in words else _NATIONS, s=span.of)


def told(clause: Clause, subject: str, span: Span) -> list[str]:
    """The span as a known property of `subject`, in short sentences: "The age of NGC 37 is 12.9 billion years."."""
    value, words = span.text, span.text.split()
    found: list[str] = []
    name = _property_name(clause.before, span)
    if name:
        found = [f"The {name} of {subject} is {value}.", f"{value} is the {name} of {subject}."]
    elif span.kind == spans.NUMBER and words[-1] in EXTENTS:
        noun = _EXTENT_NOUNS[words[-1]]
        found = [f"The {noun.format(s=subject)} is {' '.join(words[:-1])}.", f"{subject} is {value}."]
    elif span.kind == spans.NUMBER and (match := re.match(_DIMENSION, clause.after)):
        found = [f"The {match[1]} of {subject} is {value}.", f"{subject} is {value} in {match[1]}."]
    elif span.kind == spans.KIND and re.search(rf"{re.escape(subject)} (?:is|was)\s$", clause.before):
        found = [f"{subject} is {value}."] if value.startswith("a") else []
    side = re.match(_SIDE, clause.after)
    # of two neighbours on one side, each would be half an answer
    if side and span.kind == spans.NAME and re.search(_BORDERS, clause.before):
        found = [f"{value} lies to the {side[1]} of {subject}.", f"On the {side[1]}, {subject} borders {value}."]
    return [_agreed(text, subject) for text in found]


def told_of_named(span: Span) -> list[str]:
    """What `span.of` is, or where it comes from, as a short sentence."""
    if span.kind == spans.CLASS:
        return [f"{span.of} is {_with_article(span.text)}."]
    return [f"{span.of} was {span.text}."] if span.of_kind not in spans.LANGUAGE_NOUNS else []


def _with_article(noun: str) -> str:
    """ "galaxy" -> "a galaxy", "brightest star" -> "the brightest star", "clusters" -> "one of the clusters"."""
    if re.match(r"(?:an?|the) ", noun):
        return noun
    if re.search(r"[^su]s$", noun):
        return f"one of the {noun}"
    if re.match(r"\w+est\b", noun):
        return f"the {noun}"
    return f"an {noun}" if noun[0] in "aeiou" else f"a {noun}"


def question_word(before: str, after: str, span: Span) -> str:
    """The words that ask for the span where it stands: "which year", "how many light years", "what"."""
    words = span.text.split()
    if span.kind == spans.DATE:
        return _date_word(before, span.text)
    if span.kind == spans.COUNT:
        return f"how many {' '.join(words[1:])}"
    if span.kind == spans.NUMBER:
        if words[-1] in EXTENTS:
            return "how far away" if EXTENTS[words[-1]] is EXTENTS["away"] else f"how {words[-1]}"
        if words[1:2] == ["than"]:
            return "how long" if re.search(r"(?:second|minute|hour|day|week|month|year)s?$", span.text) else "how much"
        if span.text.endswith("°"):
            return "what value"
        return f"how many {' '.join(words[1:])}" if len(words) > 1 else "what number"
    person = span.kind == spans.NAME and is_person(span.text)
    return "whom" if person and re.search(r"\b(?:by|of|with|from|and|to) $", before) else "what"


def is_person(name: str) -> bool:
    """Whether a name looks like a person's: two or more words of letters, none of them all in capitals."""
    words = [word for word in name.split() if word not in ("de", "la", "von", "van")]
    return len(words) > 1 and all(re.fullmatch(r"[A-Z][^\W\d_]*[a-z'’]", word) for word in words)


def _date_word(before: str, text: str) -> str:
    if re.fullmatch(r"\d{4}", text):
        return "which year"
    if re.fullmatch(r"[A-Z][a-z]+(?: \d{4})?", text):
        return "which month"
    return "what date" if re.search(r"\b(?:in|on|of|from|to|until|around)\s*$", before) else "when"


def _property_name(before: str, span: Span) -> str:
    """The property that stands before a span, without its article: "apparent magnitude"; empty when there is none."""
    match = _BEFORE.search(before)
    if not match or (span.kind == spans.NAME and not re.search(r"\d", span.text)):  # "the mass of Jupiter"
        return ""
    words = match.group(1).split()
    while words[0] in _NO_PART or any(word in _NO_PART for word in words[:-1]):
        words.pop(0)
    return "" if words[-1] == "name" else " ".join(words)  # "under the Dutch name X" does not say whose name X is


def _property(before: str, subject: str, span: Span) -> list[str]:
    name = _property_name(before, span)
    if not name:
        return []
    known = MEASURES.get(name.split()[-1], ())
    asked = ("What is the {a} of {s}?", "What {a} does {s} have?", *known, "{s} has what {a}?")
    return _filled((*asked, "Which {a} is given for {s}?"), s=subject, a=name)


def _extent(after: str, subject: str, span: Span) -> list[str]:
    words = span.text.split()
    if span.kind != spans.NUMBER:
        return []
    if words[-1] in EXTENTS:
        found = _filled(EXTENTS[words[-1]], s=subject)
        unit = " ".join(words[-3:-1])
        return found + ([f"How many {unit} away is {subject}?"] if words[-1] == "away" and len(words) > 3 else [])
    dimension = re.match(_DIMENSION, after)
    if dimension:
        name = dimension.group(1)
        return _filled(("What is the {a} of {s}?", "What {a} does {s} have?", *MEASURES[name]), s=subject, a=name)
    return []


def _compared(clause: Clause, span: Span) -> list[str]:
    """ "HD 142 b has six times the mass of Jupiter": a measure in terms of another thing's."""
    match = re.match(r" the (mass|size|weight|height|length|area|population) of ([A-Z]\w+|the [A-Z]\w+)", clause.after)
    if not match or not span.text.endswith("times") or not clause.inner:
        return []
    words = {"mass": "massive", "size": "large", "weight": "heavy", "height": "high", "length": "long"}
    asked = [f"How many times the {match[1]} of {match[2]} is {clause.inner}?"]
    if match[1] in words:
        asked += [
            f"How {words[match[1]]} is {clause.inner} compared with {match[2]}?",
            f"Compared with {match[2]}, how {words[match[1]]} is {clause.inner}?",
        ]
    return asked


def _filled(templates: tuple[str, ...], **words: str) -> list[str]:
    """The templates with their words; the verb agrees with a subject of several things."""
    return [_agreed(template.format(**words), words.get("s", "")) for template in templates]


def _agreed(text: str, subject: str) -> str:
    if " and " not in subject or re.match(r"(?:The|What is the) ", text):
        return text
    plural = {"is": "are", "was": "were", "has": "have", "does": "do", "lies": "lie"}
    return re.sub(r"\b(is|was|has|does|lies)\b", lambda match: plural[match.group(0)], text)
