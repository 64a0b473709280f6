"""Choose files by glob patterns: `*`, `?`, `[...]` inside one part of a path, `**` for any number of folders."""

from __future__ import annotations

import difflib
import fnmatch
import unicodedata
from collections.abc import Sequence
from pathlib import PurePosixPath

from ilab.base.report import Reporter
from ilab.documents.convert import READ, can_read
from ilab.errors import SourceError

_SHOWN = 8
_ATTRIBUTION = "attribution.txt"
"""Says where a document comes from; a document itself only if a pattern names it."""


def matches(name: str, pattern: str) -> bool:
    """Whether the relative path `name` fits `pattern`. Names that start with a dot need a pattern that does, too."""
    parts = unicodedata.normalize("NFC", name).split("/")
    wanted = [part for part in unicodedata.normalize("NFC", pattern).split("/") if part not in ("", ".")]
    # reachable[i]: the pattern parts read so far can fit the first i parts of the name
    reachable = [True] + [False] * len(parts)
    for want in wanted:
        if want == "**":
            for i, part in enumerate(parts):
                reachable[i + 1] = reachable[i + 1] or (reachable[i] and not part.startswith("."))
            continue
        fits = [_part_fits(part, want) for part in parts]
        reachable = [False] + [reachable[i] and fits[i] for i in range(len(parts))]
    return reachable[-1]


def _part_fits(part: str, want: str) -> bool:
    if part.startswith(".") and not want.startswith("."):
        return False
    return fnmatch.fnmatchcase(part, want)


def choose(names: Sequence[str], patterns: Sequence[str], *, place: str, report: Reporter) -> list[str]:
    """The files of `names` that fit any of `patterns`, sorted; without patterns all that can be read.

    Files of other formats are passed over with a warning, unless a pattern names them. `SourceError`, which names
    `place` and what there is, when a pattern fits nothing or nothing can be read.
    """
    chosen: set[str] = set()
    passed_over: set[str] = set()
    for pattern in patterns or ("**",):
        fitting = [name for name in names if matches(name, pattern)]
        if not fitting and patterns:
            raise SourceError(f"no file fits the pattern `{pattern}` in {place}", hint=_what_there_is(names, pattern))
        named = not any(character in pattern for character in "*?[")
        wanted = {name for name in fitting if named or (can_read(name) and PurePosixPath(name).name != _ATTRIBUTION)}
        chosen |= wanted
        passed_over |= set(fitting) - wanted
    if not chosen:
        raise SourceError(f"no document that can be read in {place}", hint=f"{READ}; {_what_there_is(names, '')}")
    passed_over -= chosen
    if passed_over and patterns:
        report.warning(f"{_few(sorted(passed_over))} of {place} not used: {READ}")
    return sorted(chosen)


def _what_there_is(names: Sequence[str], pattern: str) -> str:
    if not names:
        return "it has no files"
    close = difflib.get_close_matches(pattern, names, n=1)
    suggestion = f"did you mean `{close[0]}`? " if close else ""
    return f"{suggestion}it has {_few(sorted(names, key=lambda name: (not can_read(name), name)))}"


def _few(names: Sequence[str]) -> str:
    shown = ", ".join(names[:_SHOWN])
    more = len(names) - _SHOWN
    return f"{shown} and {more} more" if more > 0 else shown
