"""Write settings as commented YAML: each key with its docstring, active where it was changed.

# a comment is "# " and text
#seed: 42           is a key at its default; take the "#" away to change it
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any

import yaml

from ilab.base import atomic
from ilab.config import keys
from ilab.config.keys import Key, Section
from ilab.config.load import DEFAULT, Loaded
from ilab.config.schema import Config

_HEAD = """\
# Settings of ilab. Lines that begin with `#` show defaults; take the `#` away to change one.
# A flag comes before the environment (ILAB_TRAINING__SEED=3), that before this file, that before the profile.
# `ilab config show` prints what is active and where it comes from.
"""
_MASK = "********"
_WIDTH = 110

Line = Callable[[Key], str]


def template(changed: Mapping[str, Any]) -> str:
    """The file of `config init`: every key at its default as a comment, those in `changed` active."""

    def line(key: Key) -> str:
        if key.name in changed:
            return f"{_last(key)}: {literal(keys.plain(changed[key.name]))}"
        return f"#{_last(key)}: {literal(keys.plain(key.default))}"

    return _HEAD + "\n" + _sections(line, comments=True)


def active(loaded: Loaded, *, only: Collection[str] | None = None, comments: bool = True) -> str:
    """Every active value with its source behind it; secrets are masked. `only` limits it to some keys."""

    def line(key: Key) -> str:
        text = f"{_last(key)}: {literal(shown(loaded, key))}"
        return f"{text}  # {origin(loaded, key)}" if comments else text

    return _sections(line, comments=comments, only=only)


def origin(loaded: Loaded, key: Key) -> str:
    """Where the value of `key` comes from, with the default that it replaces."""
    source = loaded.sources[key.name]
    return source if source == DEFAULT or key.secret else f"{source} (default {literal(keys.plain(key.default))})"


def shown(loaded: Loaded, key: Key) -> Any:
    """The active value of `key` as plain data; a secret that is set is masked."""
    value = keys.plain(keys.value_of(loaded.config, key.name))
    return _MASK if key.secret and value else value


def save(path: Path, text: str) -> None:
    """Write the file, readable by its owner only: it may hold a key."""
    atomic.write_bytes(path, text.encode(), mode=0o600)


def literal(value: Any) -> str:
    """`value` as YAML on one line."""
    if isinstance(value, str) and ("\n" in value or "\t" in value):
        return json.dumps(value, ensure_ascii=False)
    text = yaml.safe_dump(value, default_flow_style=True, allow_unicode=True, width=2**20, sort_keys=False)
    return text.removesuffix("\n").removesuffix("\n...")


def _last(key: Key) -> str:
    return key.name.rsplit(".", 1)[-1]


def _sections(line: Line, *, comments: bool, only: Collection[str] | None = None) -> str:
    lines: list[str] = []
    for child in keys.tree(Config).children:
        _write(child, 0, lines, line, comments=comments, only=only)
    return "\n".join(lines).strip("\n") + "\n"


def _write(
    part: Key | Section, depth: int, lines: list[str], line: Line, *, comments: bool, only: Collection[str] | None
) -> None:
    indent = "  " * depth
    if isinstance(part, Key):
        if only is None or part.name in only:
            lines += [f"{indent}# {text}" for text in _wrapped(part.doc, _WIDTH - len(indent))] if comments else []
            lines.append(indent + line(part))
        return
    inner: list[str] = []
    for child in part.children:
        _write(child, depth + 1, inner, line, comments=comments, only=only)
    if inner:
        gap = [""] if depth == 0 and comments else []
        heading = [f"{indent}# {text}" for text in _wrapped(part.doc.split("\n\n")[0], _WIDTH)] if comments else []
        lines += [*gap, *heading, f"{indent}{part.name.rsplit('.', 1)[-1]}:", *inner]


def _wrapped(text: str, width: int) -> list[str]:
    lines: list[str] = []
    for word in text.split():
        if lines and len(lines[-1]) + 1 + len(word) <= width:
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    return lines
