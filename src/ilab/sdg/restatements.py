"""Say in short sentences what a long one says, one thing at a time.

    "NGC 37 is approximately 42 kiloparsecs in diameter and about 12.9 billion years old."
    ->  "The diameter of NGC 37 is 42 kiloparsecs."  "The age of NGC 37 is 12.9 billion years."

A model that reads a fact in several sentences holds it better than one that reads a sentence several times. Nothing is
said that the page does not say, and nothing is asked: a fact that is kept out of the questions stays out of them.
"""

from __future__ import annotations

import re

from ilab.sdg import attributes, clauses, spans, verbs
from ilab.sdg.spans import Span
from ilab.sdg.statements import Statement


def of_statement(statement: Statement) -> list[str]:
    """Short sentences, each of which stands alone, without the statement itself."""
    texts: dict[str, None] = {}
    for span in spans.find(statement.text):
        for text in _of_span(statement, span):
            said = text[:1].upper() + text[1:].rstrip(".") + "."
            if said != statement.text:
                texts.setdefault(said)
    return list(texts)


def _of_span(statement: Statement, span: Span) -> list[str]:
    if statement.topic.lower() in (span.text.lower(), span.of.lower()):
        return []
    if span.kind in (spans.CLASS, spans.NATION):
        return attributes.told_of_named(span)
    clause = clauses.around(statement, span)
    if clause is None or "respectively" in clause.text:
        return []
    subject = statement.topic if span.text in statement.subject else statement.subject
    found = attributes.told(clause, subject, span)
    text = re.sub(r"\s+", " ", clause.text).strip(' ,;:—"“')
    if text.count('"') % 2:
        text = text.replace('"', "")
    ends_in_verb = verbs.base_form(text.split()[-1]) is not None if text else True
    if clause.whole and len(text.split()) > 3 and clauses.has_verb(f"- {text}") and not ends_in_verb:
        found.append(text)
    return found
