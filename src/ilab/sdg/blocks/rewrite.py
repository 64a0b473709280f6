"""Blocks that have the teacher write something again: a question in other words, an answer in a better form."""

from __future__ import annotations

import re
from typing import Any

from ilab.base import digest
from ilab.sdg import flow
from ilab.sdg.blocks import filter as checks
from ilab.sdg.blocks import llm
from ilab.sdg.blocks.base import Tools
from ilab.sdg.blocks.groups import groups, numbered
from ilab.sdg.measures import content, exact_tokens, plain
from ilab.sdg.row import Box, Row

_KEPT = 0.5
"""Share of the meaning words of a question that another wording of it must keep."""
_NAME = re.compile(r"(?<!^)\b[A-Z][\w'’-]+")


def reword(rows: list[Row], box: Box, tools: Tools, **options: Any) -> list[Row]:
    """Add, after each row, other wordings of its question with the same answer; their origin is `origin`.

    A wording must pass `rules`, keep all numbers and names and half of the words of the question, and differ from it:
    then it asks the same of the same thing, and what was found about the question's own pair holds for it too. One
    request is about `together` rows.
    """
    origin = str(options.get("origin", "paraphrases"))
    asked = groups(rows, int(options.get("together", 1)))
    requests = [
        {**rows[group[0]], "origin": origin, "asked": numbered([rows[place] for place in group]), "of": n}
        for n, group in enumerate(asked)
    ]
    worded: dict[int, list[Row]] = {}
    for request, records in llm.converse(requests, box, tools, flow.prompt(options["prompt"]), numbers=range(1)):
        group = asked[request["of"]]
        for record in records:
            number = int(record["number"])
            if not 1 <= number <= len(group):
                box.reject({**request, **record}, "the wording belongs to none of the questions")
                continue
            row = rows[group[number - 1]]
            other = {**row, "origin": origin, "asked_as": row["question"], "question": record["question"]}
            fit = checks.rules([other], box, tools, max_words=options.get("max_words", 60))
            worded.setdefault(group[number - 1], []).extend(box.keep(fit, _strayed))
    return [one for n, row in enumerate(rows) for one in (row, *worded.get(n, []))]


def improve(rows: list[Row], box: Box, tools: Tools, **options: Any) -> list[Row]:
    """Have the teacher work on each answer: the prompts of `steps` in turn, the last of which gives a `revision`.

    Each step sees what the steps before it wrote. An answer that a step could not be read for stays as it is.
    """
    going = dict(enumerate(rows))
    for name in options["steps"]:
        spec = flow.prompt(name)
        aside = Box(usage=box.usage)
        told = llm.converse([{**row, "of": n} for n, row in going.items()], aside, tools, spec, numbers=range(1))
        going = {request["of"]: {**request, **records[0]} for request, records in told if records}
    return [{**row, "revision": going[n]["revision"]} if n in going else row for n, row in enumerate(rows)]


def prefer(rows: list[Row], box: Box, tools: Tools, **options: Any) -> list[Row]:
    """Let the judge `prompt` choose between the `answer` of each row and its `revision`, if it has one.

    The two are shown as `first` and `second`, in an order that the row's digest decides, so that a judge that likes a
    position gains nothing by it. Without a verdict, or where the judge is not trusted (`tools.mute`), the answer stays.
    `chosen` says which one became the answer.
    """
    name = str(options.get("prompt", "judge_choice"))
    if name in tools.mute:
        return [_settled(row, "original") for row in rows]
    spec = flow.prompt(name)
    requests = [_shown(row, n) for n, row in enumerate(rows) if row.get("revision")]
    aside = Box(usage=box.usage)
    verdicts: dict[int, str] = {}
    for request, records in llm.converse(requests, aside, tools, spec, numbers=range(1)):
        if records:
            verdicts[request["of"]] = _chosen(request, str(records[0]["verdict"]))
    return [_settled(row, verdicts.get(n, "original")) for n, row in enumerate(rows)]


def _strayed(row: Row) -> str:
    """Why a wording does not ask the same as the question it was made of."""
    before, after = row["asked_as"], row["question"]
    if plain(before) == plain(after):
        return "another wording says it in the same words"
    said = after.lower()
    names = [name.lower().removesuffix("'s").removesuffix("’s") for name in _NAME.findall(before)]
    if not exact_tokens(before) <= exact_tokens(after) or any(name not in said for name in names):
        return "another wording leaves out a name or a number"
    meant = set(content(before))
    if len(meant & set(content(after))) < _KEPT * len(meant):
        return "another wording asks something else"
    return ""


def _swapped(row: Row) -> bool:
    return int(digest.of_value([row["question"], row["answer"], row["revision"]])[:8], 16) % 2 == 1


def _shown(row: Row, number: int) -> Row:
    first, second = (row["revision"], row["answer"]) if _swapped(row) else (row["answer"], row["revision"])
    return {**row, "of": number, "first": first, "second": second}


def _chosen(row: Row, verdict: str) -> str:
    return "revision" if (verdict.strip().upper() == "A") == _swapped(row) else "original"


def _settled(row: Row, chosen: str) -> Row:
    if "revision" not in row:
        return row
    answer = row["revision"] if chosen == "revision" else row["answer"]
    rest = {name: value for name, value in row.items() if name != "revision"}
    return {**rest, "answer": answer, "chosen": chosen}
