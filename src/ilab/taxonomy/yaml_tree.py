"""A YAML file as a tree of nodes that know their line and column.

The tree is built from parser events, one at a time: no tag makes an object, no recursion follows nesting, and an alias
costs what it expands to, so a few lines cannot fill the memory. Every fault of the file's form is found here: encoding,
syntax, duplicate keys, aliases, tags, more than one document.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import yaml
from yaml.resolver import Resolver

from ilab.errors import Fault
from ilab.taxonomy import rules
from ilab.taxonomy.yaml_parsers import C_LOADER, PLAIN_LIST, alike_in_text, events
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


_NO_ITEMS: Any = ()
_NO_ENTRIES: Any = MappingProxyType({})
"""What every scalar shares; two new collections for each would take a third of the time to make a node."""


@dataclass(slots=True, eq=False)
class Node:
    """One value: `kind` is text, whole number, number, true or false, nothing, date, mapping or list."""

    kind: str
    line: int
    column: int
    text: str
    weight: int
    """Characters of the value with everything below it, aliases expanded, and `NODE_WEIGHT` for each value."""
    items: list[Node]
    entries: dict[str, tuple[Node, Node]]
    depth: int = 1
    key: Node | None = None
    """While a mapping is being read: the key that still waits for its value."""
    merged: list[Node] | None = None
    """While a mapping is being read: the mappings after `<<`, for keys that the mapping itself has not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class YamlFile:
    """What was read: `root` is None when nothing of it can be used; `lines` are the file's own, for style checks."""

    root: Node | None
    lines: list[str]
    faults: list[Fault]
    plain: bool = False
    """Whether the parser in C read it, which takes neither faults nor odd characters."""


def read(data: bytes, *, path: str) -> YamlFile:
    """Read the bytes of one file. Never raises for what the bytes hold; `path` names the file in faults."""
    text, faults = decode(data, path=path)
    if text is None:
        return YamlFile(root=None, lines=[], faults=faults)
    lines = text.split("\n")
    if quick := _quickly(text, lines, path):
        return YamlFile(root=quick.root, lines=lines, faults=faults, plain=True)
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


def _quickly(text: str, lines: list[str], path: str) -> _Builder | None:
    """What the parser in C makes of a file without any fault; None where the one in Python must say what it finds."""
    if C_LOADER is None or not alike_in_text(text):
        return None
    builder = _Builder(path)
    try:
        for event in events(text):
            builder.take(event)
            if builder.faults or builder.tagged:
                return None
    except (yaml.YAMLError, ValueError, OverflowError):
        return None
    if not all(PLAIN_LIST.fullmatch(lines[line].rstrip(), column) for line, column in builder.brackets):
        return None
    return builder


def canonical(node: Node) -> object:
    """A hashable value that is equal for equal content; keys may stand in any order."""
    if node.kind == "mapping":
        return ("mapping", frozenset((name, canonical(value)) for name, (_, value) in node.entries.items()))
    if node.kind == "list":
        return ("list", tuple(canonical(item) for item in node.items))
    return (node.kind, node.text.strip())


def same(one: Node, other: Node) -> bool:
    """Whether the content is equal to the last space."""
    if one.kind != other.kind or one.text != other.text or one.entries.keys() != other.entries.keys():
        return False
    pairs = [(value, other.entries[name][1]) for name, (_, value) in one.entries.items()]
    pairs += zip(one.items, other.items, strict=True)
    return all(same(first, second) for first, second in pairs)


class _Builder:
    """Turns parser events into nodes."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.root: Node | None = None
        self.faults: list[Fault] = []
        self.stopped = False
        self.tagged = False
        """Whether any value has a tag."""
        self.brackets: list[tuple[int, int]] = []
        """Line and column, from 0, of every collection in brackets or braces."""
        self._resolver = Resolver()
        self._anchors: dict[str, Node] = {}
        self._open: list[Node] = []

    def build(self, text: str) -> tuple[Fault | None, yaml.Mark | None]:
        """Read all events; a syntax fault and its mark, or None."""
        try:
            for event in yaml.parse(text, Loader=yaml.SafeLoader):
                self.take(event)
                if self.stopped:
                    break
        except (yaml.YAMLError, ValueError, OverflowError) as error:  # the last two: an escape that is no character
            return syntax_fault(error, text, path=self.path)
        return None, None

    def take(self, event: yaml.Event) -> None:
        """Read one event."""
        if take := _TAKERS.get(type(event)):
            take(self, event)

    def _document(self, event: yaml.DocumentStartEvent) -> None:
        if self.root is not None:
            self._stop("one-document", event, "a second YAML document starts here", "remove the line `---`")

    def _start(self, event: Any) -> None:
        kind = "mapping" if isinstance(event, yaml.MappingStartEvent) else "list"
        if event.tag is not None:
            self._check_tag(event, event.tag)
        if event.flow_style:
            self.brackets.append((event.start_mark.line, event.start_mark.column))
        node = Node(kind, *_place(event), "", NODE_WEIGHT, [], {})
        if event.anchor:
            self._anchors[event.anchor] = node
        self._open.append(node)
        if len(self._open) > MAX_DEPTH:
            message = f"values are nested more than {MAX_DEPTH} deep"
            self._stop("nesting", event, message, "no key of a qna.yaml needs that")

    def _end(self, _: yaml.MappingEndEvent | yaml.SequenceEndEvent) -> None:
        node = self._open.pop()
        for merged in node.merged or ():  # the first one wins
            for name, entry in merged.entries.items():
                node.entries.setdefault(name, entry)
        self._add(node, None)

    def _scalar(self, event: Any) -> None:
        text, mark = event.value, event.start_mark
        node = Node(
            self._kind(event), mark.line + 1, mark.column + 1, text, NODE_WEIGHT + len(text), _NO_ITEMS, _NO_ENTRIES
        )
        self._add(node, event.anchor)

    def _kind(self, event: yaml.ScalarEvent) -> str:
        tag = event.tag
        if tag is not None:
            self._check_tag(event, tag)
        if tag is not None and tag != "!":
            return _KINDS.get(tag, "text")
        if not event.implicit[0] or event.value[:1] not in Resolver.yaml_implicit_resolvers:
            return "text"
        tag = self._resolver.resolve(yaml.ScalarNode, event.value, event.implicit)  # type: ignore[no-untyped-call]
        return _KINDS.get(str(tag), "text")

    def _alias(self, event: yaml.AliasEvent) -> None:
        name = f"alias `*{event.anchor}`"
        target = self._anchors.get(event.anchor or "")
        if target is None:
            self._fault("undefined-alias", event, f"{name} has no anchor", "if it is meant as text, put it in quotes")
        elif target in self._open:
            self._stop("recursive-alias", event, f"{name} stands inside its own anchor", "write the value out")
        self._add(target or Node("nothing", *_place(event), "", 0, _NO_ITEMS, _NO_ENTRIES), None)

    def _add(self, node: Node, anchor: str | None) -> None:
        """Put a finished node into the open collection, or make it the root."""
        if anchor:
            self._anchors[anchor] = node
        if not self._open:
            self.root = self.root or node
            return
        parent = self._open[-1]
        parent.weight += node.weight
        if node.depth >= parent.depth:
            parent.depth = node.depth + 1
        if parent.weight > MAX_WEIGHT or parent.depth > MAX_DEPTH:
            hint = "write the values out instead of using `*name`"
            self._stop("alias-size", node, "aliases make this file too large", hint)
        elif parent.kind == "list":
            parent.items.append(node)
        elif parent.key is None:
            parent.key = node
        else:
            self._enter(parent, parent.key, node)
            parent.key = None

    def _enter(self, parent: Node, key: Node, value: Node) -> None:
        if key.kind in ("mapping", "list"):
            self._fault("key-text", key, "a key must be plain text", "curly braces need quotes around the whole value")
        elif key.kind == "merge key":
            self._merge(parent, key, value)
        elif key.text in parent.entries:
            hint = f"first on line {parent.entries[key.text][0].line}; remove one of them"
            self._fault("key-duplicates", key, f"key `{key.text}` is given twice", hint)
        else:
            parent.entries[key.text] = (key, value)

    def _merge(self, parent: Node, key: Node, value: Node) -> None:
        mappings = value.items if value.kind == "list" else [value]
        if any(mapping.kind != "mapping" for mapping in mappings):
            hint = "give it an alias of a mapping, such as `*name`, or write the keys out"
            self._fault("merge-key", key, "`<<` takes a mapping, or a list of them", hint)
        else:
            parent.merged = [*(parent.merged or ()), *mappings]

    def _check_tag(self, event: yaml.Event, tag: str) -> None:
        self.tagged = True
        if tag != "!" and tag not in _KINDS:
            self._fault("tag", event, f"the tag `{tag}` is not read", "remove it, or put the value in quotes")

    def _fault(self, rule: str, at: yaml.Event | Node, message: str, hint: str) -> None:
        line, column = (at.line, at.column) if isinstance(at, Node) else _place(at)
        self.faults.append(rules.fault(rule, path=self.path, line=line, column=column, message=message, hint=hint))

    def _stop(self, rule: str, at: yaml.Event | Node, message: str, hint: str) -> None:
        self._fault(rule, at, message, hint)
        self.stopped = True


_TAKERS: dict[type[yaml.Event], Callable[[_Builder, Any], None]] = {
    yaml.ScalarEvent: _Builder._scalar,
    yaml.MappingStartEvent: _Builder._start,
    yaml.SequenceStartEvent: _Builder._start,
    yaml.MappingEndEvent: _Builder._end,
    yaml.SequenceEndEvent: _Builder._end,
    yaml.AliasEvent: _Builder._alias,
    yaml.DocumentStartEvent: _Builder._document,
}


def _place(event: yaml.Event) -> tuple[int, int]:
    mark = event.start_mark
    return (mark.line + 1, mark.column + 1) if mark else (1, 1)
