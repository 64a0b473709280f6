"""Read short answers - a verdict, a score, a choice - as people and models write them: "YES.", "**3**", "2/3"."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterable
from typing import Any

_ROUND = " \t\r\n.,:;!?*`\"'“”‘’()[]<>#"
_NUMBER = r"[-+]?\d+(?:\.\d+)?"
_OF = re.compile(rf"({_NUMBER})\s*(?:/|out of|of)\s*{_NUMBER}", re.IGNORECASE)
_NAMED = re.compile(rf"(?:score|rating|total|grade)\b[^\d\n+-]{{0,20}}({_NUMBER})", re.IGNORECASE)
_LABEL = re.compile(r"^\W*[a-z]+(?: [a-z]+)?\s*:\s*", re.IGNORECASE)
_TRUE, _FALSE = ("true", "yes", "1"), ("false", "no", "0")

OPERATIONS: dict[str, Callable[[Any, Any], Any]] = {
    "eq": operator.eq,
    "ne": operator.ne,
    "gt": operator.gt,
    "ge": operator.ge,
    "lt": operator.lt,
    "le": operator.le,
    "contains": lambda text, part: str(part) in str(text),
}


def plain(text: str) -> str:
    """`text` in small letters, without the punctuation and markup around it."""
    return " ".join(text.strip(_ROUND).casefold().split())


def same(text: str, wanted: str) -> bool:
    """Whether `text` says `wanted`, alone, behind a label, or before an explanation: "Answer: YES, because ..."."""
    said, asked = plain(text), plain(wanted)
    if text == wanted or said == asked:
        return True
    head = _LABEL.sub("", text).strip(_ROUND).casefold()
    return bool(asked) and " " not in asked and re.match(rf"{re.escape(asked)}\W*(?:[.,:;!\n—–-]|$)", head) is not None


def number(text: Any) -> float | None:
    """The number that `text` gives; None where there is none, or several and none is named as the result."""
    if isinstance(text, int | float):
        return float(text)
    bare = str(text).replace("*", "").strip()
    for pattern in (_OF, _NAMED):
        if found := pattern.findall(bare):
            return float(found[-1])
    numbers = re.findall(rf"(?<![\w.]){_NUMBER}(?![\w]|\.\d)", bare)
    return float(numbers[0]) if len(set(numbers)) == 1 else None


def truth(text: Any) -> bool | None:
    """Whether `text` says yes; None where it says neither."""
    if isinstance(text, bool):
        return text
    said = str(text)
    if any(same(said, word) for word in _TRUE):
        return True
    return False if any(same(said, word) for word in _FALSE) else None


def convert(value: Any, to: str) -> Any:
    """`value` as `int`, `float` or `bool`, as it stands for an empty `to`; None where it cannot be read so."""
    if to == "bool":
        return truth(value)
    if to in ("int", "float"):
        found = number(value)
        return found if found is None or to == "float" else int(found)
    return value


def choose(value: Any, names: Iterable[str]) -> str | None:
    """The one of `names` that `value` says, alone or as the only one that it mentions."""
    said = str(value)
    listed = list(names)
    if said in listed:
        return said
    alike = [name for name in listed if plain(name) == plain(said)]
    if not alike:
        alike = [name for name in listed if name and re.search(rf"(?<!\w){re.escape(name)}(?!\w)", said)]
    return alike[0] if len(alike) == 1 else None
