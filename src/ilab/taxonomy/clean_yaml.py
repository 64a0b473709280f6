"""Proof that yamllint would find nothing, for files in the usual block style, in a hundredth of yamllint's time.

Only the forms that nearly every qna.yaml uses are known here: keys, lists with `- `, blocks after `|` and `>`, plain
and quoted texts. Anything else is no proof, and yamllint looks at the file.
"""

from __future__ import annotations

import re
from functools import cache

from ilab.taxonomy.yaml_parsers import PLAIN_LIST

_PLAIN = r"[A-Za-z0-9_(./\\$+<~=;^\u00a1-\uffff\U00010000-\U0010ffff][^\n]*"
_LINE = re.compile(
    r"( *)(- )?([A-Za-z_][\w-]*:(?: |(?=\n)))?+"
    rf"(([|>][+-]?|{_PLAIN})|\"(?:[^\"\\\n]|\\.)*\"|'(?:[^'\n]|'')*'|{PLAIN_LIST.pattern})?\n"
)
"""One line of structure: indent, dash, key, value, and the value again if it can go on in the lines below it."""
_NO_STRUCTURE = re.compile(r"(?:\n| *#[^\n]*\n)+")


def is_clean(text: str) -> bool:
    """Whether yamllint surely finds nothing in `text`, valid YAML without odd characters, under the built-in rules."""
    if text.endswith("\n\n") or text.startswith("\n") or "\n\n\n\n" in text:
        return False
    layout = _Layout()
    place = len("---\n") if text.startswith("---\n") else 0
    while place < len(text):
        line = _LINE.match(text, place)
        if line is None:
            if not (skipped := _NO_STRUCTURE.match(text, place)):
                return False
            place = skipped.end()
            continue
        indent, dash, key, value, open_value = line.groups()
        if not layout.takes(len(indent), is_entry=bool(dash), key=bool(key), value=value):
            return False
        place = line.end()
        if open_value and (rest := _deeper(layout.column).match(text, place)):
            place = rest.end()
    return True


@cache
def _deeper(column: int) -> re.Pattern[str]:
    """Empty lines, and lines that start right of `column`: the rest of a text that a line there began."""
    return re.compile(rf"(?:\n| {{{column + 1}}}[^\n]*\n)*")


class _Layout:
    """The open mappings and lists, and the one way of indenting that all lines of a file must keep to."""

    def __init__(self) -> None:
        self.column = 0
        """Where the latest line has its key, or its entry of a list."""
        self._open: list[tuple[int, bool]] = []  # column, and whether it is a list
        self._waits = False
        self._step: int | None = None
        self._lists_step: bool | None = None

    def takes(self, column: int, *, is_entry: bool, key: bool, value: str | None) -> bool:
        """Take one line of structure; whether it stands where it should."""
        if not key and not (is_entry and value and _no_key(value)):
            return False
        if not self._fits(column, is_list=is_entry):
            return False
        self.column = column
        if is_entry and key:
            self.column += len("- ")
            self._open.append((self.column, False))
        self._waits = not value
        return True

    def _fits(self, column: int, *, is_list: bool) -> bool:
        """Whether a line at `column` goes on with an open mapping or list, or begins one below a key that waits."""
        while self._open and (self._open[-1][0] > column or (self._open[-1] == (column, True) and not is_list)):
            self._open.pop()
        if (column, is_list) in self._open[-1:]:
            return True
        if not self._open:
            self._open.append((column, is_list))
            return column == 0 and not is_list
        parent, parent_is_list = self._open[-1]
        if not self._waits or parent != self.column or parent_is_list:
            return False
        self._open.append((column, is_list))
        return self._steps(column - parent, is_list=is_list)

    def _steps(self, step: int, *, is_list: bool) -> bool:
        """Whether something begins `step` columns right of its key as everything before it did."""
        if is_list:
            if self._lists_step is None:
                self._lists_step = step > 0
            if self._lists_step != (step > 0):
                return False
            if step == 0:
                return True
        if self._step is None:
            self._step = step
        return self._step == step


def _no_key(value: str) -> bool:
    """Whether the value after a dash holds nothing that could be a key of another form."""
    return value[0] in "\"'[" or (": " not in value and not value.endswith(":"))
