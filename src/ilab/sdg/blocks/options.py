"""What options each block takes, so that a flow with a mistake in it is refused before anything is asked."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import resources
from typing import Any

import yaml

_PROMPTS = resources.files("ilab.sdg") / "prompts"

Check = Callable[[Any], bool]
_KINDS: dict[str, Check] = {
    "text": lambda value: isinstance(value, str) and bool(value),
    "a number": lambda value: isinstance(value, (int, float)) and not isinstance(value, bool),
    "a whole number from 1": lambda value: isinstance(value, int) and not isinstance(value, bool) and value >= 1,
    "true or false": lambda value: isinstance(value, bool),
    "a list": lambda value: isinstance(value, list) and bool(value),
    "`row` or `scale`": lambda value: value in ("row", "scale"),
    "`fact`": lambda value: value == "fact",
    "`run`": lambda value: value == "run",
    "the name of a prompt": lambda value: isinstance(value, str),
    "a list of prompts": lambda value: isinstance(value, list) and bool(value),
    "prompts by value": lambda value: isinstance(value, dict) and bool(value),
}
_TEXT, _NUMBER, _COUNT, _FLAG, _LIST, _EACH, _FACT, _RUN, _PROMPT, _STEPS, _BY_VALUE = _KINDS

_TAKES: dict[str, dict[str, str]] = {
    "statements": {},
    "spans": {},
    "questions": {"shapes": _LIST},
    "ask": {"prompt!": _PROMPT, "each": _EACH},
    "ask_by": {"by!": _TEXT, "prompts!": _BY_VALUE},
    "answered": {"max_words": _COUNT},
    "choose": {"prompt!": _PROMPT, "column!": _TEXT, "otherwise!": _TEXT},
    "propose": {"prompt!": _PROMPT, "set": _COUNT, "yields": _COUNT},
    "summaries": {"samples": _FLAG},
    "kinds": {"kinds": _LIST, "per": _COUNT},
    "ask_facts": {"prompt!": _PROMPT, "group": _COUNT},
    "reword": {"prompt!": _PROMPT, "origin": _TEXT, "max_words": _COUNT, "together": _COUNT},
    "improve": {"steps!": _STEPS},
    "prefer": {"prompt": _PROMPT},
    "rules": {"in_its_words": _FLAG, "max_words": _COUNT},
    "ground": {"min_gain": _NUMBER, "per": _FACT},
    "judge": {"prompt!": _PROMPT, "keep": _LIST, "min": _NUMBER, "votes": _COUNT, "together": _COUNT, "origin": _TEXT},
    "choices": {},
    "verify_key": {"prompt": _PROMPT},
    "distinct": {"overlap": _NUMBER, "scope": _RUN},
}
"""Block -> its options and what they are; those with `!` must be there."""
_WRITES: dict[str, tuple[str, ...]] = {
    "choose": ("verdict",),
    "propose": (),
    "ask_facts": ("number", "question", "answer"),
    "reword": ("number", "question"),
    "improve": (),
    "prefer": ("verdict",),
    "judge": ("verdict",),
    "verify_key": ("verdict",),
}
"""Blocks that need a prompt whose answers are records -> the columns that these must have."""


def fault(block: str, options: Mapping[str, Any]) -> str:
    """What is wrong with the options of `block`; empty when nothing is, and for a block that is not known here."""
    if block not in _TAKES:
        return ""
    kinds = {name.rstrip("!"): kind for name, kind in _TAKES[block].items()}
    for name in options:
        if name not in kinds:
            known = f"it takes {', '.join(f'`{each}`' for each in kinds)}" if kinds else "it takes none"
            return f"block `{block}` has no option `{name}`; {known}"
    for name in _TAKES[block]:
        if name.endswith("!") and name[:-1] not in options:
            return f"block `{block}` needs the option `{name[:-1]}`: {kinds[name[:-1]]}"
    for name, value in options.items():
        if not _KINDS[kinds[name]](value):
            return f"option `{name}` of block `{block}` must be {kinds[name]}, not {value!r}"
        for prompt in _named(kinds[name], value):
            if found := _prompt_fault(block, prompt):
                return found
    return ""


def _named(kind: str, value: Any) -> list[Any]:
    """The prompts that an option names."""
    if kind == _BY_VALUE:
        return list(value.values())
    return [value] if kind == _PROMPT else list(value) if kind == _STEPS else []


def _prompt_fault(block: str, name: Any) -> str:
    known = sorted(entry.name.removesuffix(".yaml") for entry in _PROMPTS.iterdir() if entry.name.endswith(".yaml"))
    if name not in known:
        return f"block `{block}`: there is no prompt `{name}`; there are {', '.join(known)}"
    if block not in _WRITES:
        return ""
    columns = yaml.safe_load((_PROMPTS / f"{name}.yaml").read_text("utf-8")).get("columns", {})
    lacking = [column for column in _WRITES[block] if column not in columns]
    if not columns or lacking:
        needed = " and ".join(f"`{column}`" for column in lacking) or "columns"
        return f"block `{block}` cannot use the prompt `{name}`, whose answers have no {needed}"
    return ""
