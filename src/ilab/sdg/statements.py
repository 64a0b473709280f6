"""Turn a chunk into statements that can be read alone: one sentence each, with its subject named.

A sentence that begins with a pronoun ("It is an orange giant ...") is useless as training data or as the basis of a
question, so the pronoun is replaced by the subject of the sentence before it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from ilab.base.sentences import sentences
from ilab.records.chunks import Chunk
from ilab.sdg import verbs

_MONTH = "January|February|March|April|May|June|July|August|September|October|November|December"
VERBS = (
    r"(?:is|are|was|were|has|have|had|can|could|will|would|may|might|must|does|did|lies|lie|stands|began|begins|"
    r"became|appeared|appears|contains|includes|included|incorporated|flows|opened|closed|published|discovered|"
    r"noted|observed|completes|peaks|charted|stretches|remains|needs|uses|runs|takes|makes|gives|holds|shows)"
)
_ADVERB = r"(?:first |together |also |now |still |often |usually |sometimes |thus |then |originally |officially )?"
_SUBJECT = re.compile(rf"^(?P<subject>.{{2,130}}?),? {_ADVERB}{VERBS}\b")
_PRONOUN = re.compile(r"^(It|They|He|She|This|Its|Their|His|Her)\b(?! in turn)")
_GENERIC = re.compile(rf"^The (?P<noun>[a-z]+)(?= {VERBS}\b| does\b| do\b| [a-z]+s\b (?:an?|the|from|at|in)\b)")
_INVERTED = re.compile(
    r"^(?:Located|Lying|Larger|Smaller|Next|Also|Among|Inside|Nearby)[^,]*? (?:is|are|was|were) (?P<subject>[^,;—]+)"
)
_OPENED = re.compile(
    r"^(?:Named|Located|Lying|Only|Known|Called|Built|Founded|Born|With|Like|Unlike|Since|In|At|On|As|After|Before)\b"
    r"[^,]*, "
    rf"(?P<subject>(?:[A-Z]|the |an? )[^,]{{1,60}}?),? {_ADVERB}{VERBS}\b"
)
_NO_SUBJECT = re.compile(
    r"(?i)^(?:in|on|at|as|one(?! name)|most|before|after|there|next|ten|two|three|many|several|if|when|while)\b"
)
_CALLED = re.compile(
    r"(?:this|which|it)(?: [a-z]+)? is (?:also )?(?:referred to as|known as|called|named) "
    r"(?P<the>the )?(?P<name>[A-Z][\w ]+\w)"
)
_PLURAL = re.compile(r"^[Tt]he .*?\b[a-z]{3,}s(?: (?:of|for|in)\b|$)")
"""A subject in the plural, which "it" cannot mean."""
_BRACKETS = re.compile(r"\s*\([^)]*\)")
_PERSON = re.compile(r"\b[A-Z][a-zà-ÿ]+ (?:(?:de|von|van|la) )?[A-Z][a-zà-ÿ]+\b")
_PAGE_NOUNS = frozenset({"constellation", "company", "product", "city", "country", "project", "software", "system"})
"""Common nouns by which a page calls its own topic."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """One sentence of a chunk that stands alone. `subject` is what it is about; `original` is the page's wording."""

    chunk: str
    text: str
    original: str
    subject: str
    topic: str


def of_chunk(chunk: Chunk) -> list[Statement]:
    """The statements of `chunk` in order; headings are left out."""
    topic = topic_of(chunk)
    noun = page_noun(chunk)
    found: list[Statement] = []
    for paragraph in re.split(r"\n\s*\n", chunk.text):
        if paragraph.lstrip().startswith("#") or paragraph.lstrip().startswith("|"):
            continue
        subject, person = topic, ""
        for sentence in sentences(_spelled_out(" ".join(paragraph.split()), noun, topic)):
            personal = re.match(r"(?:He|She|His|Her)\b", sentence) is not None
            text, subject = _resolve(sentence, person if personal and person else subject, topic)
            subject = subject.strip() or topic
            if found_person := _PERSON.search(subject):
                person = found_person.group(0)
            found.append(Statement(chunk=chunk.id, text=text, original=sentence, subject=subject, topic=topic))
    return found


def topic_of(chunk: Chunk) -> str:
    """What the whole page is about: its title without a remark in brackets."""
    return (
        re.sub(r"\s*\([^)]*\)\s*$", "", chunk.title).strip() or chunk.heading.strip() or chunk.leaf.rsplit("/", 1)[-1]
    )


def page_noun(chunk: Chunk) -> str:
    """The common noun by which a page calls its topic: the remark in its title, "Phoenix (constellation)"."""
    match = re.search(r"\(([a-z]+)\)\s*$", chunk.title)
    return match.group(1) if match else ""


def _spelled_out(text: str, noun: str, topic: str) -> str:
    """Name the topic where the page says "the constellation", and write elided dates out: "July 3 to July 18"."""
    if noun:
        text = re.sub(rf"\b(?<!^)(?:the|this) {noun}\b(?! [a-z]*(?:s|of)\b| [A-Z])", topic, text)
    return re.sub(rf"\b({_MONTH}) (\d{{1,2}}) to (\d{{1,2}})\b", r"\1 \2 to \1 \3", text)


def _resolve(sentence: str, before: str, topic: str) -> tuple[str, str]:
    """Name the subject of `sentence`; returns the text that stands alone and the subject for the next sentence."""
    pronoun = _PRONOUN.match(sentence)
    if pronoun:
        meant = topic if pronoun.group(1) in ("It", "Its", "This") and _PLURAL.search(before) else before
        return _replace_pronoun(sentence, pronoun.group(1), meant), meant
    sentence = _name_inside(sentence, before)
    opened = _OPENED.match(sentence)
    if opened:
        return sentence, _shorten(opened.group("subject"))
    generic = _GENERIC.match(sentence)
    if generic:
        noun = generic.group("noun")
        if noun in topic.lower().split() or noun in _PAGE_NOUNS:
            return topic + sentence[generic.end("noun") :], topic
        return f"The {noun} ({before}){sentence[generic.end('noun') :]}", before
    inverted = _INVERTED.match(sentence)
    if inverted:
        return sentence, _shorten(inverted.group("subject"))
    called = _CALLED.search(sentence)
    if called and sentence.startswith(("A ", "An ")):
        return _named(sentence, called), called["name"]
    plain = _BRACKETS.sub("", re.sub(r"—[^—]*—", " ", sentence))
    match = _SUBJECT.match(plain)
    if not match and (found := _acting_subject(plain)):
        return sentence, found
    if not match or _NO_SUBJECT.match(match.group("subject")):
        return sentence, topic
    return sentence, _shorten(match.group("subject"))


def _acting_subject(sentence: str) -> str:
    """The words before a full verb: "Ada Holm mapped the lake" -> "Ada Holm"; empty where they are no plain subject."""
    words = sentence.split()
    subject = " ".join(words[: verbs.find_finite(words)])
    plain = subject and len(words) > 2 and "," not in subject and len(subject.split()) < 9
    return _shorten(subject) if plain and not _NO_SUBJECT.match(subject) else ""


def _replace_pronoun(sentence: str, word: str, before: str) -> str:
    rest = sentence[len(word) :]
    if word in ("It", "He", "She", "They"):
        return before + rest
    if word in ("Its", "Their", "His", "Her"):
        return f"{before}'s{rest}"
    return f"{word} " + re.sub(r"^(means|shows|implies) (?:it|they)\b", rf"\1 {before}", rest.lstrip())


def _named(sentence: str, called: re.Match[str]) -> str:
    """ "A minor shower peaks ...; this shower is called the Xids" -> "The Xids (a minor shower) peaks ..." """
    match = _SUBJECT.match(sentence) or re.match(r"^(?P<subject>An? [a-z ]+?) (?=[a-z]+s\b)", sentence)
    if not match:
        return sentence
    subject = match["subject"]
    article = "The " if called["the"] else ""
    return f"{article}{called['name']} ({subject[0].lower()}{subject[1:]}){sentence[len(subject) :]}"


def _name_inside(sentence: str, before: str) -> str:
    """Replace the first "it" of a sentence that opens with a participle ("Located ..., it is ...")."""
    if re.match(r"^(?:Named|Located|Lying|Only|Known|Called|Built|Founded|Born)\b", sentence):
        return re.sub(r"(?<=, )(?:it|they|he|she)\b", lambda _: before, sentence, count=1)
    return sentence


def _shorten(subject: str) -> str:
    """ "The brightest star, Alpha Phoenicis" -> "Alpha Phoenicis"; "A, B and C" stays whole."""
    subject = re.sub(r"—[^—]*—?$", "", _BRACKETS.sub("", subject)).strip(" ,")
    if re.search(r", .+ and ", subject):
        return subject
    parts = [part.strip() for part in subject.split(",") if part.strip()]
    if len(parts) > 1 and re.match(r"(?:The|A|An) [a-z]", parts[0]) and re.match(r"[A-Z]", parts[1]):
        return parts[1]
    return parts[0] if parts else subject
