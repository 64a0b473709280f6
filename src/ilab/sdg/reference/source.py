"""A YAML file with the line of every value in it, so that a fault can say where it is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from ilab.errors import Fault


class Source:
    """What stands in the file `label`; `content` is its data."""

    def __init__(self, label: str, content: Any, node: yaml.Node | None) -> None:
        self.label = label
        self.content = content
        self._node = node

    def line(self, *path: str | int) -> int:
        """The line of the value at `path` (keys and positions), or of what is nearest above it; 0 if unknown."""
        node = self._node
        line = node.start_mark.line + 1 if node is not None else 0
        for step in path:
            found = _below(node, step)
            if found is None:
                break
            line, node = found
        return line

    def fault(self, message: str, *path: str | int, hint: str = "") -> Fault:
        """A fault of the value at `path`."""
        return Fault(path=self.label, line=self.line(*path), message=message, hint=hint)


def read(path: Path) -> Source | Fault:
    """The file at `path`, or what is wrong with it."""
    try:
        loader = yaml.SafeLoader(path.read_text("utf-8"))
        node = loader.get_single_node()
        return Source(str(path), loader.construct_document(node) if node is not None else None, node)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        return Fault(path=str(path), line=mark.line + 1 if mark else 0, message=f"not YAML: {_one_line(error)}")
    except FileNotFoundError:
        return Fault(path=str(path), message="no such file")
    except OSError as error:
        return Fault(path=str(path), message=f"cannot be read: {error.strerror}")
    except ValueError as error:  # not UTF-8, or a date that is none
        return Fault(path=str(path), message=f"cannot be read: {_one_line(error)}")
    except RecursionError:
        return Fault(path=str(path), message="nested too deeply")


def _below(node: yaml.Node | None, step: str | int) -> tuple[int, yaml.Node] | None:
    """The line where the entry `step` of `node` begins, and its value."""
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if key.value == str(step):
                return key.start_mark.line + 1, value
    if isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
        value = node.value[step]
        return value.start_mark.line + 1, value
    return None


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())
