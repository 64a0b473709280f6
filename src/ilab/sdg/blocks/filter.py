"""Blocks that keep good rows. A small teacher errs often, so nothing is trusted: everything is checked.

`rules` is cheap and comes first; `ground` asks a model for likelihoods; `distinct` compares rows.
"""

from __future__ import annotations

import re
from typing import Any

from ilab.llm.port import ScoreRequest
from ilab.records import messages, seeds
from ilab.sdg import languages
from ilab.sdg.blocks.base import Tools
from ilab.sdg.compare import DUPLICATE
from ilab.sdg.measures import plain, points_elsewhere, refuses
from ilab.sdg.row import Box, Row

_SCAFFOLD = re.compile(r"\[/?(?:INST|END|Start|QUESTION|ANSWER)|\{\{|<\|", re.IGNORECASE)
_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")
_NAME = re.compile(r"(?<![.!?]\s)(?<!^)\b[A-Z][\w'’-]{2,}")


def rules(rows: list[Row], box: Box, tools: Tools, **options: Any) -> list[Row]:
    """Drop rows that break a rule that needs no model; `max_words` bounds the answer.

    With `in_its_words` a question must ask in the words of its sentence: what a small teacher adds is mostly wrong.
    """
    limit = int(options.get("max_words", 60))
    strict = bool(options.get("in_its_words", False))
    return box.keep(
        rows, lambda row: _fault(row, limit) or _unlike_seeds(row, tools) or (_other_words(row) if strict else "")
    )


_ASKING = frozenset("what which who whose whom when where why how many much long often does known name".split())
_DEFINED = re.compile(r"(?i)(?:what|who) (?:is|are|was|were) (?P<thing>[^,?]+)\?$")


def _other_words(row: Row) -> str:
    """Why a question does not fit its sentence; "What is X?" needs one that says what X is."""
    question, sentence = row["question"].strip(), row.get("statement", "").lower()
    said = set(re.findall(r"[^\W\d_]+", sentence))
    asked = [word for word in re.findall(r"[^\W\d_]{3,}", question.lower()) if word not in _ASKING]
    if sum(word not in said for word in asked) > (len(asked) > 3):
        return "asks in other words than its sentence"
    if match := _DEFINED.match(question):
        thing = re.escape(match["thing"].lower().removeprefix("the "))
        if not re.search(rf"\b{thing}\b(?: \([^)]*\))? (?:is|are|was|were)\b", sentence):
            return "asks in other words than its sentence"
    return ""


def _fault(row: Row, limit: int) -> str:
    question, answer = row["question"].strip(), row["answer"].strip()
    spoken = row.get("language", "")
    if not 2 <= languages.words(question, spoken) <= 60:
        return "question too short or too long"
    if not answer or languages.words(answer, spoken) > limit:
        return "answer empty or too long"
    if _SCAFFOLD.search(question + answer):
        return "prompt scaffold leaked into the text"
    if row["kind"] == seeds.FREEFORM_SKILL:
        return ""
    if row["kind"] == seeds.KNOWLEDGE and (points_elsewhere(question) or refuses(question)):
        return "question is not self-contained"
    if row["kind"] == seeds.KNOWLEDGE and question.count("?") + question.count("？") > 1:
        return "several questions in one"
    bare = answer.rstrip(".").lower()
    if len(bare) > 2 and bare in question.lower():
        return "answer stands in the question"
    if row["kind"] == seeds.KNOWLEDGE and languages.strayed(row):
        return languages.STRAYED
    return _unsupported(row, question, answer)


def _unlike_seeds(row: Row, tools: Tools) -> str:
    """A skill sample must look like the user's examples: about as long, and not an echo of its question."""
    if row["kind"] != seeds.FREEFORM_SKILL or not tools.seeds:
        return ""
    for name in ("question", "answer"):
        longest = max(len(getattr(seed, name).split()) for seed in tools.seeds)
        if len(row[name].split()) > 1.5 * longest + 5:
            return f"{name} is much longer than in the examples"
    said = [set(re.findall(r"\w+", row[name].lower())) for name in ("question", "answer")]
    if len(said[0] & said[1]) > 0.6 * len(said[1]):
        return "the answer repeats the question"
    return ""


def _unsupported(row: Row, question: str, answer: str) -> str:
    """Every number, date and name of the answer, and most of its words, must stand in the text that it is about."""
    text = row.get("context") or row.get("text", "")
    support = f"{text} {row.get('statement', '')} {question}"
    numbers = set(_NUMBER.findall(support))
    if any(number not in numbers for number in _NUMBER.findall(answer)):
        return "a number of the answer is not in the document"
    known = support.lower()
    names = _NAME.findall(answer) if languages.names_are_capitals(row.get("language", "")) else []
    if any(name.lower().removesuffix("'s") not in known for name in names):
        return "a name of the answer is not in the document"
    if not languages.is_said(answer, known, row.get("language", "")):
        return "the answer's words are not in the document"
    if row["kind"] == seeds.KNOWLEDGE and _NUMBER.findall(question):
        asked = set(_NUMBER.findall(question))
        if not asked <= set(_NUMBER.findall(f"{text} {row.get('statement', '')}")):
            return "a number of the question is not in the document"
    return ""


def ground(rows: list[Row], box: Box, tools: Tools, **options: Any) -> list[Row]:
    """Keep rows whose answer the model finds likelier with the chunk in view than without.

    gain = (log P(answer | chunk, question) - log P(answer | question)) / tokens, in nats per token. Rows below
    `min_gain` are rejected: either the chunk does not support the answer, or nobody needs the chunk to give it.
    With `per: fact` the first question of each fact is asked for all its wordings, which say the same by construction.
    When the judge is in `tools.mute` the rows get their gains, and all are kept.
    """
    if not rows:
        return []
    least = float(options.get("min_gain", 0.0))
    facts: dict[tuple[str, ...], list[Row]] = {}
    for number, row in enumerate(rows):
        name = (row.get("statement", ""), row["answer"]) if options.get("per") == "fact" else (str(number),)
        facts.setdefault(name, []).append(row)
    requests = [request for same in facts.values() for request in _with_and_without(same[0], tools)]
    scores = iter(tools.scorer.score(requests))
    for same in facts.values():
        seen, blind = next(scores)[0], next(scores)[0]
        found = {
            "grounding_gain": round((seen.logprob - blind.logprob) / max(1, seen.tokens), 4),
            "open_book_logprob": round(seen.logprob / max(1, seen.tokens), 4),
        }
        for row in same:
            row["scores"] = {**row.get("scores", {}), **found}
    if "ground" in tools.mute:
        return rows
    return box.keep(
        rows,
        lambda row: (
            "" if row["scores"]["grounding_gain"] >= least else "the document does not make the answer likelier"
        ),
    )


def _with_and_without(row: Row, tools: Tools) -> tuple[ScoreRequest, ScoreRequest]:
    document, question, answer = row["text"].strip(), row["question"].strip(), row["answer"].strip()
    seen = tools.render([messages.user(f"{document}\n\n{question}")])
    blind = tools.render([messages.user(question)])
    cut = seen.find(document) + len(document) if document in seen else 0
    return (
        ScoreRequest(prefix=seen[:cut], context=seen[cut:], continuations=(answer,)),
        ScoreRequest(context=blind, continuations=(answer,)),
    )


def distinct(rows: list[Row], box: Box, tools: Tools, **options: Any) -> list[Row]:
    """Drop rows that ask what another row asks already: the same words, or word overlap above `overlap`.

    With `scope: run` the engine compares the rows of all units here, also with the user's examples and with held-out
    questions, and only rows of the same words are dropped before that.
    """
    if options.get("scope") == "run":
        return _same_words_once(rows, box)
    del tools
    most = float(options.get("overlap", 0.9))
    kept: list[tuple[frozenset[str], str]] = []

    def reason(row: Row) -> str:
        words = frozenset(re.findall(r"\w+", row["question"].lower()))
        answer = str(row.get("answer", "")).lower()
        for other, given in kept:
            share = len(words & other) / max(1, len(words | other))
            if share >= 0.999 or (share >= most and given == answer):
                return DUPLICATE
        kept.append((words, answer))
        return ""

    return box.keep(rows, reason)


def _same_words_once(rows: list[Row], box: Box) -> list[Row]:
    """Each question once with each answer: what one of them is worth, all are."""
    seen: set[tuple[str, ...]] = set()

    def reason(row: Row) -> str:
        told = tuple(plain(str(row.get(name, ""))) for name in ("question", "answer", "context"))
        known = told in seen
        seen.add(told)
        return DUPLICATE if known else ""

    return box.keep(rows, reason)
