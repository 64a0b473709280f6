"""A recipe: which files are mixed into a training file, and how much of each.

    datasets:
      - {path: node_datasets/knowledge_a_p07.jsonl, sampling_size: 1.0}    # every row once; 0.5 half of them, 2.0 twice
      - {path: more.jsonl, sampling_size: 300}                             # a whole number: that many rows
    sys_prompt: You are ...          # may also stand in `metadata`
    overwrite_system: false          # true: put it in place of the system prompts that rows have already

Paths count from the folder of the recipe.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from ilab.errors import Fault

_TOP = ("datasets", "metadata", "sys_prompt", "overwrite_system")
_METADATA = ("sys_prompt",)
_ENTRY = ("path", "sampling_size")
_MOST = 1_000_000_000
_SIZE = "a share such as 0.5 or 1.0, or a whole number of rows"


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """One file of a recipe. `size` is a share of its rows (float) or a number of rows (int); `name` is as written."""

    path: Path
    name: str
    size: float | int
    recipe: Path
    line: int

    def wanted(self, rows: int) -> int:
        """How many rows are taken out of a file of `rows`."""
        return self.size if isinstance(self.size, int) else round(rows * self.size)


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """What a recipe file says."""

    path: Path
    sources: tuple[Source, ...] = ()
    system_prompt: str = ""
    overwrite_system: bool = False


def read(path: Path) -> tuple[Recipe, list[Fault]]:
    """The recipe as far as it can be used, and everything that is wrong with the file."""
    reader = _Reader(path)
    try:
        text = path.read_bytes().decode()
        reader.loader = yaml.SafeLoader(text)
        root = reader.loader.get_single_node()
    except OSError as error:
        what = "there is no such file" if isinstance(error, FileNotFoundError) else f"cannot be read: {error.strerror}"
        return Recipe(path=path), [Fault(path=str(path), message=what)]
    except UnicodeDecodeError:
        return Recipe(path=path), [Fault(path=str(path), message="not UTF-8 text")]
    except RecursionError:
        return Recipe(path=path), [Fault(path=str(path), message="nested too deeply")]
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        problem = getattr(error, "problem", None) or str(error).partition("\n")[0]
        line = mark.line + 1 if mark else 0
        return Recipe(path=path), [Fault(path=str(path), line=line, message=f"not valid YAML: {problem}")]
    return reader.recipe(root), reader.faults


class _Reader:
    """Walks the nodes of one recipe; only single values are ever made into objects."""

    loader: yaml.SafeLoader

    def __init__(self, path: Path) -> None:
        self.path = path
        self.faults: list[Fault] = []

    def recipe(self, root: yaml.Node | None) -> Recipe:
        """What the nodes say; faults are collected."""
        if root is None or _is_null(root):
            self.fault(root, "an empty recipe", "name files below `datasets:`")
            return Recipe(path=self.path)
        top = self.mapping(root, _TOP, "the recipe")
        nested = self.mapping(top["metadata"], _METADATA, "`metadata`") if _there(top, "metadata") else {}
        prompts = [self.text(part["sys_prompt"], "sys_prompt") for part in (top, nested) if _there(part, "sys_prompt")]
        if len(set(prompts)) > 1:
            self.fault(nested["sys_prompt"], "sys_prompt: given twice, with different words")
        overwrite = self.flag(top["overwrite_system"]) if _there(top, "overwrite_system") else False
        return Recipe(
            path=self.path,
            sources=self.sources(top.get("datasets"), root),
            system_prompt=prompts[0] if prompts else "",
            overwrite_system=overwrite,
        )

    def sources(self, node: yaml.Node | None, root: yaml.Node) -> tuple[Source, ...]:
        """The files below `datasets`."""
        if not isinstance(node, yaml.SequenceNode) or not node.value:
            if node is not None or isinstance(root, yaml.MappingNode):
                self.fault(
                    node or root, "datasets: expected a list of files", "- {path: data.jsonl, sampling_size: 1.0}"
                )
            return ()
        return tuple(source for entry in node.value if (source := self.source(entry)) is not None)

    def source(self, node: yaml.Node) -> Source | None:
        """One entry below `datasets`; None where it names no file that can be read."""
        entry = self.mapping(node, _ENTRY, "an entry of `datasets`")
        size = self.size(entry["sampling_size"]) if "sampling_size" in entry else 1.0
        if not _there(entry, "path"):
            if isinstance(node, yaml.MappingNode):
                self.fault(node, "path: missing")
            return None
        name = self.text(entry["path"], "path")
        path = self.path.parent / name
        wrong = _unusable(name, path)
        if wrong:
            self.fault(entry["path"], f"path: {wrong}", "paths count from the folder of the recipe")
            return None
        line = node.start_mark.line + 1
        return Source(path=path, name=name, size=size, recipe=self.path, line=line)

    def size(self, node: yaml.Node) -> float | int:
        """A value of `sampling_size`."""
        value = self.value(node)
        if isinstance(value, bool) or not isinstance(value, int | float):
            self.fault(node, f"sampling_size: expected {_SIZE}, got {_shown(value)}")
        elif not 0 < value <= _MOST:
            self.fault(node, f"sampling_size: expected more than 0 and at most {_MOST:,}, got {_shown(value)}", _SIZE)
        else:
            return value
        return 1.0

    def text(self, node: yaml.Node, name: str) -> str:
        """A value that must be text."""
        value = self.value(node)
        if isinstance(value, str):
            return value
        self.fault(node, f"{name}: expected text, got {_shown(value)}")
        return ""

    def flag(self, node: yaml.Node) -> bool:
        """The value of `overwrite_system`."""
        value = self.value(node)
        if not isinstance(value, bool):
            self.fault(node, f"overwrite_system: expected true or false, got {_shown(value)}")
        return value is True

    def value(self, node: yaml.Node) -> Any:
        """A single value; for what is none, a list with the word for it."""
        if not isinstance(node, yaml.ScalarNode):
            return ["a list" if isinstance(node, yaml.SequenceNode) else "`key: value`"]
        try:
            return self.loader.construct_object(node)
        except (ValueError, yaml.YAMLError):  # what looks like a date and is none; a tag that makes an object
            return [node.value]

    def mapping(self, node: yaml.Node, known: tuple[str, ...], what: str) -> dict[str, yaml.Node]:
        """The known keys of a mapping; others are faults."""
        if not isinstance(node, yaml.MappingNode):
            self.fault(node, f"{what}: expected `key: value`")
            return {}
        found: dict[str, yaml.Node] = {}
        for key, value in node.value:
            name = str(key.value) if isinstance(key, yaml.ScalarNode) else ""
            if name in found:
                self.fault(key, f"{name}: given twice")
            elif name in known:
                found[name] = value
            else:
                close = difflib.get_close_matches(name, known, n=1)
                hint = f"did you mean `{close[0]}`?" if close else f"known: {', '.join(known)}"
                self.fault(key, f"{name or 'a list'}: there is no such key in {what}", hint)
        return found

    def fault(self, node: yaml.Node | None, message: str, hint: str = "") -> None:
        """Note what is wrong at `node`."""
        line = node.start_mark.line + 1 if node else 1
        self.faults.append(Fault(path=str(self.path), line=line, message=message, hint=hint))


def _unusable(name: str, path: Path) -> str:
    """Why the file of a source cannot be read; empty when it can."""
    if not name.strip() or "\0" in name:
        return "expected the name of a file"
    if path.suffix != ".jsonl":
        return f"{name} is not a .jsonl file"
    try:
        if path.is_dir():
            return f"{name} is a folder"
        return "" if path.is_file() else f"there is no file {path}"
    except OSError as error:
        return f"{name} cannot be read: {error.strerror}"


def _there(found: Mapping[str, yaml.Node], name: str) -> bool:
    return name in found and not _is_null(found[name])


def _is_null(node: yaml.Node) -> bool:
    return isinstance(node, yaml.ScalarNode) and node.tag == "tag:yaml.org,2002:null"


def _shown(value: Any) -> str:
    text = str(value[0]) if isinstance(value, list) else repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
