"""What can be said of one question and answer without a model: words, support in a text, leaks, what it points at."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ilab.base.sentences import sentences

_WORD = re.compile(r"[\u3040-\u30ff\u3400-\u9fff]|[^\W\u3040-\u30ff\u3400-\u9fff]+(?:['’][^\W\d_]+)*")
_NUMBER = re.compile(r"\d+(?:[.,:/]\d+)*")
_IDENTIFIER = re.compile(
    r"(?<!\w)--[a-z][\w-]*"  # an option
    r"|\b\w+(?:_\w+)+\b|\b[a-z]+[A-Z]\w*\b"  # snake_case, camelCase
    r"|(?<!\w)/?\w+(?:/\w[\w.]*)+"  # a path
)
_STOP = frozenset(
    "a an and are as at be been but by can could did do does for from had has have he her his how i if in into is it "
    "its may might no not of on or our she should so some such than that the their them then there these they this "
    "those to was we were what when where which who whom whose why will with would yes you your".split()
)
_SUFFIXES = ("ings", "ing", "edly", "ed", "ly", "s")
_DEICTIC = re.compile(
    r"\b(?:the|this|that|above|following|given|provided) (?:document|passage|text|article|paragraph|sentence|page|"
    r"context|excerpt|section|author|statement|fact)s?\b|\b(?:mentioned|described|shown|listed) (?:above|below)\b"
    r"|\b(?:figure|table|chapter|section) \d+\b(?! of\b)|\baccording to (?:the|this)\b",
    re.IGNORECASE,
)
_OPEN_PRONOUN = re.compile(
    r"^(?:(?:what|who|when|where|why|how|which|is|are|was|were|did|does|do|in which|how many|how far)\b[\w ]{0,12}? )?"
    r"(?:it|its|they|their|he|she|his|her|this|these|those)\b(?! what)",
    re.IGNORECASE,
)
_SCAFFOLD = re.compile(
    r"\[/?INST\]|\[/?(?:START|END)\b[^\]]{0,40}\]|\[/?(?:QUESTION|ANSWER|CONTEXT|UNANSWERABLE)\]|\{\{|\}\}|<\||\|>"
    r"|</?(?:s|document|question|answer)>|^(?:Question|Answer|Q|A)\s*\d*:|###",
    re.IGNORECASE,
)
_REFUSAL = re.compile(
    r"\bas an ai\b|\bi(?: am|'m|’m) unable to\b|\bi (?:cannot|can't|can’t|could not) (?:help|answer|provide|assist)"
    r"|\b(?:not|no information) (?:mentioned|given|provided|stated) in the (?:document|text|context|passage)",
    re.IGNORECASE,
)
_PRIVATE = re.compile(
    r"\b[\w.+-]+@[\w-]+\.[a-z]{2,}\b|\b(?:sk|ghp|gho|xoxb|AKIA)[-_]?[A-Za-z0-9]{16,}\b|-----BEGIN [A-Z ]*PRIVATE KEY"
)


def words(text: str) -> list[str]:
    """The words of `text` in lower case; every Chinese or Japanese sign counts as one."""
    return _WORD.findall(text.lower())


def plain(text: str) -> str:
    """What makes two texts the same: their words, whatever their case and the marks between them."""
    return " ".join(words(text))


def stem(word: str) -> str:
    """`word` without its commonest English endings: "mapped", "mapping" and "maps" become "map"."""
    for suffix in _SUFFIXES:
        if word.endswith(suffix) and len(word) - len(suffix) >= 3:
            word = word[: -len(suffix)]
            break
    if len(word) > 3 and word[-1] == word[-2]:
        return word[:-1]
    return word[:-1] if len(word) > 3 and word.endswith("e") else word


def content(text: str) -> list[str]:
    """The stems of the words of `text` that carry meaning."""
    return [stem(word) for word in words(text) if word not in _STOP and (len(word) > 2 or not word.isascii())]


def exact_tokens(text: str) -> set[str]:
    """Numbers, dates and identifiers of code: what must be given exactly or is wrong."""
    return {number.replace(",", "") for number in _NUMBER.findall(text)} | set(_IDENTIFIER.findall(text))


def common_order(first: Sequence[str], second: Sequence[str]) -> int:
    """Length of the longest common subsequence, with one bit a word (Hyyrö 2004)."""
    places: dict[str, int] = {}
    for place, word in enumerate(first):
        places[word] = places.get(word, 0) | 1 << place
    free = all_places = (1 << len(first)) - 1
    for word in second:
        if at := places.get(word, 0):
            used = free & at
            free = (free + used) | (free - used)
    return len(first) - (free & all_places).bit_count()


def rouge_l(first: Sequence[str], second: Sequence[str]) -> float:
    """Share of the longer text's words that both have in the same order."""
    longer = max(len(first), len(second))
    return common_order(first, second) / longer if longer else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Support:
    """How much of an answer its text supports.

    `words` is the share of its content words that stand there; `exact` whether all its numbers and identifiers stand
    there or in the question; `order` the share of the words of its weakest sentence that one sentence has in order.
    """

    words: float
    exact: bool
    order: float


class SourceText:
    """A text that answers are compared with."""

    def __init__(self, text: str) -> None:
        self._content = frozenset(content(text))
        self._exact = frozenset(exact_tokens(text))
        self._plain = f" {plain(text)} "
        found = (words(sentence) for part in text.split("\n\n") for sentence in sentences(" ".join(part.split())))
        self._sentences = [(frozenset(one), one) for one in found if one]

    def support(self, question: str, answer: str, statement: str = "") -> Support:
        """How far the text supports `answer`; `statement` is its supporting sentence in words that stand alone."""
        own = content(answer)
        known = self._content | set(content(statement))
        return Support(
            words=sum(word in known for word in own) / len(own) if own else 1.0,
            exact=exact_tokens(answer) <= self._exact | exact_tokens(f"{question} {statement}"),
            order=min(self._orders(answer, words(statement)), default=1.0),
        )

    def _orders(self, answer: str, statement: list[str]) -> Iterator[float]:
        """For each sentence of the answer, the share of its words that its best source sentence has in order."""
        for said in (words(sentence) for sentence in sentences(" ".join(answer.split()))):
            if not said:
                continue
            if f" {' '.join(said)} " in self._plain:
                yield 1.0
                continue
            best = common_order(said, statement)
            for known, sentence in self._sentences:
                if sum(word in known for word in said) > best:  # no more words than these can be in order
                    best = max(best, common_order(said, sentence))
            yield best / len(said)


def points_elsewhere(question: str) -> bool:
    """Whether a question cannot be understood alone: "the document", "Figure 3", a pronoun without its noun."""
    return bool(_DEICTIC.search(question) or _OPEN_PRONOUN.match(question.strip()))


def leak(text: str) -> str:
    """The piece of a prompt's scaffold that got into `text`; empty without one."""
    match = _SCAFFOLD.search(text)
    return match[0] if match else ""


def refuses(answer: str) -> bool:
    """Whether an answer only says that the model will not or cannot answer."""
    return bool(_REFUSAL.search(answer))


def private(text: str) -> bool:
    """Whether `text` has an e-mail address or a key in it."""
    return bool(_PRIVATE.search(text))
