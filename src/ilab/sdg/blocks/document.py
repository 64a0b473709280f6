"""Blocks that read the document by rule: sentences, answer spans, questions about them. No model is asked."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from ilab.records.chunks import Chunk
from ilab.sdg import aliases, languages, question_forms
from ilab.sdg import spans as span_finder
from ilab.sdg import statements as statement_finder
from ilab.sdg.blocks.base import Tools
from ilab.sdg.row import Box, Row


def statements(rows: list[Row], box: Box, tools: Tools, **options: Any) -> list[Row]:
    """One row a sentence of the chunk, with pronouns resolved; the sentence is the answer of the rows to come.

    A row with a column `uncovered` gives only the sentences that stand there. Pronouns are resolved by English grammar:
    a document in another language gives its `uncovered` sentences as they are, and no others.
    """
    del tools, options
    return [
        {**row, "statement": found.text, "subject": found.subject, "topic": found.topic, "answer": found.text}
        for row in box.keep(rows, lambda row: "" if "uncovered" in row else _foreign(row))
        for found in _wanted(row)
    ]


def spans(rows: list[Row], box: Box, tools: Tools, **options: Any) -> list[Row]:
    """One row an answer span of the chunk; none where it is not in English."""
    del tools, options
    return [
        {
            **row,
            "statement": found.text,
            "subject": found.subject,
            "topic": found.topic,
            "span": asdict(span),
            "answer": span.text,
        }
        for row in box.keep(rows, _foreign)
        for found in statement_finder.of_chunk(_chunk(row))
        for span in span_finder.find(found.text)
        # Everything on the page is about its topic; "these" and "those" do not say what they mean.
        if found.topic.lower() not in (span.text.lower(), span.of.lower())
        and not found.subject.startswith(("These ", "Those "))
    ]


def questions(rows: list[Row], box: Box, tools: Tools, **options: Any) -> list[Row]:
    """Questions about the span of each row, in the `shapes` given, also under other names that the chunk mentions."""
    del tools
    shapes = options.get("shapes", question_forms.SHAPES)
    names = aliases.find(dict.fromkeys(row["statement"] for row in rows))
    made = []
    for row in rows:
        statement = statement_finder.Statement(
            chunk=row["chunk"], text=row["statement"], original="", subject=row["subject"], topic=row["topic"]
        )
        forms = [f for f in question_forms.write(statement, span_finder.Span(**row["span"])) if f.shape in shapes]
        if not forms:
            box.reject(row, "no question could be made about it")
        asked = [(form.text, form.shape) for form in forms]
        asked += [
            # Where a name comes from is told of that name alone.
            (
                aliases.other_names(
                    text, {} if row["span"]["of_kind"] in span_finder.LANGUAGE_NOUNS else names, answer=row["answer"]
                ),
                shape,
            )
            for text, shape in asked
            if shape in (question_forms.ATTRIBUTE, question_forms.DIRECT)
        ]
        made += [
            {**row, "question": text, "shape": shape, "answer": as_sentence(row["answer"])}
            for text, shape in asked
            if text
        ]
    return made


def as_sentence(text: str) -> str:
    """A short answer as it is said: capital first letter, full stop."""
    text = text.strip()
    return text[:1].upper() + text[1:] + ("" if text.endswith((".", "!", "?")) else ".")


def _foreign(row: Row) -> str:
    return "" if languages.is_english(row) else languages.NOT_ENGLISH


def _wanted(row: Row) -> list[statement_finder.Statement]:
    if not languages.is_english(row):
        topic = row.get("title", "")
        return [
            statement_finder.Statement(chunk=row["chunk"], text=text, original=text, subject=topic, topic=topic)
            for text in row["uncovered"]
        ]
    found = statement_finder.of_chunk(_chunk(row))
    if "uncovered" not in row:
        return found
    wanted = frozenset(row["uncovered"])
    return [one for one in found if one.original in wanted or one.text in wanted]


def _chunk(row: Row) -> Chunk:
    return Chunk(
        id=row["chunk"],
        leaf=row["leaf"],
        source="",
        text=row["text"],
        tokens=0,
        title=row.get("title", ""),
        heading=row.get("heading", ""),
    )
