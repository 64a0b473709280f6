"""Reads typed fields out of YAML nodes, and collects a fault for everything that is not as it should be."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence

from ilab.errors import Fault
from ilab.taxonomy.yaml_tree import Node, canonical

_UNPRINTABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f\ud800-\udfff]")
PLACEHOLDER = re.compile(r"<[A-Za-z][^<>]*>|\$\{\w+\}")
"""`<your name>` or `${NAME}`, left over from a template."""


class Fields:
    """Faults of one file, and readers that add to them. A reader returns an empty value after a fault."""

    def __init__(self, path: str, faults: Sequence[Fault] = ()) -> None:
        self.path = path
        self.faults = list(faults)

    def error(self, at: Node, message: str, hint: str = "") -> None:
        """Add an error at the place of a node."""
        self._add(at, message, hint, "error")

    def warning(self, at: Node, message: str, hint: str = "") -> None:
        """Add a warning at the place of a node."""
        self._add(at, message, hint, "warning")

    def _add(self, at: Node, message: str, hint: str, severity: str) -> None:
        fault = Fault(path=self.path, line=at.line, column=at.column, message=message, hint=hint, severity=severity)
        self.faults.append(fault)

    def mapping(self, node: Node, what: str) -> Node | None:
        """`node` if it is a mapping."""
        if node.kind == "mapping":
            return node
        self.error(node, f"{what} must be a mapping of keys, but is {describe(node)}")
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
            self.error(key, f"unknown key `{name}` in {what}", hint)
            if meant:
                node.entries[meant] = (key, value)

    def entry(self, node: Node, name: str, what: str, *, hint: str = "") -> tuple[Node, Node] | None:
        """Key and value of a required key."""
        found = node.entries.get(name)
        if found is None:
            self.error(node, f"{what} has no `{name}`", hint)
        return found

    def text(self, node: Node, name: str, what: str, *, words: int = 0, may_be_empty: bool = False) -> str:
        """The text of a required key, without line ends around it; warns above `words` words."""
        found = self.entry(node, name, what)
        if found is None:
            return ""
        value = self.string(found[1], name, may_be_empty=may_be_empty)
        if words and (count := len(value.split())) > words:
            self.warning(found[0], f"`{name}` has {count} words; at most {words} are advised", "shorten or split it")
        return value

    def string(self, node: Node, name: str, *, may_be_empty: bool = False) -> str:
        """The text of a value."""
        if node.kind != "text":
            hint = f'put it in quotes: "{node.text}"' if node.text and node.kind != "nothing" else ""
            message = (
                f"`{name}` is empty" if node.kind == "nothing" else f"`{name}` must be text, but is {describe(node)}"
            )
            self.error(node, message, hint)
            return ""
        if odd := _UNPRINTABLE.search(node.text):
            self.error(node, f"`{name}` contains the character U+{ord(odd[0]):04X}, which is not text", "delete it")
            return ""
        if not node.text.strip() and not may_be_empty:
            self.error(node, f"`{name}` is empty")
        return node.text.lstrip("\n").rstrip()

    def entries(self, node: Node, name: str, what: str, *, minimum: int, of: str) -> list[Node]:
        """The entries of a required list: at least `minimum`, all different."""
        found = self.entry(node, name, what)
        if found is None:
            return []
        key, value = found
        if value.kind != "list":
            self.error(key, f"`{name}` must be a list, but is {describe(value)}", f"start each {of} with `- `")
            return []
        if len(value.items) < minimum:
            count = len(value.items)
            self.error(
                key, f"`{name}` has {count} {'entry' if count == 1 else 'entries'}; at least {minimum} are needed"
            )
        seen: dict[object, Node] = {}
        for item in value.items:
            content = canonical(item)
            if content in seen:
                first = seen[content].line
                self.error(item, f"this {of} is the same as the one on line {first}", "replace it by another one")
            seen.setdefault(content, item)
        return value.items


def describe(node: Node) -> str:
    """What a value is, in words."""
    if node.kind in ("mapping", "list"):
        return f"a {node.kind}"
    if node.kind == "nothing":
        return "empty"
    if node.kind == "text":
        return "text"
    return f"`{node.text}`, which YAML reads as {'true or false' if node.kind == 'true or false' else f'a {node.kind}'}"
