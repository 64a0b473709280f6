"""The clause of a statement that holds a span: cut out of its sentence, with its subject named, and taken apart.

    "HD 2039 is a yellow subgiant around 330 light years away which has a planet six times the mass of Jupiter."
    span "six times"  ->  clause "HD 2039 has a planet six times the mass of Jupiter"
                          subject "HD 2039", verb "has", before "a planet ", after " the mass of Jupiter"

Rules for English; where they find no subject or verb, the clause still stands, only its parts are unknown.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from ilab.sdg import verbs
from ilab.sdg.spans import Span
from ilab.sdg.statements import VERBS, Statement

_LEFT_EDGE = re.compile(
    rf", (?:and|which|while|as|whose|where|but|with|each|though|who) (?={VERBS}\b)?|, | which | that |; |: |—| \("
    rf"| while | and (?={VERBS}\b)| who "
)
_RIGHT_EDGE = re.compile(rf"[,;:—()]| which | that | while | and (?={VERBS}\b)| who ")
_ADVERB = re.compile(
    r"(?:first|together|also|now|still|often|usually|sometimes|thus|then|originally|officially|later|only|never|"
    r"[a-z]+ly) "
)
_OWN_SUBJECT = re.compile(r"(?:(?:[Tt]he|[Aa]n?) [\w'’-]+|[A-Z][\w'’-]*|[a-z]+s(?= (?:can|are|were|have))) (?!of\b)")
_PREDICATE = re.compile(r"^[^,;]{2,80}? (?:is|are|was|were) (?:an?|the) [\w .−-]+$")
_FAR = 60
"""How far into a clause its subject may stand."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Clause:
    """A clause around a span: `before` and `after` are what stands left and right of it.

    `whole`: it has a verb of its own. `inner`: a name that the sentence gives in brackets before the span, of the thing
    that the words there are about: "has a planet (HD 142b) 1.36 times the mass of Jupiter".
    """

    text: str
    before: str
    after: str
    whole: bool = True
    inner: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """A clause taken apart: subject, adverb, finite verb, and what stands between the verb and the span."""

    subject: str
    adverb: str
    verb: str
    between: str
    after: str

    @property
    def question_verb(self) -> tuple[str, str]:
        """(auxiliary, what remains of the verb): "is" -> ("is", ""), "appeared" -> ("did", "appear")."""
        if self.verb in verbs.AUXILIARIES and not (self.verb in verbs.HAVE and not self._perfect()):
            return self.verb, ""
        if self.verb in verbs.HAVE:
            return {"has": "does", "have": "do", "had": "did"}[self.verb], "have"
        base, auxiliary = verbs.base_form(self.verb) or (self.verb, "does")
        return auxiliary, base

    def _perfect(self) -> bool:
        """Whether "has" is followed by a participle ("has been found"), and so is an auxiliary."""
        following = self.between.split(" ", 1)[0]
        return following == "been" or verbs.is_participle(following)


def around(statement: Statement, span: Span) -> Clause | None:
    """The clause of `statement` around `span`, made to stand alone; None where the span has none."""
    place = span.start
    inner = _inner_name(statement.text[:place])
    text, span = without_asides(statement.text.rstrip("."), span)
    left, edge = 0, ""
    for match in _LEFT_EDGE.finditer(text, 0, span.start):
        left, edge = match.end(), match.group(0)
    right_match = _RIGHT_EDGE.search(text, span.end)
    right = right_match.start() if right_match else len(text)
    piece, start = text[left:right], span.start - left
    if span.end > len(text):
        return None
    subject = statement.subject
    if edge in (" which ", " that ", " who ") and not _PREDICATE.search(text[: left - len(edge)]):
        # A relative clause is about the noun before it, which only a name in brackets lets us name.
        subject = _inner_name(statement.text[: statement.text.rfind(edge, 0, place)])
        if not subject:
            return None
    lead = _lead(piece, subject, edge) if left else ""
    piece, start = lead + piece, start + len(lead)
    return Clause(
        text=piece,
        before=piece[:start],
        after=piece[start + len(span.text) :],
        whole=not lead.endswith(", "),
        inner=inner,
    )


def _inner_name(text: str) -> str:
    names = re.findall(r"\(([A-Z][^()]*)\)", text)
    return names[-1] if names and len(names[-1].split()) < 4 else ""


def _lead(piece: str, subject: str, edge: str) -> str:
    """What must stand before a piece of a sentence so that it stands alone: its subject, and a verb where it has none.

    A piece without any verb gets the subject and a comma, and is no whole clause.
    """
    first = piece.split(" ", 1)[0]
    if edge.strip(" ,") == "whose":
        return f"{subject}'s "
    if re.match(rf"{VERBS}\b", piece):
        return f"{subject} "
    if piece.startswith(subject) or (_OWN_SUBJECT.match(piece) and has_verb(piece)):
        return ""
    if verbs.base_form(first) and not verbs.is_participle(first):
        return f"{subject} "
    if first.endswith("ing") and len(first) > 4:
        return f"{subject} {_be(subject)} "
    if verbs.is_participle(first):
        following = piece.split(" ")[1:2]
        passive = following and following[0] in ("by", "of", "in", "on", "at", "from", "as", "to", "with")
        return f"{subject} {_be(subject, past=True)} " if passive else f"{subject} "
    return f"{subject}, "


def _be(subject: str, *, past: bool = False) -> str:
    plural = bool(re.search(r" and |^[Tt]he .*[a-z]{2,}[^s]s$", subject))
    return ("were" if plural else "was") if past else ("are" if plural else "is")


def has_verb(piece: str) -> bool:
    """Whether a finite verb stands near the start of a piece of a sentence, as far as the rules know verbs."""
    return any(word in verbs.AUXILIARIES or verbs.base_form(word) for word in piece.split()[1:8])


def without_asides(text: str, span: Span) -> tuple[str, Span]:
    """Drop remarks in brackets that do not hold the span; the span moves with its text."""
    for match in reversed(list(re.finditer(r"\s*\([^()]*\)", text))):
        if match.end() <= span.start:
            length = match.end() - match.start()
            span = replace(span, start=span.start - length, end=span.end - length)
        elif match.start() < span.end:
            continue
        text = text[: match.start()] + text[match.end() :]
    return text, span


def take_apart(clause: Clause, subject: str) -> Parts | None:
    """Subject and verb of a clause whose span stands after the verb; None where they are not found."""
    place = clause.before.find(subject)
    if not subject or not 0 <= place <= _FAR:
        words = clause.before.split()
        subject = " ".join(words[: verbs.find_finite(words)])
        place = 0
    if not subject or subject.startswith(("This", "That", "These", "Those", "There", "It ")):
        return None
    rest = clause.before[place + len(subject) :].lstrip(" ,")
    adverb = match.group(0) if (match := _ADVERB.match(rest)) else ""
    verb, _, between = rest[len(adverb) :].partition(" ")
    if verb not in verbs.AUXILIARIES and verbs.base_form(verb) is None:
        return None
    if not adverb and (match := _ADVERB.match(between)):
        adverb, between = match.group(0), between[match.end() :]
    return Parts(subject=subject, adverb=adverb, verb=verb, between=between, after=clause.after)
