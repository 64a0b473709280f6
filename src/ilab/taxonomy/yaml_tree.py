"""A YAML file as a tree of nodes that know their line and column.

The tree is built from parser events, one at a time: no tag makes an object, no recursion follows nesting, and an alias
costs what it expands to, so a few lines cannot fill the memory. Every fault of the file's form is found here: encoding,
syntax, duplicate keys, aliases, tags, more than one document.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import yaml
from yaml.resolver import Resolver

from ilab.errors import Fault
from ilab.taxonomy.yaml_syntax import MAX_BYTES, decode, repair, syntax_fault

MAX_DEPTH = 32
MAX_WEIGHT = 16 * MAX_BYTES
"""Limit of all text with aliases expanded, in characters; each value counts `NODE_WEIGHT` more."""
NODE_WEIGHT = 64
MAX_REPAIRS = 20

_KINDS = {
    "tag:yaml.org,2002:str": "text",
    "tag:yaml.org,2002:int": "whole number",
    "tag:yaml.org,2002:float": "number",
    "tag:yaml.org,2002:bool": "true or false",
    "tag:yaml.org,2002:null": "nothing",
    "tag:yaml.org,2002:timestamp": "date",
    "tag:yaml.org,2002:value": "text",
    "tag:yaml.org,2002:merge": "merge key",
    "tag:yaml.org,2002:map": "mapping",
    "tag:yaml.org,2002:seq": "list",
}


@dataclass(slots=True, eq=False, kw_only=True)
class Node:
    """One value: `kind` is text, whole number, number, true or false, nothing, date, mapping or list."""

    kind: str
    line: int
    column: int
    text: str = ""
    items: list[Node] = field(default_factory=list)
    entries: dict[str, tuple[Node, Node]] = field(default_factory=dict)
    weight: int = 0
    """Characters of the value with everything below it, aliases expanded, and `NODE_WEIGHT` for each value."""
    depth: int = 1
    key: Node | None = None
    """While a mapping is being read: the key that still waits for its value."""


@dataclass(frozen=True, slots=True, kw_only=True)
class YamlFile:
    """What was read: `root` is None when nothing of it can be used; `lines` are the file's own, for style checks."""

    root: Node | None
    lines: list[str]
    faults: list[Fault]


def read(data: bytes, *, path: str) -> YamlFile:
    """Read the bytes of one file. Never raises for what the bytes hold; `path` names the file in faults."""
    text, faults = decode(data, path=path)
    if text is None:
        return YamlFile(root=None, lines=[], faults=faults)
    lines = text.split("\n")
    exact = True
    for _ in range(MAX_REPAIRS):
        builder = _Builder(path)
        fault, mark = builder.build(text)
        if fault is None:
            usable = exact and not builder.stopped
            return YamlFile(root=builder.root if usable else None, lines=lines, faults=faults + builder.faults)
        faults.append(fault)
        mended = repair(text, fault, mark) if mark is not None else None
        if mended is None:
            break
        text, exact = mended.text, exact and mended.exact
    return YamlFile(root=None, lines=lines, faults=faults)


def canonical(node: Node) -> object:
    """A hashable value that is equal for equal content; keys may stand in any order."""
    if node.kind == "mapping":
        return ("mapping", frozenset((name, canonical(value)) for name, (_, value) in node.entries.items()))
    if node.kind == "list":
        return ("list", tuple(canonical(item) for item in node.items))
    return (node.kind, node.text.strip())


class _Builder:
    """Turns parser events into nodes."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.root: Node | None = None
        self.faults: list[Fault] = []
        self.stopped = False
        self._resolver = Resolver()
        self._anchors: dict[str, Node] = {}
        self._open: list[Node] = []

    def build(self, text: str) -> tuple[Fault | None, yaml.Mark | None]:
        """Read all events; a syntax fault and its mark, or None."""
        try:
            for event in yaml.parse(text, Loader=yaml.SafeLoader):
                self._take(event)
                if self.stopped:
                    break
        except (yaml.YAMLError, ValueError, OverflowError) as error:  # the last two: an escape that is no character
            return syntax_fault(error, text, path=self.path)
        return None, None

    def _take(self, event: yaml.Event) -> None:
        if isinstance(event, yaml.DocumentStartEvent):
            if self.root is not None:
                self._stop(event, "a second YAML document starts here", "keep one document; remove the line `---`")
        elif isinstance(event, yaml.ScalarEvent):
            self._add(self._scalar(event), event.anchor)
        elif isinstance(event, yaml.MappingStartEvent | yaml.SequenceStartEvent):
            kind = "mapping" if isinstance(event, yaml.MappingStartEvent) else "list"
            self._check_tag(event, event.tag)
            node = self._node(event, kind)
            if event.anchor:
                self._anchors[event.anchor] = node
            self._open.append(node)
            if len(self._open) > MAX_DEPTH:
                self._stop(event, f"values are nested more than {MAX_DEPTH} deep", "no key of a qna.yaml needs that")
        elif isinstance(event, yaml.MappingEndEvent | yaml.SequenceEndEvent):
            node = self._open.pop()
            self._add(node, None)
        elif isinstance(event, yaml.AliasEvent):
            self._alias(event)

    def _scalar(self, event: yaml.ScalarEvent) -> Node:
        self._check_tag(event, event.tag)
        tag = event.tag
        if tag is None or tag == "!":
            tag = self._resolver.resolve(  # type: ignore[no-untyped-call]
                yaml.ScalarNode, event.value, event.implicit
            )
        node = self._node(event, _KINDS.get(str(tag), "text"))
        node.text = event.value
        node.weight += len(event.value)
        return node

    def _alias(self, event: yaml.AliasEvent) -> None:
        target = self._anchors.get(event.anchor or "")
        if target is None:
            self._fault(event, f"alias `*{event.anchor}` has no anchor", "if it is meant as text, put it in quotes")
        elif target in self._open:
            self._stop(event, f"alias `*{event.anchor}` stands inside its own anchor", "write the value out")
        self._add(target or self._node(event, "nothing"), None)

    def _add(self, node: Node, anchor: str | None) -> None:
        """Put a finished node into the open collection, or make it the root."""
        if anchor:
            self._anchors[anchor] = node
        if not self._open:
            self.root = self.root or node
            return
        parent = self._open[-1]
        parent.weight += node.weight
        parent.depth = max(parent.depth, node.depth + 1)
        if parent.weight > MAX_WEIGHT or parent.depth > MAX_DEPTH:
            self._stop(node, "aliases make this file too large", "write the values out instead of using `*name`")
        elif parent.kind == "list":
            parent.items.append(node)
        elif parent.key is None:
            parent.key = node
        else:
            self._enter(parent, parent.key, node)
            parent.key = None

    def _enter(self, parent: Node, key: Node, value: Node) -> None:
        if key.kind in ("mapping", "list"):
            self._fault(key, "a key must be plain text", "curly braces need quotes around the whole value")
        elif key.kind == "merge key":
            self._fault(key, "the merge key `<<` is not read", "write the keys out")
        elif key.text in parent.entries:
            first = parent.entries[key.text][0]
            self._fault(key, f"key `{key.text}` is given twice", f"first on line {first.line}; remove one of them")
        else:
            parent.entries[key.text] = (key, value)

    def _node(self, event: yaml.Event, kind: str) -> Node:
        line, column = _place(event)
        return Node(kind=kind, line=line, column=column, weight=NODE_WEIGHT)

    def _check_tag(self, event: yaml.Event, tag: str | None) -> None:
        if tag not in (None, "!") and tag not in _KINDS:
            self._fault(event, f"the tag `{tag}` is not read", "remove it, or put the value in quotes")

    def _fault(self, at: yaml.Event | Node, message: str, hint: str) -> None:
        line, column = _place(at)
        self.faults.append(Fault(path=self.path, line=line, column=column, message=message, hint=hint))

    def _stop(self, at: yaml.Event | Node, message: str, hint: str) -> None:
        self._fault(at, message, hint)
        self.stopped = True


def _place(at: yaml.Event | Node) -> tuple[int, int]:
    if isinstance(at, Node):
        return at.line, at.column
    mark = at.start_mark
    return (mark.line + 1, mark.column + 1) if mark else (0, 0)
