"""Blocks for questions with four choices, which test what a model knows of a document and never train it.

`choices` puts the choices in an order and checks their form; `verify_key` has the teacher answer, and keeps the
questions whose key it finds.
"""

from __future__ import annotations

import re
from statistics import median
from typing import Any

from ilab.base import digest
from ilab.sdg import flow, languages
from ilab.sdg.blocks import judge
from ilab.sdg.blocks.base import Tools
from ilab.sdg.measures import exact_tokens, plain, points_elsewhere, refuses
from ilab.sdg.row import Box, Row

LETTERS = "ABCD"
"""Letter of each choice; the key is its place, from 0."""
_LABEL = re.compile(r"^\s*\(?[A-Da-d][).:]\s+")
_OF_OTHERS = re.compile(
    r"\b(?:all|none|both|neither|any) of (?:the|these|them)\b|\b[A-D] (?:and|or) [A-D]\b", re.IGNORECASE
)
_ORDER = "the teacher's answer depends on the order of the choices"
_TOO_LONG = 2.0
"""How many times as long as the others, by their median, the right choice may be; length must not give it away."""
_SHORT = 12
"""Up to this length, in signs, no choice gives itself away by it."""


def choices(rows: list[Row], box: Box, tools: Tools, **options: Any) -> list[Row]:
    """Four `choices` in an order, and the `key` (0 to 3), out of the `answer` and the list `wrong`.

    The right choice stands at each place equally often, within one; what the others' order is, their digests decide.
    """
    del tools, options
    made: list[Row] = []
    for row in rows:
        right = _bare(row["answer"])
        wrong = _different([_bare(text) for text in row["wrong"]], right)
        if reason := _fault(row, right, wrong):
            box.reject(row, reason)
            continue
        wrong = sorted(wrong[:3], key=lambda text: digest.of_value([row["question"], text]))
        key = (_start(row) + len(made)) % len(LETTERS)
        made.append({**row, "answer": right, "choices": [*wrong[:key], right, *wrong[key:]], "key": key})
    return made


def verify_key(rows: list[Row], box: Box, tools: Tools, **options: Any) -> list[Row]:
    """Keep rows whose key the teacher gives twice with the document in view, the second time with the choices reversed.

    Those that are kept are asked twice more without the document: `too_easy` tells whether it knew the answer anyway.
    Nobody is asked a second time after a wrong answer.
    """
    prompt = str(options.get("prompt", "mmlu_answer"))
    kept = rows
    for step, fault in ((1, "the teacher gives another answer than the key"), (-1, _ORDER)):
        taken = _answers(kept, box, tools, prompt, seen=True, step=step)
        right = []
        for row, place in zip(kept, taken, strict=True):
            if place is None:
                box.reject(row, judge.NO_VERDICT, detail=f"verify_key {prompt}")
            elif place != row["key"]:
                box.reject(row, fault, detail=row["choices"][place])
            else:
                right.append(row)
        kept = right
    known = list(range(len(kept)))
    for step in (1, -1):
        taken = _answers([kept[n] for n in known], box, tools, prompt, seen=False, step=step)
        known = [n for n, place in zip(known, taken, strict=True) if place == kept[n]["key"]]
    return [{**row, "too_easy": n in known} for n, row in enumerate(kept)]


def _fault(row: Row, right: str, wrong: list[str]) -> str:
    """Why the question is no fair one; empty when it is."""
    question = row["question"].strip()
    if points_elsewhere(question) or refuses(question):
        return "question is not self-contained"
    if not plain(right) or len(wrong) < 3:
        return "there are not four different choices"
    shown = [right, *wrong[:3]]
    if any(_OF_OTHERS.search(choice) for choice in shown):
        return "a choice speaks of the other choices"
    usual = median(len(choice) for choice in wrong[:3])
    if len(right) > _SHORT and len(right) > _TOO_LONG * usual:
        return "the right choice is much longer than the others"
    if len(plain(right)) > 2 and f" {plain(right)} " in f" {plain(question)} ":
        return "answer stands in the question"
    if languages.strayed(row):
        return languages.STRAYED
    if not exact_tokens(right) <= exact_tokens(f"{row.get('text', '')} {question}"):
        return "a number of the answer is not in the document"
    return ""


def _bare(text: str) -> str:
    """A choice without the letter that the teacher may have put before it."""
    return " ".join(_LABEL.sub("", text).split()).rstrip(" .")


def _different(texts: list[str], right: str) -> list[str]:
    """Those that differ from the right one and from each other in their words."""
    unique = {plain(text): text for text in texts if plain(text)}
    unique.pop(plain(right), None)
    return list(unique.values())


def _start(row: Row) -> int:
    return int(digest.of_value([row["leaf"], row.get("chunk", ""), row.get("round", 0)])[:8], 16)


def _answers(rows: list[Row], box: Box, tools: Tools, prompt: str, *, seen: bool, step: int) -> list[int | None]:
    """For each row the place of the choice that the teacher took; `step` is 1, or -1 to show the choices reversed."""
    shown = [{**row, "seen": seen, "shown": row["choices"][::step]} for row in rows]
    ballots = judge.votes(shown, box, tools, flow.prompt(prompt), 1)
    places = [LETTERS.find(ballot.verdicts[0]) if ballot.verdicts else -1 for ballot in ballots]
    return [None if place < 0 else place if step == 1 else len(LETTERS) - 1 - place for place in places]
