"""What a terminal shows while rows are generated: figures, the funnel of each path, and the last sample kept."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ilab.cli import output
from ilab.cli.excerpt import columns, cut

_INDENT = "  "


def figures(live: Mapping[str, Any]) -> list[str]:
    """The counts of the moment in words, each where it is known."""
    kept, rejected = int(live.get("kept") or 0), int(live.get("rejected") or 0)
    found = [f"{output.number(kept)} kept, {output.number(rejected)} rejected"]
    calls = int(live.get("in_flight") or 0)
    found.append(f"{calls} call{'' if calls == 1 else 's'} in flight")
    if speed := live.get("tokens_per_second"):
        found.append(f"{output.number(speed)} tokens/s")
    for name, what in (("cached", "of prompts cached"), ("remembered", "of answers remembered")):
        if live.get(name):
            found.append(f"{100 * live[name]:.0f} % {what}")
    return found


def lines(live: Mapping[str, Any], *, width: int, height: int, unicode: bool) -> list[str]:
    """At most `height` lines of `width` columns: figures, a funnel for each path, the last sample in two lines.

    Where the height does not do, the sample is left out first, then the last paths of the funnel.
    """
    shown = [_INDENT + line for line in _filled(figures(live), "  ", width - len(_INDENT))]
    sample = _sample(live.get("last") or {})
    funnel = [line for path in live.get("funnel") or () for line in _path(path, width, unicode)]
    room = height - len(shown)
    if len(funnel) + len(sample) > room:
        sample = []
    return [cut(line, width) for line in [*shown, *funnel[: max(0, room)], *sample]][: max(0, height)]


def _path(path: Mapping[str, Any], width: int, unicode: bool) -> Iterator[str]:
    """A path as a chain: the rows that each block passed on, and how many it rejected."""
    arrow = "\u2192" if unicode else ">"
    label = f"{_INDENT}{path.get('path', '')!s:<11} "
    blocks: Sequence[Sequence[Any]] = path.get("blocks") or ()
    steps = [_step(block, arrow if number else "") for number, block in enumerate(blocks)]
    if blocks and blocks[0][1]:
        steps.insert(0, output.number(int(blocks[0][1])))
        steps[1] = f"{arrow} {steps[1]}"
    for number, line in enumerate(_filled(steps, " ", width - columns(label))):
        yield (" " * columns(label) if number else label) + line


def _step(block: Sequence[Any], arrow: str) -> str:
    name, _, rows, rejected = block
    lost = f" -{output.number(int(rejected))}" if rejected else ""
    return " ".join(part for part in (arrow, f"{name} {output.number(int(rows))}{lost}") if part)


def _sample(last: Mapping[str, Any]) -> list[str]:
    """The last sample kept: its question and its answer, a line each."""
    if not last.get("question"):
        return []
    return [
        f"{_INDENT}last  Q: {_one_line(last['question'])}",
        f"{_INDENT}      A: {_one_line(last.get('answer', ''))}",
    ]


def _one_line(text: str) -> str:
    """`text` on one line, without characters by which it could move the cursor or change the terminal."""
    return " ".join("".join(sign if sign.isprintable() else " " for sign in str(text)).split())


def _filled(pieces: Sequence[str], between: str, width: int) -> list[str]:
    """Pieces put on as few lines of `width` columns as they need; none is broken."""
    found: list[str] = []
    for piece in pieces:
        if found and columns(found[-1]) + columns(between) + columns(piece) <= width:
            found[-1] += between + piece
        else:
            found.append(piece)
    return found
