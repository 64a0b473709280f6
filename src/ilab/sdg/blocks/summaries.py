"""Block: the teacher tells a chunk again in several forms, which become documents to ask about, or samples."""

from __future__ import annotations

from typing import Any

from ilab.base import digest
from ilab.sdg import flow
from ilab.sdg.blocks import llm
from ilab.sdg.blocks.base import Tools
from ilab.sdg.row import Box, Row

FORMS = {"detailed": "summary_detailed", "extractive": "summary_extractive", "facts": "summary_facts"}
"""Form of a summary -> its prompt. The chunk itself is the form `base`."""
INSTRUCTIONS = {
    "detailed": (
        "Summarize this document in detail.",
        "Write a thorough summary of the text.",
        "What does this document say? Cover every point.",
        "Retell the text in your own words without leaving anything out.",
        "Give a full account of what is written here.",
        "Please write a detailed overview of this text.",
        "Explain the contents of this document from beginning to end.",
        "Sum up the text, keeping all names, numbers and dates.",
        "I have no time to read this. Tell me in detail what it says.",
        "Produce a comprehensive summary of the document.",
    ),
    "extractive": (
        "Pick the most important sentences of this document.",
        "Summarize the text with sentences taken from it.",
        "Which sentences carry the main points? Quote them.",
        "Give an extractive summary of this document.",
        "Extract the key sentences of the text, word for word.",
        "Shorten the document by keeping only its central sentences.",
        "Copy out the passages that matter most.",
        "Sum this text up in its own words only.",
        "List the sentences that a reader must not miss.",
        "Make a summary by selecting sentences, without changing them.",
    ),
    "facts": (
        "List the facts in this document.",
        "Break the text down into single facts.",
        "Which facts does this document state? One a line.",
        "Write every statement of the text as a fact of its own.",
        "Take the document apart into simple, independent facts.",
        "Note all the facts given here as a list.",
        "What can one learn from this text? List it point by point.",
        "Turn the document into a list of atomic facts.",
        "Collect everything that the text claims, one claim at a time.",
        "Give me the facts of this text as short sentences.",
    ),
}
"""Form of a summary -> what a user may say who wants it."""


def summaries(rows: list[Row], box: Box, tools: Tools, **options: Any) -> list[Row]:
    """Each chunk in its forms: rows whose column `told` is the text to ask about (the chunk's own comes first).

    With `samples: true` the rows are samples instead: the chunk and one of the `INSTRUCTIONS`, answered by the summary.
    The prompts are the same either way, so that a flow may use both and pay once.
    """
    told: dict[tuple[int, str], Row] = {}
    for form, prompt in FORMS.items():
        spec = flow.prompt(prompt)
        requests = [{**row, "of": n} for n, row in enumerate(rows)]
        for request, records in llm.converse(requests, box, tools, spec, numbers=range(1)):
            if records:
                told[request["of"], form] = records[0]
    if options.get("samples"):
        return [_sample(rows[n], form, _text(record)) for (n, form), record in sorted(told.items())]
    made = []
    for n, row in enumerate(rows):
        made.append({**row, "form": "base", "told": row["text"]})
        made += [{**row, "form": form, "told": _text(told[n, form])} for form in FORMS if (n, form) in told]
    return made


def _text(record: Row) -> str:
    """The summary as plain text; a list becomes one line an item."""
    summary = record["summary"]
    return summary.strip() if isinstance(summary, str) else "\n".join(f"- {item}" for item in summary)


def _sample(row: Row, form: str, summary: str) -> Row:
    """A sample of summarizing; which wording the user takes is decided by the chunk."""
    wordings = INSTRUCTIONS[form]
    instruction = wordings[int(digest.of_value([row["chunk"], form])[:8], 16) % len(wordings)]
    return {**row, "form": form, "question": f"{row['text'].strip()}\n\n{instruction}", "answer": summary}
