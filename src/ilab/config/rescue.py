"""Keep what is sound in a settings file that has faults, and a copy of what the file was."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ilab.base import atomic
from ilab.config import load, write
from ilab.errors import Fault


def sound(file: Path) -> tuple[dict[str, Any], list[Fault]]:
    """The settings of `file` that can be kept, by their dotted keys, and every fault of the file."""
    try:
        text = file.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        return {}, [Fault(path=str(file), message=f"not UTF-8 text: {error.reason}")]
    faults = load.check(text, file=file)
    kept = {name: setting.value for name, setting in load.settings_of(text, file)[0].items() if load.is_known(name)}
    while faults and kept and (left := load.check(write.template(kept), file=file)):
        kept = _without(kept, left, file)
    return kept, faults


def _without(kept: dict[str, Any], faults: list[Fault], file: Path) -> dict[str, Any]:
    """`kept` less the settings that `faults` blames in its template; each call leaves fewer."""
    lines = {fault.line for fault in faults if fault.path == str(file)}
    found = load.settings_of(write.template(kept), file)[0]
    blamed = {name for name, setting in found.items() if setting.line in lines}
    if not blamed:  # the faults are in the profile that the file names, or nobody knows where
        blamed = {"general.profile"} & set(kept) or set(kept)
    return {name: value for name, value in kept.items() if name not in blamed}


def back_up(file: Path) -> Path:
    """Copy `file` beside itself, byte for byte, and return the copy. A former copy is never replaced."""
    content = file.read_bytes()
    number = 1
    while True:
        copy = file.with_name(f"{file.name}.bak" + (f".{number}" if number > 1 else ""))
        if not copy.exists():
            atomic.write_bytes(copy, content, mode=0o600)  # it may hold a key
            return copy
        if copy.read_bytes() == content:
            return copy
        number += 1
