"""Part a text that holds a question and its answer, where nothing but the text says which is which."""

from __future__ import annotations

import re

_ANSWER = r"(?:answer|a|response|output|assistant)"
_QUESTION = r"(?:question|q|instruction|prompt|input|user|task)"
_MARK = r"[\W_]{0,20}"
_LABELLED = re.compile(
    rf"^{_MARK}{_QUESTION}\s*\d*[\]*_)]*\s*(?::|\n|(?<=\])){_MARK}?(?P<question>.+?)"
    rf"\n{_MARK}{_ANSWER}\s*\d*[\]*_)]*\s*(?::|\n|(?<=\]))(?P<answer>.+)",
    re.IGNORECASE | re.DOTALL,
)
_ASKED = re.compile(r"^(?P<question>.*?\?[\"'”’*_)]*)(?=\s)(?P<answer>.+)", re.DOTALL)
_LEAD = re.compile(rf"^{_MARK}(?:{_QUESTION}|{_ANSWER})\s*\d*\s*[\]*_)]*\s*:\s*", re.IGNORECASE)
_AGAIN = re.compile(rf"\n{_MARK}{_QUESTION}\s*\d*[\]*_)]*\s*:", re.IGNORECASE)
_TRAIL = " \t\r\n*_"


def split(text: str) -> tuple[str, str] | None:
    """(question, answer); None where no place to part them is found.

    Labels come first. Else the question ends with the first question mark that ends a word - one inside a web address
    does not - if that stands in the first paragraph; else an instruction is the first paragraph or line.
    """
    text = text.strip()
    if match := _LABELLED.match(text):
        return _pair(match["question"], _AGAIN.split(match["answer"])[0])
    parts = re.split(r"\n\s*\n", text, maxsplit=1)
    first = parts[0] if len(parts) == 2 else text
    match = _ASKED.match(text)
    if match and match.end("question") <= len(first):
        return _pair(match["question"], match["answer"])
    if len(parts) == 2:
        return _pair(*parts)
    lines = text.split("\n", 1)
    return _pair(*lines) if len(lines) == 2 else None


def _pair(question: str, answer: str) -> tuple[str, str] | None:
    asked, said = (_LEAD.sub("", part.strip()).strip(_TRAIL) for part in (question, answer))
    return (asked, said) if asked and said else None
