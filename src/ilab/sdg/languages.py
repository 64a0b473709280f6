"""What the rules know about languages: which of them are for English alone, and how to count words of the others."""

from __future__ import annotations

import re
from collections.abc import Mapping

from ilab.base import language
from ilab.sdg.flow import Flow
from ilab.sdg.row import Row

NOT_ENGLISH = "rules are made for English"
"""Why a row of a document in another language gets nothing from a block that reads documents by rule."""
STRAYED = "written in another language than the document"

_RULE_BLOCKS = frozenset(["statements", "spans", "questions"])
"""Blocks that know English grammar."""
_UNSPACED = frozenset(["ja", "km", "lo", "my", "th", "zh"])
"""Languages that put no space between words."""
_SIGNS_PER_WORD = 2
_CAPITALS = frozenset(["de", "lb"])
"""Languages in which every noun begins with a capital letter, not only names."""
_SAID, _SAID_ELSEWHERE = 0.7, 0.5
"""Share of the words that must be in the document; elsewhere more words belong to the grammar, or are put together."""
_ENDING = 3
"""Letters at the end of a word that may differ by grammar; at least four others must agree."""


def is_english(row: Row) -> bool:
    """Whether the document of `row` is in English, or nothing else is known of it."""
    return row.get("language", "") in ("", language.ENGLISH)


def strayed(row: Row) -> bool:
    """Whether the question or the answer about a document is certainly in another language than the document.

    What stands in the document word for word is in its language, quoted or not.
    """
    spoken = row.get("language", "")
    if not spoken or "shape" in row:  # nothing is known; or a rule has written the question
        return False
    said = (row["question"], row["answer"])
    return any(text.strip() not in row.get("text", "") and language.differs(text, spoken) for text in said)


def words(text: str, spoken: str) -> int:
    """How many words `text` has, estimated where the language puts no space between them."""
    if spoken in _UNSPACED:
        return -(-len("".join(text.split())) // _SIGNS_PER_WORD)
    return len(text.split())


def names_are_capitals(spoken: str) -> bool:
    """Whether a capital letter inside a sentence tells a name."""
    return spoken not in _CAPITALS


def is_said(answer: str, known: str, spoken: str) -> bool:
    """Whether enough of the longer words of `answer` are in `known` (lower case), endings aside.

    English words lose a letter at most. Without spaces between words, pairs of signs are looked for.
    """
    english = spoken in ("", language.ENGLISH)
    if spoken in _UNSPACED:
        runs = re.findall(r"[^\W\d_]+", answer.lower())
        stems = [run[at : at + 2] for run in runs for at in range(len(run) - 1)]
    else:
        found = re.findall(r"[^\W\d_]{4,}", answer.lower())
        stems = [word[:-1] if english else word[: max(4, len(word) - _ENDING)] for word in found]
    return sum(stem in known for stem in stems) >= (_SAID if english else _SAID_ELSEWHERE) * len(stems)


def open_paths(flow: Flow) -> list[str]:
    """The paths of knowledge that work for documents in any language."""
    paths = flow.paths("knowledge")
    return [name for name, steps in paths.items() if not any(spec.block in _RULE_BLOCKS for spec in steps)]


def warning(source: str, spoken: str, *, name: str, flow: Flow, others: Mapping[str, Flow]) -> str:
    """What to tell about a document that is not in English; `name` is that of `flow`, `others` the shipped flows."""
    told = f"{source} is in {language.name(spoken)}, and questions are made by rule for English documents only"
    able = open_paths(flow)
    if able:
        return f"{told}: of the flow `{name}` only {', '.join(able)} will make something of it"
    better = [other for other, one in others.items() if open_paths(one)]
    way = f"take a flow whose teacher writes all of it: --pipeline {' or '.join(better)}" if better else "write a flow"
    return f"{told}: the flow `{name}` makes nothing of it; {way}"
