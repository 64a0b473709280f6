"""Blocks that turn facts into questions of chosen kinds: several facts of one chunk share a request to the teacher."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ilab.base import digest
from ilab.records.chunks import Chunk
from ilab.sdg import flow, statements
from ilab.sdg.blocks import llm
from ilab.sdg.blocks.base import Tools
from ilab.sdg.measures import content, exact_tokens
from ilab.sdg.row import Box, Row

KINDS = ("fact", "how", "why", "comparison", "yes or no", "fill in")
"""Kinds of question; the prompt `fact_questions` says what each of them is."""
_SAID = 0.5
"""Share of a fact's words that a sentence must have to be where the fact comes from."""


def kinds(rows: list[Row], box: Box, tools: Tools, **options: Any) -> list[Row]:
    """Give each fact (column `fact`, or else `statement`) its sentence, and `per` kinds of question out of `kinds`.

    Kinds go round over the facts of a chunk, from a place that the chunk's id decides, so that all are met equally
    often; a further round (`round`) gives each fact the kinds that come next. A fact with a number that its chunk does
    not have is rejected.
    """
    del tools
    names = tuple(options.get("kinds", KINDS))
    per = int(options.get("per", 2))
    facts = box.keep(rows, _strange)
    made = []
    for turn in range(per):
        for position, row in enumerate(facts):
            step = _start(row, len(names)) + (position + int(row.get("round", 0))) * per + turn
            made.append({**row, **_source(row), "asked_kind": names[step % len(names)]})
    return made


def ask_facts(rows: list[Row], box: Box, tools: Tools, **options: Any) -> list[Row]:
    """Ask for one pair to each row, `group` rows in one request; `prompt` sees them as `asked`, numbered from 1.

    An answer names the number that it belongs to, so one that is missing never shifts the others.
    """
    spec = flow.prompt(options["prompt"])
    by_chunk: dict[str, list[Row]] = {}
    for row in rows:
        by_chunk.setdefault(row["chunk"], []).append(row)
    size = int(options.get("group", 5))
    groups = [same[at : at + size] for same in by_chunk.values() for at in range(0, len(same), size)]
    requests = [{**_without_fact(group[0]), "asked": _asked(group), "of": n} for n, group in enumerate(groups)]
    made = []
    for request, records in llm.converse(requests, box, tools, spec, numbers=range(1)):
        group, answered = groups[request["of"]], set()
        for record in records:
            number = _number(record.get("number"))
            if not 1 <= number <= len(group) or number in answered:
                box.reject({**group[0], **record}, "the answer belongs to none of the facts")
                continue
            answered.add(number)
            made.append({**group[number - 1], "question": record["question"], "answer": record["answer"]})
        for number, row in enumerate(group, start=1):
            if records and number not in answered:
                box.reject(row, "the teacher wrote no question about the fact")
    return made


def _fact(row: Row) -> str:
    return str(row.get("fact") or row["statement"])


def _strange(row: Row) -> str:
    """Why a fact can not come from its chunk: it names a number that the chunk does not have."""
    known = exact_tokens(f"{row['text']} {row.get('title', '')} {row.get('statement', '')}")
    return "" if exact_tokens(_fact(row)) <= known else "a number of the fact is not in the document"


def _source(row: Row) -> Row:
    """The sentence of the chunk that says the fact; empty where none has half of its words."""
    if row.get("statement"):
        return {}
    chunk = Chunk(id=row["chunk"], leaf=row["leaf"], source="", text=row["text"], tokens=0)
    said = frozenset(content(_fact(row)))
    found = [(len(said & set(content(one.original))) / max(1, len(said)), one) for one in statements.of_chunk(chunk)]
    share, best = max(found, key=lambda pair: pair[0], default=(0.0, None))
    return {"statement": best.original if best and share >= _SAID else ""}


def _start(row: Row, kinds_count: int) -> int:
    return int(digest.of_value(row["chunk"])[:8], 16) % kinds_count


def _without_fact(row: Row) -> Row:
    """The chunk alone, as the prompt may see it: which facts are asked about stands in `asked` only."""
    return {name: value for name, value in row.items() if name not in ("fact", "statement", "asked_kind", "answer")}


def _asked(group: Sequence[Row]) -> list[dict[str, Any]]:
    return [{"number": n, "fact": _fact(row), "kind": row["asked_kind"]} for n, row in enumerate(group, start=1)]


def _number(value: Any) -> int:
    """The number that a record names; 0 where it is none."""
    try:
        return int(str(value).strip(" .)#"))
    except ValueError:
        return 0
