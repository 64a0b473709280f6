"""What is wrong with a setting, in words: where it stands, what was expected, what was meant."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from ilab.config import keys
from ilab.config.yaml_file import Setting
from ilab.errors import Fault

_EXPECTED = {
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "float_parsing": "a number",
    "finite_number": "a finite number",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "string_type": "text",
    "path_type": "a path",
    "list_type": "a list",
    "tuple_type": "a list",
    "set_type": "a list",
    "dict_type": "`key: value` lines",
    "model_type": "a section (`key: value` lines)",
    "model_attributes_type": "a section (`key: value` lines)",
}
_LIMITS = {
    "greater_than": "more than {gt}",
    "greater_than_equal": "{ge} or more",
    "less_than": "less than {lt}",
    "less_than_equal": "{le} or less",
    "multiple_of": "a multiple of {multiple_of}",
    "literal_error": "one of {expected}",
    "string_pattern_mismatch": "text of the form {pattern}",
    "string_too_short": "at least {min_length} characters",
    "too_short": "at least {min_length} entries",
    "too_long": "at most {max_length} entries",
}


def unknown(name: str, setting: Setting, model: type[BaseModel]) -> Fault:
    """The fault of a key that does not exist, with the closest one that does."""
    known = [*keys.keys(model), *keys.sections(model)]
    if name in keys.sections(model):
        example = next(key for key in known if key.startswith(f"{name}."))
        message = f"{name}: a section, not a key"
        return Fault(path=setting.path, line=setting.line, message=message, hint=f"set `{example}`")
    meant = closest(name, known)
    return Fault(
        path=setting.path,
        line=setting.line,
        message=f"{name}: there is no such key",
        hint=f"did you mean `{meant}`?" if meant else "",
    )


def closest(name: str, known: Sequence[str]) -> str:
    """The one of `known` that `name` was probably meant to be; empty when none is like it."""
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.6) or _same_ending(name, known)
    return close[0] if close else ""


def _same_ending(name: str, known: Sequence[str]) -> list[str]:
    """The key of the same last name in another section, if there is just one."""
    last = name.rpartition(".")[2]
    matches = [key for key in known if key.rpartition(".")[2] == last]
    return matches if len(matches) == 1 else []


def wrong(errors: Iterable[Mapping[str, Any]], chosen: Mapping[str, Setting], model: type[BaseModel]) -> list[Fault]:
    """The faults behind pydantic's findings, each at the place where its value was set.

    A value that may have several types gives one finding a type; they become one fault.
    """
    grouped: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    for error in errors:
        grouped.setdefault(_key_of(error["loc"], model), []).append(error)
    return [_wrong_value(name, inside, found, chosen, model) for (name, inside), found in grouped.items()]


def _wrong_value(
    name: str, inside: str, found: list[Mapping[str, Any]], chosen: Mapping[str, Setting], model: type[BaseModel]
) -> Fault:
    setting = chosen.get(name) or next((each for key, each in chosen.items() if key.startswith(f"{name}.")), None)
    key = keys.keys(model).get(name)
    first = found[0]
    texts = list(dict.fromkeys(map(_expectation, found)))
    expectation = " or ".join([texts[0], *(text.removeprefix("expected ") for text in texts[1:])])
    got = "" if first["type"] == "value_error" or (key and key.secret) else f", got {_shown(first['input'])}"
    return Fault(
        path=setting.path if setting else "settings",
        line=setting.line if setting else 0,
        message=f"{name}{inside}: {expectation}{got}",
        hint=key.doc if key else "",
    )


def way_out(faults: Sequence[Fault], *, file: Path, edit: str) -> str:
    """What mends `faults`: `edit` is the command that opens `file`. Each command named works in spite of the faults."""
    places = dict.fromkeys(fault.path for fault in faults)
    variables = [place for place in places if place.startswith("ILAB_")]
    flags = [place for place in places if place.startswith("--")]
    runs = [place for place in places if place.startswith("run ")]
    files = [place for place in places if place not in (*variables, *flags, *runs)]
    steps = [f"`{edit}` opens the file" if place == str(file) else f"mend {place}" for place in files]
    steps += [f"correct or unset {variable}" for variable in variables]
    steps += [f"correct {flag}" for flag in flags]
    steps += [f"the settings of {run} do not fit this version of ilab, start a new run" for run in runs]
    if files == [str(file)] and not variables:
        steps.append("`ilab --config DEFAULT config show` lists every key")
    elif not files and not variables:
        steps.append("`ilab config show` lists every key")
    return "; ".join(steps)


def _key_of(location: tuple[Any, ...], model: type[BaseModel]) -> tuple[str, str]:
    """The dotted key at the head of `location`, and what lies inside its value (`[2]`)."""
    known = keys.keys(model)
    for length in range(len(location), 0, -1):
        name = ".".join(map(str, location[:length]))
        if name in known:
            return name, "".join(f"[{part}]" for part in location[length:] if isinstance(part, int))
    return ".".join(map(str, location)) or "settings", ""


def _expectation(error: Mapping[str, Any]) -> str:
    kind, context = error["type"], error.get("ctx", {})
    if kind in _EXPECTED:
        return f"expected {_EXPECTED[kind]}"
    if kind in _LIMITS:
        limits = {name: f"{value:.12g}" if isinstance(value, float) else value for name, value in context.items()}
        return f"expected {_LIMITS[kind].format(**limits)}"
    if kind == "value_error":
        return str(context.get("error", error["msg"]))
    text = str(error["msg"])
    return text[:1].lower() + text[1:]


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
