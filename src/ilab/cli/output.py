"""What commands print: data on stdout (tables, JSON), everything for people on stderr.

Colour only on a terminal and without `NO_COLOR`.
"""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Iterable, Sequence
from typing import Any, TextIO

import click


def is_terminal(stream: TextIO) -> bool:
    """Whether `stream` is a terminal that understands cursor movement."""
    return stream.isatty() and os.environ.get("TERM") != "dumb"


def colour(stream: TextIO) -> bool:
    """Whether colours may be written to `stream`."""
    return is_terminal(stream) and not os.environ.get("NO_COLOR")


def style(text: str, *, stream: TextIO | None = None, **how: Any) -> str:
    """`text` with click's style options, where `stream` (stderr by default) takes colour; else as it is."""
    return click.style(text, **how) if colour(stream or sys.stderr) else text


def write_any_letter() -> None:
    """Let a letter that stdout or stderr cannot encode (a narrow locale) appear as `\\u2192` and not end the work."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper) and stream.errors == "strict":
            stream.reconfigure(errors="backslashreplace")


def table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """An ASCII table with borders, one line a row.

    +------------+---------+
    | Model Name | Size    |
    +------------+---------+
    | granite    | 12.6 GB |
    +------------+---------+
    """
    body = [[str(cell).replace("\n", " ") for cell in row] for row in rows]
    widths = [max(len(cells[place]) for cells in [columns, *body]) for place in range(len(columns))]
    border = "+" + "+".join("-" * (width + 2) for width in widths) + "+"

    def line(cells: Sequence[str]) -> str:
        return "| " + " | ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)) + " |"

    return "\n".join([border, line(columns), border, *map(line, body), *([border] if body else [])])


def print_table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print a table on stdout."""
    click.echo(table(columns, rows))


def print_json(value: Any) -> None:
    """Print `value` on stdout as indented JSON; paths and times become text."""
    import json

    # JSON has its own spelling of the letters that a narrow stdout cannot encode
    narrow = not (sys.stdout.encoding or "utf-8").lower().startswith("utf")
    click.echo(json.dumps(value, ensure_ascii=narrow, indent=2, default=str))


def tell(message: str) -> None:
    """Print a line for people on stderr."""
    click.echo(message, err=True)


def number(value: float) -> str:
    """A count or a rate for people: `0.42`, `4,427`, `1.23 M`."""
    if abs(value) >= 1e9:
        return f"{value / 1e9:.2f} G"
    if abs(value) >= 1e6:
        return f"{value / 1e6:.2f} M"
    if float(value).is_integer() or abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def size(count: int) -> str:
    """Bytes for people, in decimal units: `12.6 GB`."""
    value = float(count)
    for unit in ("B", "KB", "MB", "GB"):
        if value < 1000:
            return f"{value:.0f} B" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1000
    return f"{value:.1f} TB"
