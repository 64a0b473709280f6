"""Bytes to text, and YAML's syntax errors to faults that say how to mend them.

The commonest slips are mended in memory, so that the rest of the file is read too and all faults show at once.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import yaml

from ilab.errors import Fault
from ilab.taxonomy import rules

MAX_BYTES = 2**20
"""A qna.yaml within the documented limits has about 30 kB."""

_ODD_BREAKS = re.compile("[\\x85\\u2028\\u2029]")
_LONG_ESCAPE = re.compile(r"\\U([0-9A-Fa-f]{8})")
_HINTS = (
    (
        "mapping values are not allowed",
        "a value that contains `: ` needs quotes around it, or a block: `key: |` and the text indented below",
    ),
    ("character '\\t'", "a tab cannot indent YAML; use spaces"),
    ("cannot start any token", "put the value in quotes"),
    ("expected a comment or a line break", "nothing may follow `|` or `>` on its line; the text starts on the next"),
    ("unexpected end of stream", "a quote is opened and never closed"),
    ("sequence entries are not allowed", "start the list on the next line, each entry with `- `"),
    ("expected ',' or", "a bracket or brace is never closed; put the value in quotes if it is meant as text"),
    (
        "expected <block end>",
        "check the indentation of this line against the lines above it; text after a closing quote is wrong too",
    ),
    ("could not find expected ':'", "a key needs a colon and a space after it: `key: value`"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Mended:
    """Text with one slip mended; `exact` says that the values are surely what was meant."""

    text: str
    exact: bool


def decode(data: bytes, *, path: str) -> tuple[str | None, list[Fault]]:
    """The text of a file with `\\n` line ends; None and a fault when it cannot be text."""
    if len(data) > MAX_BYTES:
        message = f"the file has {len(data)} bytes; at most {MAX_BYTES} are read"
        hint = "long texts belong into the document, not into qna.yaml"
        return None, [rules.fault("too-large", path=path, line=1, message=message, hint=hint)]
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        message = "the file is UTF-16 text"
        return None, [rules.fault("encoding", path=path, line=1, message=message, hint="save it as UTF-8")]
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line, column = _place(data[: error.start].decode("utf-8", "replace"))
        message = f"the byte 0x{data[error.start]:02x} is not UTF-8 text"
        hint = "save the file as UTF-8"
        return None, [rules.fault("encoding", path=path, line=line, column=column, message=message, hint=hint)]
    faults = []
    if "\r" in text:
        line, column = _place(text[: text.index("\r")])
        hint = "save the file with Unix line ends"
        faults.append(rules.fault("new-lines", path=path, line=line, message="lines end in CRLF", hint=hint))
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    return text, faults


def syntax_fault(error: Exception, text: str, *, path: str) -> tuple[Fault, yaml.Mark | None]:
    """What is wrong, where, and how to mend it."""
    if isinstance(error, yaml.reader.ReaderError):
        line, column = _place(text[: error.position])
        message = f"the character U+{ord(text[error.position]):04X} is not allowed"
        return rules.fault("unprintable", path=path, line=line, column=column, message=message, hint="delete it"), None
    if not isinstance(error, yaml.MarkedYAMLError) or error.problem_mark is None:
        return _unmarked_fault(error, text, path=path), None
    mark, problem = error.problem_mark, error.problem or "this is not YAML"
    hint = next((hint for part, hint in _HINTS if part in problem), "")
    if _ODD_BREAKS.search(text):
        hint = "the file contains U+0085, U+2028 or U+2029, which end a line for YAML; replace them by spaces"
    place = mark
    if "end of stream" in problem and error.context_mark is not None:
        place = error.context_mark  # where the quote was opened, not the end of the file
    message = f"syntax error: {problem}"
    fault = rules.fault("syntax", path=path, line=place.line + 1, column=place.column + 1, message=message, hint=hint)
    return fault, mark


def repair(text: str, fault: Fault, mark: yaml.Mark) -> Mended | None:
    """`text` with the slip at `mark` mended without moving anything else, or None when it is not a known one."""
    if _ODD_BREAKS.search(text):
        return None
    index = mark.index
    if "expected a comment or a line break" in fault.message:
        end = text.find("\n", index)
        end = len(text) if end < 0 else end
        return Mended(text=text[:index] + " " * (end - index) + text[end:], exact=True)
    if "mapping values are not allowed" in fault.message and text[index : index + 1] == ":":
        return Mended(text=text[:index] + " " + text[index + 1 :], exact=False)
    return None


def _unmarked_fault(error: Exception, text: str, *, path: str) -> Fault:
    """A fault for what the reader trips over without saying where: an escape above the last character of Unicode."""
    escapes = (escape for escape in _LONG_ESCAPE.finditer(text) if int(escape[1], 16) > 0x10FFFF)
    escape = next(escapes, None)
    line, column = _place(text[: escape.start()]) if escape else (1, 1)
    problem = f"the escape `{escape[0]}` is no character" if escape else str(error)
    hint = "check the escapes after backslashes"
    return rules.fault("syntax", path=path, line=line, column=column, message=f"syntax error: {problem}", hint=hint)


def _place(before: str) -> tuple[int, int]:
    """Line and column, from 1, of the character that follows `before`."""
    return before.count("\n") + 1, len(before) - before.rfind("\n")
