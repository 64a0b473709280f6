"""Read a settings file as flat dotted keys, each with its line; every fault of its form is collected."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from ilab.errors import Fault


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """A value that somebody set: where it came from, for people, and the place in a file."""

    value: Any
    source: str
    path: str = ""
    line: int = 0


def read(
    text: str, *, path: Path, kind: str, is_section: Callable[[str], bool]
) -> tuple[dict[str, Setting], list[Fault]]:
    """The settings in `text` and the faults of its form. `kind` ("file", "profile") begins each source."""
    try:
        loader = yaml.SafeLoader(text)
        reader = _Reader(loader, path, kind, is_section)
        root = loader.get_single_node()
        if root is not None and not _is_empty(root):
            reader.mapping("", root)
        return reader.found, reader.faults
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (0, 0)
        return {}, [Fault(path=str(path), line=line, column=column, message=f"not valid YAML: {error.problem}")]
    except yaml.YAMLError as error:
        return {}, [Fault(path=str(path), message=f"not valid YAML: {error}")]


class _Reader:
    """Walks the nodes of one document."""

    def __init__(self, loader: yaml.SafeLoader, path: Path, kind: str, is_section: Callable[[str], bool]) -> None:
        self.loader = loader
        self.path = str(path)
        self.kind = kind
        self.is_section = is_section
        self.found: dict[str, Setting] = {}
        self.faults: list[Fault] = []

    def mapping(self, prefix: str, node: yaml.Node) -> None:
        """Take in the keys of one section."""
        if not isinstance(node, yaml.MappingNode):
            what = f"`{prefix}`" if prefix else "the file"
            self.fault(node, f"{what}: expected a section (`key: value` lines)")
            return
        seen: set[str] = set()
        for key_node, value_node in node.value:
            name = str(getattr(key_node, "value", ""))
            dotted = f"{prefix}.{name}" if prefix else name
            if name in seen:
                self.fault(key_node, f"{dotted}: given twice")
                continue
            seen.add(name)
            self.entry(dotted, key_node, value_node)

    def entry(self, dotted: str, key_node: yaml.Node, value_node: yaml.Node) -> None:
        """Take in one key: a section is entered, all else is a value. An empty section sets nothing."""
        if self.is_section(dotted):
            if not _is_empty(value_node):
                self.mapping(dotted, value_node)
            return
        line = key_node.start_mark.line + 1
        try:
            value = self.loader.construct_object(value_node, deep=True)
        except ValueError as error:  # what looks like a date or a number and is none, such as 2024-13-45
            self.fault(value_node, f"{dotted}: {error}")
            return
        self.found[dotted] = Setting(value=value, source=f"{self.kind} {self.path}:{line}", path=self.path, line=line)

    def fault(self, node: yaml.Node, message: str) -> None:
        """Note what is wrong at `node`."""
        self.faults.append(Fault(path=self.path, line=node.start_mark.line + 1, message=message))


def _is_empty(node: yaml.Node) -> bool:
    return isinstance(node, yaml.ScalarNode) and node.tag == "tag:yaml.org,2002:null"
