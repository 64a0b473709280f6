"""Mend the style of a qna.yaml: what it says, its comments and its order stay as they are.

Each kind of mending is a set of edits; an edit that would change what the file says is left out. A text that cannot
lose the spaces at its line ends in place is written anew.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

import yaml

from ilab.taxonomy import folding, spacing
from ilab.taxonomy.edits import Edit, accepted, apply, meaning, without_line_ends
from ilab.taxonomy.scalars import written
from ilab.taxonomy.yaml_syntax import decode
from ilab.taxonomy.yaml_tokens import Scalar, scalars, tokens
from ilab.taxonomy.yaml_tree import Node, read

_ROUNDS = 40
"""Lists inside lists are mended from the outside inwards, one level a round."""
_ENDLESS = ("nesting", "alias-size")
"""After a finding of these, a second reading could take hours."""
_TAB_WIDTHS = (2, 4, 8)
_TABS = re.compile(r"^[ \t]*\t[ \t]*", re.MULTILINE)
_TAB_AT_END = re.compile(r"[ \t]*\t[ \t]*$", re.MULTILINE)
_LINE_END = re.compile(r"[ \t](?=\n|\Z)")

Step = Callable[[str, list[yaml.Token]], list[Edit]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Mended:
    """The text of a file before (with its own line ends turned into `\\n`) and after."""

    before: str
    after: str
    changed: bool


def mend(data: bytes) -> Mended | None:
    """The mended text of the content of a qna.yaml; None if it cannot be read as YAML."""
    before, _ = decode(data, path="")
    if (
        before is None
        or before.startswith("\ufeff")
        or any(fault.rule in _ENDLESS for fault in read(data, path="").faults)
    ):
        return None
    text = before if meaning(before) is not None else _without_tabs(before)
    if text is None or not text.strip():
        return None
    text = _settled(_patterns_as_list(text))
    return Mended(before=before, after=text, changed=text.encode() != data)


def _settled(text: str) -> str:
    """`text` after every step, again and again until none has anything to do."""
    steps: tuple[Step, ...] = (
        spacing.line_ends,
        spacing.last_line_end,
        spacing.blank_lines,
        lambda _, found: spacing.gaps(found),
        spacing.dashes,
        folding.folds,
    )
    says, found = meaning(text), tokens(text)
    for _ in range(_ROUNDS):
        start = text
        for step in (*steps, _line_ends_anew):
            changed = accepted(text, step(text, found), says=says)
            if changed != text:
                text, found = changed, tokens(changed)
        if text == start:
            break
    return text


def _line_ends_anew(text: str, found: list[yaml.Token]) -> list[Edit]:
    """Texts that still have white space at a line end, because it cannot simply be taken away, written anew."""
    if not _LINE_END.search(text):
        return []
    untidy = [scalar for scalar in scalars(text, found) if _LINE_END.search(text[scalar.start : scalar.end])]
    return [_anew(text, scalar) for scalar in untidy]


def _anew(text: str, scalar: Scalar) -> Edit:
    value = without_line_ends(scalar.value)
    indent = folding.content_indent(text[scalar.start : scalar.end], scalar)
    return Edit(start=scalar.start, end=scalar.end, text=written(value, column=scalar.column, indent=indent))


def _without_tabs(text: str) -> str | None:
    """`text` without tabs at line ends, and with those that indent it as spaces where every width says the same."""
    text = _TAB_AT_END.sub("", text)
    found = [_TABS.sub(lambda match, width=width: match[0].expandtabs(width), text) for width in _TAB_WIDTHS]  # type: ignore[misc]
    readable = [(meaning(each), each) for each in found]
    said = [each for each in readable if each[0] is not None]
    if not said or any(each[0] != said[0][0] for each in said):
        return None
    return said[0][1]


def _patterns_as_list(text: str) -> str:
    """`patterns: a.md` as `patterns: [a.md]`: the schema wants a list, and no other is meant."""
    root = read(text.encode(), path="").root
    node = _entry(_entry(root, "document"), "patterns")
    if node is None or node.kind != "text" or not node.text.strip():
        return text
    for scalar in scalars(text, tokens(text)):
        line = text.count("\n", 0, scalar.start) + 1
        if (line, scalar.column + 1) == (node.line, node.column):
            source = _pattern(text[scalar.start : scalar.end], scalar)
            return apply(text, [Edit(start=scalar.start, end=scalar.end, text=f"[{source}]")])
    return text


def _pattern(source: str, scalar: Scalar) -> str:
    """The pattern as it may stand in brackets."""
    if scalar.style in ("'", '"') or (scalar.style == "plain" and not re.search(r"[\[\]{},\n]", source)):
        return source
    return '"' + scalar.value.strip().replace("\\", "\\\\").replace('"', '\\"').replace("\n", " ") + '"'


def _entry(node: Node | None, name: str) -> Node | None:
    found = node.entries.get(name) if node is not None and node.kind == "mapping" else None
    return found[1] if found else None
