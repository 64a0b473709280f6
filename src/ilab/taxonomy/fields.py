"""Reads typed fields out of YAML nodes, and collects a fault for everything that is not as it should be."""

from __future__ import annotations

import difflib
import re
from collections import Counter
from collections.abc import Mapping, Sequence

from ilab.errors import Fault
from ilab.taxonomy import rules
from ilab.taxonomy.yaml_tree import Node, canonical, same

UNPRINTABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f\ud800-\udfff]")
"""Characters that cannot stand in a text."""
PLACEHOLDER = re.compile(r"<[A-Za-z][^<>]*>|\$\{\w+\}")
"""`<your name>` or `${NAME}`, left over from a template."""
_UNFILLED = re.compile(r"<[A-Za-z][^<>/=]* [^<>/=]*>|\$\{\w+\}")
"""A text that is nothing but a placeholder; one word in angle brackets can be meant, as in a question about HTML."""


class Fields:
    """Faults of one file, and readers that add to them. A reader returns an empty value after a fault."""

    def __init__(self, path: str, faults: Sequence[Fault] = ()) -> None:
        self.path = path
        self.faults = list(faults)

    def add(self, rule: str, at: Node, message: str, hint: str = "") -> None:
        """Add a finding under `rule` at the place of a node."""
        place = {"line": at.line, "column": at.column}
        self.faults.append(rules.fault(rule, path=self.path, message=message, hint=hint, **place))

    def mapping(self, node: Node, what: str) -> Node | None:
        """`node` if it is a mapping."""
        if node.kind == "mapping":
            return node
        self.add("value-type", node, f"{what} must be a mapping of keys, but is {describe(node)}")
        return None

    def only(self, node: Node, known: Sequence[str], what: str, *, elsewhere: Mapping[str, str] | None = None) -> None:
        """Report keys of `node` that are not `known`; `elsewhere` explains keys that belong to another kind of file.

        A misspelt key is read as the key that was meant, so that faults below it show too.
        """
        for name in [name for name in node.entries if name not in known]:
            key, value = node.entries[name]
            close = difflib.get_close_matches(name, known, n=1, cutoff=0.7)
            meant = close[0] if close and close[0] not in node.entries else ""
            hint = f"did you mean `{meant}`?" if meant else (elsewhere or {}).get(name, f"known: {', '.join(known)}")
            self.add("unknown-key", key, f"unknown key `{name}` in {what}", hint)
            if meant:
                node.entries[meant] = (key, value)

    def entry(self, node: Node, name: str, what: str, *, hint: str = "") -> tuple[Node, Node] | None:
        """Key and value of a required key."""
        found = node.entries.get(name)
        if found is None:
            self.add("missing-key", node, f"{what} has no `{name}`", hint)
        return found

    def text(self, node: Node, name: str, what: str, *, words: int = 0, may_be_empty: bool = False) -> str:
        """The text of a required key, without line ends around it; warns above `words` words."""
        found = self.entry(node, name, what)
        if found is None:
            return ""
        value = self.string(found[1], name, may_be_empty=may_be_empty)
        if words and len(value) > 2 * words and (count := len(value.split())) > words:
            rule = "context-length" if name == "context" else "pair-length"
            message = f"`{name}` has {count} words; at most {words} are advised"
            self.add(rule, found[0], message, "shorten or split it")
        return value

    def prose(self, node: Node, name: str, what: str, *, words: int = 0, may_be_empty: bool = False) -> str:
        """The same for a text in sentences, which is wrong as well when it is nothing but a placeholder."""
        value = self.text(node, name, what, words=words, may_be_empty=may_be_empty)
        if value[:1] in "<$" and (left := _UNFILLED.fullmatch(value)):
            message = f"`{name}` still has the placeholder `{left[0]}`"
            self.add("placeholder", node.entries[name][1], message, "fill it in")
        return value

    def string(self, node: Node, name: str, *, may_be_empty: bool = False) -> str:
        """The text of a value."""
        if node.kind == "nothing":
            self.add("empty-value", node, f"`{name}` is empty")
            return ""
        if node.kind != "text":
            hint = f'put it in quotes: "{node.text}"' if node.text else ""
            self.add("value-type", node, f"`{name}` must be text, but is {describe(node)}", hint)
            return ""
        if not node.text.replace("\n", "").isprintable() and (odd := UNPRINTABLE.search(node.text)):
            message = f"`{name}` contains the character U+{ord(odd[0]):04X}, which is not text"
            self.add("unprintable", node, message, "delete it")
            return ""
        if not node.text.strip() and not may_be_empty:
            self.add("empty-value", node, f"`{name}` is empty")
        return node.text.lstrip("\n").rstrip()

    def entries(self, node: Node, name: str, what: str, *, minimum: int, of: str, unique: bool = True) -> list[Node]:
        """The entries of a required list: at least `minimum`, all different if they must be `unique`."""
        found = self.entry(node, name, what)
        if found is None:
            return []
        key, value = found
        if value.kind != "list":
            message = f"`{name}` must be a list, but is {describe(value)}"
            self.add("value-type", key, message, f"start each {of} with `- `")
            return []
        if len(value.items) < minimum:
            count = f"{len(value.items)} {'entry' if len(value.items) == 1 else 'entries'}"
            self.add("too-few", key, f"`{name}` has {count}; at least {minimum} are needed")
        if unique:
            self._unique(value.items, of)
        return value.items

    def _unique(self, items: Sequence[Node], of: str) -> None:
        """Report entries that were there before: as an error if nothing differs, else white space alone."""
        common = {gist for gist, count in Counter(map(_gist, items)).items() if count > 1}
        seen: dict[object, Node] = {}
        for item in (item for item in items if _gist(item) in common):
            content = canonical(item)
            if content not in seen:
                seen[content] = item
                continue
            first = seen[content]
            if same(first, item):
                message = f"this {of} is the same as the one on line {first.line}"
                self.add("duplicate-entry", item, message, "replace it by another one")
            else:
                message = f"this {of} differs from the one on line {first.line} in white space alone"
                self.add("near-duplicate", item, message, "replace it by another one")


def _gist(node: Node) -> object:
    """A part of the content, cheap to get: where it differs, the content does."""
    while node.entries:
        node = node.entries[min(node.entries)][1]
    return (node.kind, node.text.strip(), len(node.items))


def describe(node: Node) -> str:
    """What a value is, in words."""
    if node.kind in ("mapping", "list"):
        return f"a {node.kind}"
    if node.kind == "nothing":
        return "empty"
    if node.kind == "text":
        return "text"
    return f"`{node.text}`, which YAML reads as {'true or false' if node.kind == 'true or false' else f'a {node.kind}'}"
