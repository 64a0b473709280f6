"""Other names of a thing, as its page gives them: "Alpha Phoenicis, is named Ankaa", "also known as", "referred to as".

A question that uses one name must be answered as well under the other, so questions are also asked with the other name.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

_NAME = r"(?:[A-Z][\w'’-]*|[A-Z])(?: (?:[A-Z][\w'’-]*|\d[\w-]*))*"
_SAYS = re.compile(
    rf"(?P<one>{_NAME}),? (?:(?:is|was|are|were) )?(?:also )?(?:named|called|known as|referred to as) "
    rf"(?:the )?(?P<two>{_NAME})"
)
_OFFICIALLY = re.compile(rf"(?P<one>{_NAME}), or officially (?P<two>{_NAME})")
_BRACKETS = re.compile(rf"(?P<one>{_NAME}) \((?P<two>{_NAME})\)")


def find(statements: Iterable[str]) -> dict[str, str]:
    """Name -> other name, in both directions; the first pair of a name counts."""
    found: dict[str, str] = {}
    for text in statements:
        for pattern in (_SAYS, _OFFICIALLY, _BRACKETS):
            for match in pattern.finditer(text):
                one, two = match["one"], match["two"]
                if one != two and one not in found and two not in found:
                    found[one], found[two] = two, one
    return found


def other_names(question: str, aliases: dict[str, str], *, answer: str) -> str:
    """`question` with the first known name replaced by its other name; empty when there is none to replace.

    A question whose answer is one of the two names is left alone.
    """
    for name, other in sorted(aliases.items(), key=lambda pair: -len(pair[0])):
        if name.lower() in answer.lower() or other.lower() in answer.lower() or other in question:
            continue
        if re.search(rf"\b{re.escape(name)}\b", question):
            return re.sub(rf"\b{re.escape(name)}\b", other, question, count=1)
    return ""
