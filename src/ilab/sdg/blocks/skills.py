"""Blocks for skills: sets of new contexts or instructions, a choice made once, and prompts that depend on it."""

from __future__ import annotations

import math
from typing import Any

from ilab.sdg import flow
from ilab.sdg.blocks import llm
from ilab.sdg.blocks.base import Tools
from ilab.sdg.measures import leak, plain, refuses, words
from ilab.sdg.row import Box, Row


def propose(rows: list[Row], box: Box, tools: Tools, **options: Any) -> list[Row]:
    """Ask the teacher for `set` records at a time, as often as `scale_factor` rows need, each with other seeds shown.

    `yields` is how many rows a record becomes later in the path; the prompt sees the size of a set as `count`.
    """
    size = int(options.get("set", 5))
    times = math.ceil(tools.settings.scale_factor / int(options.get("yields", 1)) / size)
    spec = flow.prompt(options["prompt"])
    made = []
    for row in rows:
        first = int(row.get("round", 0)) * times
        asked = [{**row, "count": size}]
        for request, records in llm.converse(asked, box, tools, spec, numbers=range(first, first + times)):
            made += [{**_without_count(request), **record} for record in records]
    return made


def choose(rows: list[Row], box: Box, tools: Tools, **options: Any) -> list[Row]:
    """Put the teacher's choice into `column`: the `verdict` of `prompt`, or `otherwise` where it could not be read.

    A choice is never a reason to lose a row. Rows that the prompt tells nothing different about share one request.
    """
    spec = flow.prompt(options["prompt"])
    column = str(options["column"])
    once: dict[tuple[str, str], Row] = {}
    for row in rows:
        once.setdefault((row["leaf"], row.get("chunk", "")), row)
    aside = Box(usage=box.usage)
    chosen = {}
    for request, records in llm.converse(list(once.values()), aside, tools, spec, numbers=range(1)):
        if records:
            chosen[request["leaf"], request.get("chunk", "")] = records[0]["verdict"]
    return [{**row, column: chosen.get((row["leaf"], row.get("chunk", "")), options["otherwise"])} for row in rows]


def ask_by(rows: list[Row], box: Box, tools: Tools, **options: Any) -> list[Row]:
    """Ask with the prompt that `prompts` names for the value of a row's column `by`; rows stay in their order."""
    by, prompts = str(options["by"]), options["prompts"]
    rows = box.keep(rows, lambda row: "" if row.get(by) in prompts else f"no prompt is named for its {by}")
    made: dict[int, list[Row]] = {}
    for value, prompt in prompts.items():
        of_value = [{**row, "of": n} for n, row in enumerate(rows) if row[by] == value]
        for row in llm.ask(of_value, box, tools, prompt=prompt):
            made.setdefault(row.pop("of"), []).append(row)
    return [row for n in range(len(rows)) for row in made.get(n, [])]


def answered(rows: list[Row], box: Box, tools: Tools, **options: Any) -> list[Row]:
    """Drop rows whose answer is none: longer than `max_words`, a refusal, an echo of the request, a piece of a prompt.

    It says nothing of what is right, which depends on the skill; that is for a judge.
    """
    del tools
    return box.keep(rows, lambda row: _no_answer(row, int(options.get("max_words", 400))))


def _no_answer(row: Row, limit: int) -> str:
    answer = str(row["answer"]).strip()
    if not 0 < len(words(answer)) <= limit:
        return "answer empty or too long"
    if refuses(answer):
        return "the answer is a refusal"
    if plain(answer) == plain(row["question"]):
        return "the answer repeats the question"
    piece = leak(answer.replace("#", ""))  # headings are no piece of a prompt
    given = f"{row['question']} {row.get('context', '')}"
    return "prompt scaffold leaked into the text" if piece and piece not in given else ""


def _without_count(row: Row) -> Row:
    return {name: value for name, value in row.items() if name != "count"}
