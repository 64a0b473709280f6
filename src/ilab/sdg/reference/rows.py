"""Rows as a pipeline of the reference expects them, and our samples out of the rows that it makes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ilab.base import digest
from ilab.records import seeds as seed_kinds
from ilab.records.seeds import Seed
from ilab.sdg.blocks.base import Tools
from ilab.sdg.reference import pairs
from ilab.sdg.reference.columns import Options
from ilab.sdg.row import Box, Row

_BASE = "base_document"
"""The `dataset_type` of the document as it is."""
_EXAMPLES = 3
"""Questions about a context that every prompt of the reference counts on."""


def begin(rows: list[Row], box: Box, tools: Tools, options: Options) -> list[Row]:
    """One row for each chunk and each context of the seeds, or for each seed of a skill."""
    del box, options
    made = []
    for row in rows:
        own = _knowledge(row, tools.seeds) if row["kind"] == seed_kinds.KNOWLEDGE else _skill(row, tools.seeds)
        place = {"leaf_node_type": row["kind"], "leaf_node_path": row["leaf"].replace("/", "->")}
        made += [{**row, "columns": {**columns, **place}} for columns in own]
    return made


def _knowledge(row: Row, seeds: Sequence[Seed]) -> list[dict[str, Any]]:
    contexts: dict[str, list[Seed]] = {}
    for seed in seeds:
        contexts.setdefault(seed.context, []).append(seed)
    found = []
    for context, asked in contexts.items():
        # A context with fewer questions shows them again, for the prompts name three.
        shown = [asked[number % len(asked)] for number in range(max(_EXAMPLES, len(asked)))]
        columns: dict[str, Any] = {
            "document": row["text"],
            "document_outline": row.get("outline") or asked[0].outline,
            "domain": row.get("domain") or asked[0].subject,
            "icl_document": context,
        }
        for number, seed in enumerate(shown, start=1):
            columns |= {f"icl_query_{number}": seed.question, f"icl_response_{number}": seed.answer}
        found.append(columns)
    return found


def _skill(row: Row, seeds: Sequence[Seed]) -> list[dict[str, Any]]:
    return [
        {
            "task_description": row.get("task", ""),
            "seed_question": seed.question,
            "seed_response": seed.answer,
            **({"seed_context": seed.context} if seed.context else {}),
        }
        for seed in seeds
    ]


def end(rows: list[Row], box: Box, tools: Tools, options: Options) -> list[Row]:
    """Question, answer and context out of the columns."""
    del tools
    made: list[Row] = []
    for row in rows:
        columns = row["columns"]
        found = _asked(columns)
        if found is None:
            raw = str(columns.get("output") or columns.get("response") or "")
            reason = "no question can be told from its answer" if raw else "the pipeline made no question and response"
            box.reject({**shown(row), "raw": raw[:400]}, reason, detail=options["name"])
        else:
            made.append({**bare(row), **found})
    return made


def documents(rows: list[Row], box: Box, tools: Tools, options: Options) -> list[Row]:
    """The documents that the pipeline made, each once, as the answer to one who shows the chunk and asks for them."""
    del box
    made: dict[tuple[str, str], Row] = {}
    for row in rows:
        columns = row["columns"]
        kind, document = str(columns.get("dataset_type")), str(columns.get("document") or "").strip()
        wordings = options["instructions"].get(kind)
        if kind == _BASE or not wordings or not document:
            continue
        pick = int(digest.of_value([tools.settings.seed, row["chunk"], kind])[:8], 16) % len(wordings)
        shown_text = str(columns.get("raw_document") or row["text"]).strip()
        question = f"{shown_text}\n\n{wordings[pick]}"
        made.setdefault((kind, document), {**bare(row), "form": kind, "question": question, "answer": document})
    return list(made.values())


def _asked(columns: dict[str, Any]) -> dict[str, str] | None:
    """Question, answer and context. The question of a grounded skill may begin with its context."""
    question, answer = columns.get("question"), columns.get("response")
    if question is None and columns.get("output") is not None:
        question, answer = pairs.split(str(columns["output"])) or ("", "")
    if not question or not answer or not str(question).strip() or not str(answer).strip():
        return None
    context = str(columns.get("context") or "").strip()
    asked = str(question).strip()
    if context and asked != context:
        asked = asked.removeprefix(context).strip()
    return {"question": asked, "answer": str(answer).strip(), **({"context": context} if context else {})}


def bare(row: Row) -> Row:
    """The row without the columns that the pipeline worked on."""
    return {name: value for name, value in row.items() if name != "columns"}


def shown(row: Row) -> Row:
    """The row as it is told of when it is rejected: with its question and answer, if it has them already."""
    columns = row["columns"]
    told = {"question": columns.get("question"), "answer": columns.get("response")}
    return {**bare(row), **{name: value for name, value in told.items() if isinstance(value, str)}}
